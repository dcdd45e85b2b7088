// Owns the archives of packages, `.tar.zst`. Equal files give equal archives, byte for byte, so that unchanged dependencies are
// stored once for all Revisions. They are made on a thread of a Build's own.
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Headers, Pack } from 'tar-stream';
import { withParents } from './package-files.ts';
import type { PackageFile, PackageFiles } from './package-files.ts';

const COMPRESSION_LEVEL = 6;

export interface ArchiveOrder { path: string; files: PackageFiles }

/** Write `files` to `path`. */
export async function writeArchive({ path, files }: ArchiveOrder, signal: AbortSignal): Promise<void> {
  const tar = pack();
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL } });
  const written = pipeline(tar, compress, createWriteStream(path), { signal });
  const entries = [...withParents(files)].sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
  await Promise.all([written, writeEntries(tar, entries).catch((error: Error) => { tar.destroy(error); throw error; })]);
}

async function writeEntries(tar: Pack, entries: [string, PackageFile][]): Promise<void> {
  for (const [name, file] of entries) {
    if (file.kind !== 'file') await writeEntry(tar, headerOf(name, file));
    else await pipeline(createReadStream(file.from), tar.entry(headerOf(name, file)));
  }
  tar.finalize();
}

function writeEntry(tar: Pack, header: Headers): Promise<void> {
  return new Promise((resolve, reject) => {
    tar.entry(header, (error) => { if (error) reject(error); else resolve(); });
  });
}

function headerOf(name: string, file: PackageFile): Headers {
  const same = { mtime: new Date(0), uid: 0, gid: 0, uname: '', gname: '' };
  switch (file.kind) {
    case 'folder': return { ...same, name: `${name}/`, type: 'directory', mode: 0o755 };
    case 'link': return { ...same, name, type: 'symlink', linkname: file.to, mode: 0o777 };
    case 'file': return { ...same, name, type: 'file', size: file.sizeBytes, mode: file.isExecutable ? 0o755 : 0o644 };
  }
}
