// Owns turns of a worker's event loop: long work goes on in slices, one slice of all of them in a turn. A slice ends early
// when calls have arrived, so that short calls wait for a moment, and never for more than one slice.

/** Others get a turn after this time at the latest. */
const SLICE_MAX_MS = 1;
/** And after this time when somebody waits: long work goes on even if somebody always does. */
const SLICE_MIN_MS = 0.2;

let last: Promise<unknown> = Promise.resolve();
let isSomebodyWaiting = (): boolean => false;

/** @param isWaiting whether calls have arrived that the worker has not begun; asked very often */
export function noticeArrivals(isWaiting: () => boolean): void {
  isSomebodyWaiting = isWaiting;
}

/** Resolves in a later turn, after those who asked before, and after what has arrived by then was begun and answered. */
export function nextTurn(): Promise<void> {
  const turn = last.then(() => new Promise<void>((resolve) => { setImmediate(() => setImmediate(resolve)); }));
  last = turn;
  return turn;
}

/** What a piece of long work may do at a stretch: `if (slice.isOver()) await slice.next();` */
export class Slice {
  #startedMs = performance.now();

  isOver(): boolean {
    const passedMs = performance.now() - this.#startedMs;
    return passedMs > SLICE_MAX_MS || (passedMs > SLICE_MIN_MS && isSomebodyWaiting());
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#startedMs = performance.now();
  }
}
