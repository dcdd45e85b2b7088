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
import { kindOf } from './source-file.ts';
import type { Package, Toolchain, ToolchainJob } from './toolchain.ts';
import type { Workshop } from './workshop.ts';

export function createNodeToolchain(tools: PackageTools): Toolchain {
  return {
    async detect(job) {
      await needWorkshop(job, tools);
      if (job.micro.engine === 'nodejs16' && commandsOf(job.micro).length === 0) await startCommand(job);
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
  const { engine, include } = job.micro;
  const run = await startCommand(job);
  const framework = FRAMEWORKS[engine];
  // Whoever says what is packaged or how it starts knows better than the framework's defaults.
  if (!framework || include.length > 0 || run !== ENGINES[engine].defaultRun) return packageProcess(job, { run });
  return packageProcess(job, { run, places: await framework(job, await needWorkshop(job, tools)) });
}

/** What each of them makes (@source reference 2.6). @throws BUILD_FAILED */
const FRAMEWORKS: Partial<Record<EngineName, (job: ToolchainJob, workshop: Workshop) => Promise<Placement[]>>> = {
  async next(job) {
    const standalone = '.next/standalone';
    // Below a lock file further up, the folder's own path is repeated.
    for (const server of [standalone, `${standalone}/${job.micro.src}`]) {
      if ((await kindOf(job, `${server}/server.js`)) === 'file') return [{ from: server, to: '' }, ...(await present(job, ['.next/static', 'public']))];
    }
    throw buildFailed(job, 'there is no `.next/standalone/server.js`: set `output: \'standalone\'` in next.config.js, or name `include` and `run`');
  },
  async nuxt(job) {
    if ((await kindOf(job, '.output/server/index.mjs')) === 'file') return [{ from: '.output', to: '.output' }];
    throw buildFailed(job, 'there is no `.output/server/index.mjs`: `npm run build` has to make it with Nitro\'s preset `node-server`');
  },
  async 'svelte-kit'(job, workshop) {
    if ((await kindOf(job, 'build/index.js')) !== 'file') throw buildFailed(job, 'there is no `build/index.js`: use `@sveltejs/adapter-node` in svelte.config.js');
    await pruneDependencies(job, workshop);
    return present(job, ['build', 'package.json', 'node_modules']);
  },
};

async function present(job: ToolchainJob, paths: string[]): Promise<Placement[]> {
  const places: Placement[] = [];
  for (const path of paths) if ((await kindOf(job, path)) !== undefined) places.push({ from: path, to: path });
  return places;
}

async function startCommand(job: ToolchainJob): Promise<string> {
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
