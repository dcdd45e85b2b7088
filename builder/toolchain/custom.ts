// Owns how a Micro in any language is packaged: what its commands make, and a start command that it has to name.
import { needWorkshop, runBuildCommands } from './build-commands.ts';
import { buildFailed } from './failure.ts';
import type { PackageTools } from './package-tools.ts';
import { packageProcess } from './process-package.ts';
import type { Toolchain, ToolchainJob } from './toolchain.ts';

export function createCustomToolchain(tools: PackageTools): Toolchain {
  return {
    async detect(job) {
      assertRun(job);
      await needWorkshop(job, tools);
    },
    // Nothing is guessed: `commands` say what is installed.
    async install() {},
    async build(job) {
      await runBuildCommands(job, tools);
      return packageProcess(job, { run: assertRun(job) });
    },
  };
}

function assertRun(job: ToolchainJob): string {
  const run = job.micro.run?.trim() ?? '';
  if (run !== '') return run;
  throw buildFailed(job, 'engine `custom` needs `run`, the command that starts it, such as `run: ./server`');
}
