// Owns how a Micro for Node.js is built and packaged, alone or with a framework: each of these makes what runs in a folder
// of its own.
import { ENGINES } from '../../spacefile-schema/engines.ts';
import type { EngineName } from '../../spacefile-schema/engines.ts';
import { needWorkshop, commandsOf, runBuildCommands } from './build-commands.ts';
import { installDependencies, pruneDependencies, removeDependencies } from './dependencies.ts';
import { buildFailed } from './failure.ts';
import type { PackageTools } from './package-tools.ts';
import type { Placement } from './package-files.ts';
import { packageProcess } from './process-package.ts';
import type { ProcessPlan } from './process-package.ts';
import { kindOf } from './source-file.ts';
import type { Package, Toolchain, ToolchainJob } from './toolchain.ts';

export function createNodeToolchain(tools: PackageTools): Toolchain {
  return {
    async detect(job) {
      await needWorkshop(job, tools);
      if (job.micro.engine === 'nodejs16' && commandsOf(job.micro).length === 0) await assertStart(job);
    },
    install: (job) => installDependencies(job, tools),
    async build(job) {
      try {
        await runBuildCommands(job, tools);
        return await packageNode(job, tools);
      } finally {
        await removeDependencies(job);
      }
    },
  };
}

async function packageNode(job: ToolchainJob, tools: PackageTools): Promise<Package> {
  const { engine, include, run } = job.micro;
  // Whoever says what is packaged and how it starts knows better than the framework's defaults.
  const plan = include.length > 0 || run !== undefined ? undefined : await FRAMEWORKS[engine]?.(job);
  if (plan) return packageProcess(job, plan);
  if (engine === 'svelte-kit') await pruneDependencies(job, await needWorkshop(job, tools));
  return packageProcess(job, { run: await assertStart(job) });
}

/** @source reference 2.6: what each of them makes, and how that is started */
const FRAMEWORKS: Partial<Record<EngineName, (job: ToolchainJob) => Promise<ProcessPlan | undefined>>> = {
  async next(job) {
    const standalone = '.next/standalone';
    // Below a lock file further up, the folder's own path is repeated.
    for (const server of [standalone, `${standalone}/${job.micro.src}`]) {
      if ((await kindOf(job, `${server}/server.js`)) !== 'file') continue;
      return { run: 'node server.js', places: [{ from: server, to: '' }, ...(await present(job, ['.next/static', 'public']))] };
    }
    throw buildFailed(job, 'there is no `.next/standalone/server.js`: set `output: \'standalone\'` in next.config.js, or name `include` and `run`');
  },
  async nuxt(job) {
    if ((await kindOf(job, '.output/server/index.mjs')) !== 'file') throw buildFailed(job, 'there is no `.output/server/index.mjs`: `npm run build` has to make it with Nitro\'s preset `node-server`');
    return { run: 'node .output/server/index.mjs', places: [{ from: '.output', to: '.output' }] };
  },
  async 'svelte-kit'(job) {
    if ((await kindOf(job, 'build/index.js')) !== 'file') throw buildFailed(job, 'there is no `build/index.js`: use `@sveltejs/adapter-node` in svelte.config.js');
    return undefined;
  },
};

async function present(job: ToolchainJob, folders: string[]): Promise<Placement[]> {
  const places: Placement[] = [];
  for (const folder of folders) if ((await kindOf(job, folder)) === 'folder') places.push({ from: folder, to: folder });
  return places;
}

async function assertStart(job: ToolchainJob): Promise<string> {
  const { engine, run } = job.micro;
  if (run !== undefined) {
    if (run.trim() === '') throw buildFailed(job, '`run` is empty: name the start command, such as `run: node index.js`, or leave it out');
    return run;
  }
  if (engine === 'nodejs16' && (await kindOf(job, 'index.js')) !== 'file') {
    throw buildFailed(job, `there is no index.js in \`${job.micro.src}\`. Add one, or name the start command with \`run\`, such as \`run: node server.js\``);
  }
  return ENGINES[engine].defaultRun ?? 'node index.js';
}
