// Owns the proof that names and keys which mean something elsewhere (to shells, to file systems, to terminals, to our own
// Store) are just names here: attacks F4 and F7.
import { readdir } from 'node:fs/promises';
import { sep } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAttackedHost, type AttackedHost } from './data-plane.ts';

let space: AttackedHost;
beforeAll(async () => {
  space = await startAttackedHost();
}, 60_000);
afterAll(() => space?.close());

const utf8 = (text: string): number => Buffer.byteLength(text);
const query = (name: string): string => encodeURIComponent(name);

/** Each is stored under exactly this name. */
const HOSTILE_NAMES = [
  'new\nline', '\r\nSet-Cookie: a=b', '$(id)', '`id`', '; rm -rf ~', '| cat', '-rf', '--help', '-', '.', '..', '...', '../../../etc/passwd', '/etc/passwd', '..\\..\\windows', 'C:\\boot.ini', 'a/../../b', './a',
  'invoice\u202Efdp.exe', '\u2066hidden\u2069', '\u200B', '\uFEFFbom', 'nul\0byte', '\0', '\u001b[2J', '%2e%2e%2f', '%00', '%', 'a b+c', '"quoted"', "it's", '<script>alert(1)</script>',
  'CON', 'aux.txt', 'trailing.', 'trailing ', ' leading', '__proto__', 'constructor', 'toString', '~', '*', '?', '#', '&name=other', 'name=x', 'e\u0301', '\u00e9', 'K', '\u212A', 'İ', '🔑', '\uFFFF', '\u{10FFFF}',
  'x'.repeat(300), '🔑'.repeat(75), 'x'.repeat(1024), `${'/'.repeat(1023)}x`, '🔑'.repeat(256), 'b/things/a', 'd/things/a', 'm/log',
];

test('a File may have any name, and is found under that one only', async () => {
  const { own } = space;
  for (const name of HOSTILE_NAMES) {
    const answer = await own.drive(`files/files?name=${query(name)}`, { method: 'POST', body: `content of ${name}`, headers: { 'content-type': 'text/plain' } });
    expect([answer.status, answer.json().name], JSON.stringify(name)).toEqual([201, name]);
  }
  const { names } = (await own.drive('files/files')).json<{ names: string[] }>();
  expect(names.toSorted()).toEqual(HOSTILE_NAMES.toSorted());
  for (const name of names) {
    const { status, text, headers } = await own.drive(`files/files/download?name=${query(name)}`);
    expect([status, text, headers['set-cookie'], headers['content-type']], JSON.stringify(name)).toEqual([200, `content of ${name}`, undefined, 'text/plain']);
  }
  const { deleted, failed } = (await own.drive('files/files', { method: 'DELETE', body: { names } })).json();
  expect([deleted.toSorted(), failed]).toEqual([names.toSorted(), {}]);
  expect((await own.drive('files/files')).json().names).toEqual([]);
});

test('the same in parts: a name that an upload was started with', async () => {
  for (const name of HOSTILE_NAMES) {
    const at = `name=${query(name)}`;
    const { upload_id: id } = (await space.own.drive(`parts/uploads?${at}`, { method: 'POST' })).json();
    expect((await space.own.drive(`parts/uploads/${id}/parts?${at}&part=1`, { method: 'POST', body: name })).status).toBe(200);
    expect((await space.own.drive(`parts/uploads/${id}?${at}`, { method: 'PATCH' })).status).toBe(200);
    expect((await space.own.drive(`parts/files/download?${at}`)).text, JSON.stringify(name)).toBe(name);
  }
});

test('no name becomes a path of the disk', async () => {
  await space.own.drive('disk/files?name=..%2F..%2F..%2Fescaped-canary', { method: 'POST', body: 'x' });
  await space.own.drive('disk/files?name=plain-canary', { method: 'POST', body: 'x' });
  const paths = await readdir(space.dataFolder, { recursive: true });
  expect(paths.length).toBeGreaterThan(10);
  expect(paths.filter((path) => path.includes('canary'))).toEqual([]);
  const blobs = paths.filter((path) => path.split(sep).includes('blobs'));
  expect(blobs.length).toBeGreaterThan(1);
  expect(blobs.every((path) => /^[\w./-]+$/.test(path)), blobs.join('\n')).toBe(true);
});

test('what is no name is refused: blank, too long, a folder, half a character', async () => {
  const names = ['', ' ', '\n\t', 'folder/', '/', 'x'.repeat(1025), '🔑'.repeat(257), `${'é'.repeat(512)}x`];
  for (const name of names) {
    for (const operation of ['files', 'uploads']) {
      const { status, json } = await space.own.drive(`bad/${operation}?name=${query(name)}`, { method: 'POST', body: 'x' });
      expect([status, json().code], `${JSON.stringify(name.slice(0, 20))} of ${utf8(name)} bytes`).toEqual([400, 'NAME_INVALID']);
    }
  }
  const mixed = (await space.own.drive('bad/files', { method: 'DELETE', body: '{"names":["good","__proto__/",""]}' })).json();
  expect(mixed.deleted).toEqual(['good']);
  expect(Object.keys(mixed.failed).length).toBe(2);
  // No answer could name it.
  expect((await space.own.drive('bad/files', { method: 'DELETE', body: '{"names":["good","\\ud800"]}' })).status).toBe(400);
  expect((await space.own.drive('bad/files', { method: 'DELETE', body: '{"names":["\\udc00"]}' })).status).toBe(400);
  expect((await space.own.drive('bad/files')).json().names).toEqual([]);
});

/** Each is an Item of its own. */
const HOSTILE_KEYS = [
  ...HOSTILE_NAMES, 'folder/', '/', '//', ' ', 'b/entries/', 'b/entries/x', 'n/base/entries', 'e/0000000000000001/entries/a', 'x/', 'c/0000000000000001', 'hasOwnProperty', 'prototype',
];

test('an Item may have any key, and is found under that one only', async () => {
  const { own } = space;
  const keys = [...new Set(HOSTILE_KEYS)];
  for (const key of keys) {
    const { status, text } = await own.base('entries/items', { method: 'PUT', body: { items: [{ key, of: key }] } });
    expect(status, `${JSON.stringify(key)}: ${text}`).toBe(207);
  }
  for (const key of keys) {
    const found = await own.base(`entries/items/${query(key)}`);
    expect([found.status, found.json()], JSON.stringify(key)).toEqual([200, { key, of: key }]);
    const asked = (await own.base('entries/query', { method: 'POST', body: { query: { key } } })).json();
    expect(asked.items, JSON.stringify(key)).toEqual([{ key, of: key }]);
  }
  for (const key of keys) expect((await own.base(`entries/items/${query(key)}`, { method: 'DELETE' })).json()).toEqual({ key });
  expect((await own.base('entries/query', { method: 'POST', body: {} })).json().items).toEqual([]);
});

test('what is no key is refused, and nothing of the request is stored', async () => {
  const refused = ['""', `"${'x'.repeat(1025)}"`, `"${'x'.repeat(1024 * 1024)}"`, '"\\ud800"', '"a\\udfffb"', '1', 'null', '[]', '{}', 'true'];
  for (const key of refused) {
    for (const [method, body] of [['PUT', `{"items":[{"key":"good"},{"key":${key}}]}`], ['POST', `{"item":{"key":${key}}}`]] as const) {
      const { status, json } = await space.own.base('bad/items', { method, body });
      expect([status, json().code], `${method} ${key.slice(0, 20)}`).toEqual([400, 'BASE_BAD_ITEM']);
    }
  }
  expect((await space.own.base('bad/query', { method: 'POST', body: {} })).json().items).toEqual([]);
  expect((await space.own.base('bad/items', { method: 'PUT', body: '{"items":[{"key":"good"}]}' })).status).toBe(207);
});

test('no key, Base name or prefix reaches out of its Base, its Collection or its Space', async () => {
  const { own, sibling, theirs } = space;
  for (const door of [sibling, theirs]) {
    await door.base('secrets/items', { method: 'PUT', body: { items: [{ key: 'a', canary: 'theirs' }] } });
    await door.drive('secrets/files?name=a', { method: 'POST', body: 'canary of theirs' });
  }
  await own.base('other/items', { method: 'PUT', body: { items: [{ key: 'a', canary: 'mine' }] } });
  const prefixes = [sibling.id, theirs.id].flatMap((id) => [`../${id}`, id, `spaces/${space.member.spaceId}/${id}`, `../../${space.member.spaceId}/${id}/secrets`]);
  const asked: string[] = [];
  for (const text of [...prefixes, 'b/other/a', '/other/a', '../other/a', '\0', '', '\uFFFF']) {
    for (const path of [`${query(text)}/items/a`, `secrets/items/${query(text)}`, `secrets/items/${query(`${text}/a`)}`]) asked.push((await own.base(path)).text);
    for (const body of [{ query: { 'key?pfx': text } }, { last: text }, { last: text, sort: 'desc' }, { query: { 'key?r': [text, '\u{10FFFF}'] } }]) {
      asked.push((await own.base('secrets/query', { method: 'POST', body })).text);
    }
    for (const path of [`secrets/files?prefix=${query(text)}`, `secrets/files?last=${query(text)}`, `secrets/files/download?name=${query(text)}`, `${query(text)}/files`]) asked.push((await own.drive(path)).text);
  }
  expect(asked.filter((text) => text.includes('canary'))).toEqual([]);
  expect((await theirs.base('secrets/items/a')).text).toContain('canary');
  expect((await own.base('other/items/a')).text).toContain('canary');
  for (const path of [`${theirs.id}/secrets/items/a`, `%2e%2e/${theirs.id}/secrets/items/a`, `../${theirs.id}/secrets/items/a`, `..%2F${theirs.id}/secrets/items/a`]) {
    const { status, text } = await own.base(path);
    expect([status >= 400 && status < 500, text.includes('canary')], path).toEqual([true, false]);
  }
});

test('an upload belongs to its Drive, its Collection and its name', async () => {
  const { own, sibling, theirs } = space;
  const { upload_id: id } = (await theirs.drive('d/uploads?name=f', { method: 'POST' })).json();
  const { upload_id: mine } = (await own.drive('d/uploads?name=f', { method: 'POST' })).json();
  const tries: [typeof own, string, string][] = [[own, 'd', id], [sibling, 'd', mine], [own, 'e', mine], [own, 'd', `${mine}%2F000001`], [own, 'd', '%00'], [own, 'd', '..'], [own, 'd', 'x'.repeat(5000)]];
  for (const [door, drive, upload] of tries) {
    for (const [method, path] of [['POST', 'parts?name=f&part=1'], ['PATCH', '?name=f'], ['DELETE', '?name=f']] as const) {
      const { status, json } = await door.drive(`${drive}/uploads/${upload}${path.startsWith('?') ? path : `/${path}`}`, { method, body: 'x' });
      expect([status, json().code], `${method} ${drive} ${upload.slice(0, 20)}`).toEqual([404, 'UPLOAD_NOT_FOUND']);
    }
  }
  expect((await own.drive(`d/uploads/${mine}/parts?name=g&part=1`, { method: 'POST', body: 'x' })).status).toBe(404);
  for (const part of ['1', '2']) expect((await own.drive(`d/uploads/${mine}/parts?name=f&part=${part}`, { method: 'POST', body: part })).status).toBe(200);
  expect((await own.drive(`d/uploads/${mine}?name=f`, { method: 'PATCH' })).status).toBe(200);
  expect((await own.drive(`d/uploads/${mine}/parts?name=f&part=3`, { method: 'POST', body: 'late' })).status).toBe(404);
  expect((await own.drive('d/files/download?name=f')).text).toBe('12');
  expect((await own.drive(`d/uploads/${mine}?name=f`, { method: 'DELETE' })).status).toBe(404);
});
