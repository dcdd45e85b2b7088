// Owns the documented numbers of an isolate Micro: what it may use before it is stopped.

/** Every number can be changed by the owner of the host. */
export interface IsolateLimits {
  /** CPU time of one request, all its turns together. */
  cpuMs: number;
  /** Wall time from the request to the answer (@source reference 3.2: 20 s). */
  wallMs: number;
  /** CPU time and wall time that loading a module may take. */
  startMs: number;
  /** A streamed body, or a WebSocket, through which nothing went for so long is closed. */
  streamIdleMs: number;
  /** Wall time of work given to `ctx.waitUntil`, after the answer and its stream. */
  backgroundMs: number;
  /** V8 heap and array buffers of one Micro. isolated-vm takes it as a guideline. */
  heapMb: number;
  /** Resident memory of a whole Cell: above it the process is killed. */
  cellMb: number;
  /** Bodies that are read whole. Streamed ones have no limit. */
  bodyMaxBytes: number;
  /** A File that goes through `env.Drive` in one piece, and JSON through `env.Base`. */
  dataMaxBytes: number;
  /** Requests in flight in one Cell; more get MICRO_BUSY. */
  requestsMax: number;
  /** Host calls in flight of one Micro; the guest queues above it. */
  callsMax: number;
  /** Console output of one Instance: bytes a second, with a burst of four times that. */
  logBytesPerSecond: number;
  logLinesPerSecond: number;
  /** Calls between Micros of one Instance: depth, and how many at once. */
  hopsMax: number;
  nestedMax: number;
  /** A Cell without a request ends after this. */
  idleMs: number;
  /** How often the host looks at its Cells. */
  watchMs: number;
  /** Time beyond `cpuMs` in which a Cell may stay silent before it is killed. */
  graceMs: number;
  /** Ready Cells kept for whoever comes next. */
  poolSize: number;
  /** First quarantine of a Micro that brought its Cell down; doubles up to 64 times that. */
  quarantineMs: number;
}

export const DEFAULT_LIMITS: Readonly<IsolateLimits> = {
  cpuMs: 2_000,
  wallMs: 20_000,
  startMs: 2_000,
  streamIdleMs: 300_000,
  backgroundMs: 30_000,
  heapMb: 128,
  cellMb: 512,
  bodyMaxBytes: 10 * 1024 * 1024,
  dataMaxBytes: 32 * 1024 * 1024,
  requestsMax: 1_024,
  callsMax: 256,
  logBytesPerSecond: 64 * 1024,
  logLinesPerSecond: 500,
  hopsMax: 16,
  nestedMax: 64,
  idleMs: 60_000,
  watchMs: 100,
  graceMs: 400,
  poolSize: 1,
  quarantineMs: 1_000,
};
