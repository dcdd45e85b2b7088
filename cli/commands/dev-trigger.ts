// Owns `space dev trigger`: a schedule or an App Action, now, in the project as `space dev` runs it.
import { createApi } from '../../client/api.ts';
import type { Api } from '../../client/api.ts';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import { clientName, defineCommand, withDir } from '../command.ts';
import type { Context } from '../command.ts';
import { offeredBy, runOffered } from '../dev/offered.ts';
import type { OfferedAction } from '../dev/offered.ts';
import { runningPort } from '../dev/own-server.ts';
import { findSession } from '../dev/session.ts';
import type { DevSession } from '../dev/session.ts';
import { Failure } from '../failure.ts';
import { collect, readPairs } from '../key-values.ts';
import { plainText } from '../output.ts';
import { findProjectDir, loadSpacefile } from '../project-dir.ts';
import { explainRun, readInputs, showOutput } from './trigger.ts';

interface Options { dir?: string; input?: string[] }

export const devTriggerCommand = defineCommand<Options>({
  summary: 'run a schedule or an action now, where `space dev` runs',
  configure: (command) => withDir(command).alias('t')
    .option('-i, --input <name=value>', 'an input of the action; may be repeated, or a JSON object comes on stdin', collect)
    .argument('<action>', 'id of the schedule in the Spacefile, or name of an action that a Micro offers'),
  async run(context, options, [id = '']) {
    const dir = await findProjectDir(context.io, options.dir);
    const pairs = readPairs(options.input ?? [], '--input name=value');
    const { micros } = (await loadSpacefile(dir)).spacefile;
    const scheduled = micros.find(({ actions }) => actions.some((action) => action.id === id));
    if (scheduled !== undefined) return runSchedule(context, dir, { id, micro: scheduled.name });
    await runAction(context, { dir, id, micros, pairs });
  },
});

async function runSchedule(context: Context, dir: string, { id, micro }: { id: string; micro: string }): Promise<void> {
  const port = await runningPort(dir, micro);
  if (port !== undefined) return deliver(context, { id, micro, port });
  const session = await findSession(dir);
  if (session === undefined) throw notRunning(`\`${micro}\``);
  explainRun(context, id, await hostOf(session, context).runSchedule(session.instanceId, id));
}

/** What has a server of its own is asked here; the host of `space dev` asks the others. */
async function runAction(context: Context, { dir, id, micros, pairs }: { dir: string; id: string; micros: readonly SpacefileMicro[]; pairs: [string, string][] }): Promise<void> {
  const providers = micros.filter(({ provideActions }) => provideActions);
  const here: { micro: string; port: number; action: OfferedAction }[] = [];
  for (const { name: micro } of providers) {
    const port = await runningPort(dir, micro);
    if (port !== undefined) here.push(...(await offeredBy(micro, port)).map((action) => ({ micro, port, action })));
  }
  const found = here.find(({ action }) => action.name === id);
  if (found !== undefined) return showOutput(context, await runOffered(found.micro, found.port, { action: found.action, inputs: await readInputs(context, pairs, found.action) }));
  const session = await findSession(dir);
  if (session === undefined && here.length === 0 && providers.length > 0) throw notRunning(providers.map(({ name }) => `\`${name}\``).join(', '));
  const hosted = session === undefined ? [] : (await hostOf(session, context).listActions()).actions.filter((action) => action.instance_id === session.instanceId);
  const action = hosted.find(({ name }) => name === id);
  if (action !== undefined && session !== undefined) return showOutput(context, await hostOf(session, context).runAction(session.instanceId, id, await readInputs(context, pairs, action)));
  const known = [...micros.flatMap(({ actions }) => actions.map((each) => each.id)), ...here.map((each) => each.action.name), ...hosted.map(({ name }) => name)];
  throw new Failure({
    code: 'ACTION_NOT_FOUND', what: `The project has no schedule and no action \`${id}\`.`,
    remedy: known.length === 0 ? 'It has none at all; `actions` and `provide_actions` of the Spacefile make some.' : `It has: ${known.join(', ')}.`,
  });
}

function hostOf(session: DevSession, { io }: Context): Api {
  return createApi({ root: session.root, accessToken: session.accessToken, clientName: clientName(), signal: io.signal });
}

function notRunning(what: string): Failure {
  return new Failure({ code: 'DEV_NOT_RUNNING', what: `Nothing runs ${what} here.`, remedy: 'Start it: `space dev`.' });
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
