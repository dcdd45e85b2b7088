// Owns Instances for tests of the isolate Engine: code given as text, real data, a record of what was logged and fetched.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { systemClock } from '../../core/clock.ts';
import { createLog, type LogFields } from '../../core/log.ts';
import { type CellEngine, createIsolateEngine, type IsolateEngineOptions } from '../../runtime/engine/isolate.ts';
import type { Engine, InstanceServices, InstanceSpec, MicroLogEntry, MicroRequest, MicroResponse } from '../../runtime/engine/engine.ts';
import { SpaceError } from '../../core/errors.ts';

export interface IsolateBench {
  engine: CellEngine;
  folder: string;
  /** Lines of the host's own log. */
  hostLog: LogFields[];
  close(): Promise<void>;
}

/** An Engine with a temporary folder. The snapshot is shared by all tests of one run: making it takes a while. */
export async function openIsolateBench(options: Partial<IsolateEngineOptions> = {}, create = createIsolateEngine): Promise<IsolateBench> {
  const folder = await mkdtemp(join(tmpdir(), 'ownspace-isolate-'));
  const hostLog: LogFields[] = [];
  const log = createLog('debug', (line) => hostLog.push(JSON.parse(line) as LogFields));
  const engine = create({ log, clock: systemClock, cacheFolder: join(folder, 'cache'), ...options });
  return { engine, folder, hostLog, close: async () => { await engine.close(); await rm(folder, { recursive: true, force: true }); } };
}

export interface TestInstance {
  spec: InstanceSpec;
  logs: MicroLogEntry[];
  fetched: MicroRequest[];
  /** Send a request; the answer with its body as text. */
  call(path: string, init?: CallInit): Promise<TestAnswer>;
}

export interface CallInit { micro?: string; method?: string; headers?: string[]; body?: MicroRequest['body'] | string; hops?: number; signal?: AbortSignal; id?: string }
export interface TestAnswer { status: number; headers: Headers; text: string; bytes: Buffer; json(): any }

export interface InstanceInit {
  services?: Partial<InstanceServices>;
  env?: Record<string, string>;
  generation?: string;
  instanceId?: string;
  spaceId?: string;
  limits?: InstanceSpec['limits'];
  cordon?: InstanceSpec['cordon'];
}

let last = 0;

/** @param code of the Micro `main`, or of several by name */
export function createTestInstance(engine: Engine, code: string | Record<string, string>, init: InstanceInit = {}): TestInstance {
  const logs: MicroLogEntry[] = [];
  const fetched: MicroRequest[] = [];
  const instanceId = init.instanceId ?? `inst${++last}`;
  const services: InstanceServices = {
    base: () => { throw new SpaceError('INTERNAL'); },
    drive: () => { throw new SpaceError('INTERNAL'); },
    fetchMicro: (name, request) => engine.fetch(spec, name, request),
    fetchUrl: async (request) => { fetched.push(request); return { status: 200, headers: ['content-type', 'text/plain'], body: Buffer.from(`fetched ${request.url}`) }; },
    openSocket: () => { throw new SpaceError('INTERNAL'); },
    openConnection: () => { throw new SpaceError('INTERNAL'); },
    log: (entry) => { logs.push(entry); },
    ...init.services,
  };
  const sources = typeof code === 'string' ? { main: code } : code;
  const spec: InstanceSpec = {
    instanceId, spaceId: init.spaceId ?? 'space1', collectionId: 'collection1', hostname: 'guestbook.localhost', generation: init.generation ?? '1', services, ...(init.limits ? { limits: init.limits } : {}), ...(init.cordon ? { cordon: init.cordon } : {}),
    micros: Object.entries(sources).map(([name, source]) => ({ name, env: { MICRO: name, ...init.env }, entry: 'index.js', files: {}, readFile: async () => Buffer.from(source), readContent: async () => Buffer.from(''), openContent: async () => Readable.from([]) })),
  };
  const call = async (path: string, { micro = 'main', method = 'GET', headers = [], body = null, hops = 0, signal, id = `req${++last}` }: CallInit = {}): Promise<TestAnswer> => {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    return readAnswer(await engine.fetch(spec, micro, { id, method, url: `http://guestbook.localhost${path}`, headers, body: bytes, hops, ...(signal ? { signal } : {}) }));
  };
  return { spec, logs, fetched, call };
}

async function readAnswer({ status, headers, body }: MicroResponse): Promise<TestAnswer> {
  const list = new Headers();
  for (let at = 0; at < headers.length; at += 2) list.append(headers[at]!, headers[at + 1]!);
  const bytes = body === null ? Buffer.alloc(0) : body instanceof Uint8Array ? Buffer.from(body) : await buffer(body);
  return { status, headers: list, bytes, text: bytes.toString(), json: () => JSON.parse(bytes.toString()) };
}
