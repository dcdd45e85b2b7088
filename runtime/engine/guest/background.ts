// Owns what goes on for a request after its answer: work given to `ctx.waitUntil`, a body that streams, a socket that is open.
import { emit, RECORD } from './bridge.ts';
import { OwnMap } from './own-map.ts';

const background = new OwnMap<number, number>();

/** How much work goes on for a request after its answer. */
export function backgroundOf(id: number): number {
  return background.get(id) ?? 0;
}

/** The request is not done before this many more `finishWork`: its body streams, its socket is open. */
export function beginWork(id: number): void {
  background.set(id, backgroundOf(id) + 1);
}

const answered = new OwnMap<number, true>();
export function markAnswered(id: number): void {
  if (background.has(id)) answered.set(id, true);
}

export function finishWork(id: number): void {
  const left = (background.get(id) ?? 1) - 1;
  if (left > 0) { background.set(id, left); return; }
  background.delete(id);
  if (answered.delete(id)) emit(RECORD.done, id, 0, '', null);
}
