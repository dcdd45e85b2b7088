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
  const heard = hearMissing(job);
  const workshop = await needWorkshop(heard.job, tools);
  for (const line of lines) {
    job.report(`[${job.micro.name}] Running command: ${line}`);
    if (await asksForTools(job, workshop, line)) continue;
    const end = await workshop.run({ argv: ['sh', '-c', line], timeoutMs: COMMAND_TIMEOUT_MS });
    if (end.ok) continue;
    const missing = heard.missing();
    if (missing) throw toolMissing(job, `the command ${JSON.stringify(line)} needs \`${missing}\`, which is not installed on this host. Its owner can run ${REMEDIES[missing]}`);
    throw buildFailed(job, `the command ${JSON.stringify(line)} ${end.reason}`);
  }
}

const SYSTEM_INSTALL = /^\s*(?:sudo\s+)?apt(?:-get)?(?:\s+-\S+)*\s+install((?:\s+[\w.+-]+)+)\s*$/;

/** Builders of Deta Space let apps install packages; here the machine is somebody's own, and only looked at.
 *  @returns whether that was all there is to this line @throws BUILD_TOOL_MISSING */
async function asksForTools(job: ToolchainJob, workshop: Workshop, line: string): Promise<boolean> {
  const asked = SYSTEM_INSTALL.exec(line)?.[1]?.trim().split(/\s+/).filter((word) => !word.startsWith('-'));
  if (asked === undefined) return false;
  for (const name of asked) {
    const { ok } = await workshop.run({ argv: ['sh', '-c', 'command -v "$1" >/dev/null', 'sh', name], timeoutMs: COMMAND_TIMEOUT_MS });
    if (!ok) throw toolMissing(job, `the command ${JSON.stringify(line)} cannot install anything on this host, where \`${name}\` is not found. Its owner can run apt-get install ${name}`);
    job.report(`[${job.micro.name}] ${name} is on this host`);
  }
  return true;
}

/** What installs a program that sources ask for, on Debian and Ubuntu. */
const REMEDIES: Readonly<Record<string, string>> = Object.fromEntries([
  ['cargo', 'cargo'], ['cc', 'build-essential'], ['cmake', 'cmake'], ['crystal', 'crystal'], ['dotnet', 'dotnet-sdk-8.0'], ['g++', 'build-essential'], ['gcc', 'build-essential'], ['git', 'git'], ['go', 'golang-go'],
  ['java', 'default-jdk'], ['make', 'build-essential'], ['mvn', 'maven'], ['node', 'nodejs'], ['npm', 'npm'], ['npx', 'npm'], ['php', 'php-cli'], ['pip', 'python3-pip'], ['python3', 'python3'], ['ruby', 'ruby'], ['zip', 'zip'], ['unzip', 'unzip'],
].map(([name, of]) => [name, `apt-get install ${of}`]));

/** A job whose log is listened to: shells name what they do not find. */
function hearMissing(job: ToolchainJob): { job: ToolchainJob; missing(): string | undefined } {
  let last: string | undefined;
  const report = (line: string): void => {
    const name = /(?:^|[\s:])([\w.+-]+): (?:command )?not found$/.exec(line)?.[1];
    if (name !== undefined && Object.hasOwn(REMEDIES, name)) last = name;
    job.report(line);
  };
  return { job: { ...job, report }, missing: () => last };
}
