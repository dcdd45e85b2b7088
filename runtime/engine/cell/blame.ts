// Owns the judgement after something went wrong in a Cell: whose request did it, who is innocent, what each is told. Pure.
import { SpaceError } from '../../../core/errors.ts';
import type { Flight, Live, Slot } from './flight.ts';
import type { IsolateLimits } from './limits.ts';
import type { CellEnd } from './process.ts';
import type { IsolateLoss } from './protocol.ts';

export interface Verdict {
  /** What the culprits are told. */
  failure: SpaceError;
  culprits: Live[];
  innocent: Live[];
  /** The Micro whose doing it was, as far as that is known. */
  slot: Slot | undefined;
  /** Which limit, and how far: for the log of the Instance. */
  event: string;
}

/** A Cell at its end: requests without an answer, Micros that were loading, and whose code ran last. */
export interface Scene {
  lives: Live[];
  loading: Slot[];
  entered: { slot: Slot | undefined; id: number } | undefined;
  /** What was measured when it was killed: milliseconds or megabytes. */
  used: number;
  /** Of the Cell. */
  limits: IsolateLimits;
}

/** One isolate is gone; the Cell lives. With one request in it there is no doubt. */
export function judgeLoss(slot: Slot, { reason, culprits: ids, used }: IsolateLoss, lives: Live[]): Verdict {
  const named = lives.filter((live) => ids.includes(live.id));
  const culprits = named.length > 0 || lives.length !== 1 ? named : lives;
  const told = tell(reason, used, slot.limits);
  return { ...told, culprits, innocent: without(lives, culprits), slot };
}

export function judgeEnd(end: CellEnd, { lives, loading, entered, used, limits }: Scene): Verdict {
  const starter = entered?.slot && entered.id === 0 && loading.includes(entered.slot) ? entered.slot : undefined;
  const culprits = starter ? lives.filter((live) => live.slot === starter) : culpritsOf(lives, entered?.id);
  const slot = starter ?? culprits[0]?.slot ?? onlyOne(lives.map((live) => live.slot));
  const told = tell(end, used, { ...(slot?.limits ?? limits), cellMb: limits.cellMb });
  const failure = starter ? new SpaceError('MICRO_START_FAILED', { reason: told.failure.message }) : told.failure;
  return { failure, event: starter ? `While it started: ${told.event}` : told.event, culprits, innocent: without(lives, culprits), slot };
}

/** What the log says: with the place of the handler, where nothing more exact is known. */
export function placed(text: string, { spec }: Slot): string {
  return spec.handlerAt === undefined || text.includes('\n    at ') ? text : `${text}\n    at fetch (${spec.name}.js:${spec.handlerAt})`;
}

/** One who did it for certain: the only one there, or the one whose code was announced to run. */
function culpritsOf(lives: Live[], entered: number | undefined): Live[] {
  return lives.length === 1 ? lives : lives.filter((live) => live.id === entered);
}

function tell(reason: IsolateLoss['reason'] | CellEnd, used: number, { cpuMs, heapMb, cellMb }: IsolateLimits): Pick<Verdict, 'failure' | 'event'> {
  if (reason === 'cpu') return { failure: new SpaceError('MICRO_CPU_EXCEEDED', { limitMs: cpuMs }), event: measured('CPU time', used, cpuMs, 'ms') };
  if (reason === 'silent') return { failure: new SpaceError('MICRO_CPU_EXCEEDED', { limitMs: cpuMs }), event: `Stopped: gave no sign of life for ${number(used)} ms; one request may use ${number(cpuMs)} ms CPU time.` };
  if (reason === 'memory' && used > 0) return { failure: new SpaceError('MICRO_OUT_OF_MEMORY', { limitMb: cellMb }), event: measured('memory', used, cellMb, 'MB') };
  if (reason === 'memory') return { failure: new SpaceError('MICRO_OUT_OF_MEMORY', { limitMb: heapMb }), event: `Stopped: used more than ${number(heapMb)} MB of heap.` };
  const failure = new SpaceError('MICRO_CRASHED');
  if (reason === 'protocol') return { failure, event: 'Stopped: its process sent what no sound one sends.' };
  return { failure, event: 'Stopped: its process ended by itself.' };
}

function measured(what: string, used: number, limit: number, unit: string): string {
  return `Stopped: used ${number(used)} ${unit} of ${number(limit)} ${unit} ${what}.`;
}

/** The end of a request that took too long. */
export function timeoutEvent({ limits, request }: Flight, usedMs: number): string {
  return `Timed out: no answer after ${number(usedMs)} ms of ${number(limits.wallMs)} ms. ${requestText(request)}`;
}

/** Method and path; what stands in a query may be secret. */
export function requestText({ method, url, id }: Flight['request']): string {
  const path = URL.parse(url)?.pathname ?? '/';
  return `Request: ${method} ${path.slice(0, 200)} (${id})`;
}

const number = (value: number): string => Math.ceil(value).toLocaleString('en-US');

function without(lives: Live[], some: Live[]): Live[] {
  return lives.filter((live) => !some.includes(live));
}

function onlyOne<T>(items: T[]): T | undefined {
  return items.length > 0 && items.every((item) => item === items[0]) ? items[0] : undefined;
}
