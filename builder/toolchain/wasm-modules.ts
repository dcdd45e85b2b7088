// Owns imports of WebAssembly: `import module from './x.wasm'` gives a WebAssembly.Module, with its bytes in the bundle.
import { basename, dirname } from 'node:path';
import type { Plugin } from 'esbuild';

export const wasmModules: Plugin = {
  name: 'wasm-modules',
  setup(build) {
    build.onLoad({ filter: /\.wasm$/, namespace: 'file' }, ({ path, with: attributes }) => {
      // This very import, or one of the source that asks for bytes.
      if (attributes['type'] === 'bytes') return undefined;
      const from = JSON.stringify(`./${basename(path)}`);
      return { contents: `import bytes from ${from} with { type: 'bytes' };\nexport default /* @__PURE__ */ new WebAssembly.Module(bytes);\n`, resolveDir: dirname(path), loader: 'js' };
    });
  },
};
