// Owns the proof that turns come at their rate, in order, and that nobody is forgotten.
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createTurns } from '../../../runtime/http/turns.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

async function setUp(count: number) {
  const clock = createFakeClock();
  const turns = createTurns(clock, { burst: 5, perSecond: 10 });
  const had: number[] = [];
  for (let index = 0; index < count; index += 1) void turns.next().then(() => had.push(index));
  await turn();
  const after = async (ms: number): Promise<number> => {
    clock.advance(ms);
    await turn();
    return had.length;
  };
  return { turns, had, after };
}

test('so many at once, then so many a second, in order', async () => {
  const { had, after } = await setUp(12);
  expect(had).toHaveLength(5);
  expect(await after(99)).toBe(5);
  expect(await after(1)).toBe(6);
  expect(await after(300)).toBe(9);
  expect(await after(10_000)).toBe(12);
  expect(had).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test('rest is saved, up to the burst', async () => {
  const { turns, had, after } = await setUp(5);
  await after(100_000);
  for (let count = 0; count < 7; count += 1) void turns.next().then(() => had.push(count));
  await turn();
  expect(had).toHaveLength(10);
});

test('after the end nobody is called', async () => {
  const { turns, after } = await setUp(12);
  turns.end();
  expect(await after(10_000)).toBe(5);
});
