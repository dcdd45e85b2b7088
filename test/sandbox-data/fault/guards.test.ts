// The control of the faults of a disk: each guard is taken out of a copy of the source, and what it prevents is seen to
// happen; with the guard, under the same fault, it does not.
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { describe, expect, onTestFinished, test } from 'vitest';
import { copyAltered, type Alterations } from '../../support/altered-source.ts';
import { tempFolder } from '../open-data.ts';
import { ACTOR, HAS_SHIM, faultyDisk, losePower, startActor, type Actor, type FaultyDisk } from './shim.ts';

interface Bench { folder: string; disk: FaultyDisk; start(): Promise<Actor> }

interface Guard {
  fault: number;
  what: string;
  without: Alterations;
  /** @returns whether the harm was done */
  harm(bench: Bench): Promise<boolean>;
}

const collectionFolder = (folder: string): string => join(folder, 'spaces/s/collections/c');

async function filesBelow(folder: string): Promise<string[]> {
  const all = await readdir(folder, { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** A File of 100,000 bytes whose only blob is then `hurt` on the disk. @returns what reading it gives */
async function readHurt({ folder, start }: Bench, hurt: (path: string) => Promise<void>) {
  const actor = await start();
  await actor.ask({ do: 'file', key: 'file', bytes: 100_000 });
  await actor.kill();
  const [blob] = await filesBelow(join(collectionFolder(folder), 'blobs'));
  await hurt(blob!);
  return (await start()).ask({ do: 'read', key: 'file' });
}

async function afterPowerLoss({ disk, start }: Bench, write: object, read: object) {
  const actor = await start();
  await actor.ask({ do: 'put', key: 'first' });
  expect(await actor.ask(write)).not.toHaveProperty('code');
  await actor.kill();
  await losePower(await disk.events());
  return (await start()).ask(read);
}

const GUARDS: Guard[] = [
  {
    fault: 13, what: 'an Item is acknowledged after its batch is synced',
    without: { 'sandbox-data/store/level.ts': ['batch.write({ sync: true })', 'batch.write({ sync: false })'] },
    harm: async (bench) => (await afterPowerLoss(bench, { do: 'put', key: 'a', value: 'v' }, { do: 'get', key: 'a' })).value === null,
  },
  {
    fault: 13, what: 'a File is acknowledged after its bytes are synced',
    without: { 'sandbox-data/blob/file.ts': ['await onDisk(() => handle.sync());', ''] },
    harm: async (bench) => (await afterPowerLoss(bench, { do: 'file', key: 'f', bytes: 100_000 }, { do: 'read', key: 'f' })).value?.length !== 100_000,
  },
  {
    fault: 14, what: 'a File that is not as long as recorded is told before its first byte',
    without: { 'sandbox-data/content.ts': ['if (info?.sizeBytes !== part.sizeBytes) throw', 'if (!info) throw'] },
    harm: async (bench) => (await readHurt(bench, (path) => truncate(path, 10))).code !== 'BLOB_NOT_FOUND',
  },
  {
    fault: 16, what: 'the content of a File is held against its checksum',
    without: { 'sandbox-data/content.ts': ['yield* isWhole(part, range) ? checked(stream, part) : stream;', 'yield* stream;'] },
    harm: async (bench) => (await readHurt(bench, async (path) => {
      const bytes = await readFile(path);
      bytes[50_000]! ^= 1;
      await writeFile(path, bytes);
    })).code !== 'BLOB_CORRUPT',
  },
  {
    fault: 16, what: 'a record is held against its checksum',
    without: { 'sandbox-data/store/record.ts': ['return intact ? payload : undefined;', 'return payload;'] },
    async harm({ folder, start }) {
      const actor = await start();
      await actor.ask({ do: 'put', key: 'a', value: 'right' });
      await actor.kill();
      const level = new ClassicLevel<string, string>(join(collectionFolder(folder), 'store'));
      for await (const [key, framed] of level.iterator()) if (framed.includes('right')) await level.put(key, framed.replace('right', 'wrong'));
      await level.close();
      return (await (await start()).ask({ do: 'get', key: 'a' })).value?.value === 'wrong';
    },
  },
  {
    fault: 18, what: 'a Store whose sync failed is opened anew from its log',
    without: { 'sandbox-data/store/level.ts': ["if (this.#state === 'open') this.#state = 'writeFailed';", ''] },
    async harm({ disk, start }) {
      const actor = await start();
      await actor.ask({ do: 'put', key: 'before' });
      await disk.rules('fsync eio 1 .log');
      expect(await actor.ask({ do: 'put', key: 'failed' })).toMatchObject({ code: 'STORE_UNAVAILABLE' });
      return (await actor.ask({ do: 'put', key: 'after' })).code !== undefined;
    },
  },
  {
    fault: 25, what: 'writes that would only wait are refused',
    without: { 'sandbox-data/store/group-commit.ts': ['const WAITING_MAX = 2048;', 'const WAITING_MAX = Infinity;'] },
    async harm({ disk, start }) {
      const actor = await start();
      await actor.ask({ do: 'put', key: 'first' });
      await disk.rules('fsync slow 200 .log');
      const answers = await Promise.all(Array.from({ length: 2500 }, (_, n) => actor.ask({ do: 'put', key: `k${n}` })));
      return answers.every(({ code }) => code !== 'STORE_BUSY');
    },
  },
  {
    fault: 30, what: 'what was written of a File that failed is removed',
    without: { 'sandbox-data/blob/file.ts': ['await rm(temporary, { force: true }).catch(() => {}); // the next open removes it', ''] },
    async harm({ folder, disk, start }) {
      const actor = await start();
      await actor.ask({ do: 'file', key: 'kept', bytes: 1000 });
      await disk.rules('fsync eio 1 /blobs/tmp');
      expect(await actor.ask({ do: 'file', key: 'failing', bytes: 5000 })).toMatchObject({ code: 'STORE_UNAVAILABLE' });
      return (await filesBelow(join(collectionFolder(folder), 'blobs'))).length > 1;
    },
  },
];

describe.skipIf(!HAS_SHIM).each(GUARDS)('fault $fault: $what', ({ without, harm }) => {
  async function harmed(source?: string): Promise<boolean> {
    const folder = await tempFolder();
    const disk = await faultyDisk(folder);
    return harm({ folder, disk, start: () => startActor(folder, disk.env, source) });
  }

  test('with the guard no harm is done', { timeout: 60_000 }, async () => {
    expect(await harmed()).toBe(false);
  });

  test('without it, it is', { timeout: 60_000 }, async () => {
    const source = await copyAltered(['core', 'sandbox-data', ACTOR], without);
    onTestFinished(() => rm(source, { recursive: true, force: true }));
    expect(await harmed(source)).toBe(true);
  });
});
