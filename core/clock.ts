// Owns the sense of time: everything that waits or compares times receives a Clock, so tests can move it.

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Call `run` once after `delayMs`; the returned function cancels it. Never keeps the process alive. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** An instant as ISO text. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
