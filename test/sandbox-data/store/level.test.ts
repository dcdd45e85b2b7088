// Owns the proof of the level Store: the contract, and what the disk can do to it.
import { randomBytes } from 'node:crypto';
import { appendFile, readdir, writeFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { describe, expect, test } from 'vitest';
import { intactRange } from '../../../sandbox-data/store/intact.ts';
import { openLevelStore } from '../../../sandbox-data/store/level.ts';
import { gather } from '../../contract/gather.ts';
import { describeStore } from '../../contract/store.ts';
import { MAY_MOUNT, smallDisk } from '../../support/small-disk.ts';
import { tempFolder } from '../open-data.ts';

describeStore('level', async () => openLevelStore(await tempFolder()));

test('what was acknowledged is there after opening again', async () => {
  const folder = await tempFolder();
  const store = await openLevelStore(folder);
  await store.batch([{ type: 'put', key: 'a', value: '1' }]);
  await store.close();
  const again = await openLevelStore(folder);
  expect(await again.get('a')).toBe('1');
  await again.close();
});

test('concurrent batches share synced writes', async () => {
  const store = await openLevelStore(await tempFolder());
  const single = await timed(async () => { for (let n = 0; n < 200; n += 1) await store.batch([{ type: 'put', key: `s${n}`, value: '1' }]); });
  const together = await timed(() => Promise.all(Array.from({ length: 200 }, (_, n) => store.batch([{ type: 'put', key: `t${n}`, value: '1' }]))));
  expect(together).toBeLessThan(single / 2);
  await store.close();
});

test('a closed Store refuses to write, and close waits for what was accepted', async () => {
  const folder = await tempFolder();
  const store = await openLevelStore(folder);
  const accepted = Promise.all(Array.from({ length: 50 }, (_, n) => store.batch([{ type: 'put', key: `k${n}`, value: '1' }])));
  await store.close();
  await accepted;
  await expect(store.batch([{ type: 'put', key: 'late', value: '1' }])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await expect(store.get('k1')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
});

test('a folder that is open already is locked', async () => {
  const folder = await tempFolder();
  const store = await openLevelStore(folder);
  await expect(openLevelStore(folder)).rejects.toMatchObject({ code: 'DATA_LOCKED' });
  await store.close();
  await (await openLevelStore(folder)).close();
});

test('a key or value with a lone surrogate is a mistake of ours', async () => {
  const store = await openLevelStore(await tempFolder());
  await expect(store.batch([{ type: 'put', key: 'a\ud800', value: '' }])).rejects.toThrow(TypeError);
  await expect(store.batch([{ type: 'put', key: 'a', value: '\udc00' }])).rejects.toThrow(TypeError);
  await store.close();
});

describe('a damaged record', () => {
  const damages: [string, (framed: string) => string][] = [
    ['one bit of the payload', (framed) => `${framed.slice(0, -1)}${String.fromCharCode(framed.charCodeAt(framed.length - 1) ^ 1)}`],
    ['the checksum', (framed) => `${framed[0]}00000000${framed.slice(9)}`],
    ['the format', (framed) => `9${framed.slice(1)}`],
    ['cut short', (framed) => framed.slice(0, -2)],
    ['empty', () => ''],
  ];

  test.each(damages)('(%s) fails alone, and is reported', async (_name, damage) => {
    const folder = await damaged(damage);
    const reported: string[] = [];
    const store = await openLevelStore(folder, { onDamage: ({ keys }) => reported.push(...keys) });
    await expect(store.get('b')).rejects.toMatchObject({ code: 'RECORD_CORRUPT', details: { key: 'b' } });
    expect(reported).toEqual(['b']);
    expect([await store.get('a'), await store.get('c')]).toEqual(['va', 'vc']);
    await expect(gather(store.range({}))).rejects.toMatchObject({ code: 'RECORD_CORRUPT', details: { key: 'b' } });
    for (const reverse of [false, true]) {
      expect((await gather(intactRange(store, { reverse }))).map(([key]) => key).toSorted()).toEqual(['a', 'c']);
    }
    expect((await gather(intactRange(store, { limit: 2 }))).map(([key]) => key)).toEqual(['a', 'c']);
    await store.close();
  });

  test('is healed by writing over it', async () => {
    const folder = await damaged((framed) => `${framed}x`);
    const store = await openLevelStore(folder);
    await expect(store.batch([{ type: 'put', key: 'b', value: 'new' }], [{ key: 'b', is: 'vb' }])).rejects.toMatchObject({ code: 'RECORD_CORRUPT' });
    await store.batch([{ type: 'put', key: 'b', value: 'new' }]);
    expect(await store.get('b')).toBe('new');
    await store.close();
  });

  test('that belongs to another key is noticed', async () => {
    const folder = await tempFolder();
    const store = await openLevelStore(folder);
    await store.batch([{ type: 'put', key: 'a', value: 'same' }]);
    await store.close();
    await rawly(folder, async (raw) => raw.put('b', (await raw.get('a'))!));
    const again = await openLevelStore(folder);
    await expect(again.get('b')).rejects.toMatchObject({ code: 'RECORD_CORRUPT' });
    expect(await again.get('a')).toBe('same');
    await again.close();
  });

  async function damaged(damage: (framed: string) => string): Promise<string> {
    const folder = await tempFolder();
    const store = await openLevelStore(folder);
    await store.batch(['a', 'b', 'c'].map((key) => ({ type: 'put', key, value: `v${key}` })));
    await store.close();
    await rawly(folder, async (raw) => raw.put('b', damage((await raw.get('b'))!)));
    return folder;
  }

  async function rawly(folder: string, change: (raw: ClassicLevel) => Promise<void>): Promise<void> {
    const raw = new ClassicLevel(folder);
    await change(raw);
    await raw.close();
  }
});

describe.skipIf(!MAY_MOUNT)('on a full disk', () => {
  test('writes give STORE_FULL, reads go on, and it heals without opening it anew', async () => {
    const disk = await smallDisk('size=24m');
    const store = await openLevelStore(join(disk, 'store'));
    await store.batch([{ type: 'put', key: 'kept', value: 'here' }]);
    const ballast = join(disk, 'ballast');
    await expect(fill(store, ballast)).rejects.toMatchObject({ code: 'STORE_FULL' });
    // What LevelDB gave up may have left a little room again.
    await expect.poll(async () => {
      await appendFile(ballast, Buffer.alloc(24 * 1024 * 1024)).catch(() => {});
      return store.batch([{ type: 'put', key: 'x', value: 'y' }]).catch((error: { code: string }) => error.code);
    }).toBe('STORE_FULL');
    expect(await store.get('kept')).toBe('here');
    expect((await gather(store.range({ gte: 'kept', lte: 'kept' }))).length).toBe(1);
    await rm(ballast);
    await store.batch([{ type: 'put', key: 'after', value: 'room' }]);
    expect([await store.get('kept'), await store.get('after')]).toEqual(['here', 'room']);
    await store.close();
    expect((await readdir(join(disk, 'store'))).includes('room.probe')).toBe(false);
  });

  async function fill(store: Awaited<ReturnType<typeof openLevelStore>>, ballast: string): Promise<void> {
    await writeFile(ballast, Buffer.alloc(14 * 1024 * 1024));
    for (let n = 0; n < 200; n += 1) await store.batch([{ type: 'put', key: `fill${n}`, value: randomBytes(80_000).toString('base64') }]);
  }
});

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}
