// Owns the judgement after something went wrong in a Cell: whose request did it, who is innocent, what each is told. Pure.
import { SpaceError } from '../../../core/errors.ts';
import type { Live, Slot } from './flight.ts';
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
}

/** A Cell at its end: requests without an answer, Micros that were loading, and whose code ran last. */
export interface Scene { lives: Live[]; loading: Slot[]; entered: { slot: Slot | undefined; id: number } | undefined }

/** One isolate is gone; the Cell lives. With one request in it there is no doubt. */
export function judgeLoss(slot: Slot, { reason, culprits: ids }: IsolateLoss, { lives, limits }: { lives: Live[]; limits: IsolateLimits }): Verdict {
  const named = lives.filter((live) => ids.includes(live.id));
  const culprits = named.length > 0 || lives.length !== 1 ? named : lives;
  return { failure: failureOf(reason, limits), culprits, innocent: without(lives, culprits), slot };
}

export function judgeEnd(end: CellEnd, { lives, loading, entered }: Scene, limits: IsolateLimits): Verdict {
  const starter = entered?.slot && entered.id === 0 && loading.includes(entered.slot) ? entered.slot : undefined;
  const cause = failureOf(end, limits);
  const failure = starter ? new SpaceError('MICRO_START_FAILED', { reason: cause.message }) : cause;
  const culprits = starter ? lives.filter((live) => live.slot === starter) : culpritsOf(lives, entered?.id);
  return { failure, culprits, innocent: without(lives, culprits), slot: starter ?? culprits[0]?.slot ?? onlyOne(lives.map((live) => live.slot)) };
}

/** What the log says: with the place of the handler, where nothing more exact is known. */
export function placed(text: string, { spec }: Slot): string {
  return spec.handlerAt === undefined || text.includes('\n    at ') ? text : `${text}\n    at fetch (${spec.name}.js:${spec.handlerAt})`;
}

function culpritsOf(lives: Live[], entered: number | undefined): Live[] {
  return lives.length === 1 ? lives : lives.filter((live) => live.id === entered);
}

function failureOf(reason: IsolateLoss['reason'] | CellEnd, { cpuMs, heapMb }: IsolateLimits): SpaceError {
  if (reason === 'cpu') return new SpaceError('MICRO_CPU_EXCEEDED', { limitMs: cpuMs });
  if (reason === 'memory') return new SpaceError('MICRO_OUT_OF_MEMORY', { limitMb: heapMb });
  return new SpaceError('MICRO_CRASHED');
}

function without(lives: Live[], some: Live[]): Live[] {
  return lives.filter((live) => !some.includes(live));
}

function onlyOne<T>(items: T[]): T | undefined {
  return items.length > 0 && items.every((item) => item === items[0]) ? items[0] : undefined;
}
