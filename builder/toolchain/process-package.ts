// Owns the package of a Micro that runs as a process: `app.tar.zst` and, where something was installed,
// `dependencies.tar.zst`, both with paths as in the Micro's folder. `archive.ts` writes them.
import { join } from 'node:path';
import type { ArtifactSource } from '../artifact.ts';
import { buildFailed } from './failure.ts';
import { DEPENDENCY_FOLDERS, filesAt, includedPlaces } from './package-files.ts';
import type { PackageFiles, Placement } from './package-files.ts';
import { kindOf } from './source-file.ts';
import type { Package, ToolchainJob } from './toolchain.ts';

const APP = 'app.tar.zst';
const DEPENDENCIES = 'dependencies.tar.zst';

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

async function archive({ bench, scratchFolder, signal }: ToolchainJob, name: string, files: PackageFiles): Promise<ArtifactSource> {
  const path = join(scratchFolder, name);
  await bench.run('archive', { path, files }, signal);
  return { path };
}
