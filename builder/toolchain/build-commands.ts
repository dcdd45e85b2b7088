// Owns the shell lines that a Spacefile runs in its build. They can do whatever the host can: only a host whose owner has
// said so in words runs them.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SpaceError } from '../../core/errors.ts';
import { ENGINES } from '../../spacefile-schema/engines.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { runCommand } from './command.ts';
import type { PackageTools } from './dependencies.ts';
import type { ToolchainJob } from './toolchain.ts';

const COMMAND_TIMEOUT_MS = 10 * 60_000;
const MAX_OUTPUT_BYTES = 256 * 1024;

/** In order: the engine's own, then those of the Spacefile. */
export function commandsOf({ engine, commands }: SpacefileMicro): string[] {
  const { buildCommand } = ENGINES[engine];
  return buildCommand === undefined ? commands : [buildCommand, ...commands];
}

/** @throws BUILD_TOOL_MISSING */
export function assertCommands(job: ToolchainJob, { allowsCommands }: PackageTools): void {
  const [command] = commandsOf(job.micro);
  if (command === undefined || allowsCommands) return;
  const reason = `Micro \`${job.micro.name}\` runs ${JSON.stringify(command)} in its build, and this host has no sandbox for build commands. `
    + 'Run it on your machine and push what it makes, with an engine that needs no command.';
  throw new SpaceError('BUILD_TOOL_MISSING', { engine: job.micro.engine, reason });
}

/** Each in a shell of its own, in the Micro's folder, after its dependencies are there. @throws BUILD_FAILED */
export async function runBuildCommands(job: ToolchainJob, tools: PackageTools): Promise<void> {
  assertCommands(job, tools);
  for (const line of commandsOf(job.micro)) await runLine(job, tools, line);
}

async function runLine(job: ToolchainJob, { toolPath, toolEnv }: PackageTools, line: string): Promise<void> {
  const home = join(job.scratchFolder, 'command-home');
  await mkdir(home, { recursive: true });
  job.report(`[${job.micro.name}] Running command: ${line}`);
  const end = await runCommand({
    argv: ['sh', '-c', line],
    folder: job.folder,
    env: { ...toolEnv, PATH: `${join(job.folder, 'node_modules', '.bin')}:${toolPath}`, HOME: home, TMPDIR: home, CI: '1', LANG: 'C.UTF-8' },
    timeoutMs: COMMAND_TIMEOUT_MS,
    maxOutputBytes: MAX_OUTPUT_BYTES,
    report: (text) => job.report(`[${job.micro.name}] ${text}`),
    signal: job.signal,
  });
  if (end === 'ok') return;
  const how = end === 'timeout' ? `took longer than ${COMMAND_TIMEOUT_MS / 1000} seconds` : 'failed; the lines above say why';
  throw new SpaceError('BUILD_FAILED', { micro: job.micro.name, reason: `the command ${JSON.stringify(line)} ${how}.` });
}
