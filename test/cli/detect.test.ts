import { describe, expect, test } from 'vitest';
import { detectMicros, microName, spacefileText } from '../../cli/detect.ts';
import { ENGINE_NAMES } from '../../spacefile-schema/engines.ts';
import { parseSpacefile } from '../../spacefile-schema/parse.ts';
import { makeWorkplace } from './run-space.ts';

const pack = (...names: string[]) => JSON.stringify({ dependencies: Object.fromEntries(names.map((name) => [name, '*'])) });
const FETCH = 'export default { async fetch(request) { return new Response("hi") } };';

describe('the engine of a folder', () => {
  const cases: [what: string, files: Record<string, string>, expected: object | undefined][] = [
    ['requirements.txt', { 'requirements.txt': '' }, { engine: 'python3.9' }],
    ['main.py beside a package.json', { 'main.py': '', 'package.json': '{}' }, { engine: 'python3.9' }],
    ['package.json alone', { 'package.json': '{}' }, { engine: 'nodejs16' }],
    ['a broken package.json', { 'package.json': '{' }, { engine: 'nodejs16' }],
    ['react-scripts', { 'package.json': pack('react-scripts') }, { engine: 'react' }],
    ['svelte with vite', { 'package.json': pack('svelte', '@sveltejs/vite-plugin-svelte') }, { engine: 'svelte' }],
    ['svelte alone', { 'package.json': pack('svelte') }, { engine: 'nodejs16' }],
    ['vue', { 'package.json': pack('@vue/cli-service') }, { engine: 'vue' }],
    ['svelte-kit', { 'package.json': pack('@sveltejs/kit', 'svelte', '@sveltejs/vite-plugin-svelte') }, { engine: 'svelte-kit' }],
    ['next', { 'package.json': pack('next') }, { engine: 'next' }],
    ['nuxt 3', { 'package.json': pack('nuxt3') }, { engine: 'nuxt' }],
    ['go.mod', { 'go.mod': '' }, { engine: 'custom', commands: ['go build -o server'], include: ['server'], run: './server' }],
    ['index.html', { 'index.html': '' }, { engine: 'static', serve: './' }],
    ['a module with fetch', { 'index.js': FETCH }, { engine: 'isolate' }],
    ['a module with fetch in TypeScript', { 'index.ts': FETCH, 'package.json': '{}' }, { engine: 'isolate', run: 'index.ts' }],
    ['a module with fetch in src', { 'src/index.ts': FETCH, 'package.json': '{}' }, { engine: 'isolate', run: 'src/index.ts' }],
    ['an object with fetch, exported by name', { 'index.js': 'const app = { fetch: (r) => r };\nexport default app;' }, { engine: 'isolate' }],
    ['a Hono app', { 'index.js': 'import { Hono } from "hono";\nconst app = new Hono();\nexport default app;', 'package.json': pack('hono') }, { engine: 'isolate' }],
    ['a module that only mentions fetch', { 'index.js': '// export default { fetch }\nconst x = await fetch("http://x");', 'package.json': '{}' }, { engine: 'nodejs16' }],
    ['an express server', { 'index.js': 'import express from "express"; const app = express(); export default app;', 'package.json': pack('express') }, { engine: 'nodejs16' }],
    ['a framework that has such a module too', { 'index.js': FETCH, 'package.json': pack('next') }, { engine: 'next' }],
    ['nothing', { 'notes.txt': '' }, undefined],
  ];
  test.each(cases)('%s', async (_, files, expected) => {
    await using place = await makeWorkplace(files);
    const found = await detectMicros(place.dir);
    expect(found).toEqual(expected === undefined ? [] : [{ name: 'guestbook', src: '.', primary: true, ...expected }]);
  });
});

test('without a Micro in the root each folder is one; the front end is the primary', async () => {
  await using place = await makeWorkplace({
    'api/index.js': FETCH, 'web/index.html': '', 'docs/readme.md': '', 'node_modules/x.js': '', 'dist/index.html': '', 'web/deep/index.html': '',
  });
  expect(await detectMicros(place.dir)).toEqual([
    { name: 'api', src: 'api', engine: 'isolate', primary: false },
    { name: 'web', src: 'web', engine: 'static', serve: './', primary: true },
  ]);
});

test('no more than five Micros are proposed, and names fit the Spacefile', async () => {
  await using place = await makeWorkplace(Object.fromEntries([...'abcdefg'].map((letter) => [`${letter}/main.py`, ''])));
  expect(await detectMicros(place.dir)).toHaveLength(5);
  expect(microName('/x/my.app')).toBe('my-app');
  expect(microName("I'm a micro")).toBe('I-m-a-micro');
  expect(microName('.hidden')).toBe('hidden');
  expect(microName('...')).toBe('main');
});

test('the Spacefile reads well, and is valid for odd folders and every engine that is proposed', async () => {
  await using place = await makeWorkplace({ 'api/index.ts': FETCH, 'go: #1/go.mod': '', 'web/index.html': '', '2 true/main.py': '' });
  const text = spacefileText(await detectMicros(place.dir));
  expect(text).toMatchInlineSnapshot(`
    "# Spacefile Docs: https://go.deta.dev/docs/spacefile/v0
    v: 0
    micros:
      - name: 2-true
        src: "2 true"
        engine: python3.9
      - name: api
        src: api
        engine: isolate
        run: index.ts
      - name: go-1
        src: "go: #1"
        engine: custom
        commands:
          - go build -o server
        include:
          - server
        run: ./server
      - name: web
        src: web
        engine: static
        primary: true
        serve: ./
    "
  `);
  expect(parseSpacefile(text).issues).toEqual([]);
  expect(ENGINE_NAMES).toContain('isolate');
});
