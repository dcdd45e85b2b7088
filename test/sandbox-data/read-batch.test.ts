// Owns the proof that reads of one tick travel together, and that each has its own answer.
import { describe, expect, test } from 'vitest';
import { SpaceError, errorRecord } from '../../core/errors.ts';
import { ReadBatch } from '../../sandbox-data/read-batch.ts';
import type { DataThread } from '../../sandbox-data/worker/data-thread.ts';

type Answer = string | undefined | ReturnType<typeof errorRecord>;

/** A data worker that remembers what it was asked. */
function batchOver(answer: (key: string) => Answer): { reads: ReadBatch; calls: [base: string, keys: string[]][] } {
  const calls: [string, string[]][] = [];
  const thread = { call: async (_address: string, _operation: string, base: string, keys: string[]) => { calls.push([base, keys]); return keys.map(answer); } };
  return { reads: new ReadBatch({ address: 'space/collection', thread: () => thread as unknown as DataThread }), calls };
}

describe('reads of the same tick', () => {
  test('are one call for each Base, and each gets its own answer', async () => {
    const { reads, calls } = batchOver((key) => (key === 'none' ? undefined : `1{"key":"${key}"}`));
    const found = await Promise.all([reads.get('things', 'a'), reads.get('others', 'b'), reads.get('things', 'none')]);
    expect(found).toEqual(['1{"key":"a"}', '1{"key":"b"}', undefined]);
    expect(calls).toEqual([['things', ['a', 'none']], ['others', ['b']]]);
  });

  test('fail alone', async () => {
    const { reads } = batchOver((key) => (key === 'bad' ? errorRecord(new SpaceError('RECORD_CORRUPT', { key })) : '1{}'));
    const [bad, good] = await Promise.allSettled([reads.get('things', 'bad'), reads.get('things', 'good')]);
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'RECORD_CORRUPT' } });
    expect(good).toMatchObject({ status: 'fulfilled', value: '1{}' });
  });

  test('are cut into calls of 100 keys', async () => {
    const { reads, calls } = batchOver(() => '1{}');
    await Promise.all(Array.from({ length: 250 }, (_, at) => reads.get('things', String(at))));
    expect(calls.map(([, keys]) => keys.length)).toEqual([100, 100, 50]);
  });

  test('of another tick are another call', async () => {
    const { reads, calls } = batchOver(() => '1{}');
    await reads.get('things', 'a');
    await reads.get('things', 'b');
    expect(calls).toEqual([['things', ['a']], ['things', ['b']]]);
  });
});

test('all fail when the call does', async () => {
  const failing = { call: async () => { throw new SpaceError('STORE_UNAVAILABLE'); } };
  const reads = new ReadBatch({ address: 'space/collection', thread: () => failing as unknown as DataThread });
  const both = await Promise.allSettled([reads.get('things', 'a'), reads.get('things', 'b')]);
  expect(both).toMatchObject([{ reason: { code: 'STORE_UNAVAILABLE' } }, { reason: { code: 'STORE_UNAVAILABLE' } }]);
});
