// Owns the data folder as a whole: may we write it, which format has it, who else is using it. Knows no records.
import { access, mkdir, open, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SpaceError } from '../core/errors.ts';
import { isoTime, type Clock } from '../core/clock.ts';
import { SHOWN_WHOLE } from '../sandbox/box-command.ts';

/** Raised by one whenever an older version could not read what this one writes. */
export const DATA_FORMAT = 1;

const FORMAT_FILE = 'format.json';
/** Names the process that holds the folder, for the message only: the lock itself is the host Store's own, which
 *  the operating system releases when that process ends, however it ends. */
const OWNER_FILE = 'host.pid';

/** Create or check the folder. Nothing in it is changed when it is refused.
 *  @throws DATA_EXPOSED, DATA_NOT_WRITABLE, DATA_NEWER */
export async function prepareDataFolder(folder: string): Promise<void> {
  await assertHidden(folder);
  try {
    await makeFolder(folder);
    const probe = join(folder, '.write-probe');
    await writeFile(probe, '');
    await rm(probe);
  } catch (error) {
    throw new SpaceError('DATA_NOT_WRITABLE', { folder, reason: (error as NodeJS.ErrnoException).code ?? String(error) }, { cause: error });
  }
  await checkFormat(folder);
}

/** Boxes have the machine's programs, as they are; without root they are also the same user as the host. */
async function assertHidden(folder: string): Promise<void> {
  let there = folder;
  while (there !== dirname(there) && !(await access(there).then(() => true, () => false))) there = dirname(there);
  const real = await realpath(there).catch(() => there);
  if (real === SHOWN_WHOLE || real.startsWith(`${SHOWN_WHOLE}/`)) throw new SpaceError('DATA_EXPOSED', { folder, below: SHOWN_WHOLE });
}

/** Folder by folder: Node's own recursive `mkdir` tries for ever where nothing can be made, as below /proc. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
    const parent = dirname(folder);
    if (code !== 'ENOENT' || (await access(parent).then(() => true, () => false))) throw error;
    await makeFolder(parent);
    await mkdir(folder, { mode: 0o700 });
  }
}

async function checkFormat(folder: string): Promise<void> {
  const file = join(folder, FORMAT_FILE);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new SpaceError('DATA_NOT_WRITABLE', { folder, reason: error.code }, { cause: error });
  });
  if (text === undefined) {
    await writeDurably(file, JSON.stringify({ format: DATA_FORMAT }));
    return;
  }
  const found = formatOf(text);
  if (found === undefined) throw new SpaceError('DATA_NOT_WRITABLE', { folder, reason: `${FORMAT_FILE} is damaged; it should read {"format":${DATA_FORMAT}}` });
  if (found > DATA_FORMAT) throw new SpaceError('DATA_NEWER', { folder, found, supported: DATA_FORMAT });
}

function formatOf(text: string): number | undefined {
  try {
    const { format } = JSON.parse(text) as { format?: unknown };
    return typeof format === 'number' ? format : undefined;
  } catch {
    return undefined;
  }
}

/** Leave our name for whoever tries to open the folder while we hold it. */
export async function claimDataFolder(folder: string, clock: Clock): Promise<void> {
  await writeFile(join(folder, OWNER_FILE), JSON.stringify({ pid: process.pid, since: isoTime(clock.now()) }));
}

export async function releaseDataFolder(folder: string): Promise<void> {
  await rm(join(folder, OWNER_FILE), { force: true });
}

/** The Store's own lock said no: the same error with the name of who holds it. */
export async function lockedError(folder: string, cause: unknown): Promise<SpaceError> {
  const owner = await readFile(join(folder, OWNER_FILE), 'utf8')
    .then((text) => JSON.parse(text) as { pid: number; since: string })
    .catch(() => undefined);
  return new SpaceError('DATA_LOCKED', { folder, pid: owner?.pid, since: owner?.since }, { cause });
}

/** Two that write the same file at once have a draft each. */
let lastDraft = 0;

/** Write a small file whole or not at all. */
export async function writeDurably(file: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${file}.${process.pid}.${lastDraft += 1}.tmp`;
  const handle = await open(temporary, 'w', mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  const parent = await open(join(file, '..'), 'r');
  await parent.sync().finally(() => parent.close());
}
