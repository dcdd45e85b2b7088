// Owns the proof of the door by which a boxed program reaches this host: Base, Drive and its own app by their old names, each
// for this box alone, whatever a request says.
import { once } from 'node:events';
import { access, stat } from 'node:fs/promises';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { SpaceError } from '../../../core/errors.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { connectDoor, HOSTNAME, openTestDoor, type DoorAnswer, type DoorCall, type DoorOptions, type TestDoor } from '../../support/inner-door.ts';

let box: TestDoor;
let answer: TestDoor['answer'];
beforeAll(async () => {
  box = await openTestDoor();
  ({ answer } = box);
});
afterAll(() => box.close());
beforeEach(() => {
  box.fetched.length = 0;
  box.answer = answer;
});

const base = (path: string, { key = box.own.key, id = box.own.id, ...init }: DoorCall & { key?: string; id?: string } = {}): Promise<DoorAnswer> =>
  box.call(`https://database.deta.sh/v1/${id}/notes/${path}`, { ...init, headers: { 'x-api-key': key, ...init.headers } });
const drive = (path: string, init: DoorCall = {}): Promise<DoorAnswer> =>
  box.call(`https://drive.deta.sh/v1/${box.own.id}/photos/${path}`, { ...init, headers: { 'x-api-key': box.own.key, ...init.headers } });

describe('the names of Deta', () => {
  test('database.deta.sh is the Base API', async () => {
    expect((await base('items', { method: 'PUT', body: { items: [{ key: 'a', text: 'hello' }] } })).json()).toEqual({ processed: { items: [{ key: 'a', text: 'hello' }] } });
    expect((await base('items/a')).json()).toEqual({ key: 'a', text: 'hello' });
    expect((await base('items/a', { headers: { host: 'database.deta.sh:443' } })).status).toBe(200);
    expect((await base('files')).status).toBe(404);
  });

  test('drive.deta.sh is the Drive API, with parts of 10 MiB', async () => {
    const part = Buffer.alloc(10 * 1024 * 1024, 'p');
    const { upload_id: id } = (await drive('uploads?name=large.bin', { method: 'POST' })).json();
    expect((await drive(`uploads/${id}/parts?name=large.bin&part=1`, { method: 'POST', body: part })).status).toBe(200);
    expect((await drive(`uploads/${id}/parts?name=large.bin&part=2`, { method: 'POST', body: Readable.from([part.subarray(0, 1000)]) })).status).toBe(200);
    expect((await drive(`uploads/${id}?name=large.bin`, { method: 'PATCH' })).status).toBe(200);
    const back = await drive('files/download?name=large.bin');
    expect(back.bytes.length).toBe(part.length + 1000);
    expect((await drive('items/a')).status).toBe(404);
  });

  test('a part above the limit is refused', async () => {
    const { upload_id: id } = (await drive('uploads?name=huge.bin', { method: 'POST' })).json();
    const huge = await drive(`uploads/${id}/parts?name=huge.bin&part=1`, { method: 'POST', body: '', headers: { 'content-length': String(30 * 1024 * 1024) } }).catch((error: Error) => error);
    expect(huge instanceof Error ? 413 : huge.status).toBe(413);
  });

  test('want the key of this Collection, as over the network: a page that makes the app call them has none', async () => {
    await base('items', { method: 'PUT', body: { items: [{ key: 'secret' }] } });
    for (const key of ['', 'x', `${box.own.id}_wrong`, box.other.key]) {
      const refused = await base('items/secret', { key });
      expect([refused.status, refused.json().errors]).toEqual([401, ['Unauthorized']]);
    }
    expect((await base('items/secret')).status).toBe(200);
  });

  test('lead to the Collection of this box only, also with the right key of another', async () => {
    const { id, key } = box.other;
    expect((await base('items', { id, key, method: 'PUT', body: { items: [{ key: 'a' }] } })).status).toBe(401);
    expect((await base('items/a', { id })).status).toBe(401);
    const other = await box.openOther();
    // The same key, through the door of its own box.
    expect((await base('items', { id, key, socketPath: other.socketPath, method: 'PUT', body: { items: [{ key: 'a' }] } })).status).toBe(207);
    expect((await base('items/a', { socketPath: other.socketPath })).status).toBe(401);
    await other.close();
  });
});

describe('the app\'s own name', () => {
  const own = (path: string, init?: DoorCall): Promise<DoorAnswer> => box.call(`https://${HOSTNAME}${path}`, init);

  test('leads to the app, with the port that its variable carries and without', async () => {
    expect((await own('/api/x?y=1', { headers: { 'x-api-key': 'micro-key' } })).text).toBe('hello');
    expect((await own('/', { headers: { host: 'guestbook.localhost' } })).status).toBe(200);
    expect((await own('/', { headers: { host: 'GuestBook.localhost.' } })).status).toBe(200);
    expect(box.fetched.map(({ url, method, hops, redirect }) => ({ url, method, hops, redirect }))).toEqual([
      { url: `https://${HOSTNAME}/api/x?y=1`, method: 'GET', hops: 1, redirect: 'manual' },
      { url: `https://${HOSTNAME}/`, method: 'GET', hops: 1, redirect: 'manual' },
      { url: `https://${HOSTNAME}/`, method: 'GET', hops: 1, redirect: 'manual' },
    ]);
    expect(box.fetched[0]?.headers).toContain('micro-key');
  });

  test('streams both ways', async () => {
    const body = new PassThrough();
    box.answer = async (request) => ({ status: 200, headers: [], body: request.body });
    const answered = own('/echo', { method: 'POST', body });
    body.write('one ');
    await vi.waitFor(() => expect(box.fetched).toHaveLength(1));
    body.end('two');
    expect((await answered).text).toBe('one two');
  });

  test('an error says what it is', async () => {
    box.answer = async () => { throw new SpaceError('MICRO_BUSY'); };
    expect((await own('/')).json()).toMatchObject({ code: 'MICRO_BUSY' });
  });

  test('a caller that goes away is told to the Micro', async () => {
    let gone = false;
    box.answer = (request) => new Promise(() => { request.onGone?.(() => { gone = true; }); });
    const socket = await connectDoor(box.socketPath, { servername: 'guestbook.localhost', ca: box.door.authority });
    socket.write(`GET / HTTP/1.1\r\nHost: ${HOSTNAME}\r\n\r\n`);
    await vi.waitFor(() => expect(box.fetched).toHaveLength(1));
    expect(gone).toBe(false);
    socket.destroy();
    await vi.waitFor(() => expect(gone).toBe(true));
  });

  test('an app that calls itself without end is stopped where the limit is', async () => {
    // What the Engine does: the program gets the request, and calls again while it answers.
    box.answer = async (request) => {
      const end = box.door.received(request.hops);
      const { status, bytes } = await own('/again');
      end();
      return { status, headers: [], body: bytes };
    };
    const last = await own('/again');
    expect([last.status, last.json().code]).toEqual([508, 'MICRO_LOOP']);
    expect(box.fetched.map(({ hops }) => hops)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe('anything else', () => {
  const ca = (): string => box.door.authority;

  test.each(['localhost', 'diary.localhost', 'example.org', 'deta.sh', 'database.localhost', 'x.guestbook.localhost', ''])('the name "%s" gets no certificate', async (servername) => {
    await expect(connectDoor(box.socketPath, { servername, ca: ca() })).rejects.toThrow(/alert|disconnected|reset/i);
  });

  test.each(['drive.deta.sh', 'diary.localhost', 'localhost', 'guestbook.localhost', 'database.deta.sh.example.org', 'a b', ''])('a handshake as database.deta.sh with the Host "%s" is refused', async (host) => {
    const socket = await connectDoor(box.socketPath, { servername: 'database.deta.sh', ca: ca() });
    socket.end(`GET /v1/${box.own.id}/notes/items/a HTTP/1.1\r\nHost: ${host}\r\nX-API-Key: ${box.own.key}\r\nConnection: close\r\n\r\n`);
    expect(String(await buffer(socket))).toMatch(/^HTTP\/1.1 400 /);
    expect(box.fetched).toEqual([]);
  });

  test.each([
    ['two hosts', (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\nHost: database.deta.sh\r\n\r\n`],
    ['an absolute target', (host: string) => `GET https://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
    ['two lengths', (host: string) => `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhelloX`],
    ['a length and chunks', (host: string) => `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n`],
    ['an unknown coding', (host: string) => `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['two codings', (host: string) => `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['a bare line feed', (host: string) => `GET / HTTP/1.1\nHost: ${host}\n\n`],
  ])('%s: refused, and nothing reaches a Micro', async (_, request) => {
    const socket = await connectDoor(box.socketPath, { servername: 'guestbook.localhost', ca: ca() });
    socket.end(request(HOSTNAME));
    expect(String(await buffer(socket).catch(() => ''))).toMatch(/^$|^HTTP\/1.1 400 /);
    expect(box.fetched).toEqual([]);
  });

  test('CONNECT and TRACE do nothing', async () => {
    expect((await box.call(`https://${HOSTNAME}/`, { method: 'TRACE' })).status).toBe(405);
    const socket = await connectDoor(box.socketPath, { servername: 'guestbook.localhost', ca: ca() });
    socket.write(`CONNECT example.org:443 HTTP/1.1\r\nHost: ${HOSTNAME}\r\n\r\n`);
    expect(String(await buffer(socket))).toBe('');
    expect(box.fetched).toEqual([]);
  });

  test('more at once than one box may have are told to wait', async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => { release = resolve; });
    box.answer = async () => { await released; return { status: 200, headers: [], body: null }; };
    const socket = await connectDoor(box.socketPath, { servername: 'guestbook.localhost', ca: ca() });
    socket.write(`GET / HTTP/1.1\r\nHost: ${HOSTNAME}\r\n\r\n`.repeat(300));
    await vi.waitFor(() => expect(box.fetched).toHaveLength(256));
    await turn();
    expect(box.fetched).toHaveLength(256);
    const refused = await box.call(`https://${HOSTNAME}/`);
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '1']);
    release();
    socket.destroy();
    await vi.waitFor(async () => expect((await box.call(`https://${HOSTNAME}/`)).status).toBe(200));
  });
});

describe('without its guard', () => {
  test('the key of another Collection opens that Collection from this box', async () => {
    await using open = await openAltered((parts) => ({ ...parts, dataPlane: { handle: (request, response, address) => parts.dataPlane.handle(request, response, address) } }));
    const { id, key } = open.box.other;
    expect((await open.box.call(`https://database.deta.sh/v1/${id}/notes/items/a`, { headers: { 'x-api-key': key } })).status).toBe(404);
  });

  test('an app calls itself without end', async () => {
    await using open = await openAltered((parts) => ({ ...parts, hopsMax: Infinity }));
    const { box: own } = open;
    let calls = 0;
    own.answer = async (request) => {
      calls += 1;
      const end = own.door.received(request.hops);
      const answered = calls < 30 ? await own.call(`https://${HOSTNAME}/again`) : undefined;
      end();
      return { status: answered?.status ?? 200, headers: [], body: null };
    };
    expect((await own.call(`https://${HOSTNAME}/again`)).status).toBe(200);
    expect(calls).toBe(30);
  });

  async function openAltered(alter: NonNullable<DoorOptions['alter']>): Promise<AsyncDisposable & { box: TestDoor }> {
    const altered = await openTestDoor({ alter });
    return { box: altered, [Symbol.asyncDispose]: () => altered.close() };
  }
});

describe('a flood of handshakes', () => {
  test('waits its turn, and is not lost', async () => {
    const clock = createFakeClock(Date.now());
    const flooded = await openTestDoor({ clock });
    const { authority: ca } = flooded.door;
    const open = async (): Promise<void> => void (await connectDoor(flooded.socketPath, { servername: 'database.deta.sh', ca })).destroy();
    for (let count = 0; count < 200; count += 20) await Promise.all(Array.from({ length: 20 }, open));
    let late = 0;
    const waiting = Promise.all(Array.from({ length: 5 }, () => open().then(() => { late += 1; })));
    await wait(200);
    expect(late).toBe(0);
    clock.advance(20);
    await vi.waitFor(() => expect(late).toBe(1));
    clock.advance(1000);
    await waiting;
    await flooded.close();
  });
});

describe('the socket', () => {
  test('is this user\'s alone', async () => {
    expect((await stat(box.socketPath)).mode & 0o777).toBe(0o600);
  });

  test('keeps a connection, and a second one resumes the session of the first', async () => {
    const ca = box.door.authority;
    const first = await connectDoor(box.socketPath, { servername: 'guestbook.localhost', ca });
    const session = once(first, 'session');
    for (let count = 1; count <= 3; count += 1) {
      first.write(`GET /${count} HTTP/1.1\r\nHost: ${HOSTNAME}\r\n\r\n`);
      await vi.waitFor(() => expect(box.fetched).toHaveLength(count));
    }
    const [ticket] = await session;
    const { connect } = await import('node:tls');
    const second = connect({ path: box.socketPath, servername: 'guestbook.localhost', ca, session: ticket });
    await once(second, 'secureConnect');
    expect([first.isSessionReused(), second.isSessionReused()]).toEqual([false, true]);
    first.destroy();
    second.destroy();
  });

  test('ends with its box, and so does everything that is under way', async () => {
    const other = await box.openOther();
    const ca = other.authority;
    const idle = await connectDoor(other.socketPath, { servername: 'database.deta.sh', ca });
    const { connect } = await import('node:net');
    const silent = connect(other.socketPath);
    await once(silent, 'connect');
    const ended = Promise.all([idle, silent].map((socket) => once(socket.on('error', () => {}).resume(), 'close')));
    await other.close();
    await ended;
    await expect(access(other.socketPath)).rejects.toThrow();
  });
});
