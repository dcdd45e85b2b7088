// Owns `space exec`: any program, with a key to the data of the project's Builder Instance in its environment.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { defineCommand, withDir } from '../command.ts';
import { Failure, usageFailure } from '../failure.ts';
import { projectDataEnv } from '../project-key.ts';
import { findProjectDir, findProjectId } from '../project-dir.ts';

interface Options { dir?: string; project?: string }

export const execCommand = defineCommand<Options>({
  summary: 'run a program with a key to the data of your Builder Instance',
  configure: (command) =>
    withDir(command)
      .option('-p, --project <id>', 'id of the project (default: what the folder is linked to)')
      .argument('<command...>', 'the program and its arguments, behind --')
      .passThroughOptions(),
  async run(context, options, args) {
    const [program, ...rest] = args;
    if (program === undefined) throw usageFailure('Which program?', 'Name it behind --: `space exec -- node server.js`.');
    const { io } = context;
    const env = await projectDataEnv(context, await findProjectId(await findProjectDir(io, options.dir), options.project));
    return run(program, rest, { cwd: io.cwd, env: { ...io.env, ...env } });
  },
});

/** Ends as the program ends; Ctrl-C reaches it by the terminal. */
function run(program: string, args: readonly string[], { cwd, env }: { cwd: string; env: Readonly<Record<string, string | undefined>> }): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...env }, stdio: 'inherit' });
    child.on('error', (error: NodeJS.ErrnoException) => reject(new Failure({
      code: 'PROGRAM_NOT_STARTED', what: `\`${program}\` could not be started.`,
      why: error.code === 'ENOENT' ? 'there is no such program' : error.message, remedy: 'Check its name. A line for a shell: `space exec -- sh -c "..."`.',
    }, { cause: error })));
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}
