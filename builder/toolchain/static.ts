// Owns how a static Micro is packaged: the files of the folder that it serves, as they are.
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { SpaceError } from '../../core/errors.ts';
import { ENGINES } from '../../spacefile-schema/engines.ts';
import type { ArtifactSource } from '../artifact.ts';
import type { Toolchain, ToolchainJob } from './toolchain.ts';

export const staticToolchain: Toolchain = {
  async detect(job) {
    const { engine, commands } = job.micro;
    const command = ENGINES[engine].buildCommand ?? commands[0];
    if (command !== undefined) throw noCommands(job, command);
  },
  async install() {},
  async build(job) {
    const folder = await servedFolder(job);
    const files = new Map<string, ArtifactSource>();
    for (const path of await filesBelow(folder)) files.set(path, { path: join(folder, path) });
    if (files.size === 0) throw failed(job, `\`serve: ${job.micro.serve ?? '.'}\` has no files`);
    return { entry: '', files };
  },
};

/** A command of the source would run with everything that the host can reach. */
export function noCommands(job: ToolchainJob, command: string): SpaceError {
  const reason = `Micro \`${job.micro.name}\` runs ${JSON.stringify(command)} in its build, and this host has no sandbox for build commands. `
    + 'Run it on your machine and push what it makes, with an engine that needs no command.';
  return new SpaceError('BUILD_TOOL_MISSING', { engine: job.micro.engine, reason });
}

async function servedFolder(job: ToolchainJob): Promise<string> {
  const serve = job.micro.serve ?? '.';
  const folder = join(job.folder, serve);
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) throw failed(job, `\`serve: ${serve}\` is no folder of \`${job.micro.src}\` in the source`);
  const [root, real] = await Promise.all([realpath(job.folder), realpath(folder)]);
  if (real !== root && !real.startsWith(root + sep)) throw failed(job, `\`serve: ${serve}\` leads out of \`${job.micro.src}\``);
  return real;
}

/** Paths of the plain files, with `/` on every system. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

function failed(job: ToolchainJob, reason: string): SpaceError {
  return new SpaceError('BUILD_FAILED', { micro: job.micro.name, reason: `${reason}.` });
}
