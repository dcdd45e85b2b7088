// Owns finding imports by pattern, such as import(`../${name}.js`), that lead out of a folder. esbuild answers a pattern
// by reading every folder below its start, and asks no plugin: it has to be refused before.
import type { Loader, PluginBuild } from 'esbuild';

const LOADERS: Record<string, Loader> = { '.ts': 'ts', '.mts': 'ts', '.cts': 'ts', '.tsx': 'tsx', '.jsx': 'jsx' };

/** A file without any of these has no such call, however it is written: `import` that is called or may be, `require` in
 *  any other way than with one plain string, an escape that may spell either. Most packages have none. */
const MAY_COMPUTE = [/\\u/, /\bimport\s*(?:\/[/*]|\.(?!meta\b)|\((?!\s*(?:"[^"\\\n]*"|'[^'\\\n]*')\s*[,)]))/, /\brequire\b(?!\s*\(\s*(?:"[^"\\\n]*"|'[^'\\\n]*')\s*\))/];
/** A call whose argument is more than one plain string. */
const COMPUTED_CALL = /\b(?:import|require|require\.resolve)\((?!"[^"\\]*"[),]|'[^'\\]*'[),]|\))/;
/** The head of a template or sum that starts as a relative path. */
const HEADS = [/`(\.\.?[\\/][^`$]*)\$\{/g, /"(\.\.?[\\/](?:[^"\\]|\\.)*)"\+/g, /'(\.\.?[\\/](?:[^'\\]|\\.)*)'\+/g];

/** The pattern of `text` that leads upwards, or undefined. A file that does not parse has none: it fails later.
 *  Errs on the side of refusal: the head need not stand in the call itself. */
export async function patternUpwards(text: string, extension: string, { esbuild }: PluginBuild): Promise<string | undefined> {
  if (!MAY_COMPUTE.some((sign) => sign.test(text))) return undefined;
  // Without comments, types and escapes there is one spelling of everything.
  const options = { loader: LOADERS[extension] ?? 'js', minifySyntax: true, minifyWhitespace: true, legalComments: 'none', logLevel: 'silent', tsconfigRaw: '{}' } as const;
  const plain = await esbuild.transform(text, options).then(({ code }) => code, () => '');
  if (!COMPUTED_CALL.test(plain)) return undefined;
  const heads = HEADS.flatMap((head) => [...plain.matchAll(head)].map(([, path]) => path ?? ''));
  return heads.find((head) => head.split(/[\\/]+/).includes('..'));
}
