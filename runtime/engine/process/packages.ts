// Owns the packages of process Micros as folders on this machine: unpacked once for each content, read-only for those who run
// in them, and the ones that were used least lately removed. What an archive says is not believed.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, symlink, utimes } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { extract, type Headers } from 'tar-stream';
import { SpaceError, toSpaceError } from '../../../core/errors.ts';
import { showToAll } from '../../../sandbox/box-user.ts';
import type { MicroSpec } from '../engine.ts';

export interface Package {
  folder: string;
  /** What is made of it for this Node.js, which may not be there (yet); it goes with the package. */
  compiledFolder: string;
  /** It may be removed when nobody else holds it. */
  release(): void;
}

export interface PackagesOptions {
  /** Of this host alone. */
  folder: string;
  /** Above this, what nobody uses is removed. */
  maxBytes?: number;
}

const MIB = 1024 * 1024;
const DEFAULT_MAX_BYTES = 20 * 1024 * MIB;
/** What one package may be when it is unpacked: twice what the builder lets pass. */
const UNPACKED_MAX_BYTES = 1024 * MIB;
const ENTRIES_MAX = 250_000;
const PATH_MAX_CHARS = 1_024;
const FOR_ALL = 0o555;
const ARCHIVE = '.tar.zst';
const COMPILED = `.compiled-${process.version}`;

interface Kept { users: number; bytes: number; usedAt: number; ready: Promise<void> }

export class Packages {
  #folder: string;
  #maxBytes: number;
  #kept = new Map<string, Kept>();
  #swept: Promise<void> | undefined;

  constructor({ folder, maxBytes = DEFAULT_MAX_BYTES }: PackagesOptions) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /** @throws MICRO_START_FAILED when the package cannot be unpacked */
  async hold(micro: Pick<MicroSpec, 'files' | 'openContent'>): Promise<Package> {
    this.#swept ??= this.#sweep();
    await this.#swept;
    const name = nameOf(micro);
    const kept = this.#kept.get(name) ?? this.#keep(name, micro);
    kept.users += 1;
    kept.usedAt = Date.now();
    try {
      await kept.ready;
    } catch (error) {
      kept.users -= 1;
      this.#kept.delete(name);
      throw toSpaceError(error);
    }
    let isHeld = true;
    return {
      folder: join(this.#folder, name), compiledFolder: join(this.#folder, `${name}${COMPILED}`),
      release: () => {
        if (isHeld) kept.users -= 1;
        isHeld = false;
        if (kept.users === 0) void this.#evict();
      },
    };
  }

  #keep(name: string, micro: Pick<MicroSpec, 'files' | 'openContent'>): Kept {
    const kept: Kept = { users: 0, bytes: 0, usedAt: 0, ready: Promise.resolve() };
    kept.ready = this.#unpack(name, micro).then((bytes) => { kept.bytes = bytes; });
    this.#kept.set(name, kept);
    return kept;
  }

  async #unpack(name: string, { files, openContent }: Pick<MicroSpec, 'files' | 'openContent'>): Promise<number> {
    const draft = join(this.#folder, `${name}.draft`);
    await rm(draft, { recursive: true, force: true });
    await mkdir(draft, { recursive: true });
    const budget: Budget = { bytes: UNPACKED_MAX_BYTES, entries: ENTRIES_MAX };
    try {
      for (const path of Object.keys(files).filter((file) => file.endsWith(ARCHIVE)).toSorted()) {
        await unpackInto(draft, await openContent(files[path]!.hash), budget);
      }
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      throw new SpaceError('MICRO_START_FAILED', { reason: `its package cannot be unpacked: ${(error as Error).message}` }, { cause: error });
    }
    if (((await stat(draft)).mode & FOR_ALL) !== FOR_ALL) await showToAll(draft);
    await rename(draft, join(this.#folder, name));
    return UNPACKED_MAX_BYTES - budget.bytes;
  }

  /** What an earlier run of this host unpacked is whole, or a draft. */
  async #sweep(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const found = await readdir(this.#folder);
    for (const name of found) {
      const path = join(this.#folder, name);
      if (name.endsWith(COMPILED) && found.includes(name.slice(0, -COMPILED.length))) continue;
      if (!/^[0-9a-f]{64}-\d+$/.test(name)) await rm(path, { recursive: true, force: true });
      else this.#kept.set(name, { users: 0, bytes: Number(name.split('-')[1]), usedAt: (await stat(path)).mtimeMs, ready: Promise.resolve() });
    }
  }

  async #evict(): Promise<void> {
    let excess = [...this.#kept.values()].reduce((sum, { bytes }) => sum + bytes, 0) - this.#maxBytes;
    for (const [name, { users, bytes }] of [...this.#kept].toSorted(([, a], [, b]) => a.usedAt - b.usedAt)) {
      if (excess <= 0) return;
      if (users > 0) continue;
      this.#kept.delete(name);
      excess -= bytes;
      const gone = join(this.#folder, `${name}.gone`);
      // Whoever comes meanwhile unpacks anew.
      await rename(join(this.#folder, name), gone).catch(() => {});
      await rm(gone, { recursive: true, force: true });
      await rm(join(this.#folder, `${name}${COMPILED}`), { recursive: true, force: true });
    }
  }
}

/** By what is in it; with its size as the Revision has it, since that is what can be known without a look. */
function nameOf({ files }: Pick<MicroSpec, 'files'>): string {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const path of Object.keys(files).toSorted()) {
    hash.update(JSON.stringify([path, files[path]!.hash]));
    bytes += files[path]!.sizeBytes;
  }
  return `${hash.digest('hex')}-${bytes}`;
}

interface Budget { bytes: number; entries: number }

/** Links are made last, so that nothing is ever written through one. */
async function unpackInto(folder: string, archive: Readable, budget: Budget): Promise<void> {
  const links: [path: string, target: string][] = [];
  const tar = extract();
  const done = pipeline(archive, createZstdDecompress(), tar);
  done.catch(() => {});
  for await (const entry of tar) {
    const { header } = entry;
    const path = checkPath(header.name);
    budget.entries -= 1;
    budget.bytes -= header.size ?? 0;
    if (budget.entries < 0) throw new TypeError(`it holds more than ${ENTRIES_MAX} files`);
    if (budget.bytes < 0) throw new TypeError(`it is larger than ${UNPACKED_MAX_BYTES / MIB} MB`);
    if (header.type === 'symlink') links.push([path, checkLink(path, header.linkname ?? '')]);
    if (header.type === 'file') await writeEntry(join(folder, path), entry as unknown as Readable, header);
    else entry.resume();
    if (header.type === 'directory') await mkdir(join(folder, path), { recursive: true });
    if (!['file', 'directory', 'symlink'].includes(header.type ?? '')) throw new TypeError(`${JSON.stringify(path)} is no plain file`);
  }
  await done;
  for (const [path, target] of links) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await symlink(target, join(folder, path));
  }
}

async function writeEntry(path: string, entry: Readable, { mode = 0 }: Headers): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await pipeline(entry, createWriteStream(path, { flags: 'wx', mode: (mode & 0o100) === 0 ? 0o644 : 0o755 }));
  // Equal packages are equal folders; Python and others compare times.
  await utimes(path, 0, 0);
}

function checkPath(name: string): string {
  const path = name.replace(/\/+$/, '');
  const isFine = path !== '' && path.length <= PATH_MAX_CHARS && !path.includes('\0') && !path.startsWith('/') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (!isFine) throw new TypeError(`${JSON.stringify(name.slice(0, 200))} is no path in a package`);
  return path;
}

function checkLink(path: string, target: string): string {
  const at = posix.normalize(posix.join(posix.dirname(path), target));
  if (target === '' || target.startsWith('/') || at === '..' || at.startsWith('../')) throw new TypeError(`the link ${JSON.stringify(path)} leads out of it`);
  return target;
}
