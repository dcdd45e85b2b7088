// Owns inner doors for tests, with real data behind them: one for a box of the app `guestbook`, and the key of another
// Collection of the same host. The app's own address leads to a function of the test.
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { createLog } from '../../core/log.ts';
import { systemClock, type Clock } from '../../core/clock.ts';
import { createDataPlane } from '../../runtime/api/data-plane.ts';
import { createDataKeys } from '../../runtime/auth/data-key.ts';
import { createKeyring } from '../../runtime/auth/keyring.ts';
import { createVault } from '../../runtime/auth/vault.ts';
import type { InstanceServices, InstanceSpec, MicroRequest, MicroResponse } from '../../runtime/engine/engine.ts';
import { openInnerDoor, type InnerDoor, type InnerDoorParts } from '../../runtime/http/inner-door.ts';
import { openTls } from '../../runtime/http/tls.ts';
import { createCollections } from '../../runtime/instance/collection.ts';
import { createData } from '../../sandbox-data/open.ts';

export const HOSTNAME = 'guestbook.localhost:4443';

export interface TestDoor {
  door: InnerDoor;
  socketPath: string;
  /** Of the app's own Collection, and of another. */
  own: { id: string; key: string };
  other: { id: string; key: string };
  /** What came to the app's own address. */
  fetched: MicroRequest[];
  /** What that answers; 200 with what came, unless a test says otherwise. */
  answer: (request: MicroRequest) => Promise<MicroResponse>;
  /** One request through a connection of its own, by the name that it is for. */
  call(address: string, init?: DoorCall): Promise<DoorAnswer>;
  /** Another door on the same host, for the other Collection. */
  openOther(): Promise<InnerDoor & { socketPath: string }>;
  close(): Promise<void>;
}

export interface DoorCall { method?: string; headers?: Record<string, string>; body?: string | Buffer | object | Readable; servername?: string; socketPath?: string; ca?: string }
export interface DoorAnswer { status: number; headers: IncomingHttpHeaders; bytes: Buffer; text: string; json(): any }

/** `user`: of the box. `alter`: what a test takes out, to see what is not prevented then. */
export interface DoorOptions { clock?: Clock; hostname?: string; hopsMax?: number; user?: number; alter?(parts: InnerDoorParts): InnerDoorParts }

export async function openTestDoor({ clock = systemClock, hostname = HOSTNAME, hopsMax = 8, user, alter = (parts) => parts }: DoorOptions = {}): Promise<TestDoor> {
  const folder = await mkdtemp(join(tmpdir(), 'ownspace-door-'));
  const log = createLog('error', () => {});
  const data = await createData({ folder, clock, log, workers: 1 });
  const store = data.hostStore;
  const vault = createVault(Buffer.alloc(32, 7));
  const collections = createCollections({ store, clock });
  const dataKeys = createDataKeys(createKeyring(store, clock, 'data-key'), vault);
  const tls = await openTls({ folder: join(folder, 'tls'), domains: ['localhost'], appsDomain: 'localhost', clock, sealing: vault, isKnownHost: () => false });
  const parts = alter({ tls, dataPlane: createDataPlane({ data, dataKeys, collections, log }), log, clock, hopsMax });
  const [own, other] = await Promise.all(['own', 'other'].map(async (name) => {
    const { id } = await collections.create('space1', name);
    return { id, key: dataKeys.ownKey(id) };
  })) as [TestDoor['own'], TestDoor['other']];

  const box: TestDoor = {
    own, other, fetched: [], socketPath: join(folder, 'own.sock'), door: undefined as unknown as InnerDoor,
    answer: async (request) => ({ status: 200, headers: ['content-type', 'text/plain'], body: request.body === null || request.body instanceof Uint8Array ? Buffer.from('hello') : await buffer(request.body) }),
    call: (address, init) => callDoor(address, { socketPath: box.socketPath, ca: tls.sandboxCaPem, ...init }),
    async openOther() {
      const socketPath = join(folder, 'other.sock');
      const door = await openInnerDoor(parts, { instance: { ...instance, collectionId: other.id, hostname: 'diary.localhost:4443' }, micro: 'main', socketPath });
      return { ...door, socketPath };
    },
    async close() {
      await box.door.close();
      await data.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  const services = { fetchUrl: async (request: MicroRequest) => { box.fetched.push(request); return box.answer(request); }, log() {} } as unknown as InstanceServices;
  const instance: InstanceSpec = { instanceId: 'instance1', spaceId: 'space1', collectionId: own.id, hostname, generation: '1', micros: [], services };
  box.door = await openInnerDoor(parts, { instance, micro: 'main', socketPath: box.socketPath, ...(user === undefined ? {} : { user }) });
  return box;
}

/** A TLS connection as a program in the box makes one. */
export async function connectDoor(socketPath: string, { servername, ca }: { servername: string; ca: string }): Promise<TLSSocket> {
  const socket = connect({ path: socketPath, servername, ca });
  await new Promise<void>((resolve, reject) => void socket.once('secureConnect', resolve).once('error', reject));
  return socket;
}

async function callDoor(address: string, { socketPath, ca, servername, method = 'GET', headers = {}, body }: DoorCall & { socketPath: string; ca: string }): Promise<DoorAnswer> {
  const url = new URL(address);
  const isRaw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) || body instanceof Readable;
  const payload = isRaw ? body : JSON.stringify(body);
  const socket = await connectDoor(socketPath, { servername: servername ?? url.hostname, ca });
  return new Promise((resolve, reject) => {
    const all = { host: url.host, connection: 'close', ...(isRaw ? {} : { 'content-type': 'application/json' }), ...headers };
    const outgoing = httpsRequest({ createConnection: () => socket, method, path: url.pathname + url.search, headers: all }, (incoming) => {
      buffer(incoming).then((bytes) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, bytes, text: bytes.toString(), json: () => JSON.parse(bytes.toString()) }), reject);
    });
    outgoing.on('error', reject);
    if (payload instanceof Readable) payload.pipe(outgoing);
    else outgoing.end(payload);
  });
}
