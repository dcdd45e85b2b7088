import { expect, test } from 'vitest';
import { createBuildQueue } from '../../builder/build-queue.ts';
import type { QueuedBuild } from '../../builder/build-queue.ts';

/** A queue whose Builds end when the test says so. */
function controlled(options: { concurrency?: number; maxWaiting?: number; maxWaitingPerSpace?: number } = {}) {
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  const run = ({ id }: QueuedBuild): Promise<void> => {
    started.push(id);
    return new Promise((resolve) => ends.set(id, resolve));
  };
  const queue = createBuildQueue({ run, concurrency: 2, ...options });
  const end = async (id: string): Promise<void> => {
    ends.get(id)?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { queue, started, end };
}

const of = (id: string): QueuedBuild => ({ id, spaceId: id[0] as string });

test('two run at once, the others wait', async () => {
  const { queue, started, end } = controlled();
  for (const id of ['a1', 'b1', 'c1']) queue.add(of(id));
  expect(started).toEqual(['a1', 'b1']);
  await end('b1');
  expect(started).toEqual(['a1', 'b1', 'c1']);
});

test('one Space never has all places, however long its Builds take', async () => {
  const { queue, started, end } = controlled();
  for (const id of ['a1', 'a2', 'a3']) queue.add(of(id));
  expect(started).toEqual(['a1']);
  queue.add(of('b1'));
  expect(started).toEqual(['a1', 'b1']);
  await end('b1');
  expect(started).toEqual(['a1', 'b1']);
  await end('a1');
  expect(started).toEqual(['a1', 'b1', 'a2']);
});

test('where there is one place only, it is used', () => {
  const { queue, started } = controlled({ concurrency: 1 });
  queue.add(of('a1'));
  expect(started).toEqual(['a1']);
});

test('a Space with fifty Builds does not hold up the others', async () => {
  const { queue, started, end } = controlled({ concurrency: 3 });
  for (let index = 0; index < 50; index += 1) queue.add(of(`a${index}`));
  for (const id of ['b1', 'c1', 'b2']) queue.add(of(id));
  expect(started).toEqual(['a0', 'a1', 'b1']);
  await end('a0');
  expect(started.at(-1)).toBe('c1');
  await end('b1');
  expect(started.at(-1)).toBe('b2');
});

test('turns go round', async () => {
  const { queue, started, end } = controlled({ concurrency: 1 });
  for (const id of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) queue.add(of(id));
  for (let index = 0; index < 6; index += 1) await end(started[index] as string);
  expect(started).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2']);
});

test('what was removed never starts', async () => {
  const { queue, started, end } = controlled({ concurrency: 1 });
  for (const id of ['a1', 'a2', 'b1']) queue.add(of(id));
  queue.remove('a2');
  await end('a1');
  await end('b1');
  expect(started).toEqual(['a1', 'b1']);
});

test('it is bounded, in all and for one Space, counting what is still arriving', () => {
  const { queue } = controlled({ concurrency: 1, maxWaiting: 3, maxWaitingPerSpace: 2 });
  const tooMany = expect.objectContaining({ code: 'BUILD_QUEUE_FULL' });
  for (const id of ['a0', 'a1']) queue.add(of(id));
  const release = queue.reserve('a');
  expect(() => queue.reserve('a')).toThrow(tooMany);
  release();
  queue.reserve('a');
  queue.reserve('b');
  expect(() => queue.reserve('c')).toThrow(tooMany);
});

test('a closed queue starts nothing more, and waits for what runs', async () => {
  const { queue, started, end } = controlled({ concurrency: 1 });
  queue.add(of('a1'));
  queue.add(of('a2'));
  let isClosed = false;
  const closing = queue.close().then(() => { isClosed = true; });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isClosed).toBe(false);
  await end('a1');
  await closing;
  expect(started).toEqual(['a1']);
});
