// Owns how the snapshots of one Collection lie on the disk, and the steps that take, restore and drop one. Each can be cut
// off anywhere: what the next opening of the Store finds is the old state or the new one.
// Blobs are not touched: they never change, and what a snapshot refers to is not collected.
//
// A snapshot is a folder of hard links. LevelDB never changes a table, and only appends to its logs and its manifest, so
// the links and the lengths of this moment are the whole state; what is appended later is cut off again when it is read.
import { access, copyFile, link, open, readdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SpaceError } from '../core/errors.ts';
import { hasErrno } from './disk-error.ts';
import { createFolder, syncFolder } from './folder.ts';
import { usageMarkPath } from './usage-mark.ts';

/** manual: somebody asked for it. automatic: the host took it before it changed something. replaced: what a restore put aside.
 *  passing: held by an export; gone with the process. */
export type SnapshotKind = 'manual' | 'automatic' | 'replaced' | 'passing';

export interface SnapshotRecord {
  id: string;
  /** Rises with each snapshot of the Collection: the order in which they were taken, whatever the clock did. */
  number: number;
  kind: SnapshotKind;
  note: string;
  createdAt: string;
}

/** What is on the disk: how long the files were that grow. Without an entry a file counts whole. */
interface StoredSnapshot extends SnapshotRecord { lengths: Record<string, number> }

/** What may fail, one by one; a test counts and breaks them. */
export const DISK = { copyFile, link, open, rename, rm, truncate, createFolder, syncFolder };
export type Disk = typeof DISK;

const ID = /^[a-z][a-z0-9]{0,63}$/;
const RECORD = 'snapshot.json';
/** Says that a restore was decided. While it is there, the restore is finished before the Store is opened. */
const JOURNAL = 'restore.json';
/** Folders that are not whole yet, or not any more. No id looks like them. */
const PARTIAL = '.new-';
const REMOVED = '.removed-';

const CAPTURE_ATTEMPTS = 50;
const CAPTURE_PAUSE_MS = 20;

const storeOf = (folder: string): string => join(folder, 'store');
const nextOf = (folder: string): string => join(folder, 'store.next');
const copyOf = (snapshot: string): string => join(snapshot, 'open');
const snapshotsOf = (folder: string): string => join(folder, 'snapshots');

/** Where a snapshot's records are. They are never opened in place: opening changes files. */
export function snapshotFolder(folder: string, id: string): string {
  if (!ID.test(id)) throw new SpaceError('SNAPSHOT_NOT_FOUND');
  return join(snapshotsOf(folder), id);
}

/** Oldest first. @param folder of the Collection */
export async function listSnapshots(folder: string): Promise<SnapshotRecord[]> {
  const names = (await entriesOf(snapshotsOf(folder))).filter((name) => ID.test(name));
  const records = await Promise.all(names.map((name) => readJson<StoredSnapshot>(join(snapshotsOf(folder), name, RECORD))));
  return records.filter((record) => record !== undefined).toSorted((left, right) => left.number - right.number);
}

/** Take a snapshot of the Store, open or closed, while nobody writes to it. It is there, whole and durable, when the promise
 *  resolves, else not at all. */
export async function takeSnapshot(folder: string, record: SnapshotRecord, disk: Disk = DISK): Promise<void> {
  const partial = join(snapshotsOf(folder), PARTIAL + record.id);
  const lengths = await captureStore(storeOf(folder), storeOf(partial), disk);
  await writeJson(join(partial, RECORD), { ...record, lengths } satisfies StoredSnapshot, disk);
  await disk.syncFolder(partial);
  await disk.rename(partial, snapshotFolder(folder, record.id));
  await disk.syncFolder(snapshotsOf(folder));
}

/** Put the state of snapshot `id` in place of the closed Store, which becomes the snapshot `replaced`.
 *  @param adjust changes the store that comes back, before anything else sees it  @throws SNAPSHOT_NOT_FOUND */
export async function restoreSnapshot(folder: string, { id, replaced, adjust }: {
  id: string; replaced: SnapshotRecord; adjust: (storeFolder: string) => Promise<void>;
}, disk: Disk = DISK): Promise<void> {
  await copyStore(snapshotFolder(folder, id), nextOf(folder), disk);
  await disk.rm(usageMarkPath(folder), { force: true }); // it is about what goes
  await adjust(nextOf(folder));
  await disk.syncFolder(nextOf(folder));
  const partial = join(snapshotsOf(folder), PARTIAL + replaced.id);
  await disk.rm(partial, { recursive: true, force: true });
  await disk.createFolder(partial);
  await writeJson(join(partial, RECORD), { ...replaced, lengths: {} } satisfies StoredSnapshot, disk);
  await disk.syncFolder(partial);
  await disk.syncFolder(snapshotsOf(folder));
  await writeJson(join(folder, JOURNAL), { replaced: replaced.id }, disk);
  await disk.syncFolder(folder); // from here on it will happen
  await finishRestore(folder, disk);
}

/** Gone at once; its files follow. Dropping what is not there is no error. */
export async function dropSnapshot(folder: string, id: string, disk: Disk = DISK): Promise<void> {
  const removed = join(snapshotsOf(folder), REMOVED + id);
  await disk.rm(removed, { recursive: true, force: true });
  try {
    await disk.rename(snapshotFolder(folder, id), removed);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    throw error;
  }
  await disk.syncFolder(snapshotsOf(folder));
  await disk.rm(removed, { recursive: true, force: true });
}

/** Before a Store is opened: finish a restore that was decided, and remove what a process that died left half done. */
export async function settleSnapshots(folder: string, disk: Disk = DISK): Promise<void> {
  await finishRestore(folder, disk);
  const leftovers = (await entriesOf(snapshotsOf(folder))).filter((name) => name.startsWith(PARTIAL) || name.startsWith(REMOVED));
  for (const path of [nextOf(folder), join(folder, `${JOURNAL}.part`), ...leftovers.map((name) => join(snapshotsOf(folder), name))]) await disk.rm(path, { recursive: true, force: true });
}

/** A copy of a snapshot's records that may be opened. @param snapshot its folder  @returns the copy's  @throws SNAPSHOT_NOT_FOUND */
export async function openSnapshotCopy(snapshot: string): Promise<string> {
  await copyStore(snapshot, copyOf(snapshot), DISK);
  return copyOf(snapshot);
}

export async function closeSnapshotCopy(snapshot: string): Promise<void> {
  await rm(copyOf(snapshot), { recursive: true, force: true });
}

/** Each step finds out by itself whether it was done before. */
async function finishRestore(folder: string, disk: Disk): Promise<void> {
  const journal = await readJson<{ replaced: string }>(join(folder, JOURNAL));
  if (!journal) return;
  const partial = join(snapshotsOf(folder), PARTIAL + journal.replaced);
  if (await exists(nextOf(folder))) {
    if (!(await exists(storeOf(partial)))) await disk.rename(storeOf(folder), storeOf(partial));
    await disk.rename(nextOf(folder), storeOf(folder));
    await disk.syncFolder(folder);
  }
  if (await exists(partial)) {
    await disk.syncFolder(partial);
    await disk.rename(partial, snapshotFolder(folder, journal.replaced));
    await disk.syncFolder(snapshotsOf(folder));
  }
  await disk.rm(join(folder, JOURNAL), { force: true });
  await disk.syncFolder(folder);
}

/** Links to the files of one moment. An open Store may merge tables meanwhile: then its manifest has changed, and the
 *  links are made anew. @returns the lengths of the files that grow */
async function captureStore(source: string, target: string, disk: Disk): Promise<Record<string, number>> {
  for (let attempt = 1; ; attempt += 1) {
    await disk.rm(dirname(target), { recursive: true, force: true });
    await disk.createFolder(target);
    try {
      const before = await manifestOf(source);
      const lengths = before === undefined ? {} : await linkFiles({ source, target, manifest: before }, disk);
      const after = await manifestOf(source);
      if (before?.name === after?.name && before?.length === after?.length) {
        await disk.syncFolder(target);
        return lengths;
      }
    } catch (error) {
      if (!hasErrno(error, 'ENOENT') || attempt >= CAPTURE_ATTEMPTS) throw error;
    }
    if (attempt >= CAPTURE_ATTEMPTS) throw new SpaceError('STORE_UNAVAILABLE');
    await sleep(CAPTURE_PAUSE_MS);
  }
}

interface Manifest { name: string; length: number }

/** The file that says which tables count; `undefined` for a Store that was never opened. */
async function manifestOf(store: string): Promise<Manifest | undefined> {
  const current = await readFile(join(store, 'CURRENT'), 'utf8').catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (current === undefined) return undefined;
  const name = current.trim();
  return { name, length: (await stat(join(store, name))).size };
}

async function linkFiles({ source, target, manifest }: { source: string; target: string; manifest: Manifest }, disk: Disk): Promise<Record<string, number>> {
  const lengths: Record<string, number> = { [manifest.name]: manifest.length };
  const names = await entriesOf(source);
  // The newest first: when a log was begun, the one before it had its final length.
  for (const log of names.filter(isLog).toSorted().toReversed()) lengths[log] = (await stat(join(source, log))).size;
  const linked = [...names.filter(isTable), ...Object.keys(lengths), 'CURRENT'];
  for (const name of linked) await linkOrCopy(join(source, name), join(target, name), disk);
  return lengths;
}

/** A second folder of a snapshot's records, in which LevelDB may go on: tables are shared, what it writes to is copied.
 *
 *  A table that was being made at the moment of the snapshot is in the folder and not yet in the manifest. LevelDB takes its
 *  number to be free, so the copy would write its next table into it: into the same file that the living Store counts on by
 *  now. Such a table is numbered after the oldest log; those are copied too.  @throws SNAPSHOT_NOT_FOUND */
async function copyStore(snapshot: string, target: string, disk: Disk): Promise<void> {
  const record = await readJson<StoredSnapshot>(join(snapshot, RECORD));
  if (!record) throw new SpaceError('SNAPSHOT_NOT_FOUND');
  const source = storeOf(snapshot);
  await disk.rm(target, { recursive: true, force: true });
  await disk.createFolder(target);
  const names = await entriesOf(source);
  const oldestLog = Math.min(...names.filter(isLog).map(numberOf));
  for (const name of names) {
    if (isTable(name) && numberOf(name) > oldestLog) await copyCut(join(source, name), join(target, name), { disk });
    else if (isTable(name)) await linkOrCopy(join(source, name), join(target, name), disk);
    else if (isLog(name) || /^(CURRENT|MANIFEST-\d+)$/.test(name)) await copyCut(join(source, name), join(target, name), { length: record.lengths[name], disk });
  }
  await disk.syncFolder(target);
}

const isTable = (name: string): boolean => /^\d+\.(ldb|sst)$/.test(name);
const numberOf = (name: string): number => Number.parseInt(name, 10);
const isLog = (name: string): boolean => /^\d+\.log$/.test(name);

/** Some file systems have no hard links, or no more of them for this file. */
async function linkOrCopy(source: string, target: string, disk: Disk): Promise<void> {
  try {
    await disk.link(source, target);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'].some((code) => hasErrno(error, code))) throw error;
    await copyCut(source, target, { disk });
  }
}

async function copyCut(source: string, target: string, { length, disk }: { length?: number; disk: Disk }): Promise<void> {
  await disk.copyFile(source, target);
  if (length !== undefined) await disk.truncate(target, length);
  await syncFile(target, disk);
}

async function syncFile(path: string, disk: Disk): Promise<void> {
  const handle = await disk.open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeJson(path: string, value: unknown, disk: Disk): Promise<void> {
  const handle = await disk.open(`${path}.part`, 'w');
  try {
    await handle.writeFile(JSON.stringify(value));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await disk.rename(`${path}.part`, path);
}

async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}
