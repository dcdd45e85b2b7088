// Owns the proof of how S3 is asked, without a server: what is tried again, and what errors become.
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { SpaceError } from '../../../core/errors.ts';
import { persistently, translated } from '../../../sandbox-data/blob/s3-request.ts';
import { collected, failure } from '../open-data.ts';

/** As the library throws it. */
function answer(code: string): Error {
  return Object.assign(new Error('said the server'), { name: 'S3Error', code });
}

describe('a request is', () => {
  const asked = async (...outcomes: (Error | string)[]): Promise<{ times: number; result: Promise<string> }> => {
    let times = 0;
    const result = persistently(async () => {
      const outcome = outcomes[Math.min(times, outcomes.length - 1)]!;
      times += 1;
      if (outcome instanceof Error) throw outcome;
      return outcome;
    });
    await result.catch(() => {});
    return { times, result };
  };

  test('tried again after what may pass', async () => {
    const { times, result } = await asked(new Error('ECONNRESET'), new Error('status 503'), 'fine');
    expect([times, await result]).toEqual([3, 'fine']);
  });

  test('given up after three tries, with the cause', async () => {
    const cause = new Error('ECONNREFUSED');
    const { times, result } = await asked(cause);
    expect(times).toBe(3);
    await expect(result).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', cause });
  });

  test.each([
    ['NoSuchKey', 'BLOB_NOT_FOUND'], ['NotFound', 'BLOB_NOT_FOUND'], ['XMinioStorageFull', 'STORE_FULL'], ['QuotaExceeded', 'STORE_FULL'],
    ['AccessDenied', 'STORE_UNAVAILABLE'], ['NoSuchBucket', 'STORE_UNAVAILABLE'], ['anything else', 'STORE_UNAVAILABLE'],
  ])('made once when the answer is %s, which is %s', async (code, expected) => {
    const { times, result } = await asked(answer(code));
    expect(times).toBe(1);
    await expect(result).rejects.toEqual(failure(expected));
  });

  test('made once when nothing came for a long time', async () => {
    expect((await asked(new SpaceError('STORE_UNAVAILABLE'))).times).toBe(1);
  });
});

describe('a stream that breaks off is STORE_UNAVAILABLE', () => {
  const breaking = (): Readable => translated(Readable.from((async function* () {
    yield Buffer.from('first');
    throw new Error('aborted');
  })()));

  test('for who reads it then', async () => {
    await expect(collected(breaking())).rejects.toEqual(failure('STORE_UNAVAILABLE'));
  });

  test('for who comes later', async () => {
    const stream = breaking();
    await once(stream, 'error');
    await expect(collected(stream)).rejects.toEqual(failure('STORE_UNAVAILABLE'));
  });

  test('not for who stops by himself, and its source ends then', async () => {
    const source = Readable.from(Array.from({ length: 1000 }, () => Buffer.alloc(65_536)), { objectMode: false });
    const stream = translated(source);
    for await (const _ of stream) break;
    expect(stream.destroyed).toBe(true);
    expect(stream.errored).not.toBeInstanceOf(SpaceError);
    if (!source.closed) await new Promise((resolve) => { source.once('close', resolve); });
  });
});
