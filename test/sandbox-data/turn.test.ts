// Owns the proof that long work lets others run: at once when somebody waits, soon when nobody does, and always goes on.
import { afterEach, describe, expect, test } from 'vitest';
import { nextTurn, noticeArrivals, Slice } from '../../sandbox-data/turn.ts';

afterEach(() => noticeArrivals(() => false));

function timeUntilOver(): number {
  const slice = new Slice();
  const began = performance.now();
  while (!slice.isOver()) { /* work */ }
  return performance.now() - began;
}

describe('a slice', () => {
  test('ends early when somebody waits', () => {
    const alone = Array.from({ length: 20 }, timeUntilOver);
    noticeArrivals(() => true);
    const awaited = Array.from({ length: 20 }, timeUntilOver);
    expect(Math.min(...alone)).toBeGreaterThan(0.9);
    expect(Math.min(...awaited)).toBeLessThan(0.9);
  });

  test('lasts a moment even when somebody always waits, so that long work goes on', () => {
    noticeArrivals(() => true);
    expect(new Slice().isOver()).toBe(false);
  });

  test('begins anew after a turn', async () => {
    const slice = new Slice();
    while (!slice.isOver()) { /* work */ }
    await slice.next();
    expect(slice.isOver()).toBe(false);
  });
});

test('what arrived before the next turn is begun, and what it left for later is done', async () => {
  const order: string[] = [];
  const turn = nextTurn().then(() => order.push('long work'));
  // As a worker: a call arrives, is run, and its answer leaves in a later step of the loop.
  setImmediate(() => { order.push('call'); setImmediate(() => order.push('answer')); });
  await turn;
  await new Promise((resolve) => { setImmediate(resolve); });
  expect(order.indexOf('call')).toBeLessThan(order.indexOf('long work'));
  expect(order).toHaveLength(3);
});
