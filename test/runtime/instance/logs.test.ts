// Owns the proof that the log of an Instance keeps what was said last, whole, within its room on the disk.
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../core/log.ts';
import type { WireLogLine } from '../../../core/wire.ts';
import type { MicroLogEntry } from '../../../runtime/engine/engine.ts';
import { createInstanceLogs, type InstanceLogs } from '../../../runtime/instance/logs.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const OWNER = { spaceId: 'space-a', instanceId: 'instance-a' };
let folder: string;
let logs: InstanceLogs;
const file = (): string => join(folder, 'space-a', 'logs', 'instance-a.jsonl');
const entry = (text: string): MicroLogEntry => ({ micro: 'api', level: 'info', text, requestId: 'request-1' });
const texts = (lines: WireLogLine[]): string[] => lines.map(({ text }) => text);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ownspace-'));
  logs = createInstanceLogs({ folder, clock: createFakeClock(), log: silentLog });
});
afterEach(async () => {
  await logs.close();
  await rm(folder, { recursive: true, force: true });
});

test('what was said is read in order, by the next host, too', async () => {
  for (const text of ['one', 'two\nlines', 'ünïcödé']) logs.append(OWNER, entry(text));
  expect(await logs.read(OWNER)).toEqual(['one', 'two\nlines', 'ünïcödé'].map((text) => ({ time: '2030-01-01T00:00:00.000Z', micro: 'api', level: 'info', text, request_id: 'request-1' })));
  const next = createInstanceLogs({ folder, clock: createFakeClock(), log: silentLog });
  expect(texts(await next.read(OWNER))).toEqual(['one', 'two\nlines', 'ünïcödé']);
});

test('each Instance has its own; one without a log has an empty one', async () => {
  logs.append(OWNER, entry('mine'));
  logs.append({ ...OWNER, instanceId: 'instance-b' }, entry('yours'));
  expect(texts(await logs.read(OWNER))).toEqual(['mine']);
  expect(await logs.read({ ...OWNER, instanceId: 'instance-c' })).toEqual([]);
});

test('the newest lines are read, as many as were asked for', async () => {
  for (let count = 0; count < 20; count += 1) logs.append(OWNER, entry(`line ${count}`));
  expect(texts(await logs.read(OWNER, 3))).toEqual(['line 17', 'line 18', 'line 19']);
});

test('a line that a crash cut is left out; those around it stay', async () => {
  logs.append(OWNER, entry('before'));
  await logs.read(OWNER);
  await appendFile(file(), '{"time":"2030-01-01T00:00:00.000Z","text":"cut');
  logs.append(OWNER, entry('after'));
  logs.append(OWNER, entry('later'));
  expect(texts(await logs.read(OWNER))).toEqual(['before', 'after', 'later']);
});

test('a very long line is cut, and says so', async () => {
  logs.append(OWNER, entry('a'.repeat(100_000)));
  const [line] = texts(await logs.read(OWNER));
  expect(line).toHaveLength(16_384 + '... (cut)'.length);
  expect(line).toMatch(/\.\.\. \(cut\)$/);
});

test('the log never takes more than its two files of 4 MiB, whatever is said', async () => {
  const limit = 4 * 1024 * 1024;
  for (const character of ['a', '\u6f22']) {
    for (let round = 0; round < 8; round += 1) {
      for (let count = 0; count < 60; count += 1) logs.append(OWNER, entry(character.repeat(16_000)));
      await logs.read(OWNER, 1);
    }
    for (const name of await readdir(join(folder, 'space-a', 'logs'))) {
      expect((await stat(join(folder, 'space-a', 'logs', name))).size, name).toBeLessThanOrEqual(limit);
    }
  }
  expect((await readdir(join(folder, 'space-a', 'logs'))).toSorted()).toEqual(['instance-a.jsonl', 'instance-a.jsonl.1']);
  expect((await logs.read(OWNER)).length).toBeGreaterThan(100);
});

test('a flood is dropped, with a line that says how much', async () => {
  for (let count = 0; count < 1000; count += 1) logs.append(OWNER, entry('a'.repeat(10_000)));
  const lines = await logs.read(OWNER, 2000);
  const marker = lines.at(-1);
  const dropped = Number(/^(\d+) lines were lost/.exec(marker?.text ?? '')?.[1]);
  expect(marker).toMatchObject({ level: 'warn', micro: '' });
  expect(dropped).toBeGreaterThan(800);
  expect(lines.length - 1 + dropped).toBe(1000);
  logs.append(OWNER, entry('again'));
  expect(texts(await logs.read(OWNER, 1))).toEqual(['again']);
});

test('where the disk cannot be written the log is lost, not the host', async () => {
  await mkdir(join(folder, 'space-a'));
  await writeFile(join(folder, 'space-a', 'logs'), 'in the way');
  logs.append(OWNER, entry('lost'));
  expect(await logs.read(OWNER)).toEqual([]);
});

test('what was removed is gone', async () => {
  logs.append(OWNER, entry('one'));
  await logs.remove(OWNER);
  expect(await logs.read(OWNER)).toEqual([]);
  expect(await readdir(join(folder, 'space-a', 'logs'))).toEqual([]);
  await logs.remove(OWNER);
});

describe('following', () => {
  /** Read `count` lines, then stop. */
  async function follow(count: number, meanwhile: (at: number) => void): Promise<string[]> {
    const abort = new AbortController();
    const seen: string[] = [];
    for await (const line of logs.follow(OWNER, abort.signal)) {
      seen.push(line.text);
      meanwhile(seen.length);
      if (seen.length === count) abort.abort();
    }
    return seen;
  }

  test('shows what was said, then what is being said', async () => {
    logs.append(OWNER, entry('past'));
    const seen = await follow(3, (at) => logs.append(OWNER, entry(`live ${at}`)));
    expect(seen).toEqual(['past', 'live 1', 'live 2']);
  });

  test('shows each line once and misses none, also those said while it begins', async () => {
    for (let round = 0; round < 6; round += 1) {
      const own = { ...OWNER, instanceId: `instance-${round}` };
      const abort = new AbortController();
      logs.append(own, entry('0'));
      await logs.read(own);
      const following = logs.follow(own, abort.signal)[Symbol.asyncIterator]();
      const first = following.next();
      for (let count = 1; count <= 5; count += 1) {
        logs.append(own, entry(String(count)));
        await new Promise((resolve) => setImmediate(resolve));
      }
      const seen = [(await first).value?.text];
      while (seen.at(-1) !== '5') seen.push((await following.next()).value?.text);
      expect(seen).toEqual(['0', '1', '2', '3', '4', '5']);
      abort.abort();
      await following.next();
    }
  });

  test('ends when its reader goes away', async () => {
    const abort = new AbortController();
    const following = logs.follow(OWNER, abort.signal)[Symbol.asyncIterator]();
    const next = following.next();
    abort.abort();
    expect(await next).toEqual({ value: undefined, done: true });
  });
});

test('fault 52: what the disk refuses is counted, and said when there is room again', async () => {
  await rm(folder, { recursive: true, force: true });
  await writeFile(folder, 'in the way');
  for (const text of ['one', 'two', 'three']) logs.append(OWNER, entry(text));
  expect(await logs.read(OWNER).catch(() => [])).toEqual([]);
  await rm(folder);
  logs.append(OWNER, entry('four'));
  expect(texts(await logs.read(OWNER))).toEqual(['four', expect.stringMatching(/^3 lines were lost/)]);
});

describe('what is wanted', () => {
  const say = (micro: string, level: MicroLogEntry['level'], requestId: string | null): void => logs.append(OWNER, { micro, level, text: `${micro} ${level} ${requestId}`, requestId });
  beforeEach(() => {
    for (const micro of ['web', 'api']) for (const level of ['debug', 'info', 'warn', 'error'] as const) say(micro, level, level === 'error' ? 'r2' : 'r1');
  });

  test.each([
    [{ micro: 'web' }, ['web debug r1', 'web info r1', 'web warn r1', 'web error r2']],
    [{ level: 'warn' as const }, ['web warn r1', 'web error r2', 'api warn r1', 'api error r2']],
    [{ requestId: 'r2' }, ['web error r2', 'api error r2']],
    [{ micro: 'api', level: 'info' as const, requestId: 'r1' }, ['api info r1', 'api warn r1']],
    [{ micro: 'constructor' }, []],
  ])('%o', async (filter, expected) => {
    expect(texts(await logs.read(OWNER, 100, filter))).toEqual(expected);
  });

  test('is counted after it was chosen', async () => {
    expect(texts(await logs.read(OWNER, 1, { micro: 'web' }))).toEqual(['web error r2']);
  });

  test('is what a follower hears', async () => {
    const abort = new AbortController();
    const heard: string[] = [];
    for await (const { text } of logs.follow(OWNER, abort.signal, { level: 'error', micro: 'api' })) {
      heard.push(text);
      if (heard.length === 1) for (const level of ['info', 'error'] as const) say('api', level, 'r3');
      if (heard.length === 2) abort.abort();
    }
    expect(heard).toEqual(['api error r2', 'api error r3']);
  });
});

describe('what is older than it may get', () => {
  const DAY_MS = 86_400_000;
  test('is not shown, and goes from the disk', async () => {
    const clock = createFakeClock();
    logs = createInstanceLogs({ folder, clock, log: silentLog });
    logs.append(OWNER, entry('old'));
    await logs.read(OWNER);
    clock.advance(10 * DAY_MS);
    logs.append(OWNER, entry('newer'));
    await logs.read(OWNER);
    await logs.sweep();
    expect(texts(await logs.read(OWNER))).toEqual(['old', 'newer']);
    clock.advance(5 * DAY_MS);
    expect(texts(await logs.read(OWNER))).toEqual(['newer']);
    expect(await readFile(file(), 'utf8')).toContain('old');
    await logs.sweep();
    expect(await readFile(file(), 'utf8')).not.toContain('old');
    logs.append(OWNER, entry('newest'));
    expect(texts(await logs.read(OWNER))).toEqual(['newer', 'newest']);
    clock.advance(20 * DAY_MS);
    await logs.sweep();
    expect(await readdir(join(folder, 'space-a', 'logs'))).toEqual([]);
  });

  test('goes while others write', async () => {
    const clock = createFakeClock();
    logs = createInstanceLogs({ folder, clock, log: silentLog, days: 1 });
    logs.append(OWNER, entry('old'));
    await logs.read(OWNER);
    clock.advance(2 * DAY_MS);
    const sweeping = logs.sweep();
    for (let count = 0; count < 50; count += 1) logs.append(OWNER, entry(`line ${count}`));
    await sweeping;
    expect(texts(await logs.read(OWNER))).toEqual(Array.from({ length: 50 }, (_, count) => `line ${count}`));
  });
});
