// Owns how a static Micro is packaged: the files of the folder that it serves, as they are, but for what nobody means to serve.
import { realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { SpaceError } from '../../core/errors.ts';
import type { ArtifactSource } from '../artifact.ts';
import { assertCommands, commandsOf, runBuildCommands } from './build-commands.ts';
import { installDependencies, removeDependencies } from './dependencies.ts';
import type { PackageTools } from './package-tools.ts';
import { servedFiles } from './served-files.ts';
import type { Package, Toolchain, ToolchainJob } from './toolchain.ts';

export function createStaticToolchain(tools: PackageTools): Toolchain {
  return {
    detect: (job) => assertCommands(job, tools),
    // Files as they are need none; what makes them may.
    install: async (job) => (commandsOf(job.micro).length > 0 ? installDependencies(job, tools) : undefined),
    build: (job) => runBuildCommands(job, tools).then(() => packageFiles(job)).finally(() => removeDependencies(job)),
  };
}

async function packageFiles(job: ToolchainJob): Promise<Package> {
  const { root, folder } = await servedFolder(job);
  const { paths, leftOut } = await servedFiles(folder, { isSourceRoot: folder === root });
  for (const line of leftOut) job.report(`Left out ${line}`);
  const files = new Map<string, ArtifactSource>(paths.map((path) => [path, { path: join(folder, path) }]));
  if (files.size === 0) throw failed(job, `\`serve: ${job.micro.serve ?? '.'}\` has no files`);
  return { entry: '', files };
}

async function servedFolder(job: ToolchainJob): Promise<{ root: string; folder: string }> {
  const serve = job.micro.serve ?? '.';
  const folder = join(job.folder, serve);
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) throw failed(job, `\`serve: ${serve}\` is no folder of \`${job.micro.src}\` in the source`);
  const [root, real] = await Promise.all([realpath(job.folder), realpath(folder)]);
  if (real !== root && !real.startsWith(root + sep)) throw failed(job, `\`serve: ${serve}\` leads out of \`${job.micro.src}\``);
  return { root, folder: real };
}

function failed(job: ToolchainJob, reason: string): SpaceError {
  return new SpaceError('BUILD_FAILED', { micro: job.micro.name, reason: `${reason}.` });
}
