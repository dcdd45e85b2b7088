// Owns a Clock that tests move by hand: nothing happens until time is told to pass.
import type { Clock } from '../../core/clock.ts';

export interface FakeClock extends Clock {
  /** Let time pass; what became due runs in order of its time. */
  advance(ms: number): void;
}

interface Waiting { atMs: number; run: () => void }

export function createFakeClock(startMs: number = Date.UTC(2030, 0, 1)): FakeClock {
  let nowMs = startMs;
  let waiting: Waiting[] = [];
  const nextDue = (limitMs: number): Waiting | undefined =>
    waiting.filter((one) => one.atMs <= limitMs).sort((a, b) => a.atMs - b.atMs)[0];
  return {
    now: () => nowMs,
    after(delayMs, run) {
      const one = { atMs: nowMs + delayMs, run };
      waiting.push(one);
      return () => { waiting = waiting.filter((other) => other !== one); };
    },
    advance(ms) {
      const endMs = nowMs + ms;
      for (let due = nextDue(endMs); due; due = nextDue(endMs)) {
        waiting = waiting.filter((other) => other !== due);
        nowMs = due.atMs;
        due.run();
      }
      nowMs = endMs;
    },
  };
}
