// Owns `space dev trigger`: a scheduled action, now, in the project as `space dev` runs it.
import { createApi } from '../../client/api.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { clientName, defineCommand, withDir } from '../command.ts';
import type { Context } from '../command.ts';
import { runningPort } from '../dev/own-server.ts';
import { findSession } from '../dev/session.ts';
import { Failure } from '../failure.ts';
import { plainText } from '../output.ts';
import { findProjectDir, loadSpacefile } from '../project-dir.ts';
import { explainRun } from './trigger.ts';

interface Options { dir?: string }

export const devTriggerCommand = defineCommand<Options>({
  summary: 'run a scheduled action now, where `space dev` runs',
  configure: (command) => withDir(command).alias('t').argument('<action>', 'id of the action in the Spacefile'),
  async run(context, options, [id = '']) {
    const dir = await findProjectDir(context.io, options.dir);
    const micro = await findMicro(dir, id);
    const port = await runningPort(dir, micro.name);
    if (port !== undefined) return deliver(context, { id, micro: micro.name, port });
    const session = await findSession(dir);
    if (session === undefined) throw new Failure({ code: 'DEV_NOT_RUNNING', what: `Nothing runs \`${micro.name}\` here.`, remedy: 'Start it: `space dev`.' });
    const api = createApi({ root: session.root, accessToken: session.accessToken, clientName: clientName(), signal: context.io.signal });
    explainRun(context, id, await api.runSchedule(session.instanceId, id));
  },
});

async function findMicro(dir: string, id: string): Promise<SpacefileMicro> {
  const { micros } = (await loadSpacefile(dir)).spacefile;
  const micro = micros.find(({ actions }) => actions.some((action) => action.id === id));
  if (micro !== undefined) return micro;
  const ids = micros.flatMap(({ actions }) => actions.map((action) => action.id));
  throw new Failure({ code: 'SCHEDULE_NOT_FOUND', what: `The Spacefile has no action \`${id}\`.`, remedy: ids.length === 0 ? 'It has none: `actions` of a Micro describes them.' : `It has: ${ids.join(', ')}.` });
}

/** As a host delivers it. @source Deta Space, scheduled actions */
async function deliver(context: Context, { id, micro, port }: { id: string; micro: string; port: number }): Promise<void> {
  const answer = await fetch(`http://localhost:${port}/__space/v0/actions`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ event: { id, trigger: 'schedule' } }), signal: context.io.signal,
  });
  const text = (await answer.text()).split('\n').map(plainText).join('\n');
  if (answer.status >= 400) throw new Failure({ code: 'ACTION_FAILED', what: `\`${micro}\` answered with status ${answer.status}.`, why: text || 'its answer is empty' });
  context.done(`${micro} ran ${id}: status ${answer.status}.`);
  context.result({ id, micro, status: answer.status, body: text }, text);
}
