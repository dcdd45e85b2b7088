// Owns the proof of what a static Micro answers: its files, their types, and the page for addresses that an app makes up.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { InstanceServices, InstanceSpec, MicroResponse } from '../../../runtime/engine/engine.ts';
import { createStaticEngine } from '../../../runtime/engine/static.ts';

const FILES: Record<string, string> = {
  'index.html': 'home', 'app.js': 'script', 'style.css': 'style', 'docs/index.html': 'docs', 'docs/page.html': 'page', 'a b.txt': 'space', 'data.json': '{}', 'LICENSE': 'text',
  'ü.txt': 'umlaut', 'photo.PNG': 'png', 'app.webmanifest': '{}', 'module.wasm': 'wasm', '.well-known/x': 'known', 'folder/app.js': 'nested',
};

function spec(files: Record<string, string> = FILES): InstanceSpec & { reads: string[] } {
  const reads: string[] = [];
  const entries = Object.entries(files).map(([path, text]) => [path, { hash: createHash('sha256').update(text).digest('hex'), sizeBytes: text.length }] as const);
  return {
    reads, instanceId: 'instance-a', spaceId: 'space-a', collectionId: 'collectiona', hostname: 'a.localhost', generation: '1', services: {} as InstanceServices,
    micros: [{
      name: 'web', env: {}, entry: '', files: Object.fromEntries(entries),
      async readFile(path) {
        reads.push(path);
        return Buffer.from(files[path] as string);
      },
    }],
  };
}

interface Answer { status: number; text: string; headers: Record<string, string> }

async function ask(path: string, { method = 'GET', headers = [], instance = spec(), engine = createStaticEngine() }: { method?: string; headers?: string[]; instance?: InstanceSpec; engine?: ReturnType<typeof createStaticEngine> } = {}): Promise<Answer> {
  const answer: MicroResponse = await engine.fetch(instance, 'web', { id: 'request-1', method, url: `http://a.localhost${path}`, headers, body: null, hops: 0 });
  const pairs = Array.from({ length: answer.headers.length / 2 }, (_, index) => answer.headers.slice(index * 2, index * 2 + 2) as [string, string]);
  return { status: answer.status, text: String(answer.body ?? ''), headers: Object.fromEntries(pairs) };
}

describe('a file', () => {
  test.each([
    ['/', 'home', 'text/html; charset=utf-8'], ['/index.html', 'home', 'text/html; charset=utf-8'], ['/app.js', 'script', 'text/javascript; charset=utf-8'], ['/style.css?v=1', 'style', 'text/css; charset=utf-8'],
    ['/docs/', 'docs', 'text/html; charset=utf-8'], ['/docs', 'docs', 'text/html; charset=utf-8'], ['/docs/page.html', 'page', 'text/html; charset=utf-8'], ['/a%20b.txt', 'space', 'text/plain; charset=utf-8'],
    ['/data.json', '{}', 'application/json; charset=utf-8'], ['/LICENSE', 'text', 'application/octet-stream'], ['/%C3%BC.txt', 'umlaut', 'text/plain; charset=utf-8'], ['/photo.PNG', 'png', 'image/png'],
    ['/app.webmanifest', '{}', expect.stringContaining('application/manifest+json')], ['/module.wasm', 'wasm', 'application/wasm'], ['/.well-known/x', 'known', 'application/octet-stream'],
  ])('%s', async (path, text, type) => {
    expect(await ask(path)).toMatchObject({ status: 200, text, headers: { 'content-type': type, 'x-content-type-options': 'nosniff', 'cache-control': 'no-cache' } });
  });

  test('is read from the disk once while its content is the same', async () => {
    const [engine, instance] = [createStaticEngine(), spec()];
    await ask('/app.js', { engine, instance });
    expect((await ask('/app.js', { engine, instance })).text).toBe('script');
    expect(instance.reads).toEqual(['app.js']);
    const next = spec({ ...FILES, 'app.js': 'changed' });
    expect((await ask('/app.js', { engine, instance: next })).text).toBe('changed');
  });
});

describe('an address without a file', () => {
  test.each(['/guests', '/guests/7', '/a/b/c', '/user/jane.doe', '/pages', '/js', '/map', '/css/', '/text/html', '/%E4%BD%A0'])('%s is the app\'s own, and its page answers', async (path) => {
    expect(await ask(path)).toMatchObject({ status: 200, text: 'home', headers: { 'content-type': 'text/html; charset=utf-8' } });
  });

  test.each(['/missing.js', '/docs/missing.css', '/logo.png', '/guests.json'])('%s looks like a file and is not found', async (path) => {
    expect(await ask(path)).toMatchObject({ status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' } });
  });

  test('is not found where the app has no page', async () => {
    expect((await ask('/guests', { instance: spec({ 'app.js': 'script' }) })).status).toBe(404);
    expect((await ask('/', { instance: spec({}) })).status).toBe(404);
  });

  test.each(['/__proto__', '/constructor', '/toString', '/hasOwnProperty'])('%s means nothing but itself', async (path) => {
    expect(await ask(path, { instance: spec({ 'app.js': 'script' }) })).toMatchObject({ status: 404 });
  });

  test.each(['/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '/..%5cpackage.json', '/docs/..%2f..%2fpackage.json', '/%252e%252e/package.json', '//etc/passwd.txt', '/%00.txt', '/app.js%00.txt'])('%s leads nowhere else', async (path) => {
    const answer = await ask(path);
    expect(answer.status).toBe(404);
    expect(answer.text).toBe('Not found.');
  });

  test.each(['/%', '/%zz', '/%ff', '/a%c3'])('%s is no address and no fault', async (path) => {
    expect([400, 404]).toContain((await ask(path)).status);
  });
});

describe('asking again', () => {
  test('what did not change is not sent again', async () => {
    const { etag = '' } = (await ask('/app.js')).headers;
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
    for (const value of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      expect(await ask('/app.js', { headers: ['If-None-Match', value] })).toMatchObject({ status: 304, text: '', headers: { etag } });
    }
  });

  test('what did change is', async () => {
    for (const value of ['"other"', '', 'etag', '"0"']) expect((await ask('/app.js', { headers: ['if-none-match', value] })).status).toBe(200);
    const changed = await ask('/app.js', { instance: spec({ 'app.js': 'changed' }) });
    expect(changed.headers['etag']).not.toBe((await ask('/app.js')).headers['etag']);
  });
});

describe('methods', () => {
  test('HEAD has the head of GET', async () => {
    const [head, get] = [await ask('/app.js', { method: 'HEAD' }), await ask('/app.js')];
    expect(head.headers).toEqual(get.headers);
    expect(head.status).toBe(200);
  });

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'])('%s is refused, with what is taken', async (method) => {
    expect(await ask('/app.js', { method })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });
});

test('a Micro that is not there is a fault of ours', async () => {
  await expect(createStaticEngine().fetch(spec(), 'other', { id: 'r', method: 'GET', url: 'http://a/', headers: [], body: null, hops: 0 })).rejects.toThrow(TypeError);
});
