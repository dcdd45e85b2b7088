// Owns turns of a worker's event loop: long work goes on in slices, one slice of all of them in a turn, so that short
// calls never wait for more than one.
let last: Promise<unknown> = Promise.resolve();

/** Resolves in a later turn, after those who asked before. */
export function nextTurn(): Promise<void> {
  const turn = last.then(() => new Promise<void>((resolve) => { setImmediate(resolve); }));
  last = turn;
  return turn;
}
