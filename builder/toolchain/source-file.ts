// Owns how the host itself looks at a source in which foreign programs have run: never through a link that leads out of
// it, and never at what is no plain file. Nothing of the build runs meanwhile, so what was looked at stays as it was.
import { opendir, readFile, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { buildFailed } from './failure.ts';
import type { ToolchainJob } from './toolchain.ts';

const TEXT_MAX_BYTES = 20 * 1024 * 1024;
/** Of a source, with everything that its build made. */
const SOURCE_MAX_ENTRIES = 500_000;

/** Text of a file below `root`, or undefined when there is none. */
export async function readInside(root: string, path: string, maxBytes = TEXT_MAX_BYTES): Promise<Buffer | undefined> {
  const place = await realpath(join(root, path)).catch(() => undefined);
  if (place === undefined || !isInside(await realpath(root), place)) return undefined;
  const info = await stat(place);
  return info.isFile() && info.size <= maxBytes ? readFile(place) : undefined;
}

/** Whether `path` is a plain file or a folder of the Micro, and which. */
export async function kindOf(job: ToolchainJob, path: string): Promise<'file' | 'folder' | undefined> {
  const place = await realpath(join(job.folder, path)).catch(() => undefined);
  if (place === undefined || !isInside(await realpath(job.folder), place)) return undefined;
  const info = await stat(place);
  return info.isFile() ? 'file' : info.isDirectory() ? 'folder' : undefined;
}

export function isInside(root: string, path: string): boolean {
  return path === root || path.startsWith(root + sep);
}

/** Whether the Micro's folder is still one of the source: where a build put a link in its place, the host would write and
 *  delete wherever that leads. */
export async function isInPlace(job: ToolchainJob): Promise<boolean> {
  const [root, folder] = await Promise.all([realpath(job.sourceFolder), realpath(job.folder).catch(() => '')]);
  return isInside(root, folder);
}

/** Look once over everything that the programs of a build left. @throws BUILD_FAILED */
export async function assertSound(job: ToolchainJob): Promise<void> {
  const root = await realpath(job.sourceFolder);
  if (!(await isInPlace(job))) throw buildFailed(job, `the build has put something else in the place of \`${job.micro.src}\``);
  let room = SOURCE_MAX_ENTRIES;
  const open = [root];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    job.signal.throwIfAborted();
    for await (const entry of await opendir(at, { bufferSize: 256 })) {
      const path = join(at, entry.name);
      room -= 1;
      if (room < 0) throw buildFailed(job, `the build has made more than ${SOURCE_MAX_ENTRIES} files`);
      if (entry.isDirectory()) open.push(path);
      else if (!entry.isFile() && !entry.isSymbolicLink()) throw buildFailed(job, `the build has made ${JSON.stringify(relative(root, path))}, which is no plain file: devices, pipes and sockets cannot be packaged`);
    }
  }
}
