// Covers stacks that name the source instead of the bundle, and maps that are made to hurt.
import { afterEach, expect, test } from 'vitest';
import { silentLog } from '../../../core/log.ts';
import { createIsolateToolchain } from '../../../builder/toolchain/isolate.ts';
import { createSourcePlaces, PLACES_MAX, type SourceMapFile, type SourcePlaces } from '../../../runtime/instance/source-places.ts';
import { contentOf, packageOf, toolchainJob } from '../../builder/toolchain-job.ts';

const closing: SourcePlaces[] = [];
afterEach(async () => {
  for (const places of closing.splice(0)) await places.close();
});

function open(timeoutMs?: number): SourcePlaces {
  const places = createSourcePlaces({ log: silentLog, timeoutMs });
  closing.push(places);
  return places;
}

let last = 0;
function mapFile(content: string | Buffer, reads: { count: number } = { count: 0 }): SourceMapFile {
  const bytes = Buffer.from(content);
  return { hash: `map${++last}`, sizeBytes: bytes.length, read: async () => { reads.count += 1; return bytes; } };
}

/** A bundle as the builder makes it, and where in it a word stands. */
async function bundled(files: Record<string, string>): Promise<{ map: Buffer; at(word: string): string }> {
  const toolchain = createIsolateToolchain({ npmCommand: ['no-npm'], toolPath: '/nowhere', toolEnv: {}, cacheFolder: '/nowhere', allowsCommands: false });
  const job = await toolchainJob(files);
  try {
    const built = await packageOf(toolchain, job);
    const lines = (await contentOf(built.files.get('index.js'))).toString().split('\n');
    return {
      map: await contentOf(built.files.get('index.js.map')),
      at(word) {
        const line = lines.findIndex((text) => text.includes(word));
        return `api.js:${line + 1}:${lines[line]!.indexOf(word) + 1}`;
      },
    };
  } finally {
    await job.clear();
  }
}

const FILES = {
  'index.ts': `import { first } from './lib/deep.ts';\nimport { other } from 'dependency';\ninterface Unused { a: string }\nexport default { fetch(): Response { first(); return other(); } };\n`,
  'lib/deep.ts': `type Many = string;\n\n/* three\nlines */ export function first(): void {\n  const text: Many = 'x';\n  deeper(text);\n}\n\nfunction deeper(_: Many): never { throw new Error('deep'); }\n`,
  'package.json': '{}',
  'node_modules/dependency/package.json': '{"name":"dependency","main":"main.js"}',
  'node_modules/dependency/main.js': '\n\nexports.other = () => oops();',
};

test('each place of a stack becomes file, line and column of the source; the rest stays', async () => {
  const { map, at } = await bundled(FILES);
  const file = mapFile(map);
  const stack = [
    'Error: deep, see api.js:1:1', `    at deeper (${at('new Error("deep")')})`, `    at async first (${at('deeper(text)')})`, `    at ${at('oops()')}`,
    '    at handle (ownspace:web.js:28:12374)', '    at Array.map (<anonymous>)', `    at eval (eval at first (${at('deeper(text)')}), <anonymous>:1:7)`, '    at other (elsewhere.js:4:5)', '    at none (api.js:99999:1)',
  ].join('\n');
  expect(await open().turned(stack, (micro) => (micro === 'api' ? file : undefined))).toBe([
    'Error: deep, see api.js:1:1', '    at deeper (lib/deep.ts:9:41)', '    at async first (lib/deep.ts:6:3)', '    at node_modules/dependency/main.js:3:23',
    '    at Array.map (<anonymous>)', '    at eval (eval at first (lib/deep.ts:6:3), <anonymous>:1:7)', '    at other (elsewhere.js:4:5)', '    at none (api.js:99999:1)',
  ].join('\n'));
});

test('the place in a message of the compiler is turned as well', async () => {
  const { map, at } = await bundled(FILES);
  const file = mapFile(map);
  expect(await open().turned(`Unexpected token [${at('deeper(text)')}]`, () => file)).toBe('Unexpected token [lib/deep.ts:6:3]');
});

test('a text without a place need not wait', () => {
  expect(open().turned('just a line', () => { throw new Error('nobody asks'); })).toBeUndefined();
});

test('a map is read once, and again when the thread was away', async () => {
  const { map, at } = await bundled(FILES);
  const reads = { count: 0 };
  const file = mapFile(map, reads);
  const places = open();
  const text = `    at ${at('deeper(text)')}`;
  expect(await Promise.all([1, 2, 3].map(() => places.turned(text, () => file)))).toEqual(Array(3).fill('    at lib/deep.ts:6:3'));
  expect(reads.count).toBe(1);
  expect(await open().turned(text, () => file)).toBe('    at lib/deep.ts:6:3');
  expect(reads.count).toBe(2);
});

const nested = `{"version":3,"sections":${'[{"offset":{"line":0,"column":0},"map":{"version":3,"sections":'.repeat(2_000)}[]${'}}]'.repeat(2_000)}}`;
const hostile: [string, string][] = [
  ['no JSON', 'hello'],
  ['null', 'null'],
  ['without mappings', '{"version":3,"sources":["a"]}'],
  ['with mappings that are no text', '{"version":3,"sources":["a"],"names":[],"mappings":[[[0]]]}'],
  ['with a mapping to a source that is not there', '{"version":3,"sources":[],"names":[],"mappings":"AAgggB"}'],
  ['with sections within sections', nested],
  ['with __proto__', '{"version":3,"__proto__":{"sources":1},"sources":["__proto__"],"names":[],"mappings":"AAAA"}'],
];
test.each(hostile)('a map %s costs its own text its places, nothing else', async (_, content) => {
  const places = open();
  const { map, at } = await bundled(FILES);
  const [good, bad] = [mapFile(map), mapFile(content)];
  expect(await places.turned('    at f (api.js:1:1)', () => bad)).toMatch(/^ {4}at f \((api\.js|__proto__):1:1\)$/);
  expect(await places.turned(`    at ${at('deeper(text)')}`, () => good)).toBe('    at lib/deep.ts:6:3');
});

test('a map that takes too long, or too much memory, is given up and not tried again; the thread of the host goes on', { timeout: 60_000 }, async () => {
  const places = open(1500);
  const { map, at } = await bundled(FILES);
  const reads = { count: 0 };
  const huge = mapFile(Buffer.concat([Buffer.from('{"version":3,"sources":["a"],"names":[],"mappings":"'), Buffer.alloc(47 * 1024 * 1024, 'AACA,'), Buffer.from('"}')]), reads);
  let slowestMs = 0;
  let seen = performance.now();
  const watch = setInterval(() => { slowestMs = Math.max(slowestMs, performance.now() - seen - 5); seen = performance.now(); }, 5);
  expect(await places.turned('    at f (api.js:1:1)', () => huge)).toBe('    at f (api.js:1:1)');
  expect(await places.turned('    at f (api.js:1:1)', () => huge)).toBe('    at f (api.js:1:1)');
  clearInterval(watch);
  expect(reads.count).toBe(1);
  expect(slowestMs).toBeLessThan(1000);
  const good = mapFile(map);
  await expect.poll(() => places.turned(`    at ${at('deeper(text)')}`, () => good)).toBe('    at lib/deep.ts:6:3');
});

test('a map that is too large is not read', async () => {
  const reads = { count: 0 };
  const file = { ...mapFile('{}', reads), sizeBytes: 1024 ** 3 };
  expect(await open().turned('    at f (api.js:1:1)', () => file)).toBe('    at f (api.js:1:1)');
  expect(reads.count).toBe(0);
});

test('a stack without end has its first places turned', async () => {
  const { map, at } = await bundled(FILES);
  const file = mapFile(map);
  const lines = (await open().turned(Array(1_000).fill(`    at f (${at('deeper(text)')})`).concat(Array.from({ length: 500 }, (_, line) => `    at (api.js:${line + 100}:1)`)).join('\n'), () => file))!.split('\n');
  expect(lines).toHaveLength(1_500);
  expect(lines.filter((line) => line === '    at f (lib/deep.ts:6:3)').length).toBeGreaterThanOrEqual(PLACES_MAX);
});

test('a line made to keep a pattern busy is looked through quickly', async () => {
  const places = open();
  const began = performance.now();
  for (const text of ['ownspace:'.repeat(1_800), '[a'.repeat(8_000), '(api.js:'.repeat(2_000), `${' '.repeat(16_000)}x`, `at ${'a-'.repeat(8_000)}.js:1:1`]) {
    for (let at = 0; at < 20; at++) await places.turned(`    at .js: ${text} `, () => undefined);
  }
  expect(performance.now() - began).toBeLessThan(1_000);
});
