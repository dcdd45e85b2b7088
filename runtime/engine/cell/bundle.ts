// Owns how the Cell's program and the guest's web API are each made one script: with esbuild, from their folders and a few packages.
import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import type { Plugin } from 'esbuild';

const HERE = dirname(fileURLToPath(import.meta.url));

/** What the guest's web API is made of, beside its own files. */
const PACKAGES = ['@exodus/bytes', 'urlpattern-polyfill', 'web-streams-polyfill'];

/** Folders and files whose content decides what the bundles are. */
export const BUNDLE_FOLDERS = [join(HERE, 'inside'), join(HERE, '../guest')];
export const BUNDLE_FILES = [join(HERE, 'protocol.ts'), join(HERE, 'frames.ts'), fileURLToPath(import.meta.url), ...PACKAGES.map((name) => findPackageJSON(name, import.meta.url)!)];

export function bundleProgram(): Promise<Buffer> {
  return bundle(join(HERE, 'inside/main.ts'), 'cjs');
}

export function bundleGuest(): Promise<Buffer> {
  return bundle(join(HERE, '../guest/main.ts'), 'iife');
}

async function bundle(path: string, format: 'cjs' | 'iife'): Promise<Buffer> {
  const esbuild = await import('esbuild');
  const result = await esbuild.build({
    entryPoints: [path], bundle: true, write: false, format, target: 'esnext', minifySyntax: true, minifyWhitespace: true, legalComments: 'none', logLevel: 'silent',
    platform: format === 'cjs' ? 'node' : 'neutral',
    plugins: [tablesElsewhere], define: { ENCODING_TABLES: format === 'cjs' ? JSON.stringify(await packedTables()) : 'undefined' },
  });
  return Buffer.from(result.outputFiles[0]!.contents);
}

/** Tables of 150 KB that few Micros need would be in every snapshot: the Cell keeps them, packed, and a guest asks for them. */
const tablesElsewhere: Plugin = {
  name: 'tables-elsewhere',
  setup(build) {
    build.onLoad({ filter: /multi-byte\.encodings\.cjs$/ }, () => ({ contents: 'export { loadEncodings as default } from "./encoding-tables.ts";', resolveDir: join(HERE, '../guest') }));
  },
};

async function packedTables(): Promise<string> {
  const path = join(dirname(findPackageJSON('@exodus/bytes', import.meta.url)!), 'fallback/multi-byte.encodings.json');
  return deflateRawSync(JSON.stringify(JSON.parse(await readFile(path, 'utf8')))).toString('base64');
}
