// Owns the package of a Micro that runs as a process: `app.tar.zst` and, where something was installed,
// `dependencies.tar.zst`, both with paths as in the Micro's folder. Equal files give equal archives, byte for byte, so that
// unchanged dependencies are stored once for all Revisions.
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Headers, Pack } from 'tar-stream';
import type { ArtifactSource } from '../artifact.ts';
import { buildFailed } from './failure.ts';
import { DEPENDENCY_FOLDERS, filesAt, includedPlaces, withParents } from './package-files.ts';
import type { PackageFile, PackageFiles, Placement } from './package-files.ts';
import { kindOf } from './source-file.ts';
import type { Package, ToolchainJob } from './toolchain.ts';

const APP = 'app.tar.zst';
const DEPENDENCIES = 'dependencies.tar.zst';
const COMPRESSION_LEVEL = 6;

export interface ProcessPlan {
  /** The shell line that starts it, in its folder. */
  run: string;
  /** What goes into the package; when absent, what the Spacefile includes and everything that was installed. */
  places?: Placement[];
}

/** @throws BUILD_FAILED */
export async function packageProcess(job: ToolchainJob, plan: ProcessPlan): Promise<Package> {
  const places = plan.places ?? [...(await includedPlaces(job)), ...(await installedPlaces(job))];
  const { app, dependencies } = await filesAt(job, places);
  if ([...app.values()].every(({ kind }) => kind === 'folder')) throw buildFailed(job, `there are no files in \`${job.micro.src}\` to package`);
  const files = new Map<string, ArtifactSource>([[APP, await archive(job, APP, app)]]);
  if (dependencies.size > 0) files.set(DEPENDENCIES, await archive(job, DEPENDENCIES, dependencies));
  return { entry: startLine(plan.run, DEPENDENCY_FOLDERS.filter((folder) => dependencies.has(folder))), files };
}

/** What was installed is needed whatever the Spacefile includes (@source reference, Appendix A 23). */
async function installedPlaces(job: ToolchainJob): Promise<Placement[]> {
  const places: Placement[] = [];
  for (const folder of DEPENDENCY_FOLDERS) if ((await kindOf(job, folder)) === 'folder') places.push({ from: folder, to: folder });
  return places;
}

/** Programs that were installed are found by their names, as they were in the build. */
function startLine(run: string, present: readonly string[]): string {
  const folders = present.map((folder) => `$PWD/${folder}/${folder === 'node_modules' ? '.bin' : 'bin'}:`).join('');
  return folders === '' ? run : `export PATH="${folders}$PATH"; ${run}`;
}

async function archive(job: ToolchainJob, name: string, files: PackageFiles): Promise<ArtifactSource> {
  const path = join(job.scratchFolder, name);
  const tar = pack();
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL } });
  const written = pipeline(tar, compress, createWriteStream(path), { signal: job.signal });
  const entries = [...withParents(files)].sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
  await Promise.all([written, writeEntries(tar, entries).catch((error: Error) => { tar.destroy(error); throw error; })]);
  return { path };
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
