// Owns the Engine seam: how a request reaches the code of a Micro, and what that code may ask back.
// From the front door to an Engine a request is a plain head and a body: building Web objects there is too dear.
import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ByteRange } from '../../sandbox-data/blob/blob-store.ts';
import type { Base, Drive } from '../../sandbox-data/data.ts';

/** Flat list name, value, name, value... in the order sent, like `IncomingMessage.rawHeaders`. */
export type HeaderList = string[];

/** A scheduled action that is due. `cron` is its interval, rates too; `scheduledTime` is when it was due, in milliseconds since the epoch. */
export interface ScheduledEvent { id: string; trigger: 'schedule'; cron: string; scheduledTime: number }

export interface MicroRequest {
  /** Correlates the host's log, the Instance's log and the answer's `x-request-id`. */
  id: string;
  method: string;
  /** Absolute, as the Micro shall see it: the Instance's origin, the Micro's prefix already stripped. */
  url: string;
  headers: HeaderList;
  body: Uint8Array | Readable | null;
  /** Calls between Micros so far; written by the host only. */
  hops: number;
  /** For a call out of a Micro: what to do with a redirect; followed unless it says otherwise. */
  redirect?: 'follow' | 'manual' | 'error';
  /** It may be answered with a WebSocket. */
  upgrade?: boolean;
  /** Set by the host alone: what this request is about. Code that has a handler for it is called there; any other gets the
   *  request, which says the same. */
  event?: ScheduledEvent;
  /** What the host wants in the head of a page. An Engine that sees to it says so in its answer; else the front door does it. */
  pageMarkup?: string;
  /** Aborted when the caller went away. */
  signal?: AbortSignal;
  /** The same for the front door, without a controller for each request: calls `tell` when the caller went away. */
  onGone?: (tell: () => void) => void;
}

export interface MicroResponse {
  status: number;
  headers: HeaderList;
  /** Where it came from in the end, when redirects led elsewhere. */
  url?: string;
  body: Uint8Array | Readable | null;
  /** Of a streamed body, where it is known; of a HEAD's answer, what GET would send. */
  sizeBytes?: number;
  /** The request's `pageMarkup` is in it, or need not be. */
  hasPageMarkup?: boolean;
  /** With status 101, to a request that may be answered so: what the client's connection is joined to. Exactly one of both must be called. */
  webSocket?: { attach(connection: WebSocket): void; refuse(): void };
  /** The same from a program that shook hands itself: its end of the connection, and what it sent right after its head. */
  connection?: { socket: Duplex; head: Buffer };
}

/** A WebSocket that a Micro asks for. */
export interface SocketRequest { url: string; protocols: string[]; maxMessageBytes: number; signal: AbortSignal }

/** A connection that a Micro asks for. */
export interface ConnectionRequest { host: string; port: number; signal: AbortSignal }

export interface MicroLogEntry { micro: string; level: 'debug' | 'info' | 'warn' | 'error'; text: string; requestId: string | null }

/** Everything that the code of ONE Instance may reach. Made by the host for that Instance; an Engine hands it to the
 *  channel of that Instance's own process, so authority comes from the channel and never from a message's field. */
export interface InstanceServices {
  base(name: string): Base;
  drive(name: string): Drive;
  /** Call a Micro of the same Instance. @throws MICRO_NOT_FOUND, MICRO_LOOP */
  fetchMicro(name: string, request: MicroRequest): Promise<MicroResponse>;
  /** Call anything else by URL, under the egress rules; the Instance's own host name stays inside. @throws EGRESS_* */
  fetchUrl(request: MicroRequest): Promise<MicroResponse>;
  /** Open a WebSocket to another host, under the same rules. @throws EGRESS_* */
  openSocket(request: SocketRequest): Promise<WebSocket>;
  /** Open a connection whose content the host does not read, under the same rules. @throws EGRESS_* */
  openConnection(request: ConnectionRequest): Promise<Socket>;
  log(entry: MicroLogEntry): void;
}

/** `encodings` are the same content in a coding, where that is worth it. */
export interface StoredFile { hash: string; sizeBytes: number; encodings?: Partial<Record<'br' | 'gzip', { hash: string; sizeBytes: number }>> }

export interface MicroSpec {
  name: string;
  /** Variables that the Micro sees: reference 3.1 and its presets. Composed from nothing. */
  env: Record<string, string>;
  /** Path of the start file, for an isolate its bundle; for a process its start command; `''` for static. */
  entry: string;
  /** Line and column of its handler in the start file, `812:5`: where an error without a place of its own belongs. */
  handlerAt?: string;
  /** Content by path; `readFile` takes the path. */
  files: Record<string, StoredFile>;
  readFile(path: string): Promise<Buffer>;
  /** Content by its hash: of a file, or of one of its codings. @throws BLOB_NOT_FOUND */
  readContent(hash: string): Promise<Buffer>;
  openContent(hash: string, range?: ByteRange): Promise<Readable>;
}

export interface InstanceSpec {
  instanceId: string;
  spaceId: string;
  collectionId: string;
  /** What `DETA_SPACE_APP_HOSTNAME` says. */
  hostname: string;
  /** Changes whenever code or env changed: what runs under an older generation is retired. */
  generation: string;
  micros: MicroSpec[];
  services: InstanceServices;
  /** Numbers that its owner raised or lowered; the host's own hold for the rest. */
  limits?: Readonly<Record<string, number>>;
  /** Who may share a process with it: nobody, unless the owner of the host says so of its Space. */
  cordon?: 'instance' | 'space';
  /** Why a Micro may not run, by its name. */
  paused?: Readonly<Record<string, string>>;
}

export interface Engine {
  /** Send a request to a Micro, waking what sleeps. Errors are SpaceErrors with blame `micro`:
   *  MICRO_START_FAILED, MICRO_THREW, MICRO_TIMEOUT, MICRO_CPU_EXCEEDED, MICRO_OUT_OF_MEMORY, MICRO_CRASHED,
   *  MICRO_BAD_RESPONSE, MICRO_BUSY, MICRO_QUARANTINED, MICRO_PAUSED. */
  fetch(instance: InstanceSpec, micro: string, request: MicroRequest): Promise<MicroResponse>;
  /** End everything that runs for this Instance; requests in flight get `graceMs` to finish. */
  stop(instanceId: string, graceMs?: number): Promise<void>;
  close(): Promise<void>;
}
