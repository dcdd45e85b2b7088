// Owns `space dev up`: the dev command of one Micro alone, for `space dev proxy`, or for another terminal beside it.
import { ENGINES } from '../../spacefile-schema/engines.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { defineCommand, withDir, withProjectId } from '../command.ts';
import type { Context } from '../command.ts';
import { freePort } from '../dev/free-port.ts';
import { openLeash } from '../dev/leash.ts';
import { createDevOutput } from '../dev/output.ts';
import { runningPort, startOwnServer } from '../dev/own-server.ts';
import type { DataAccess, OwnServer } from '../dev/own-server.ts';
import { EXIT_FAILED, EXIT_OK, Failure } from '../failure.ts';
import { projectDataEnv } from '../project-key.ts';
import { findProjectDir, findProjectId, loadSpacefile } from '../project-dir.ts';
import { checkedPort } from './dev.ts';

interface Options { dir?: string; id?: string; port?: string; open?: true }

const STOP_MS = 5_000;

export const devUpCommand = defineCommand<Options>({
  summary: 'run the dev command of one Micro, with the data of your Builder Instance',
  configure: (command) =>
    withProjectId(withDir(command))
      .argument('<micro>', 'name of the Micro')
      .option('-p, --port <port>', 'for the Micro (default: the first free one from 4201)')
      .option('--open', 'open it in the browser'),
  async run(context, options, [name = '']) {
    const { io } = context;
    const dir = await findProjectDir(io, options.dir);
    const given = options.port === undefined ? undefined : checkedPort(options.port);
    const { micro, command } = await findDevCommand(dir, name);
    const running = await runningPort(dir, name);
    if (running !== undefined) throw new Failure({ code: 'DEV_RUNNING', what: `\`${name}\` runs already, at port ${running}.`, remedy: 'Use that one, or end it first.' });
    const { DETA_PROJECT_KEY: projectKey = '', ...env } = await projectDataEnv(context, await findProjectId(dir, options.id));
    const server = await up(context, { dir, micro, command, port: given ?? (await freePort(4201)), data: { projectKey, env } });
    if (options.open) await io.openUrl(`http://localhost:${server.port}/`);
    const code = await Promise.race([server.ended, new Promise<'interrupted'>((resolve) => io.signal.addEventListener('abort', () => resolve('interrupted'), { once: true }))]);
    await server.stop(STOP_MS);
    if (code === 'interrupted') return EXIT_OK;
    context.note(`${name} ended with ${code}.`);
    return code === 0 ? EXIT_OK : EXIT_FAILED;
  },
});

async function findDevCommand(dir: string, name: string): Promise<{ micro: SpacefileMicro; command: string }> {
  const { micros } = (await loadSpacefile(dir)).spacefile;
  const micro = micros.find((one) => one.name === name);
  if (micro === undefined) throw new Failure({ code: 'MICRO_NOT_FOUND', what: `The Spacefile has no Micro \`${name}\`.`, remedy: `It has: ${micros.map((one) => one.name).join(', ')}.` });
  const command = micro.dev ?? ENGINES[micro.engine].devCommand;
  if (command === undefined) throw new Failure({ code: 'DEV_COMMAND_MISSING', what: `\`${name}\` has no dev command.`, remedy: 'Give it one in the Spacefile, such as `dev: node server.js`. `space dev` runs it without one.' });
  return { micro, command };
}

async function up({ io }: Context, { data, ...rest }: { dir: string; micro: SpacefileMicro; command: string; port: number; data: DataAccess }): Promise<OwnServer> {
  const output = createDevOutput(io);
  output.micro(rest.micro.name, `${rest.command}  (PORT=${rest.port})`);
  return startOwnServer({ ...rest, data, calls: undefined, shellEnv: io.env, leash: openLeash(), onLine: (line) => output.micro(rest.micro.name, line) });
}
