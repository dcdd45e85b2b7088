// Owns what happens before LevelDB opens a folder: LevelDB passes over a damaged log without a word, and without its
// CURRENT file it would begin anew and delete every table. What is damaged is put aside, told, and mended where that is possible.
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { syncFolder } from '../folder.ts';
import { keysOfBatch, stateOfEdits } from './level-batch.ts';
import type { ManifestState } from './level-batch.ts';
import { readLog, writeLog } from './level-log.ts';
import { inspectTable } from './level-table.ts';
import type { Damage, OnDamage } from './damage.ts';

/** Copies of damaged Stores that are kept, besides the Store: `damaged/<time>`. The oldest goes first. */
const KEPT_COPIES = 5;
const ASIDE = 'damaged';

export interface CheckOptions {
  onDamage: OnDamage;
  /** Told of an end of a log that is no complete record: what a kill leaves. It was never acknowledged. */
  onCut: (file: string, bytes: number) => void;
}

/** Look over the files that tell LevelDB what it has, and mend them. Tables are not read. */
export async function checkBeforeOpen(folder: string, options: CheckOptions): Promise<void> {
  const names = await readdir(folder);
  const reason = await unopenable(folder, names, options);
  if (reason !== undefined) await repairStore(folder, reason, options.onDamage);
}

/** LevelDB's own repair: what tables and logs still hold, without what said which of them count.
 *  A copy of the folder is kept aside. */
export async function repairStore(folder: string, reason: string, onDamage: OnDamage): Promise<void> {
  const { aside, lost } = await whileLocked(folder, async () => {
    const copy = await putAside(folder);
    await mendLogs(folder, await logsOf(folder), onDamage);
    return { aside: copy, lost: await damageOfTables(folder) };
  });
  await ClassicLevel.repair(folder);
  await syncFolder(folder);
  onDamage({ kind: 'manifest', keys: [], note: `${reason} The Store was put together again from its tables and logs; what was there before is kept in ${ASIDE}/${basename(aside)}. Items deleted lately may be back.` });
  lost.forEach(onDamage);
}

/** Look through all tables. Those that go meanwhile were merged into others. */
export async function damageOfTables(folder: string): Promise<Damage[]> {
  const found: Damage[] = [];
  for (const name of (await readdir(folder)).filter(isTable)) {
    const table = await readFile(join(folder, name)).catch(() => undefined);
    if (table) found.push(...inspectTable(table, name));
  }
  return found;
}

/** Why LevelDB must not open this folder as it is; damaged logs are mended on the way. */
async function unopenable(folder: string, names: string[], { onDamage, onCut }: CheckOptions): Promise<string | undefined> {
  const manifestName = await currentManifest(folder, names);
  if (manifestName === undefined) {
    const isFresh = !names.some(isTable) && (await sizesOf(folder, names.filter(isLog))) === 0;
    return isFresh ? undefined : 'The file that names the manifest is missing or damaged.';
  }
  const manifest = readLog(await readFile(join(folder, manifestName)));
  const state = stateOfEdits(manifest.records);
  if (!state || manifest.records.length === 0 || manifest.isMisread) return 'The manifest is damaged.';
  const logs = names.filter(isLog).filter((name) => numberOf(name) >= state.logNumber);
  // An edit that a kill cut was not acted upon yet: its log is still there.
  const isCut = manifest.cutBytes > 0;
  if (isCut && !logs.some((name) => numberOf(name) === state.logNumber)) return 'The manifest is cut.';
  const missing = await missingTables(folder, state);
  if (missing.length > 0) {
    missing.forEach(onDamage);
    return 'Tables are missing or cut.';
  }
  const contents = await Promise.all(logs.map(async (name) => ({ name, ...readLog(await readFile(join(folder, name))) })));
  for (const { name, cutBytes } of contents) if (cutBytes > 0) onCut(name, cutBytes);
  if (contents.some(({ isMisread }) => isMisread)) {
    await whileLocked(folder, async () => {
      await putAside(folder);
      await mendLogs(folder, logs, onDamage);
    });
  }
  return undefined;
}

async function currentManifest(folder: string, names: string[]): Promise<string | undefined> {
  const current = await readFile(join(folder, 'CURRENT'), 'latin1').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const name = /^(MANIFEST-\d+)\n$/.exec(current)?.[1];
  return name !== undefined && names.includes(name) ? name : undefined;
}

async function missingTables(folder: string, { tables }: ManifestState): Promise<Damage[]> {
  const found: Damage[] = [];
  for (const { number, sizeBytes, smallest, largest } of tables.values()) {
    const file = `${String(number).padStart(6, '0')}.ldb`;
    const size = await stat(join(folder, file)).then((info) => info.size, () => undefined);
    if (size === sizeBytes) continue;
    const keys = [smallest, largest].filter((key) => key !== undefined);
    found.push({ kind: 'table', file, keys: [...new Set(keys)], range: { after: smallest, upTo: largest }, note: size === undefined ? 'A table is missing.' : 'A table is cut.' });
  }
  return found;
}

/** Write damaged logs anew, with the records that are intact. */
async function mendLogs(folder: string, logs: string[], onDamage: OnDamage): Promise<void> {
  for (const name of logs) {
    const { records, damaged, isMisread } = readLog(await readFile(join(folder, name)));
    if (!isMisread) continue;
    await replaceFile(join(folder, name), writeLog(records));
    for (const { bytes, offset, isLast } of damaged) {
      const end = isLast ? ' It was the last one, so it may never have been acknowledged.' : '';
      onDamage({ kind: 'log', file: `${name}@${offset}`, keys: keysOfBatch(bytes), note: `A record of the log is damaged: what it wrote is lost.${end}` });
    }
  }
}

/** Nobody mends what another process has open. A lock belongs to the file, whatever it is called: a second name of it,
 *  in a Store of no content, takes it. @throws LEVEL_LOCKED as the cause */
async function whileLocked<R>(folder: string, run: () => Promise<R>): Promise<R> {
  const guard = join(dirname(folder), ASIDE, `lock-${process.pid}-${basename(folder)}`);
  await rm(guard, { recursive: true, force: true });
  await mkdir(guard, { recursive: true });
  const lock = join(folder, 'LOCK');
  await writeFile(lock, '', { flag: 'ax' }).catch(() => {});
  try {
    await link(lock, join(guard, 'LOCK'));
    const held = new ClassicLevel(guard);
    await held.open();
    return await run().finally(() => held.close());
  } finally {
    await rm(guard, { recursive: true, force: true });
  }
}

async function logsOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter(isLog);
}

async function sizesOf(folder: string, names: string[]): Promise<number> {
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** By hard links: files of a Store are replaced, never changed. */
async function putAside(folder: string): Promise<string> {
  const copies = join(dirname(folder), ASIDE);
  const aside = join(copies, `${basename(folder)}-${new Date().toISOString().replaceAll(':', '-')}`);
  await mkdir(aside, { recursive: true });
  for (const name of (await readdir(folder)).filter((each) => isTable(each) || isLog(each) || /^(CURRENT|MANIFEST-\d+)$/.test(each))) {
    await link(join(folder, name), join(aside, name)).catch(() => copyFile(join(folder, name), join(aside, name)));
  }
  for (const old of (await readdir(copies)).filter((name) => !name.startsWith('lock-')).toSorted().slice(0, -KEPT_COPIES)) await rm(join(copies, old), { recursive: true, force: true });
  return aside;
}

async function replaceFile(path: string, content: Buffer): Promise<void> {
  const temporary = `${path}.mended`;
  const handle = await open(temporary, 'w');
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

const isTable = (name: string): boolean => /^\d+\.(ldb|sst)$/.test(name);
const isLog = (name: string): boolean => /^\d+\.log$/.test(name);
const numberOf = (name: string): number => Number.parseInt(name, 10);
