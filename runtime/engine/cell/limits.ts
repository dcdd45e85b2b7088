// Owns the documented numbers of isolate and process Micros: what they may use before they are stopped. `docs/limits.md` is made from this table.
import type { InnerLimits } from './protocol.ts';

export interface LimitRow {
  fallback: number;
  /** What an owner may set. */
  min: number;
  max: number;
  unit: 'ms' | 'MB' | 'bytes' | '';
  /** Set for the whole host only, or for one Instance too. */
  of: 'host' | 'instance';
  meaning: string;
}

const MIB = 1024 * 1024;
const MINUTE = 60_000;

export const LIMITS = {
  cpuMs: { fallback: 2_000, min: 10, max: 5 * MINUTE, unit: 'ms', of: 'instance', meaning: 'CPU time of one request, all its turns and its background work together' },
  // @source reference 3.2: 20 s
  wallMs: { fallback: 20_000, min: 100, max: 15 * MINUTE, unit: 'ms', of: 'instance', meaning: 'time from the request to the begin of its answer' },
  startMs: { fallback: 2_000, min: 100, max: MINUTE, unit: 'ms', of: 'instance', meaning: 'CPU time, and time, that the top level of a module may take' },
  streamIdleMs: { fallback: 5 * MINUTE, min: 100, max: 24 * 60 * MINUTE, unit: 'ms', of: 'instance', meaning: 'a streamed body, or a WebSocket, through which nothing went for so long is closed' },
  backgroundMs: { fallback: 30_000, min: 0, max: 15 * MINUTE, unit: 'ms', of: 'instance', meaning: 'time that work given to `ctx.waitUntil` has after the answer and its stream' },
  heapMb: { fallback: 128, min: 16, max: 2_048, unit: 'MB', of: 'instance', meaning: 'V8 heap and array buffers of one Micro; V8 takes it as a guideline' },
  cellMb: { fallback: 512, min: 128, max: 4_096, unit: 'MB', of: 'instance', meaning: 'memory of a whole Cell, also what V8 does not count; above it the process is killed' },
  sharedCellMb: { fallback: 1_536, min: 256, max: 16_384, unit: 'MB', of: 'host', meaning: 'the same for a Cell that all apps of a Space share' },
  cellsMb: { fallback: 0, min: 0, max: 4_194_304, unit: 'MB', of: 'host', meaning: 'memory of all Cells; above it, those go that were used least lately. 0: half of this machine' },
  bodyMaxBytes: { fallback: 10 * MIB, min: 1_024, max: 32 * MIB, unit: 'bytes', of: 'instance', meaning: 'a body that is read whole; streamed ones have no limit' },
  dataMaxBytes: { fallback: 32 * MIB, min: 1_024, max: 32 * MIB, unit: 'bytes', of: 'instance', meaning: 'a File through `env.Drive` in one piece, and JSON through `env.Base`' },
  subrequestsMax: { fallback: 1_000, min: 0, max: 100_000, unit: '', of: 'instance', meaning: 'calls by `fetch` and to other Micros that one request may make' },
  hostCallsMax: { fallback: 10_000, min: 1, max: 1_000_000, unit: '', of: 'instance', meaning: 'calls of all kinds, Base and Drive too, that one request may make' },
  callsMax: { fallback: 256, min: 1, max: 256, unit: '', of: 'host', meaning: 'calls under way at once in one Micro; more wait inside it' },
  callsPerMinute: { fallback: 1_200, min: 0, max: 1_000_000, unit: '', of: 'instance', meaning: 'calls to the internet in a minute' },
  callsOpen: { fallback: 64, min: 0, max: 4_096, unit: '', of: 'instance', meaning: 'calls to the internet at once' },
  requestsMax: { fallback: 1_024, min: 1, max: 65_536, unit: '', of: 'instance', meaning: 'requests under way at once; more get MICRO_BUSY' },
  logBytesPerSecond: { fallback: 64 * 1024, min: 0, max: 16 * MIB, unit: 'bytes', of: 'instance', meaning: 'console output in a second, with a burst of four times that' },
  logLinesPerSecond: { fallback: 500, min: 0, max: 100_000, unit: '', of: 'instance', meaning: 'the same in entries' },
  hopsMax: { fallback: 8, min: 1, max: 64, unit: '', of: 'host', meaning: 'calls from Micro to Micro, one inside the other; deeper is MICRO_LOOP' },
  nestedMax: { fallback: 64, min: 1, max: 1_024, unit: '', of: 'instance', meaning: 'calls to other Micros under way at once' },
  idleMs: { fallback: MINUTE, min: 100, max: 24 * 60 * MINUTE, unit: 'ms', of: 'instance', meaning: 'a Cell without a request ends after this' },
  bootMs: { fallback: 15_000, min: 100, max: 5 * MINUTE, unit: 'ms', of: 'instance', meaning: 'time that the program of a process Micro has to take its first connection' },
  memoryMb: { fallback: 512, min: 32, max: 65_536, unit: 'MB', of: 'instance', meaning: 'memory of the program of a process Micro with all that it starts' },
  processesMax: { fallback: 256, min: 8, max: 4_096, unit: '', of: 'instance', meaning: 'processes and threads of a process Micro' },
  tmpMb: { fallback: 512, min: 1, max: 65_536, unit: 'MB', of: 'instance', meaning: 'what a process Micro may keep in /tmp and in shared memory; it takes memory, and only as much as is there' },
  freezeMs: { fallback: 15_000, min: 100, max: 24 * 60 * MINUTE, unit: 'ms', of: 'instance', meaning: 'a process Micro without a request stands still after this, and goes on with the next' },
  reclaimMs: { fallback: MINUTE, min: 100, max: 24 * 60 * MINUTE, unit: 'ms', of: 'instance', meaning: 'where this machine has swap and control groups, the memory of a process Micro that stands still goes there after this' },
  programIdleMs: { fallback: 15 * MINUTE, min: 100, max: 24 * 60 * MINUTE, unit: 'ms', of: 'instance', meaning: 'a process Micro without a request ends after this' },
  programsMb: { fallback: 0, min: 0, max: 4_194_304, unit: 'MB', of: 'host', meaning: 'memory of all process Micros; above it, those end that were used least lately. 0: half of this machine' },
  watchMs: { fallback: 100, min: 10, max: 1_000, unit: 'ms', of: 'host', meaning: 'how often the host looks at its Cells; ten times as often at one that grows fast' },
  graceMs: { fallback: 400, min: 50, max: 10_000, unit: 'ms', of: 'host', meaning: 'time beyond `cpuMs` in which a Cell may stay silent before it is killed' },
  drainMs: { fallback: 30_000, min: 0, max: 15 * MINUTE, unit: 'ms', of: 'host', meaning: 'time that requests have to end in a Cell that is retired' },
  poolSize: { fallback: 2, min: 0, max: 64, unit: '', of: 'host', meaning: 'ready Cells kept for whoever comes next' },
  readyBoxes: { fallback: 2, min: 0, max: 32, unit: '', of: 'host', meaning: 'boxes with a Node.js in them that has come up already, kept for the process Micro that starts next; some 12 MB each, from the first start on. 0: none, and no package is compiled ahead either' },
  quarantineMs: { fallback: 1_000, min: 0, max: 10 * MINUTE, unit: 'ms', of: 'host', meaning: 'rest of a Micro that brought its Cell down; the second is twice as long' },
  strikesMax: { fallback: 3, min: 1, max: 100, unit: '', of: 'host', meaning: 'a Micro that brought its Cell down, or whose program did not stay up after its start, so often within ten minutes is paused' },
} as const satisfies Record<string, LimitRow>;

export type LimitName = keyof typeof LIMITS;
export type IsolateLimits = Record<LimitName, number>;

export const LIMIT_NAMES = Object.keys(LIMITS) as LimitName[];

export const DEFAULT_LIMITS: Readonly<IsolateLimits> = Object.fromEntries(LIMIT_NAMES.map((name) => [name, LIMITS[name].fallback])) as IsolateLimits;

/** Those that the Cell itself sees to. */
export function innerLimits({ heapMb, bodyMaxBytes, dataMaxBytes, cpuMs, startMs }: IsolateLimits): InnerLimits {
  return { heapMb, bodyMaxBytes, dataMaxBytes, cpuMs, startMs };
}

/** What is wrong with a number for a limit; undefined when nothing is. */
export function limitProblem(name: string, value: unknown, of: LimitRow['of']): string | undefined {
  if (!isLimit(name)) return 'is no limit';
  const row: LimitRow = LIMITS[name];
  if (of === 'instance' && row.of === 'host') return 'is set for the whole host only';
  const isFine = typeof value === 'number' && Number.isInteger(value) && value >= row.min && value <= row.max;
  return isFine ? undefined : `is a whole number from ${row.min} to ${row.max}${row.unit === '' ? '' : ` ${row.unit}`}`;
}

export function isLimit(name: string): name is LimitName {
  return Object.hasOwn(LIMITS, name);
}
