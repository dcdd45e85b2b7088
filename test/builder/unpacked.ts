// Owns looking into the package of a process, for tests.
import { createReadStream } from 'node:fs';
import { mkdtemp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createZstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import type { Package } from '../../builder/toolchain/toolchain.ts';

export interface Unpacked { type: string; mode: number; text: string; to: string | null | undefined; mtimeMs: number; owner: string }

/** Entries of one archive of a package, by name, in the order in which they are there. */
export async function entriesOf(built: Package, name = 'app.tar.zst'): Promise<Map<string, Unpacked>> {
  const source = built.files.get(name);
  if (!source || !('path' in source)) throw new Error(`the package has no ${name}`);
  const entries = new Map<string, Unpacked>();
  const tar = extract();
  createReadStream(source.path).pipe(createZstdDecompress()).pipe(tar);
  for await (const entry of tar) {
    const { name: path, type, mode, linkname, mtime, uid, gid } = entry.header;
    entries.set(path, { type: String(type), mode: mode ?? 0, to: linkname, text: (await buffer(entry)).toString('latin1'), mtimeMs: mtime?.getTime() ?? -1, owner: `${uid}:${gid}` });
  }
  return entries;
}

/** All archives of a package in one folder, as an Engine has it. */
export async function unpackedAt(built: Package): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'unpacked-'));
  for (const name of built.files.keys()) {
    for (const [path, { type, mode, text, to }] of await entriesOf(built, name)) {
      const at = join(folder, path);
      await mkdir(type === 'directory' ? at : dirname(at), { recursive: true });
      if (type === 'symlink') await symlink(to ?? '', at);
      else if (type === 'file') await writeFile(at, Buffer.from(text, 'latin1'), { mode });
    }
  }
  return folder;
}
