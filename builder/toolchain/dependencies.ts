// Owns whether and how the npm packages that a Micro depends on get into its folder, and out of it again: by the source's
// own package manager where its programs may run, else by the careful way of staged-install.ts.
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ENGINES } from '../../spacefile-schema/engines.ts';
import { commandsOf } from './build-commands.ts';
import { buildFailed } from './failure.ts';
import { isVendored, readManifest } from './manifest.ts';
import { managerOf } from './package-manager.ts';
import type { PackageTools } from './package-tools.ts';
import { isInPlace } from './source-file.ts';
import { installStaged } from './staged-install.ts';
import type { ToolchainJob } from './toolchain.ts';
import { openWorkshop } from './open-workshop.ts';
import type { Workshop } from './workshop.ts';

const INSTALL_TIMEOUT_MS = 10 * 60_000;

/** What the host gives to an isolate. */
const PROVIDED = new Set(['deta']);

/** Put `node_modules` into the Micro's folder, unless nothing is needed or everything is there.
 *  @throws BUILD_FAILED, BUILD_TOOL_MISSING */
export async function installDependencies(job: ToolchainJob, tools: PackageTools): Promise<void> {
  const manifest = await readManifest(job);
  const { runs } = ENGINES[job.micro.engine];
  // What builds is listed among the dev dependencies, and in a process also what starts it.
  const dev = commandsOf(job.micro).length > 0 || runs === 'process';
  if (!manifest || (await isVendored(job, manifest, { dev, provided: runs === 'isolate' ? PROVIDED : new Set() }))) return;
  const workshop = await openWorkshop(job, tools);
  await mkdir(marker(job), { recursive: true });
  await rename(installedAt(job), uploadedAt(job)).catch(ignoreMissing);
  if (workshop) await installInPlace(job, workshop, { dev, manifest });
  else await installStaged(job, tools, { dev, manifest, staging: marker(job), installed: installedAt(job) });
}

/** Put the source back as it was uploaded: another Micro may have the same folder, or one around it. Builds that failed come
 *  here too, and with them whatever they put in the place of that folder. */
export async function removeDependencies(job: ToolchainJob): Promise<void> {
  if (!(await access(marker(job)).then(() => true, () => false)) || !(await isInPlace(job))) return;
  await rm(installedAt(job), { recursive: true, force: true });
  await rename(uploadedAt(job), installedAt(job)).catch(ignoreMissing);
}

/** Leave out what only the build needed. What cannot be taken out stays. */
export async function pruneDependencies(job: ToolchainJob, workshop: Workshop): Promise<void> {
  const manifest = await readManifest(job);
  if (!manifest || Object.keys(manifest.devDependencies ?? {}).length === 0) return;
  const manager = await managerOf(job, manifest);
  if (!manager.prune) return;
  job.report(`[${job.micro.name}] Removing dev dependencies`);
  await workshop.run({ argv: manager.start(workshop.npm, manager.prune), env: manager.env, timeoutMs: INSTALL_TIMEOUT_MS });
}

const marker = (job: ToolchainJob): string => join(job.scratchFolder, 'dependencies');
const installedAt = (job: ToolchainJob): string => join(job.folder, 'node_modules');
const uploadedAt = (job: ToolchainJob): string => join(job.scratchFolder, 'uploaded-modules');

/** As its developer would: with scripts and configuration of the source. A lock file that no longer fits is no reason to
 *  fail: the second attempt goes without it. */
async function installInPlace(job: ToolchainJob, workshop: Workshop, { dev, manifest }: { dev: boolean; manifest: Parameters<typeof managerOf>[1] }): Promise<void> {
  const manager = await managerOf(job, manifest);
  job.report(`[${job.micro.name}] Installing dependencies with ${manager.name}`);
  let reason = '';
  for (const [attempt, args] of manager.attempts.entries()) {
    if (attempt > 0) job.report(`[${job.micro.name}] Installing again without the lock file: ${args.join(' ')}`);
    const end = await workshop.run({ argv: manager.start(workshop.npm, dev ? args : [...args, ...manager.withoutDev]), env: manager.env, timeoutMs: INSTALL_TIMEOUT_MS });
    if (end.ok) return;
    reason = end.reason;
    if (!reason.startsWith('failed')) break;
  }
  throw buildFailed(job, `installing dependencies with ${manager.name} ${reason}`);
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
