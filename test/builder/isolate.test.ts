import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { handlerPlace } from '../../builder/toolchain/bundle.ts';
import { createIsolateToolchain } from '../../builder/toolchain/isolate.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { contentOf, packageOf, toolchainJob } from './toolchain-job.ts';
import type { TestJob } from './toolchain-job.ts';

const toolchain = createIsolateToolchain({ npmCommand: ['npm-is-not-for-this-test'], toolPath: '/nowhere', toolEnv: {}, cacheFolder: '/nowhere', allowsCommands: false });
const START = 'export default { async fetch() { return new Response("hello"); } };\n';

const jobs: TestJob[] = [];
afterEach(async () => {
  for (const job of jobs.splice(0)) await job.clear();
});

async function jobOf(files: Record<string, string | Buffer>, micro: Partial<SpacefileMicro> = {}): Promise<TestJob> {
  const job = await toolchainJob(files, micro);
  jobs.push(job);
  return job;
}

async function bundleOf(files: Record<string, string | Buffer>, micro: Partial<SpacefileMicro> = {}): Promise<string> {
  const built = await packageOf(toolchain, await jobOf(files, micro));
  expect(built.entry).toBe('index.js');
  expect([...built.files.keys()].sort()).toEqual(['index.js', 'index.js.map']);
  return (await contentOf(built.files.get('index.js'))).toString();
}

/** Load the bundle as an ES module, with `deta` answered by a stand-in. */
async function load(code: string): Promise<{ default: any }> {
  const deta = `data:text/javascript,${encodeURIComponent('export const Base = (name) => `base ${name}`; export const Drive = 1;')}`;
  const ready = code.replaceAll(/from "deta"/g, `from "${deta}"`).replace('//# sourceMappingURL=index.js.map', '');
  return import(`data:text/javascript;base64,${Buffer.from(ready).toString('base64')}`) as Promise<{ default: any }>;
}

async function errorOf(files: Record<string, string | Buffer>, micro: Partial<SpacefileMicro> = {}): Promise<{ code: string; message: string }> {
  const job = await jobOf(files, micro);
  return packageOf(toolchain, job).then(() => { throw new Error('it was built'); }, (error) => error as { code: string; message: string });
}

describe('a bundle', () => {
  test('is one module of TypeScript, JSON, text and other files', async () => {
    const code = await bundleOf({
      'index.ts': `import { greet, type Name } from './lib/greet.ts'; import data from './data.json'; import page from './page.html'; import poem from './poem.txt'; import readme from './README.md';
        const name: Name = 'Ada'; export default { all: () => [greet(name), data.x, page, poem, readme] };`,
      'lib/greet.ts': 'export type Name = string; export const greet = (name: Name): string => `Hi ${name}`;',
      'data.json': '{"x": 7}', 'page.html': '<p>', 'poem.txt': 'öde', 'README.md': '# R',
    });
    expect((await load(code)).default.all()).toEqual(['Hi Ada', 7, '<p>', 'öde', '# R']);
  });

  test('has WebAssembly as modules, ready to be instantiated, and other bytes as they are', async () => {
    const add = Buffer.from([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]);
    const code = await bundleOf({
      'index.ts': `import add from './lib/add.wasm'; import again from './lib/add.wasm?module'; import raw from './lib/add.wasm' with { type: 'bytes' };
        import bin from './data.bin'; import text from './data.bin' with { type: 'text' }; import json from './data.bin' with { type: 'json' };
        export default { all: () => [add instanceof WebAssembly.Module, again instanceof WebAssembly.Module, new WebAssembly.Instance(add).exports.add(2, 3), raw.length, bin instanceof Uint8Array && bin.length, text, json] };`,
      'lib/add.wasm': add, 'data.bin': '[1]',
    });
    expect((await load(code)).default.all()).toEqual([true, true, 5, add.length, 3, '[1]', [1]]);
  });

  test('leaves `deta` to the host, imported or required', async () => {
    const code = await bundleOf({
      'index.js': `import { Base } from 'deta'; import old from './old.cjs'; export default { all: () => [Base('a'), old.read()] };`,
      'old.cjs': `const deta = require('deta'); module.exports = { read: () => deta.Base('b') };`,
    });
    expect(code).toContain('from "deta"');
    expect((await load(code)).default.all()).toEqual(['base a', 'base b']);
  });

  test('takes packages that came with the source, and their browser side', async () => {
    const code = await bundleOf({
      'index.js': `import { side } from 'two-sided'; import cjs from 'plain'; export default { all: () => [side, cjs.x] };`,
      'package.json': '{"dependencies":{"two-sided":"1.0.0","plain":"1.0.0"}}',
      'node_modules/two-sided/package.json': '{"name":"two-sided","exports":{".":{"node":"./node.js","worker":"./worker.js","default":"./default.js"}}}',
      'node_modules/two-sided/worker.js': 'export const side = "worker";',
      'node_modules/two-sided/node.js': 'export const side = "node";',
      'node_modules/two-sided/default.js': 'export const side = "default";',
      'node_modules/plain/package.json': '{"name":"plain","main":"./main.js"}',
      'node_modules/plain/main.js': 'module.exports = { x: 1 };',
    });
    expect((await load(code)).default.all()).toEqual(['worker', 1]);
  });

  test('follows `paths` and jsx of the tsconfig.json', async () => {
    const code = await bundleOf({
      'index.tsx': `import { h } from '@lib/h'; export default { all: () => <b>x</b> };`,
      'lib/h.ts': 'export const h = (...all: unknown[]) => all;',
      'tsconfig.json': `{ /* comment */ "compilerOptions": { "jsx": "react", "jsxFactory": "h", "baseUrl": ".", "paths": { "@lib/*": ["lib/*"] }, }, }`,
    });
    expect((await load(code)).default.all()).toEqual(['b', null, 'x']);
  });

  test('has a source map without the sources, and says where it lies', async () => {
    const built = await packageOf(toolchain, await jobOf({ 'index.ts': `const a: number = 1; ${START}` }));
    const map = JSON.parse((await contentOf(built.files.get('index.js.map'))).toString());
    expect(map.sources).toEqual(['index.ts']);
    expect(map.sourcesContent).toBeUndefined();
    expect((await contentOf(built.files.get('index.js'))).toString()).toContain('//# sourceMappingURL=index.js.map');
  });

  test.each([
    ['an object', 'export const other = 1;\nexport default { fetch() {} };', 'var index_default = {'],
    ['a function', 'export default function answer() {}', 'function answer() {'],
    ['an async function without a name', 'export default async () => {};', 'var index_default = async'],
    ['a name with a dollar', 'const $a = { fetch() {} }; const $ab = 1; export { $a as default, $ab };', 'var $a = {'],
  ])('knows where its handler is declared: %s', async (_, source, line) => {
    const built = await packageOf(toolchain, await jobOf({ 'lib.ts': 'export const first = 1;\nconsole.log(first);', 'index.ts': `import './lib.ts';\n${source}` }));
    const lines = (await contentOf(built.files.get('index.js'))).toString().split('\n');
    const [at, column] = built.handlerAt!.split(':').map(Number) as [number, number];
    expect(lines[at - 1]).toContain(line);
    expect(lines[at - 1]!.slice(column - 1)).toMatch(/^(index_default|answer|\$a)\b/);
  });

  test.each([
    ['an endless name in the exports', `\nexport {${'a'.repeat(2_000_000)}`], ['many exports', '\nexport {'.repeat(300_000)], ['no exports', 'x'.repeat(2_000_000)], ['an export that is declared nowhere', '\nexport {\n  a as default\n};'],
  ])('without a place of its handler is looked through quickly: %s', (_, code) => {
    const began = performance.now();
    expect(handlerPlace(code)).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(500);
  });

  test('of equal sources is equal, wherever they lie', async () => {
    const files = { 'index.ts': `import './a.ts'; ${START}`, 'a.ts': 'console.log(1);' };
    const [first, second] = await Promise.all([packageOf(toolchain, await jobOf(files)), packageOf(toolchain, await jobOf(files))]);
    for (const path of first.files.keys()) {
      expect((await contentOf(first.files.get(path))).equals(await contentOf(second.files.get(path)))).toBe(true);
    }
  });
});

describe('the start module', () => {
  const places: [string, string, Partial<SpacefileMicro>][] = [
    ['index.js', 'index.js', {}], ['index.ts', 'index.ts', {}], ['src/index.ts', 'src/index.ts', { run: 'index.js' }], ['run', 'lib/start.mjs', { run: 'lib/start.mjs' }],
  ];
  test.each(places)('%s', async (_, path, micro) => {
    expect(await bundleOf({ [path]: START }, micro)).toContain('hello');
  });

  test('that is not there is named', async () => {
    expect(await errorOf({ 'other.js': START })).toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining('no index.js or index.ts in `api`') });
    expect(await errorOf({ 'index.js': START }, { run: 'main.js' })).toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining('`main.js`') });
  });

  test('without a default export is explained', async () => {
    const error = await errorOf({ 'index.js': 'export const x = 1;' });
    expect(error).toMatchObject({ code: 'BUILD_FAILED', message: expect.stringContaining('export default { async fetch') });
  });
});

describe('what does not compile names file, line, column and the line', () => {
  const cases: [string, Record<string, string>, RegExp][] = [
    ['a syntax error', { 'index.js': 'const a = 1;\nconst b = ;\n' }, /index\.js:2:11: .*\n {4}const b = ;\n {14}\^/],
    ['an error in another file', { 'index.js': `import './lib/x.ts'; ${START}`, 'lib/x.ts': '\n\nlet x: = 1' }, /lib\/x\.ts:3:8: /],
    ['a missing file', { 'index.js': `import './gone.js'; ${START}` }, /index\.js:1:8: `\.\/gone\.js` was not found\n {4}import '\.\/gone\.js';/],
    ['a missing package', { 'index.js': `\nimport x from 'not-there'; ${START}` }, /index\.js:2:15: `not-there` is not installed: list it under `dependencies`/],
    ['a package that only the host has', { 'index.js': `import koa from 'koa'; ${START}` }, /`koa` is not installed/],
    ['require of a Node.js module', { 'index.js': `const fs = require('fs'); ${START}` }, /index\.js:1:20: `fs` is a module of Node\.js/],
    ['import of a Node.js module', { 'index.js': `import path from 'node:path'; ${START}` }, /index\.js:1:18: `node:path` is a module of Node\.js/],
    ['a subpath of a Node.js module', { 'index.js': `import path from 'fs/promises'; ${START}` }, /`fs\/promises` is a module of Node\.js/],
    ['a module of Node.js that npm has a package for', { 'index.js': `import { Buffer } from 'node:buffer'; ${START}` }, /`node:buffer` is a module of Node\.js, .*: list the npm package `buffer` under `dependencies`/],
    ['something that only looks like a module of Node.js', { 'index.js': `import x from 'node:../secret'; ${START}`, '../secret.js': 'export default 1;' }, /`node:\.\.\/secret` is a module of Node\.js/],
    ['a missing name', { 'index.js': `import { gone } from './a.js'; export default gone;`, 'a.js': 'export const a = 1;' }, /index\.js:1:10: .*gone/],
    ['an unknown kind of file', { 'index.js': `import x from './x.xyz'; ${START}`, 'x.xyz': 'x' }, /index\.js:1:\d+: `\.xyz` files are imported with \{ type: 'text' \}/],
    ['an address', { 'index.js': `import x from 'https://example.com/x.js'; ${START}` }, /index\.js:1:15: .*is an address/],
    ['wrong package.json', { 'index.js': START, 'package.json': '{"dependencies": }' }, /package\.json is not valid JSON/],
  ];
  test.each(cases)('%s', async (_, files, expected) => {
    const error = await errorOf(files);
    expect(error.code).toBe('BUILD_FAILED');
    expect(error.message).toMatch(expected);
    expect(error.message).toContain('Micro `api`');
  });

  test('a module of Node.js that is looked for at run time is a warning, and is not there', async () => {
    const job = await jobOf({ 'index.js': `export default { all: () => import('node:fs').catch((error) => error.message) };` });
    const built = await packageOf(toolchain, job);
    expect(job.lines.join('\n')).toMatch(/warning: index\.js:1:\d+: `node:fs` is a module of Node\.js/);
    expect(await (await load((await contentOf(built.files.get('index.js'))).toString())).default.all()).toContain('`node:fs` is a module of Node.js');
  });

  test('an npm package that stands in for a Node.js module is used', async () => {
    const code = await bundleOf({
      'index.js': `import { EventEmitter } from 'events'; import * as same from 'node:events'; export default { all: () => EventEmitter + same.EventEmitter };`,
      'node_modules/events/package.json': '{"name":"events","main":"events.js"}', 'node_modules/events/events.js': 'exports.EventEmitter = 5;',
    });
    expect((await load(code)).default.all()).toBe(10);
  });
});

describe('nothing outside the folder is read', () => {
  const SECRET = 'export const canary = "canary-7351"; export default canary;';
  const reaches: [string, (base: string) => string][] = [
    ['../secret.js', () => '../secret.js'], ['../../secret.js', () => '../../secret.js'],
    ['an absolute path', (base) => join(base, 'secret.js')], ['a file address', (base) => `file://${join(base, 'secret.js')}`],
    ['a symbolic link to a file', () => './link.js'], ['a symbolic link to a folder', () => './folder/secret.js'], ['a package that is a link', () => 'linked'],
    ['out and in again', () => '../../secret.js/../secret.js'],
  ];
  async function jobWithSecret(target: string, dynamic = false): Promise<TestJob> {
    const job = await jobOf({ 'index.js': dynamic ? `export default await import(${JSON.stringify(target)});` : `import x from ${JSON.stringify(target)}; export default x;` });
    await writeFile(join(job.base, 'secret.js'), SECRET);
    await writeFile(join(job.base, 'source', 'secret.js'), SECRET);
    await writeFile(join(job.base, 'package.json'), '{"main":"./secret.js"}');
    await symlink(join(job.base, 'secret.js'), join(job.folder, 'link.js'));
    await symlink(job.base, join(job.folder, 'folder'));
    await mkdir(join(job.folder, 'node_modules'));
    await symlink(job.base, join(job.folder, 'node_modules', 'linked'));
    return job;
  }

  test.each(reaches)('%s', async (_, target) => {
    for (const dynamic of [false, true]) {
      const probe = await jobWithSecret('placeholder');
      const job = await jobWithSecret(target(probe.base), dynamic);
      const path = target(job.base);
      await writeFile(join(job.folder, 'index.js'), dynamic ? `export default await import(${JSON.stringify(path)});` : `import x from ${JSON.stringify(path)}; export default x;`);
      await expect(packageOf(toolchain, job)).rejects.toMatchObject({ code: 'BUILD_FAILED', message: expect.not.stringContaining('canary-7351') });
    }
  });

  test('while the same file inside is', async () => {
    expect(await bundleOf({ 'index.js': `import x from './secret.js'; export default x;`, 'secret.js': SECRET })).toContain('canary-7351');
  });

  test.each(['../../${name}.js', '../../${name}.txt', './folder/${name}.js', './${name}/secret.txt', '../${name}'])('by way of a pattern: %s', async (pattern) => {
    for (const load of ['import', 'require']) {
      const job = await jobWithSecret('placeholder');
      await writeFile(join(job.base, 'secret.txt'), SECRET);
      await writeFile(join(job.folder, 'index.js'), `export default (name) => ${load}(\`${pattern}\`);`);
      const content = await packageOf(toolchain, job).then(async (built) => (await contentOf(built.files.get('index.js'))).toString(), (error: Error) => error.message);
      expect(content).not.toContain('canary-7351');
    }
  });

  const disguises = [
    'import(`../../${n}`)', 'import("../../" + n + ".js")', "require('../' + n)", 'import/* x */(/* y */ `../${n}`)', 'import(("../" + n))', 'import(n ? `../${n}.js` : "./a.js")',
    'import(`./sub/../../${n}`)', 'import(`\\x2e\\x2e/${n}`)', 'import("." + "./" + n)', 'requ\\u0069re("../" + n)', 'require.resolve("../" + n)', 'import(`../${n}/${n}.js`, { with: {} })', 'import((0, "../" + n))',
  ];
  test.each(disguises)('a pattern that leads upwards is refused however it is written: %s', async (call) => {
    const job = await jobWithSecret('placeholder');
    await writeFile(join(job.folder, 'index.js'), `export default (n) => ${call};`);
    const content = await packageOf(toolchain, job).then(async (built) => (await contentOf(built.files.get('index.js'))).toString(), (error: Error) => error.message);
    expect(content).not.toMatch(/canary-7351|by a pattern/);
  });

  test('by a pattern in TypeScript that is put together from an enum', async () => {
    const job = await jobWithSecret('placeholder');
    await rm(join(job.folder, 'index.js'));
    await writeFile(join(job.folder, 'index.ts'), 'const enum Up { Two = "../../" } export default (n: string) => import(`${Up.Two}${n}.js`);');
    const content = await packageOf(toolchain, job).then(async (built) => (await contentOf(built.files.get('index.js'))).toString(), (error: Error) => error.message);
    expect(content).not.toMatch(/canary-7351|by a pattern/);
  });

  test('while a pattern inside is followed', async () => {
    const code = await bundleOf({ 'index.js': 'export default { one: (name) => import(`./words/${name}.js`) };', 'words/a.js': 'export const x = 5;' });
    expect((await (await load(code)).default.one('a')).x).toBe(5);
  });

  test('by way of a tsconfig.json', async () => {
    const job = await jobOf({ 'index.ts': START, 'tsconfig.json': '{"extends": "../../secret.txt"}' });
    await writeFile(join(job.base, 'secret.txt'), 'canary-7351');
    const built = await packageOf(toolchain, job);
    expect(job.lines.join('\n')).toContain('`extends` of tsconfig.json is not followed');
    expect(job.lines.join('\n') + (await contentOf(built.files.get('index.js'))).toString()).not.toContain('canary-7351');
    const paths = await jobOf({ 'index.ts': `import x from 'out'; export default x;`, 'tsconfig.json': '{"compilerOptions":{"paths":{"out":["../../secret.js"]}}}' });
    await writeFile(join(paths.base, 'secret.js'), SECRET);
    await expect(packageOf(toolchain, paths)).rejects.toMatchObject({ code: 'BUILD_FAILED' });
  });

  test.each([
    ['a file', () => 'sourceMappingURL=../../secret.map'],
    ['an address', (base: string) => `sourceMappingURL=data:application/json,${encodeURIComponent(JSON.stringify({ version: 3, sources: [join(base, 'secret.txt')], mappings: 'AAAA' }))}`],
  ])('by way of a source map that is %s', async (_, reference) => {
    for (const comment of ['//# ', '//@ ', '/*# ']) {
      const job = await jobOf({});
      await writeFile(join(job.base, 'secret.txt'), 'canary-7351');
      await writeFile(join(job.base, 'secret.map'), JSON.stringify({ version: 3, sources: ['canary-7351.js'], sourcesContent: ['canary-7351'], mappings: 'AAAA' }));
      await writeFile(join(job.folder, 'index.js'), `${START}${comment}${reference(job.base)}${comment.startsWith('/*') ? ' */' : ''}\n`);
      const built = await packageOf(toolchain, job);
      expect((await contentOf(built.files.get('index.js.map'))).toString()).not.toContain('canary-7351');
    }
  });

  test('while code that speaks of source maps stays as it was', async () => {
    const code = await bundleOf({ 'index.js': 'let sourceMappingURL = 1; export default { all: () => ["/*# sourceMappingURL=", `//# sourceMappingURL=`, /sourceMappingURL=/.test("sourceMappingURL="), sourceMappingURL] };' });
    expect((await load(code)).default.all()).toEqual(['/*# sourceMappingURL=', '//# sourceMappingURL=', true, 1]);
  });
});

describe('limits', () => {
  test('a bundle of more than 10 MB', async () => {
    const error = await errorOf({ 'index.js': `import text from './big.txt'; export default text;`, 'big.txt': 'x'.repeat(10 * 1024 * 1024 + 1) });
    expect(error.code).toBe('BUNDLE_TOO_LARGE');
    expect(error.message).toContain(String(10 * 1024 * 1024));
  });

  test('commands are refused in words, since no sandbox stands around builds', async () => {
    const error = await errorOf({ 'index.js': START }, { commands: ['npm run build'] });
    expect(error.code).toBe('BUILD_TOOL_MISSING');
    expect(error.message).toContain('"npm run build"');
  });
});

test.skipIf(process.platform !== 'linux')('what bundles gives way to requests: its thread and each thread of its program have less priority than the host', async () => {
  await bundleOf({ 'index.js': START });
  const own = await threadsOf(process.pid);
  const children = (await Promise.all(own.map(({ tid }) => readFile(`/proc/${process.pid}/task/${tid}/children`, 'utf8').catch(() => '')))).join(' ').split(' ').filter(Boolean);
  const commands = await Promise.all(children.map(async (pid) => ({ pid: Number(pid), command: await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') })));
  const bundlers = commands.filter(({ command }) => command.includes('--service='));
  expect(bundlers.length).toBeGreaterThan(0);
  const givingWay = [...own.filter(({ name }) => name === 'build'), ...(await Promise.all(bundlers.map(({ pid }) => threadsOf(pid)))).flat()];
  expect(new Set(givingWay.map(({ nice }) => nice))).toEqual(new Set([10]));
  expect(own.find(({ tid }) => tid === process.pid)?.nice).toBeLessThan(10);
});

/** Those that are there all the while. */
async function threadsOf(pid: number): Promise<{ tid: number; name: string; nice: number }[]> {
  const found = await Promise.all((await readdir(`/proc/${pid}/task`)).map(async (tid) => {
    const [, name = '', rest = ''] = /\((.*)\) (.*)/s.exec(await readFile(`/proc/${pid}/task/${tid}/stat`, 'utf8').catch(() => '')) ?? [];
    return name === '' ? [] : [{ tid: Number(tid), name, nice: Number(rest.split(' ')[16]) }];
  }));
  return found.flat();
}
