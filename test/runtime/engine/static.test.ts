// Owns the proof of what a static Micro answers: its files, their types, versions, parts and codings, and the page for addresses that an app makes up.
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createStaticEngine } from '../../../runtime/engine/static.ts';
import { askStatic, staticInstance, type StaticAnswer, type StaticAsk } from '../../support/static-instance.ts';

const FILES: Record<string, string> = {
  'index.html': 'home', 'app.js': 'script', 'style.css': 'style', 'docs/index.html': 'docs', 'docs/page.html': 'page', 'a b.txt': 'space', 'data.json': '{}', 'LICENSE': 'text',
  'ü.txt': 'umlaut', 'photo.PNG': 'png', 'app.webmanifest': '{}', 'module.wasm': 'wasm', '.well-known/x': 'known', 'folder/app.js': 'nested', 'a:b/index.html': 'colon',
  '.env': 'SECRET=1', '.git/config': 'secret', 'docs/.htpasswd': 'secret', '.well-known/.hidden': 'secret',
};
const SITE = staticInstance(FILES);
const VISIT = { 'sec-fetch-mode': 'navigate', accept: 'text/html' };
const SCRIPT = { 'sec-fetch-mode': 'cors', accept: '*/*' };

const ask = (path: string, options: Partial<StaticAsk> = {}): Promise<StaticAnswer> => askStatic(path, { instance: SITE, ...options });

describe('a file', () => {
  test.each([
    ['/', 'home', 'text/html; charset=utf-8'], ['/index.html', 'home', 'text/html; charset=utf-8'], ['/app.js', 'script', 'text/javascript; charset=utf-8'], ['/style.css?v=1', 'style', 'text/css; charset=utf-8'],
    ['/docs/', 'docs', 'text/html; charset=utf-8'], ['/docs/page.html', 'page', 'text/html; charset=utf-8'], ['/docs/page', 'page', 'text/html; charset=utf-8'], ['/a%20b.txt', 'space', 'text/plain; charset=utf-8'],
    ['/data.json', '{}', 'application/json; charset=utf-8'], ['/LICENSE', 'text', 'application/octet-stream'], ['/%C3%BC.txt', 'umlaut', 'text/plain; charset=utf-8'], ['/photo.PNG', 'png', 'image/png'],
    ['/app.webmanifest', '{}', expect.stringContaining('application/manifest+json')], ['/module.wasm', 'wasm', 'application/wasm'], ['/.well-known/x', 'known', 'application/octet-stream'],
  ])('%s', async (path, text, type) => {
    expect(await ask(path)).toMatchObject({ status: 200, text, headers: { 'content-type': type, 'x-content-type-options': 'nosniff', 'cache-control': 'no-cache', 'accept-ranges': 'bytes' } });
  });

  test('is read from the disk once while its content is the same, however many ask at once', async () => {
    const [engine, instance] = [createStaticEngine(), staticInstance(FILES)];
    await Promise.all(Array.from({ length: 5 }, () => ask('/app.js', { engine, instance })));
    expect((await ask('/app.js', { engine, instance })).text).toBe('script');
    expect(instance.reads).toEqual(['app.js']);
    const next = staticInstance({ ...FILES, 'app.js': 'changed' });
    expect((await ask('/app.js', { engine, instance: next })).text).toBe('changed');
  });

  test('that is large is streamed each time, and takes no memory', async () => {
    const [engine, instance] = [createStaticEngine(), staticInstance({ 'film.mp4': 'large' }, { sizeBytes: 2 ** 31 })];
    for (const _ of [1, 2]) expect(await ask('/film.mp4', { engine, instance })).toMatchObject({ text: 'large', answer: { sizeBytes: 2 ** 31 } });
    expect(await ask('/film.mp4', { engine, instance, headers: { range: 'bytes=1-3' } })).toMatchObject({ status: 206, text: 'arg', answer: { sizeBytes: 3 }, headers: { 'content-range': `bytes 1-3/${2 ** 31}` } });
    expect(instance.reads).toEqual(Array.from({ length: 3 }, () => 'stream film.mp4'));
  });
});

describe('a folder', () => {
  test.each([['/docs', './docs/'], ['/docs?a=1&b=2', './docs/?a=1&b=2'], ['/a:b', './a:b/']])('%s leads to its page by an address from which links count', async (path, location) => {
    expect(await ask(path)).toMatchObject({ status: 302, headers: { location }, text: '' });
    expect(new URL(location, `http://a.localhost/prefix${path}`).host).toBe('a.localhost');
  });

  test.each(['/docs/page.html/', '/folder/', '/folder'])('%s without a page is no folder', async (path) => {
    expect((await ask(path, { headers: SCRIPT })).status).toBe(404);
  });
});

describe('an address without a file', () => {
  test.each(['/guests', '/guests/7', '/a/b/c', '/user/jane.doe', '/pages', '/js', '/map', '/css/', '/text/html', '/%E4%BD%A0', '/note/a%2Fb'])('%s is the app\'s own, and its page answers who goes there', async (path) => {
    for (const headers of [{}, { accept: '*/*' }, VISIT]) {
      expect(await ask(path, { headers: headers as Record<string, string> })).toMatchObject({ status: 200, text: 'home', headers: { 'content-type': 'text/html; charset=utf-8', vary: 'accept, sec-fetch-mode' } });
    }
    for (const headers of [SCRIPT, { accept: 'application/json' }, { 'sec-fetch-mode': 'no-cors', accept: 'image/*' }]) expect((await ask(path, { headers: headers as Record<string, string> })).status).toBe(404);
  });

  test.each(['/missing.js', '/docs/missing.css', '/logo.png', '/guests.json'])('%s looks like a file and is not found', async (path) => {
    expect(await ask(path, { headers: VISIT })).toMatchObject({ status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' } });
  });

  test('is not found where the app has no page', async () => {
    expect((await ask('/guests', { instance: staticInstance({ 'app.js': 'script' }) })).status).toBe(404);
    expect((await ask('/', { instance: staticInstance({}) })).status).toBe(404);
  });

  test.each([
    [['404.html', 'index.html'], '/guests', 404, '404.html'], [['404.html', 'index.html'], '/missing.js', 404, '404.html'], [['200.html', 'index.html'], '/guests', 200, '200.html'],
    [['200.html', '404.html', 'index.html'], '/guests', 200, '200.html'], [['200.html', '404.html', 'index.html'], '/missing.js', 404, '404.html'], [['200.html', 'index.html'], '/', 200, 'index.html'],
  ])('with %j, %s gives %i and %s', async (names, path, status, text) => {
    const instance = staticInstance(Object.fromEntries(names.map((name) => [name, name])));
    expect(await ask(path, { instance, headers: VISIT })).toMatchObject({ status, text });
    if (status === 404) {
      expect(await ask(path, { instance, headers: SCRIPT })).toMatchObject({ status: 404, text: 'Not found.' });
      expect(await ask(path, { instance, headers: { ...VISIT, 'if-none-match': '*', range: 'bytes=0-1' } })).toMatchObject({ status: 404, text });
    }
  });

  test.each(['/__proto__', '/constructor', '/toString', '/hasOwnProperty'])('%s means nothing but itself', async (path) => {
    expect(await ask(path, { instance: staticInstance({ 'app.js': 'script' }) })).toMatchObject({ status: 404 });
  });
});

describe('tricks with names', () => {
  test.each([
    '/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '/..%5cpackage.json', '/docs/..%2f..%2fpackage.json', '/%252e%252e/package.json', '//etc/passwd.txt', '/%00.txt', '/app.js%00.txt',
    '/docs%2Fpage.html', '/docs%5Cpage.html', '/docs\\page.html', '/folder%2fapp.js', '/%', '/%zz', '/%ff', '/a%c3',
    '/.env', '/.git/config', '/docs/.htpasswd', '/.well-known/.hidden', '/%2eenv', '/%2Egit/config', '/x/%2e%2e/.env', '/.missing', '/.well-known-not/x', '/.ENV',
  ])('%s leads nowhere else', async (path) => {
    for (const headers of [VISIT, SCRIPT]) expect(await ask(path, { headers })).toMatchObject({ status: 404, text: 'Not found.' });
  });

  test.each(['/app.js.', '/app.js::$DATA', '/app.js%20', '/APP.JS', '/APP~1.JS', '/con', '/app.js/', '/style.css/x'])('%s is no other spelling of a file', async (path) => {
    expect((await ask(path, { headers: SCRIPT })).status).toBe(404);
  });

  test('are that file, however many there are', async () => {
    const engine = createStaticEngine();
    const spelled = (number: number): string => `/${[...'abcdefghijklmn.js'].map((letter, at) => ((number >> at) & 1 ? `%${letter.charCodeAt(0).toString(16)}` : letter)).join('')}`;
    const instance = staticInstance({ 'abcdefghijklmn.js': 'script' });
    for (let number = 0; number < 12_000; number += 1) expect((await ask(spelled(number), { engine, instance })).status).toBe(200);
  });
});

describe('asking again', () => {
  test('what did not change is not sent again', async () => {
    const { etag = '' } = (await ask('/app.js')).headers;
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
    for (const value of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      expect(await ask('/app.js', { headers: { 'If-None-Match': value } })).toMatchObject({ status: 304, text: '', headers: { etag, 'cache-control': 'no-cache' } });
    }
  });

  test('what did change is', async () => {
    for (const value of ['"other"', '', 'etag', '"0"']) expect((await ask('/app.js', { headers: { 'if-none-match': value } })).status).toBe(200);
    const changed = await ask('/app.js', { instance: staticInstance({ 'app.js': 'changed' }) });
    expect(changed.headers['etag']).not.toBe((await ask('/app.js')).headers['etag']);
  });

  test('by date alone it is sent: after a rollback, an older file is the newer one', async () => {
    for (const name of ['if-modified-since', 'if-unmodified-since']) expect((await ask('/app.js', { headers: { [name]: 'Sat, 29 Oct 2033 19:43:31 GMT' } })).status).toBe(200);
    expect((await ask('/app.js')).headers).not.toHaveProperty('last-modified');
  });

  test('a version that must match', async () => {
    const { etag = '' } = (await ask('/app.js')).headers;
    for (const value of [etag, '*', `"x", ${etag}`]) expect((await ask('/app.js', { headers: { 'if-match': value } })).status).toBe(200);
    for (const value of ['"x"', `W/${etag}`]) expect((await ask('/app.js', { headers: { 'if-match': value } })).status).toBe(412);
  });
});

describe('parts', () => {
  test.each([
    ['bytes=0-2', 206, 'scr', 'bytes 0-2/6'], ['bytes=3-', 206, 'ipt', 'bytes 3-5/6'], ['bytes=-2', 206, 'pt', 'bytes 4-5/6'], ['bytes=-100', 206, 'script', 'bytes 0-5/6'], ['bytes=4-100', 206, 'pt', 'bytes 4-5/6'],
    ['bytes=6-', 416, 'The file ends before that.', 'bytes */6'], ['bytes=-0', 416, 'The file ends before that.', 'bytes */6'],
    ['bytes=0-1,3-4', 200, 'script', undefined], ['bytes=0-0,-1', 200, 'script', undefined], ['lines=1-2', 200, 'script', undefined], ['bytes=2-1', 416, 'The file ends before that.', 'bytes */6'], ['nonsense', 200, 'script', undefined], [`bytes=${'0-1,'.repeat(100)}`, 200, 'script', undefined],
  ])('%s', async (range, status, text, contentRange) => {
    const answer = await ask('/app.js', { headers: { range } });
    expect(answer).toMatchObject({ status, text });
    expect(answer.headers['content-range']).toBe(contentRange);
  });

  test('only of the version that the reader has begun', async () => {
    const { etag = '' } = (await ask('/app.js')).headers;
    expect((await ask('/app.js', { headers: { range: 'bytes=0-1', 'if-range': etag } })).status).toBe(206);
    for (const value of ['"other"', `W/${etag}`, 'Sat, 29 Oct 2033 19:43:31 GMT']) expect(await ask('/app.js', { headers: { range: 'bytes=0-1', 'if-range': value } })).toMatchObject({ status: 200, text: 'script' });
  });

  test('HEAD has none', async () => {
    expect(await ask('/app.js', { method: 'HEAD', headers: { range: 'bytes=0-1' } })).toMatchObject({ status: 200, text: '', answer: { sizeBytes: 6 } });
  });

  test('are parts of the file, not of a coding, whoever takes that too', async () => {
    const instance = staticInstance(FILES, { codings: ['br', 'gzip'] });
    const answer = await ask('/app.js', { instance, headers: { range: 'bytes=0-2', 'accept-encoding': 'gzip, br' } });
    expect(answer).toMatchObject({ status: 206, text: 'scr' });
    expect(answer.headers).not.toHaveProperty('content-encoding');
  });
});

describe('codings', () => {
  const instance = staticInstance({ 'app.js': 'script'.repeat(500), 'plain.bin': 'x' }, { codings: ['br', 'gzip'] });

  test.each([
    [undefined, undefined], ['', undefined], ['identity', undefined], ['gzip', 'gzip'], ['br', 'br'], ['gzip, deflate, br, zstd', 'br'], ['gzip;q=1, br;q=0.5', 'gzip'], ['gzip;q=0.5, identity', undefined], ['x-gzip', 'gzip'], ['*', 'br'],
    ['br;q=0, *', 'gzip'], ['GZIP', 'gzip'], ['deflate', undefined], ['br;q=0', undefined], ['identity;q=0, gzip', 'gzip'], ['identity;q=0.1, gzip;q=0.05', undefined], ['br ; q=0.9 , gzip ; q=0.9', 'br'], ['gzip;q=nonsense', undefined], [`br, ${'x,'.repeat(400)}`, undefined],
  ])('%s gives %s', async (accept, coding) => {
    const answer = await ask('/app.js', { instance, headers: accept === undefined ? {} : { 'accept-encoding': accept } });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-encoding']).toBe(coding);
    expect(answer.headers['vary']).toBe('accept-encoding');
    const plain = coding === 'br' ? brotliDecompressSync(answer.bytes) : coding === 'gzip' ? gunzipSync(answer.bytes) : answer.bytes;
    expect(plain.toString()).toBe('script'.repeat(500));
  });

  test.each(['identity;q=0', '*;q=0', 'identity;q=0, deflate'])('%s takes nothing that there is', async (accept) => {
    expect((await ask('/app.js', { instance, headers: { 'accept-encoding': accept } })).status).toBe(406);
  });

  test('have an ETag each, and each is known again by it', async () => {
    const tags = await Promise.all(['br', 'gzip', 'identity'].map(async (coding) => (await ask('/app.js', { instance, headers: { 'accept-encoding': coding } })).headers['etag'] ?? ''));
    expect(new Set(tags).size).toBe(3);
    for (const [at, coding] of ['br', 'gzip', 'identity'].entries()) {
      const again = await Promise.all(tags.map((tag) => ask('/app.js', { instance, headers: { 'accept-encoding': coding, 'if-none-match': tag } })));
      expect(again.map(({ status }) => status)).toEqual(tags.map((_, other) => (other === at ? 304 : 200)));
      expect(again[at]?.headers).toMatchObject({ vary: 'accept-encoding', etag: tags[at] });
    }
  });
});

describe('how long browsers keep it', () => {
  test.each([
    ['assets/index-DiwrgT4a.js', true], ['index.html', false], ['app.js', false], ['static/js/main.9c1a0b2f.js', true],
  ])('%s', async (path, isKept) => {
    const instance = staticInstance({ [path]: 'x' });
    expect((await ask(`/${path}`, { instance })).headers['cache-control']).toBe(isKept ? 'private, max-age=31536000, immutable' : 'no-cache');
  });

  test('the page for addresses that an app makes up is never kept, whatever it is called', async () => {
    expect((await ask('/a-9c1a0b2f', { headers: VISIT })).headers['cache-control']).toBe('no-cache');
  });
});

describe('methods', () => {
  test('HEAD has the head of GET', async () => {
    const [head, get] = [await ask('/app.js', { method: 'HEAD' }), await ask('/app.js')];
    expect(head.headers).toEqual(get.headers);
    expect(head).toMatchObject({ status: 200, answer: { body: null, sizeBytes: 6 } });
  });

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'])('%s is refused, with what is taken', async (method) => {
    expect(await ask('/app.js', { method })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });
});

test('a Micro that is not there is a fault of ours', async () => {
  await expect(createStaticEngine().fetch(SITE, 'other', { id: 'r', method: 'GET', url: 'http://a/', headers: [], body: null, hops: 0 })).rejects.toThrow(TypeError);
});
