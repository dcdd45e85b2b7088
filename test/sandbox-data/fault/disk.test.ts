// Faults 13, 14, 18, 19, 20, 22, 24 and 25 below LevelDB and Node: a shim fails, tears and delays their calls of the system.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openData, tempFolder } from '../open-data.ts';
import { HAS_SHIM, faultyDisk, losePower, startActor } from './shim.ts';

describe.skipIf(!HAS_SHIM)('below the Store, a disk that fails', () => {
  test('order: what is acknowledged was synced before, a File in the order temp, sync, rename, sync of the folder', async () => {
    const folder = await tempFolder();
    const disk = await faultyDisk(folder);
    const actor = await startActor(folder, disk.env);
    await actor.ask({ do: 'put', key: 'first' });
    for (const key of ['a', 'b', 'c']) {
      const before = (await disk.events()).length;
      expect(await actor.ask({ do: 'put', key })).not.toHaveProperty('code');
      expect((await disk.events()).slice(before).some((event) => /^sync \d+ .*\/store\/\d+\.log$/.test(event)), 'the log was synced before the answer').toBe(true);
    }
    expect(await actor.ask({ do: 'file', key: 'file', bytes: 100_000 })).not.toHaveProperty('code');
    const events = await disk.events();
    const renamed = events.findIndex((event) => /^rename .*\/blobs\/tmp\/\w+\t/.test(event));
    const [from = '', to = ''] = events[renamed]!.slice('rename '.length).split('\t');
    const at = (event: string, after = 0): number => events.indexOf(event, after);
    const order = [at(`create ${from}`), at(`sync 100000 ${from}`), renamed, at(`syncdir ${join(to, '..')}`, renamed)];
    expect(order).toEqual(order.toSorted((left, right) => left - right));
    expect(order).not.toContain(-1);
    const recorded = events.findLastIndex((event) => /^sync \d+ .*\/store\/\d+\.log$/.test(event));
    expect(recorded, 'the record comes last').toBeGreaterThan(order[3]!);
  });

  describe('fault 13: power loss', () => {
    /** @returns Items that were acknowledged and are not there */
    async function missingAfterPowerLoss(rules: string[], isEntryLost: boolean): Promise<{ lost: number; acknowledged: number; missing: string[] }> {
      const folder = await tempFolder();
      const disk = await faultyDisk(folder, ...rules);
      const actor = await startActor(folder, disk.env);
      const acknowledged: string[] = [];
      const lane = async (name: string): Promise<void> => {
        for (let n = 0; ; n += 1) {
          const key = `${name}${n}`;
          const { code } = await actor.ask(n % 7 === 3 ? { do: 'file', key, bytes: 30_000 } : { do: 'put', key, value: 'v'.repeat(3000) });
          if (code === 'DIED') return;
          if (code === undefined) acknowledged.push(key);
        }
      };
      const lanes = ['a', 'b', 'c', 'd'].map(lane);
      // Enough for LevelDB to go on to another log, and to merge.
      while (acknowledged.length < 2200) await new Promise((resolve) => setTimeout(resolve, 20));
      await actor.kill();
      await Promise.all(lanes);
      const lost = await losePower(await disk.events(), { isEntryLost });
      const { data } = await openData({ folder });
      const collection = data.collection({ spaceId: 's', collectionId: 'c' });
      const missing: string[] = [];
      for (const key of acknowledged) {
        const isFile = Number(key.slice(1)) % 7 === 3;
        const found = await (isFile ? collection.drive('f').get(key) : collection.base('x').get(key)).catch(() => undefined);
        if (found === undefined) missing.push(key);
        else if (typeof found === 'object') found.stream.destroy();
      }
      await data.close();
      return { lost, acknowledged: acknowledged.length, missing };
    }

    test.each([[false], [true]])('nothing acknowledged is lost (entries since the last sync lost: %s)', { timeout: 120_000 }, async (isEntryLost) => {
      const { missing } = await missingAfterPowerLoss([], isEntryLost);
      expect(missing).toEqual([]);
    });

    test('the control: where syncing only says that it did, the same loses what was acknowledged', { timeout: 120_000 }, async () => {
      const { lost, missing } = await missingAfterPowerLoss(['fsync lie 0 /s/'], false);
      expect(lost).toBeGreaterThan(0);
      expect(missing.length).toBeGreaterThan(100);
    });
  });

  test('fault 13: a write that is torn in the middle when the process dies leaves nothing half, and nothing else is lost', { timeout: 60_000 }, async () => {
    const folder = await tempFolder();
    const disk = await faultyDisk(folder);
    for (let round = 0; round < 4; round += 1) {
      const actor = await startActor(folder, disk.env);
      expect(await actor.ask({ do: 'put', key: `kept${round}`, value: 'here' })).not.toHaveProperty('code');
      await disk.rules(`write torn ${round + 1} .log`);
      expect(await actor.ask({ do: 'put', key: `torn${round}`, value: 'x'.repeat(100_000) })).toMatchObject({ code: 'DIED' });
      await disk.rules();
    }
    const actor = await startActor(folder);
    for (let round = 0; round < 4; round += 1) {
      expect((await actor.ask({ do: 'get', key: `kept${round}` })).value).toMatchObject({ value: 'here' });
      expect([null, 100_000]).toContain((await actor.ask({ do: 'get', key: `torn${round}` })).value?.value.length ?? null);
    }
    expect((await actor.ask({ do: 'damage' })).value).toEqual([]);
  });

  describe('fault 18: a sync that fails once', () => {
    test.each([['fsync eio 1 .log'], ['write eio 1 .log'], ['write enospc 1 .log']])('%s: those writes fail, the Store opens anew, and everything acknowledged is there', { timeout: 60_000 }, async (rule) => {
      const folder = await tempFolder();
      const disk = await faultyDisk(folder);
      const actor = await startActor(folder, disk.env);
      for (let n = 0; n < 20; n += 1) await actor.ask({ do: 'put', key: `before${n}` });
      const manifestsBefore = (await disk.events()).filter((event) => /^create .*\/c\/store\/MANIFEST/.test(event)).length;
      await disk.rules(rule);
      const failed = await Promise.all(Array.from({ length: 10 }, (_, n) => actor.ask({ do: 'put', key: `failed${n}` })));
      expect(failed.filter(({ code }) => code !== undefined).map(({ code }) => code)).toContain(rule.includes('enospc') ? 'STORE_FULL' : 'STORE_UNAVAILABLE');
      const after = await Promise.all(Array.from({ length: 20 }, (_, n) => actor.ask({ do: 'put', key: `after${n}` })));
      const acknowledged = [...Array.from({ length: 20 }, (_, n) => `before${n}`), ...failed.flatMap(({ code }, n) => (code === undefined ? [`failed${n}`] : [])), ...after.flatMap(({ code }, n) => (code === undefined ? [`after${n}`] : []))];
      expect(after.every(({ code }) => code === undefined)).toBe(true);
      const events = await disk.events();
      expect(events.filter((event) => /^create .*\/c\/store\/MANIFEST/.test(event)).length, 'it was opened from its log').toBeGreaterThan(manifestsBefore);
      // Between the fault and the next success lies the opening: no sync of the log that failed is tried again.
      const faultAt = events.findIndex((event) => event.startsWith('fault'));
      const log = events[faultAt]!.split(' ').at(-1)!;
      expect(events.slice(faultAt + 1).filter((event) => event.startsWith('sync') && event.endsWith(log))).toEqual([]);
      await actor.kill();
      await losePower(events);
      const again = await startActor(folder);
      for (const key of acknowledged) expect((await again.ask({ do: 'get', key })).value, key).toMatchObject({ key });
    });

    test('of a File: it is not there, nothing of it stays, and the next one succeeds', async () => {
      const folder = await tempFolder();
      const disk = await faultyDisk(folder);
      const actor = await startActor(folder, disk.env);
      await actor.ask({ do: 'file', key: 'kept', bytes: 1000 });
      for (const rule of ['fsync eio 1 /blobs/', 'fsync eio 2 /blobs/', 'rename eio 1 /blobs/', 'write eio 1 /blobs/tmp']) {
        await disk.rules(rule);
        expect(await actor.ask({ do: 'file', key: 'failing', bytes: 5000 }), rule).toMatchObject({ code: 'STORE_UNAVAILABLE' });
        expect((await actor.ask({ do: 'read', key: 'failing' })).value).toBeNull();
        await disk.rules();
      }
      expect(await actor.ask({ do: 'file', key: 'next', bytes: 1000 })).not.toHaveProperty('code');
      expect(await blobCount(folder)).toBe(2);
    });
  });

  test('fault 19: without space, writes say so, reads go on, and it heals by itself', { timeout: 60_000 }, async () => {
    const folder = await tempFolder();
    const disk = await faultyDisk(folder);
    const actor = await startActor(folder, disk.env);
    await actor.ask({ do: 'put', key: 'kept', value: 1 });
    await actor.ask({ do: 'file', key: 'kept', bytes: 1000 });
    await disk.rules('write enospc 0 /s/');
    for (let n = 0; n < 5; n += 1) {
      expect(await actor.ask({ do: 'put', key: `full${n}` })).toMatchObject({ code: 'STORE_FULL' });
      expect(await actor.ask({ do: 'file', key: `full${n}`, bytes: 1000 })).toMatchObject({ code: 'STORE_FULL' });
      expect((await actor.ask({ do: 'get', key: 'kept' })).value).toMatchObject({ value: 1 });
      expect((await actor.ask({ do: 'read', key: 'kept' })).value).toMatchObject({ length: 1000 });
    }
    await disk.rules();
    expect(await actor.ask({ do: 'put', key: 'after' })).not.toHaveProperty('code');
    expect(await actor.ask({ do: 'file', key: 'after', bytes: 10 })).not.toHaveProperty('code');
    expect((await actor.ask({ do: 'get', key: 'kept' })).value).toMatchObject({ value: 1 });
  });

  test('fault 20: without space while LevelDB merges, nothing is lost', { timeout: 90_000 }, async () => {
    const folder = await tempFolder();
    const disk = await faultyDisk(folder);
    const actor = await startActor(folder, disk.env);
    const acknowledged = new Set<string>();
    const fill = async (name: string, count: number): Promise<string[]> => {
      const codes: string[] = [];
      await Promise.all(Array.from({ length: count }, async (_, n) => {
        const { code } = await actor.ask({ do: 'put', key: `${name}${n}`, value: 'v'.repeat(20_000) });
        if (code === undefined) acknowledged.add(`${name}${n}`);
        else codes.push(code);
      }));
      return codes;
    };
    await fill('a', 150);
    await disk.rules('write enospc 0 .ldb');
    const codes = [...(await fill('b', 250)), ...(await fill('c', 250))];
    expect(codes).toContain('STORE_FULL');
    await disk.rules();
    expect(await fill('d', 20)).toEqual([]);
    for (const key of acknowledged) expect((await actor.ask({ do: 'get', key })).value, key).toMatchObject({ key });
  });

  test('fault 22: without file descriptors for LevelDB, it says so, and recovers', { timeout: 60_000 }, async () => {
    const folder = await tempFolder();
    const disk = await faultyDisk(folder);
    const actor = await startActor(folder, disk.env);
    await actor.ask({ do: 'put', key: 'kept', value: 1 });
    await disk.rules('open emfile 0 /s/');
    expect(await actor.ask({ do: 'put', in: 'other', key: 'a' })).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await actor.ask({ do: 'file', key: 'a', bytes: 10 })).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect((await actor.ask({ do: 'get', key: 'kept' })).value).toMatchObject({ value: 1 });
    await disk.rules();
    expect(await actor.ask({ do: 'put', in: 'other', key: 'a' })).not.toHaveProperty('code');
    expect(await actor.ask({ do: 'put', key: 'b' })).not.toHaveProperty('code');
  });

  test('fault 24: on a file system that turns read-only, what is open is read, writes are refused, nothing crashes', { timeout: 60_000 }, async () => {
    const folder = await tempFolder();
    const disk = await faultyDisk(folder);
    const actor = await startActor(folder, disk.env);
    await actor.ask({ do: 'put', key: 'kept', value: 1 });
    await actor.ask({ do: 'file', key: 'kept', bytes: 1000 });
    await disk.rules('write erofs 0 /s/', 'openwrite erofs 0 /s/', 'fsync erofs 0 /s/', 'rename erofs 0 /s/');
    for (let n = 0; n < 5; n += 1) {
      expect(await actor.ask({ do: 'put', key: 'no' })).toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect((await actor.ask({ do: 'get', key: 'kept' })).value, `read ${n}`).toMatchObject({ value: 1 });
      expect((await actor.ask({ do: 'read', key: 'kept' })).value).toMatchObject({ length: 1000 });
    }
    await disk.rules();
    expect(await actor.ask({ do: 'put', key: 'again' })).not.toHaveProperty('code');
    expect((await actor.ask({ do: 'get', key: 'kept' })).value).toMatchObject({ value: 1 });
  });

  test('fault 25: with 2 s a sync, what is too much is refused at once, and the rest is written', { timeout: 90_000 }, async () => {
    const folder = await tempFolder();
    const disk = await faultyDisk(folder);
    const actor = await startActor(folder, disk.env);
    await actor.ask({ do: 'put', key: 'first' });
    await disk.rules('fsync slow 2000 .log');
    const answers = await Promise.all(Array.from({ length: 3000 }, (_, n) => actor.ask({ do: 'put', key: `k${n}` })));
    const refused = answers.filter(({ code }) => code === 'STORE_BUSY');
    expect(refused.length).toBeGreaterThan(0);
    expect(answers.length - refused.length).toBeGreaterThan(500);
    expect(answers.every(({ code }) => code === undefined || code === 'STORE_BUSY')).toBe(true);
    expect(Math.max(...refused.map(({ ms }) => ms))).toBeLessThan(2000);
    await disk.rules();
    expect(await actor.ask({ do: 'put', key: 'last' })).not.toHaveProperty('code');
  });
});

test.skipIf(!HAS_SHIM)('fault 14: a rename that is durable while the content is not gives the File as damaged, never half of it', { timeout: 60_000 }, async () => {
  const folder = await tempFolder();
  const disk = await faultyDisk(folder, 'fsync lie 0 /blobs/');
  const actor = await startActor(folder, disk.env);
  await actor.ask({ do: 'file', key: 'file', bytes: 100_000 });
  await actor.kill();
  expect(await losePower(await disk.events())).toBeGreaterThanOrEqual(100_000);
  const again = await startActor(folder);
  expect(await again.ask({ do: 'read', key: 'file' })).toMatchObject({ code: 'BLOB_NOT_FOUND' });
  await expect.poll(async () => (await again.ask({ do: 'damage' })).value).toMatchObject([{ kind: 'blob', things: [{ area: 'drive', name: 'f', key: 'file' }] }]);
});

test.skipIf(!HAS_SHIM)('fault 14: the content is durable and its record is not: the version before is read', { timeout: 60_000 }, async () => {
  const folder = await tempFolder();
  const disk = await faultyDisk(folder);
  const store = async (bytes: number, ...rules: string[]) => {
    const actor = await startActor(folder, disk.env);
    await actor.ask({ do: 'get', key: 'opens the Store' });
    await disk.rules(...rules);
    const { code } = await actor.ask({ do: 'file', key: 'file', bytes });
    await actor.kill();
    await losePower(await disk.events());
    await disk.rules();
    const again = await startActor(folder, disk.env);
    const { value } = await again.ask({ do: 'read', key: 'file' });
    expect((await again.ask({ do: 'damage' })).value).toEqual([]);
    await again.kill();
    return { code, length: value?.length };
  };
  expect(await store(1000)).toEqual({ code: undefined, length: 1000 });
  expect(await store(2000, 'write torn 1 .log')).toEqual({ code: 'DIED', length: 1000 });
  expect(await store(2000), 'the control: with its record').toEqual({ code: undefined, length: 2000 });
});

async function blobCount(folder: string): Promise<number> {
  const all = await readdir(join(folder, 'spaces/s/collections/c/blobs'), { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile()).length;
}

