// Owns the shell lines that a Spacefile runs in its build, and the refusal where nothing of a source may run.
import { ENGINES } from '../../spacefile-schema/engines.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { buildFailed, toolMissing } from './failure.ts';
import type { PackageTools } from './package-tools.ts';
import type { ToolchainJob } from './toolchain.ts';
import { openWorkshop } from './open-workshop.ts';
import type { Workshop } from './workshop.ts';

const COMMAND_TIMEOUT_MS = 10 * 60_000;

/** In order: the engine's own, then those of the Spacefile. */
export function commandsOf({ engine, commands }: SpacefileMicro): string[] {
  const { buildCommand } = ENGINES[engine];
  return buildCommand === undefined ? commands : [buildCommand, ...commands];
}

/** @throws BUILD_TOOL_MISSING where commands are there and may not run */
export async function assertCommands(job: ToolchainJob, tools: PackageTools): Promise<void> {
  const [command] = commandsOf(job.micro);
  if (command === undefined || (await openWorkshop(job, tools))) return;
  throw toolMissing(job, `Micro \`${job.micro.name}\` runs ${JSON.stringify(command)} in its build, and this host has no sandbox for build commands. `
    + 'Run it on your machine and push what it makes, with an engine that needs no command');
}

/** The workshop of a Toolchain that cannot do without. @throws BUILD_TOOL_MISSING */
export async function needWorkshop(job: ToolchainJob, tools: PackageTools): Promise<Workshop> {
  const workshop = await openWorkshop(job, tools);
  if (workshop) return workshop;
  throw toolMissing(job, `Micro \`${job.micro.name}\` is built by programs of its own, and this host has no sandbox for them. `
    + 'The owner of the host finds on the page Host what is missing');
}

/** Each in a shell of its own, in the Micro's folder, after its dependencies are there. @throws BUILD_FAILED, BUILD_TOOL_MISSING */
export async function runBuildCommands(job: ToolchainJob, tools: PackageTools): Promise<void> {
  const lines = commandsOf(job.micro);
  if (lines.length === 0) return;
  const workshop = await needWorkshop(job, tools);
  for (const line of lines) {
    job.report(`[${job.micro.name}] Running command: ${line}`);
    const end = await workshop.run({ argv: ['sh', '-c', line], timeoutMs: COMMAND_TIMEOUT_MS });
    if (!end.ok) throw buildFailed(job, `the command ${JSON.stringify(line)} ${end.reason}`);
  }
}
