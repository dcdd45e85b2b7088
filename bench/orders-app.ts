// Owns the app of the larger rows: `apps/orders` bundled with so much other code that it weighs what a row asks for, as a
// folder to push and as the source for workerd.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Target } from './http.ts';
import { ROOT } from './machine.ts';

const APP = join(ROOT, 'bench/apps/orders/index.js');
/** What one function of the ballast takes. */
const FUNCTION_BYTES = 325;

/** What the three reads find. */
export const ITEMS = [
  { key: 'ada', name: 'Ada', discount: 0.1, address: { street: '1 Analytical Row', city: 'London' } },
  { key: 'loom', name: 'A loom', priceCents: 12_500, text: 'Weaves algebraic patterns just as others weave flowers and leaves.' },
  { key: 'stock-loom', count: 7 },
] as const;

/** The request of the row, without address. */
export const ORDER: Pick<Target, 'method' | 'body' | 'headers'> = {
  method: 'POST', body: JSON.stringify({ customer: 'ada', product: 'loom', count: 2, note: 'Before winter, please.' }), headers: { 'content-type': 'application/json' },
};
export const ORDER_ANSWER = /^\{"customer":"Ada","product":"A loom","count":2,"totalCents":22500,"isInStock":true\}$/;

/** One module of about this many bytes. */
export async function bundleOrders(bytes: number): Promise<string> {
  const lean = await bundle(0);
  return bytes <= lean.length ? lean : bundle(Math.round((bytes - lean.length) / FUNCTION_BYTES));
}

async function bundle(functions: number): Promise<string> {
  const ballast = `export const ballast = [${Array.from({ length: functions }, (_, at) => functionText(at)).join(',\n')}];`;
  const { outputFiles } = await build({
    entryPoints: [APP], bundle: true, write: false, format: 'esm', target: 'es2024', conditions: ['worker'], nodePaths: [join(ROOT, 'node_modules')],
    plugins: [{ name: 'ballast', setup(plugins) {
      plugins.onResolve({ filter: /^ballast$/ }, () => ({ path: 'ballast', namespace: 'ballast' }));
      plugins.onLoad({ filter: /.*/, namespace: 'ballast' }, () => ({ contents: ballast }));
    } }],
  });
  return outputFiles[0]?.text ?? '';
}

/** Code, not text: what a compiler has to read, and mostly never runs. */
function functionText(at: number): string {
  return `function step${at}(input) {
    const parts = String(input).split("-").map((part, index) => part.trim() + ":" + (index + ${at}));
    let sum = ${at};
    for (const part of parts) sum = (sum * 31 + part.charCodeAt(0)) % 1000003;
    return parts.length > ${at % 7} ? { kind: "step${at}", parts, sum } : { kind: "none", sum };
  }`;
}

/** The same module, with a Base in memory for what our Micro asks its host: text is parsed at each read, as a store would. */
export function forWorkerd(source: string): string {
  const items = Object.fromEntries(ITEMS.map((item) => [item.key, JSON.stringify(item)]));
  return `${source.replace(/export\s*\{\s*(\w+) as default\s*\};?\s*$/, 'const micro = $1;')}
const items = new Map(Object.entries(${JSON.stringify(items)}));
const env = { Base: () => ({ get: async (key) => (items.has(key) ? JSON.parse(items.get(key)) : null) }) };
export default { fetch: (request, _env, context) => micro.fetch(request, env, context) };
`;
}

/** A folder to push, with that module in each of its Micros. Remove it when it is pushed. */
export async function writeOrdersFolder(source: string, micros = 1): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'bench-orders-'));
  const names = Array.from({ length: micros }, (_, at) => `orders${at === 0 ? '' : at}`);
  const spacefile = names.map((name, at) => `  - name: ${name}\n    src: .\n    engine: isolate\n    run: index.js\n    public: true\n${at === 0 ? '    primary: true\n' : `    path: ${name}\n`}`);
  await writeFile(join(path, 'Spacefile'), `v: 0\nmicros:\n${spacefile.join('')}`);
  await writeFile(join(path, 'index.js'), source);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
