// Owns Instances for tests of the process Engine: files given as text, packed as the builder does, run in real boxes.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { zstdCompressSync } from 'node:zlib';
import { pack, type Headers as TarHeaders } from 'tar-stream';
import { systemClock } from '../../core/clock.ts';
import { createLog, type LogFields } from '../../core/log.ts';
import { createProcessEngine, type ProcessEngine, type ProcessEngineOptions } from '../../runtime/engine/process.ts';
import type { InstanceServices, InstanceSpec, MicroLogEntry, MicroRequest, MicroResponse } from '../../runtime/engine/engine.ts';
import { type BoxGround, prepareBoxes } from '../../sandbox/box-test.ts';

export interface ProcessBench {
  engine: ProcessEngine;
  ground: BoxGround;
  folder: string;
  hostLog: LogFields[];
  close(): Promise<void>;
}

/** Tests look at each process and file, so none is made that they did not ask for. `READY_BOXES=2`: the same with them. */
const READY = Number(process.env.READY_BOXES ?? 0);

/** @param options `isUnsafe`: programs run without a box  @param create of an altered source */
export async function openProcessBench({ isUnsafe = false, limits, ...options }: Partial<ProcessEngineOptions> & { isUnsafe?: boolean } = {}, create = createProcessEngine): Promise<ProcessBench> {
  const folder = await mkdtemp(join(tmpdir(), 'ownspace-process-'));
  const hostLog: LogFields[] = [];
  const log = createLog('debug', (line) => hostLog.push(JSON.parse(line) as LogFields));
  const ground = await prepareBoxes({ folder: join(folder, 'boxes'), isUnsafe });
  const engine = create({ log, clock: systemClock, boxes: async () => ground.boxes(), packageFolder: join(folder, 'packages'), socketFolder: join(folder, 'boxes'), limits: { readyBoxes: READY, ...limits }, ...options });
  return {
    engine, ground, folder, hostLog,
    async close() {
      await engine.close();
      await ground.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type TestFile = string | Buffer | Partial<TarHeaders>;

/** As the builder makes it; a file may also be a header of its own, to be hostile. */
export async function packed(files: Record<string, TestFile>): Promise<Buffer> {
  const tar = pack();
  for (const [name, file] of Object.entries(files)) {
    if (typeof file === 'string' || Buffer.isBuffer(file)) tar.entry({ name, mode: 0o644 }, file);
    else tar.entry({ name, ...file }, file.type === 'file' ? '' : undefined);
  }
  tar.finalize();
  return zstdCompressSync(await buffer(tar));
}

export interface ProcessInit {
  /** The start command. */
  run?: string;
  env?: Record<string, string>;
  generation?: string;
  instanceId?: string;
  limits?: InstanceSpec['limits'];
}

export interface ProcessInstance {
  spec: InstanceSpec;
  logs: MicroLogEntry[];
  /** All that was logged, as lines. */
  said(): string;
  send(path: string, init?: SendInit): Promise<MicroResponse>;
  call(path: string, init?: SendInit): Promise<{ status: number; headers: Headers; text: string }>;
}

export interface SendInit { method?: string; headers?: string[]; body?: MicroRequest['body'] | string; hops?: number; signal?: AbortSignal; id?: string; upgrade?: boolean }

let last = 0;

/** @param files with the start command `node index.js` unless another is given */
export async function createProcessInstance(engine: ProcessEngine, files: Record<string, TestFile>, { run = 'node index.js', env = {}, generation = '1', instanceId, limits }: ProcessInit = {}): Promise<ProcessInstance> {
  const own = ++last;
  const archive = await packed(files);
  const logs: MicroLogEntry[] = [];
  const spec: InstanceSpec = {
    instanceId: instanceId ?? `inst${own}`, spaceId: 'space1', collectionId: 'collection1', hostname: 'guestbook.localhost', generation, ...(limits ? { limits } : {}),
    services: { log: (entry: MicroLogEntry) => { logs.push(entry); } } as unknown as InstanceServices,
    micros: [{
      name: 'main', env, entry: run, files: { 'app.tar.zst': { hash: `hash${own}-${generation}`, sizeBytes: archive.length } },
      readFile: async () => archive, readContent: async () => archive, openContent: async () => Readable.from([archive]),
    }],
  };
  const send = (path: string, { method = 'GET', headers = [], body = null, hops = 0, signal, id = `req${++last}`, upgrade }: SendInit = {}): Promise<MicroResponse> =>
    engine.fetch(spec, 'main', { id, method, url: `http://guestbook.localhost${path}`, headers: ['host', 'guestbook.localhost', ...headers], body: typeof body === 'string' ? Buffer.from(body) : body, hops, ...(signal ? { signal } : {}), ...(upgrade ? { upgrade } : {}) });
  return {
    spec, logs, send,
    said: () => logs.map(({ level, text }) => `${level} ${text}`).join('\n'),
    async call(path, init) {
      const { status, headers, body } = await send(path, init);
      const list = new Headers();
      for (let at = 0; at < headers.length; at += 2) list.append(headers[at]!, headers[at + 1]!);
      const bytes = body === null ? Buffer.alloc(0) : body instanceof Uint8Array ? Buffer.from(body) : await buffer(body);
      return { status, headers: list, text: bytes.toString() };
    },
  };
}

/** A program in Node.js that does what each path says. */
export const SERVER = `
const http = require('node:http');
const left = [];
http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://x');
  const act = {
    '/echo': () => { response.setHeader('x-method', request.method); request.pipe(response); },
    '/headers': () => response.end(JSON.stringify({ url: request.url, raw: request.rawHeaders })),
    '/env': () => response.end(JSON.stringify(process.env)),
    '/pid': () => response.end(String(process.pid + '/' + process.uptime())),
    '/slow': () => setTimeout(() => response.end('late'), +searchParams.get('ms')),
    '/loop': () => { for (;;); },
    '/exit': () => process.exit(+searchParams.get('code')),
    '/abort': () => process.abort(),
    '/stream': () => { let n = 0; const timer = setInterval(() => { response.write('data: ' + n++ + '\\n\\n'); if (n === 5) { clearInterval(timer); response.end(); } }, 20); },
    '/endless': () => { const chunk = Buffer.alloc(65536, 1); let sent = 0; const more = () => { while (response.write(chunk)) sent += 1; sent += 1; }; response.on('drain', more); response.on('close', () => left.push(sent)); more(); },
    '/left': () => response.end(JSON.stringify(left)),
    '/large': () => response.end(Buffer.alloc(+searchParams.get('bytes'), 'x')),
    '/forbidden': () => response.writeHead(200, { 'x-space-app-actor': 'me', 'strict-transport-security': 'x', 'set-cookie': ['a=1', 'b=2'], trailer: 'x' }).end('ok'),
    '/broken': () => request.socket.end('HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nContent-Length: 6\\r\\n\\r\\nhello!'),
    '/garbage': () => request.socket.end('nothing that is HTTP\\r\\n\\r\\n'),
    '/short': () => { request.socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 50\\r\\n\\r\\nshort'); request.socket.end(); },
    '/hang-up': () => request.socket.destroy(),
    '/refuse': () => { response.writeHead(413, { connection: 'close' }).end('too large'); },
    '/print': () => { console.log('a line'); console.error('an error'); setTimeout(() => response.end('ok'), 200); },
    '/flood': () => { for (let i = 0; i < 20000; i += 1) console.log('x'.repeat(100)); response.end('ok'); },
    '/memory': () => { const kept = []; for (;;) kept.push(Buffer.alloc(10e6, 1)); },
    '/heap': () => { const kept = []; for (;;) kept.push(new Array(1e5).fill({})); },
    '/early': () => { response.writeProcessing?.(); response.writeEarlyHints?.({ link: '</a>; rel=preload' }); response.end('ok'); },
  }[pathname];
  if (act) act(); else response.end('hello');
}).on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nX-Key: ' + request.headers['sec-websocket-key'] + '\\r\\n\\r\\nearly');
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('error', () => {});
}).listen(process.env.PORT, () => console.log('up'));
`;
