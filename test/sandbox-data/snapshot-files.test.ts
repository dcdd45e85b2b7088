// Owns the proof that taking, restoring and dropping a snapshot is all or nothing, wherever it is cut off or fails.
import { execFile } from 'node:child_process';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { closeSnapshotCopy, listSnapshots, openSnapshotCopy, settleSnapshots, snapshotFolder, takeSnapshot } from '../../sandbox-data/snapshot-files.ts';
import { openLevelStore } from '../../sandbox-data/store/level.ts';
import { tempFolder } from './open-data.ts';
import { perform, strikingDisk } from './snapshot-step.ts';
import type { Operation } from './snapshot-step.ts';

const PROGRAM = fileURLToPath(new URL('./snapshot-step.ts', import.meta.url));
const OPERATIONS: Operation[] = ['take', 'restore', 'drop'];

/** A Collection that says `before` in its snapshot `first`, and `now` itself. */
async function template(): Promise<string> {
  const folder = join(await tempFolder(), 'template');
  const store = await openLevelStore(join(folder, 'store'));
  await store.batch([{ type: 'put', key: 'state', value: 'before' }]);
  await takeSnapshot(folder, { id: 'first', number: 1, kind: 'manual', note: '', createdAt: '2030-01-01T00:00:00.000Z' });
  await store.batch([{ type: 'put', key: 'state', value: 'now' }]);
  await store.close();
  return folder;
}

async function stateIn(storeFolder: string): Promise<string | undefined> {
  const store = await openLevelStore(storeFolder);
  return store.get('state').finally(() => store.close());
}

/** What the next opening finds. */
async function look(folder: string): Promise<Record<string, string | undefined>> {
  await settleSnapshots(folder);
  const names = [...await readdir(folder), ...await readdir(join(folder, 'snapshots'))];
  expect(names.filter((name) => !['store', 'snapshots', 'first', 'fresh'].includes(name)), 'leftovers').toEqual([]);
  const found: Record<string, string | undefined> = { store: await stateIn(join(folder, 'store')) };
  for (const { id } of await listSnapshots(folder)) {
    found[id] = await stateIn(await openSnapshotCopy(snapshotFolder(folder, id)));
    await closeSnapshotCopy(snapshotFolder(folder, id));
  }
  return found;
}

const OLD = { store: 'now', first: 'before' };
const NEW: Record<Operation, object> = {
  take: { store: 'now', first: 'before', fresh: 'now' },
  restore: { store: 'before', first: 'before', fresh: 'now' },
  drop: { store: 'now' },
};

describe.each(OPERATIONS)('%s', (operation) => {
  test('is whole when nothing happens', async () => {
    const folder = await template();
    await perform(folder, operation, strikingDisk(0, () => {}));
    expect(await look(folder)).toEqual(NEW[operation]);
  });

  test('that fails at any step leaves the old state or the new', async () => {
    const original = await template();
    const outcomes = new Set<string>();
    for (let n = 1; ; n += 1) {
      const folder = join(await tempFolder(), 'collection');
      await cp(original, folder, { recursive: true });
      const disk = strikingDisk(n, () => { throw Object.assign(new Error('no room'), { code: 'ENOSPC' }); });
      const failed = await perform(folder, operation, disk).then(() => undefined, (error: unknown) => error);
      if (disk.steps() < n) break;
      const found = await look(folder);
      expect([OLD, NEW[operation]], `step ${n}`).toContainEqual(found);
      if (!failed) expect(found).toEqual(NEW[operation]);
      outcomes.add(JSON.stringify(found));
    }
    expect(outcomes.size).toBe(2);
  });

  test('that is killed before any step leaves the old state or the new', { timeout: 60_000 }, async () => {
    const original = await template();
    const outcomes = new Set<string>();
    for (let n = 1; ; n += 1) {
      const folder = join(await tempFolder(), 'collection');
      await cp(original, folder, { recursive: true });
      const { signal, stdout } = await run(folder, operation, n);
      if (stdout !== '') break;
      expect(signal, `step ${n}`).toBe('SIGKILL');
      const found = await look(folder);
      expect([OLD, NEW[operation]], `step ${n}`).toContainEqual(found);
      outcomes.add(JSON.stringify(found));
    }
    expect(outcomes.size).toBe(2);
  });
});

test('a restore that was cut off twice, the second time while it was finished, ends all the same', async () => {
  const original = await template();
  for (let n = 1; ; n += 1) {
    const folder = join(await tempFolder(), 'collection');
    await cp(original, folder, { recursive: true });
    const fail = (): never => { throw new Error('cut off'); };
    const disk = strikingDisk(n, fail);
    await perform(folder, 'restore', disk).catch(() => {});
    if (disk.steps() < n) break;
    for (let m = 1; m < 8; m += 2) await settleSnapshots(folder, strikingDisk(m, fail)).catch(() => {});
    expect([OLD, NEW.restore], `step ${n}`).toContainEqual(await look(folder));
  }
});

test('a table that was being made meanwhile stays as it is, whatever the copy of the snapshot writes', async () => {
  const folder = await tempFolder();
  const store = await openLevelStore(join(folder, 'store'));
  await store.batch([{ type: 'put', key: 'state', value: 'now' }]);
  await store.close();
  // The numbers that LevelDB gives next: what a merge had taken, and not yet entered into the manifest.
  const newest = Math.max(...(await readdir(join(folder, 'store'))).map((name) => Number(/\d+/.exec(name)?.[0] ?? 0)));
  const being = Array.from({ length: 8 }, (_, n) => join(folder, 'store', `${String(newest + 1 + n).padStart(6, '0')}.ldb`));
  for (const path of being) await writeFile(path, 'of the living Store');
  await takeSnapshot(folder, { id: 'first', number: 1, kind: 'manual', note: '', createdAt: '' });
  expect(await stateIn(await openSnapshotCopy(snapshotFolder(folder, 'first')))).toBe('now');
  for (const path of being) expect(await readFile(path, 'utf8')).toBe('of the living Store');
});

test('an open Store can be captured while tables are merged', async () => {
  const folder = await tempFolder();
  const store = await openLevelStore(join(folder, 'store'));
  const text = 'x'.repeat(100_000);
  let isOver = false;
  const writing = (async () => {
    for (let n = 0; !isOver; n += 1) {
      const changes = Array.from({ length: 20 }, (_, i) => ({ type: 'put' as const, key: `k${(n * 7 + i * 13) % 97}`, value: `${n}${text}` }));
      await store.batch([...changes, { type: 'put', key: 'state', value: String(n) }]);
    }
  })();
  try {
    let last = -1;
    for (let n = 1; n <= 12; n += 1) {
      await takeSnapshot(folder, { id: `s${n}`, number: n, kind: 'manual', note: '', createdAt: '' });
      const state = Number(await stateIn(await openSnapshotCopy(snapshotFolder(folder, `s${n}`))) ?? -1);
      expect(state).toBeGreaterThanOrEqual(last);
      last = state;
    }
    expect(last).toBeGreaterThan(0);
  } finally {
    isOver = true;
    await writing;
    await store.close();
  }
});

function run(folder: string, operation: Operation, n: number): Promise<{ signal: string | undefined; stdout: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, folder, operation, String(n)], (error, stdout) => resolve({ signal: error?.signal ?? undefined, stdout }));
  });
}
