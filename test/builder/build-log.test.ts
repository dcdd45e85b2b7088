// Owns the proof that following a build's log ends with the build, with the host, and with whoever reads.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createBuildLogs, type BuildLogs } from '../../builder/build-log.ts';

let folder: string;
let logs: BuildLogs;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ownspace-'));
  logs = await createBuildLogs(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function follow(signal?: AbortSignal): { lines: string[]; first: Promise<unknown>; ended: Promise<void> } {
  const first = Promise.withResolvers<void>();
  const lines: string[] = [];
  const ended = (async () => {
    for await (const line of logs.read('one', { follow: true, isDone: async () => false, signal })) {
      lines.push(line);
      first.resolve();
    }
  })();
  return { lines, first: first.promise, ended };
}

test('a reader who goes away holds nothing, though nothing is written; the others read on', async () => {
  const leaving = new AbortController();
  const [gone, other] = [follow(leaving.signal), follow()];
  logs.write('one', 'first');
  await Promise.all([gone.first, other.first]);
  leaving.abort();
  await gone.ended;
  logs.write('one', 'second');
  await logs.finish('one');
  await logs.close();
  await other.ended;
  expect([gone.lines, other.lines]).toEqual([['first'], ['first', 'second']]);
});
