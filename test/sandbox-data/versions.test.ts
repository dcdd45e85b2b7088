// Owns the proof of conditional writes: what each condition means, and that many writers on one key see one register,
// also while the host is killed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isSpaceError } from '../../core/errors.ts';
import type { VersionedBase, WriteCondition } from '../../sandbox-data/data.ts';
import { failure, openBase, openData, tempFolder } from './open-data.ts';
import { isLinearizable } from './register-history.ts';
import type { RegisterCall } from './register-history.ts';

const item = (key: string, more: object = {}): string => JSON.stringify({ item: { key, ...more } });
const items = (...list: object[]): string => JSON.stringify({ items: list });

describe('a version', () => {
  test('changes with every write, and a read has the same', async () => {
    const { versioned } = (await openBase()).base.raw;
    const seen: string[] = [];
    const note = async (written: Promise<{ version: string }>): Promise<void> => {
      seen.push((await written).version);
      expect((await versioned.get('a'))?.version).toBe(seen.at(-1));
    };
    await note(versioned.insert(item('a')));
    await note(versioned.put(items({ key: 'a' })));
    await note(versioned.put(items({ key: 'a' })));
    await note(versioned.update('a', '{"set":{"n":1}}'));
    await versioned.delete('a');
    expect(await versioned.get('a')).toBeUndefined();
    await note(versioned.insert(item('a')));
    expect(new Set(seen).size).toBe(seen.length);
    expect((await versioned.get('a'))?.json).toBe('{"key":"a"}');
  });

  test('never comes back, though a snapshot is restored', async () => {
    const { data } = await openData();
    const collection = data.collection({ spaceId: 's', collectionId: 'c' });
    const { versioned } = collection.base('b');
    const first = await versioned.put(items({ key: 'a', n: 1 }));
    const { id } = await collection.snapshots.create();
    const lost = await versioned.put(items({ key: 'a', n: 2 }));
    await collection.snapshots.restore(id);
    expect((await versioned.get('a'))?.version).toBe(first.version);
    const { version } = await versioned.put(items({ key: 'a', n: 3 }));
    expect([first.version, lost.version]).not.toContain(version);
    await expect(versioned.put(items({ key: 'a' }), { is: [lost.version] })).rejects.toEqual(failure('BASE_CONDITION_FAILED'));
  });
});

describe('a condition', () => {
  const writes: [string, (base: VersionedBase, condition: WriteCondition) => Promise<unknown>][] = [
    ['put', (base, condition) => base.put(items({ key: 'a', written: true }), condition)],
    ['update', (base, condition) => base.update('a', '{"set":{"written":true}}', condition)],
    ['delete', (base, condition) => base.delete('a', condition)],
  ];
  const allowed: [string, (version: string) => WriteCondition][] = [
    ['that it exists', () => ({ is: 'any' })], ['its version', (version) => ({ is: [version] })], ['one of several versions', (version) => ({ is: ['0', version] })],
    ['not another version', () => ({ isNot: ['999'] })], ['nothing', () => ({})], ['no version of none', () => ({ isNot: [] })],
  ];
  const refused: [string, (version: string) => WriteCondition][] = [
    ['another version', () => ({ is: ['999'] })], ['no version at all', () => ({ is: [] })], ['that it does not exist', () => ({ isNot: 'any' })],
    ['not its version', (version) => ({ isNot: [version] })], ['both', (version) => ({ is: [version], isNot: [version] })],
  ];
  for (const [name, write] of writes) {
    test.each(allowed)(`lets ${name} pass: %s`, async (_name, conditionOf) => {
      const { versioned } = (await openBase()).base.raw;
      const { version } = await versioned.put(items({ key: 'a' }));
      await write(versioned, conditionOf(version));
      expect((await versioned.get('a'))?.version).not.toBe(version);
    });
    test.each(refused)(`refuses ${name}: %s`, async (_name, conditionOf) => {
      const { versioned } = (await openBase()).base.raw;
      const { version } = await versioned.put(items({ key: 'a' }));
      await expect(write(versioned, conditionOf(version))).rejects.toEqual(failure('BASE_CONDITION_FAILED'));
      expect(await versioned.get('a')).toEqual({ json: '{"key":"a"}', version });
    });
  }

  test('on an Item that is not there, or has expired', async () => {
    const { base: { raw: { versioned } }, clock } = await openBase();
    await versioned.put(items({ key: 'old', __expires: 1 }));
    for (const key of ['a', 'old']) {
      await expect(versioned.put(items({ key }), { is: 'any' })).rejects.toEqual(failure('BASE_CONDITION_FAILED'));
      await expect(versioned.delete(key, { is: 'any' })).rejects.toEqual(failure('BASE_CONDITION_FAILED'));
      await expect(versioned.insert(item(key), { is: 'any' })).rejects.toEqual(failure('BASE_CONDITION_FAILED'));
      await versioned.delete(key, { isNot: 'any' });
      await versioned.put(items({ key, __expires: clock.now() / 1000 + 60 }), { isNot: 'any' });
      await expect(versioned.put(items({ key }), { isNot: 'any' })).rejects.toEqual(failure('BASE_CONDITION_FAILED'));
    }
    await expect(versioned.delete('', { is: 'any' })).rejects.toEqual(failure('BASE_CONDITION_FAILED'));
  });

  test('is on one Item, and a refused one writes nothing', async () => {
    const { base } = await openBase();
    await expect(base.raw.versioned.put(items({ key: 'a' }, { key: 'b' }), { isNot: 'any' })).rejects.toEqual(failure('BASE_BAD_ITEM'));
    expect(await base.keys()).toEqual([]);
    expect((await base.raw.versioned.put(items({ key: 'a' }, { key: 'b' }))).version).toBe('');
  });
});

describe('the checker', () => {
  const read = (called: number, returned: number, value: string): RegisterCall => ({ called, returned, did: { kind: 'read', value } });
  const write = (called: number, returned: number, [from, to]: [string, string], isDone: boolean | 'unknown' = true): RegisterCall => ({ called, returned, did: { kind: 'write', from, to, isDone } });
  const right: [string, RegisterCall[]][] = [
    ['one after the other', [write(0, 1, ['0', 'a']), read(2, 3, 'a')]],
    ['a read during a write sees either', [write(0, 5, ['0', 'a']), read(1, 2, '0'), read(3, 4, 'a')]],
    ['a loser that overlaps the winner', [write(0, 5, ['0', 'a']), write(1, 4, ['0', 'b'], false)]],
    ['an unknown write that happened', [write(0, Infinity, ['0', 'a'], 'unknown'), read(5, 6, 'a')]],
    ['an unknown write that did not', [write(0, Infinity, ['0', 'a'], 'unknown'), read(5, 6, '0')]],
  ];
  const wrong: [string, RegisterCall[]][] = [
    ['a lost write', [write(0, 1, ['0', 'a']), read(2, 3, '0')]],
    ['two winners of one version', [write(0, 5, ['0', 'a']), write(1, 4, ['0', 'b'])]],
    ['reads that go back', [write(0, 9, ['0', 'a']), read(1, 2, 'a'), read(3, 4, '0')]],
    ['a loser without a winner', [write(0, 1, ['0', 'a'], false)]],
    ['a value from nowhere', [read(0, 1, 'x')]],
    ['an unknown write that is seen, and gone', [write(0, Infinity, ['0', 'a'], 'unknown'), read(5, 6, 'a'), read(7, 8, '0')]],
  ];
  test.each(right)('accepts %s', (_name, history) => { expect(isLinearizable(history, '0')).toBe(true); });
  test.each(wrong)('refuses %s', (_name, history) => { expect(isLinearizable(history, '0')).toBe(false); });
});

test('100 writers on one key: one winner for each version, and all see one register', { timeout: 60_000 }, async () => {
  const { versioned } = (await openBase()).base.raw;
  await versioned.put(items({ key: 'k', value: 'start' }));
  const history: RegisterCall[] = [];
  let clock = 0;
  const writer = async (name: number): Promise<void> => {
    for (let n = 0; n < 4; n += 1) {
      const called = clock++;
      const { json, version } = (await versioned.get('k'))!;
      const { value } = JSON.parse(json) as { value: string };
      history.push({ called, returned: clock++, did: { kind: 'read', value } });
      const to = `${name}-${n}`;
      const start = clock++;
      const isDone = await versioned.put(items({ key: 'k', value: to }), { is: [version] }).then(() => true, (error: unknown) => {
        if (isSpaceError(error, 'BASE_CONDITION_FAILED')) return false;
        throw error;
      });
      history.push({ called: start, returned: clock++, did: { kind: 'write', from: value, to, isDone } });
    }
  };
  await Promise.all(Array.from({ length: 100 }, (_, name) => writer(name)));
  const won = history.filter(({ did }) => did.kind === 'write' && did.isDone);
  const froms = won.map(({ did }) => (did.kind === 'write' ? did.from : ''));
  expect(new Set(froms).size, 'one winner for each version').toBe(froms.length);
  expect(won.length).toBeGreaterThan(3);
  expect(won.length).toBeLessThan(400);
  expect(isLinearizable(history, 'start')).toBe(true);
});

test('kill -9 in between: a write whose answer was lost happened once or never', { timeout: 90_000 }, async () => {
  const folder = await tempFolder();
  const history: RegisterCall[] = [];
  let clock = 0;
  for (let round = 0; round < 4; round += 1) {
    const child = spawn(process.execPath, [fileURLToPath(new URL('./register-writer.ts', import.meta.url)), folder, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => { child.kill('SIGKILL'); });
    const open = new Map<string, RegisterCall>();
    let acknowledged = 0;
    // The child's lines come in its own order, so their numbers are a clock.
    for await (const line of createInterface(child.stdout)) {
      const [what = '', id = '', ...rest] = line.split(' ');
      const at = clock++;
      if (what === 'read' || what === 'write') {
        const [from = '', to = ''] = rest;
        open.set(id, { called: at, returned: Number.POSITIVE_INFINITY, did: what === 'read' ? { kind: 'read', value: '' } : { kind: 'write', from, to, isDone: 'unknown' } });
        continue;
      }
      const call = open.get(id);
      if (!call) continue; // the last line may be cut
      open.delete(id);
      call.returned = at;
      history.push(what === 'saw' ? { ...call, did: { kind: 'read', value: rest[0] ?? '' } } : { ...call, did: { ...(call.did as { kind: 'write'; from: string; to: string }), isDone: what === 'done' } });
      acknowledged += Number(what === 'done');
      if (acknowledged === 15 + round * 7) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    expect(child.signalCode).toBe('SIGKILL');
    // After the kill nothing more can happen: an unknown write did, or did not, until here.
    for (const call of open.values()) if (call.did.kind === 'write') history.push({ ...call, returned: Number.POSITIVE_INFINITY });
  }
  expect(history.filter(({ did }) => did.kind === 'write' && did.isDone === true).length).toBeGreaterThan(60);
  expect(isLinearizable(history, 'none')).toBe(true);
});
