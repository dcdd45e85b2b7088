// Owns the proof that what somebody stored never acts in a browser, is read as one version, and only from its own place:
// attacks F6 and F10, and ranges beyond the File.
import { readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAttackedHost, type AttackedHost } from './data-plane.ts';

let space: AttackedHost;
beforeAll(async () => {
  space = await startAttackedHost();
}, 60_000);
afterAll(() => space?.close());

const put = async (name: string, body: string | Buffer, type = 'text/plain'): Promise<void> => {
  expect((await space.own.drive(`d/files?name=${name}`, { method: 'POST', body, headers: { 'content-type': type } })).status).toBe(201);
};
const get = (name: string, headers: Record<string, string> = {}) => space.own.drive(`d/files/download?name=${name}`, { headers });

describe('in a browser', () => {
  const PAGE = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(document.domain)</script></svg>';

  test.each([
    'image/svg+xml', 'text/html', 'application/xhtml+xml', 'text/javascript', 'application/javascript', 'text/xml', 'application/xml', 'text/css', 'application/wasm', 'multipart/related', 'message/rfc822',
    // Browsers read each of these as something other than its beginning says.
    'image/png+xml', 'text/plain+xml', 'video/x+xml', 'application/json+xml', 'image/png, text/html', 'text/plain;a, text/html', 'text/plain,text/html', 'image/pngx', 'application/jsonp', 'application/pdf+xml', 'text/plain2',
    'text/html;charset=utf-7', 'text/plain;charset=utf-7, image/svg+xml', 'TEXT/HTML', '*/*', 'text/html ', 'unknown/unknown', 'application/unknown', 'x',
  ])('a File of type %j is downloaded', async (type) => {
    await put('page', PAGE, type);
    const { headers, text } = await get('page');
    expect(text).toBe(PAGE);
    expect(headers).toMatchObject({ 'content-disposition': 'attachment', 'x-content-type-options': 'nosniff', 'content-security-policy': "default-src 'none'; sandbox" });
  });

  test.each(['page.svg', 'page.html', 'page.js', 'page.xhtml', 'page.mjs', 'page.xml', 'page.htm', 'page'])('%s, of whose type nothing was said, is downloaded', async (name) => {
    await put(name, PAGE, 'binary/octet-stream');
    expect((await get(name)).headers['content-disposition']).toBe('attachment');
  });

  test.each(['image/png', 'image/jpeg', 'IMAGE/PNG', 'text/plain', 'text/plain; charset=utf-8', 'application/json', 'application/pdf', 'video/mp4', 'audio/ogg;codecs=opus', 'image/x-icon'])('a File of type %j, which cannot act, may be shown, without a right to anything', async (type) => {
    await put('picture', 'x', type);
    const { headers } = await get('picture');
    expect(headers).toMatchObject({ 'content-type': type, 'x-content-type-options': 'nosniff', 'content-security-policy': "default-src 'none'; sandbox" });
    expect(headers['content-disposition']).toBeUndefined();
  });

  test('never from the dashboard: its session opens no File there', async () => {
    await put('page', PAGE, 'image/svg+xml');
    const { status, text } = await space.owner.visitor.visit(`${space.url}/drive/v1/${space.own.id}/d/files/download?name=page`);
    expect([status, text.includes('script')]).toEqual([401, false]);
  });

  test.each(['text/html\0', 'text/html\u0080', '', 'x'.repeat(300)])('a type that could not stand in a header is not kept: %j', async (type) => {
    const { status } = await space.own.drive('d/files?name=typed', { method: 'POST', body: 'x', headers: { 'content-type': type } }).catch(() => ({ status: 0 }));
    if (status !== 201) return;
    expect((await get('typed')).headers['content-type']).toBe('application/octet-stream');
  });
});

describe('ranges', () => {
  beforeAll(() => put('ten', '0123456789'));

  test.each<[range: string, status: number | undefined, text: string | undefined]>([
    ['bytes=0-0', 206, '0'], ['bytes=9-', 206, '9'], ['bytes=5-100', 206, '56789'], ['bytes=-3', 206, '789'], ['bytes=-100', 206, '0123456789'], ['bytes=0-99999999999999999999', 206, '0123456789'],
    ['bytes=10-', 416, undefined], ['bytes=99999999999999999999-', 416, undefined], ['bytes=-0', 416, undefined], ['bytes=9007199254740993-9007199254740994', 416, undefined],
    ['bytes=5-2', undefined, undefined], ['bytes=-', undefined, undefined], ['bytes=a-b', undefined, undefined], ['bytes', undefined, undefined], ['=0-1', undefined, undefined], ['items=0-1', 200, '0123456789'], ['bytes=0-1,3-4', 200, '0123456789'],
    ['bytes=1e0-2', undefined, undefined], ['bytes=0x1-2', undefined, undefined], ['bytes=--1', undefined, undefined], [`bytes=0-1${',0-1'.repeat(60)}`, 200, '0123456789'], [`bytes=0-${'9'.repeat(80)}`, undefined, undefined],
  ])('%s', async (range, status, text) => {
    const answer = await get('ten', { range });
    if (status !== undefined) expect(answer.status).toBe(status);
    expect([200, 206, 416]).toContain(answer.status);
    if (text !== undefined) expect(answer.text).toBe(text);
    if (answer.status === 200) expect(answer.text).toBe('0123456789');
    if (answer.status === 206) expect(answer.headers['content-length']).toBe(String(answer.bytes.length));
  });

  test('a range of a version that is gone is the whole of the new one, so that nobody joins two halves', async () => {
    await put('resumed', 'first version');
    const { etag = '' } = (await get('resumed')).headers;
    const rest = await get('resumed', { 'range': 'bytes=6-', 'if-range': etag });
    expect([rest.status, rest.text]).toEqual([206, 'version']);
    await put('resumed', 'other content');
    for (const known of [etag, `W/${etag}`, 'garbage', 'Wed, 21 Oct 2015 07:28:00 GMT']) {
      const whole = await get('resumed', { 'range': 'bytes=6-', 'if-range': known });
      expect([whole.status, whole.text], known).toEqual([200, 'other content']);
    }
  });

  test('while others replace the File, each answer is of one version and as long as it says', async () => {
    const versions = ['a'.repeat(400_000), 'b'.repeat(10), 'c'.repeat(200_000)];
    await put('flip', versions[0]!);
    let isOver = false;
    const writing = (async () => {
      for (let n = 0; !isOver; n += 1) await put('flip', versions[n % 3]!);
    })();
    const seen = new Set<string>();
    for (let n = 0; n < 60; n += 1) {
      const answer = await get('flip', { range: 'bytes=5-300000' });
      expect(new Set(answer.text).size).toBe(1);
      const version = versions.find((one) => one[0] === answer.text[0])!;
      expect(answer.headers['content-range']).toBe(`bytes 5-${Math.min(300_000, version.length - 1)}/${version.length}`);
      expect(answer.bytes.length).toBe(Number(answer.headers['content-length']));
      seen.add(version[0]!);
    }
    isOver = true;
    await writing;
    expect(seen.size).toBeGreaterThan(1);
  }, 60_000);
});

describe('on the disk', () => {
  /** The blob with exactly this content. */
  async function blobOf(content: string): Promise<string> {
    const paths = (await readdir(space.dataFolder, { recursive: true })).filter((path) => path.split(sep).includes('blobs'));
    for (const path of paths) {
      const whole = join(space.dataFolder, path);
      if ((await readFile(whole, 'utf8').catch(() => '')) === content) return whole;
    }
    throw new Error('no blob has this content');
  }

  test.each([['whole', {}], ['a range', { range: 'bytes=0-3' }]])('a link in the place of a blob is not followed: %s', async (_, headers: Record<string, string>) => {
    const content = `content of ${_}`;
    await put('swapped', content);
    expect((await get('swapped', headers)).status).toBeLessThan(300);
    const blob = await blobOf(content);
    const target = join(space.dataFolder, 'outside');
    await writeFile(target, 'canary'.padEnd(content.length, '.'));
    await rename(blob, `${blob}0`);
    await symlink(target, blob);
    expect(await readFile(blob, 'utf8'), 'the control: whoever follows it').toContain('canary');
    const answer = await get('swapped', headers).catch(() => ({ status: 0, text: '' }));
    expect([answer.status, answer.text.includes('canary')]).toEqual([410, false]);
    await rename(`${blob}0`, blob);
    expect((await get('swapped')).text).toBe(content);
  });

  test('one blob in the place of another is noticed', async () => {
    await put('one', 'the first of two');
    await put('two', 'the other of two');
    await writeFile(await blobOf('the first of two'), 'the other of two');
    const answer = await get('one').catch(() => ({ status: 0, text: '' }));
    expect([answer.status === 200, answer.text.includes('other')]).toEqual([false, false]);
    expect((await get('two')).text).toBe('the other of two');
  });
});
