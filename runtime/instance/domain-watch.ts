// Owns when the proof of a custom domain is looked for again, and when it counts as lost. Pure: who asks the DNS is elsewhere.
import { createHash } from 'node:crypto';
import { isoTime } from '../../core/clock.ts';

/** What looking again found so far. */
export interface Watch {
  nextAt: string;
  /** Looks in a row that found the record gone. */
  misses: number;
  /** The first of them. */
  missedAt: string | null;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** What was proven at one time is not looked at at one time. */
const SPREAD_MS = 2 * HOUR_MS;
/** A record that somebody deletes by mistake is there again long before. */
const MISSES_MAX = 4;
const LOST_AFTER_MS = 3 * DAY_MS - 2 * SPREAD_MS;

const nextDay = (domain: string, nowMs: number): string => isoTime(nowMs + DAY_MS - spread(domain));

function spread(domain: string): number {
  return createHash('sha256').update(domain).digest().readUInt32BE() % SPREAD_MS;
}

export function proven(domain: string, nowMs: number): Watch {
  return { nextAt: nextDay(domain, nowMs), misses: 0, missedAt: null };
}

export function missed({ misses, missedAt }: Watch, domain: string, nowMs: number): Watch {
  return { nextAt: nextDay(domain, nowMs), misses: misses + 1, missedAt: missedAt ?? isoTime(nowMs) };
}

/** The DNS gave no answer, which says nothing about the record. */
export function unanswered(watch: Watch, nowMs: number): Watch {
  return { ...watch, nextAt: isoTime(nowMs + HOUR_MS) };
}

/** Found gone again and again, over days. */
export function isLost({ misses, missedAt }: Watch, nowMs: number): boolean {
  return misses >= MISSES_MAX && missedAt !== null && nowMs - Date.parse(missedAt) >= LOST_AFTER_MS;
}

/** Until when the record has to be there again. */
export function lostAt({ missedAt }: Watch, nowMs: number): string {
  return isoTime((missedAt === null ? nowMs : Date.parse(missedAt)) + 3 * DAY_MS);
}
