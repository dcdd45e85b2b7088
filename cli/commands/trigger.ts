// Owns `space trigger`: something that an app can do, now: one of its schedules, or one of the actions that it offers.
import type { Api } from '../../client/api.ts';
import { ApiError } from '../../client/transport.ts';
import type { WireAction, WireInstance, WireScheduleRun } from '../../core/wire.ts';
import { findBuilderInstance, findInstance } from '../choose-instance.ts';
import { defineCommand, withDir } from '../command.ts';
import type { Context } from '../command.ts';
import { Failure, usageFailure } from '../failure.ts';
import { collect, readPairs } from '../key-values.ts';
import { findProjectDir, findProjectId } from '../project-dir.ts';

interface Options { dir?: string; id?: string; input?: string[] }

export const triggerCommand = defineCommand<Options>({
  summary: 'run a schedule or an action of an app now',
  configure: (command) =>
    withDir(command)
      .option('--id <id>', 'id of the project (default: what the folder is linked to)')
      .option('-i, --input <name=value>', 'an input of the action; may be repeated, or a JSON object comes on stdin', collect)
      .argument('<names...>', 'INSTANCE ACTION, or ACTION alone for the Builder Instance of this project'),
  async run(context, options, names) {
    const [action, wanted] = names.toReversed();
    if (action === undefined || names.length > 2) throw usageFailure('Give an instance and an action.', '`space trigger INSTANCE ACTION`, or `space trigger ACTION` in the folder of a project.');
    const pairs = readPairs(options.input ?? [], '--input name=value');
    const projectId = wanted === undefined ? await findProjectId(await findProjectDir(context.io, options.dir), options.id) : '';
    const api = await context.api();
    const instance = wanted === undefined ? await findBuilderInstance(api, projectId) : await findInstance(api, wanted);
    const offered = (await listActions(api)).filter((one) => one.instance_id === instance.id);
    const found = offered.find(({ name }) => name === action);
    if (found !== undefined) return runAction(context, api, { instance, action: found, pairs });
    const { schedules } = await api.listSchedules(instance.id);
    if (schedules.some(({ id }) => id === action)) return explainRun(context, action, await api.runSchedule(instance.id, action));
    const known = [...offered.map(({ name }) => name), ...schedules.map(({ id }) => id)];
    throw new Failure({
      code: 'ACTION_NOT_FOUND', what: `${instance.app_name} has no schedule and no action \`${action}\`.`,
      remedy: known.length === 0 ? 'It has none at all; `actions` and `provide_actions` of the Spacefile make some.' : `It has: ${known.join(', ')}.`,
    });
  },
});

/** A host without actions has no such address. */
async function listActions(api: Api): Promise<WireAction[]> {
  try {
    return (await api.listActions()).actions;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}

async function runAction(context: Context, api: Api, { instance, action, pairs }: { instance: WireInstance; action: WireAction; pairs: [string, string][] }): Promise<void> {
  showOutput(context, await api.runAction(instance.id, action.name, await readInputs(context, pairs, action)));
}

export type AskedAction = Pick<WireAction, 'name' | 'input'>;

/** From `--input`, else from what is piped in. */
export async function readInputs(context: Context, pairs: [string, string][], action: AskedAction): Promise<Record<string, unknown>> {
  return pairs.length > 0 || context.io.isInteractive ? typed(pairs, action) : pipedInputs(context);
}

export function showOutput(context: Context, answer: { type: string; data: unknown }): void {
  const { data } = answer;
  context.result(answer, typeof data === 'string' ? data : JSON.stringify(data, null, 2) ?? '');
}

/** A terminal knows text only; the action says what it wants. */
function typed(pairs: [string, string][], { name, input }: AskedAction): Record<string, unknown> {
  return Object.fromEntries(pairs.map(([key, value]) => {
    const known = input.find((one) => one.name === key);
    if (known?.type === 'number') {
      if (value.trim() === '' || !Number.isFinite(Number(value))) throw usageFailure(`\`${key}\` of ${name} is a number; \`${value}\` is none.`);
      return [key, Number(value)];
    }
    if (known?.type !== 'boolean') return [key, value];
    if (value !== 'true' && value !== 'false') throw usageFailure(`\`${key}\` of ${name} is true or false; \`${value}\` is neither.`);
    return [key, value === 'true'];
  }));
}

async function pipedInputs({ io }: Context): Promise<Record<string, unknown>> {
  const text = (await io.readStdin()).trim();
  if (text === '') return {};
  try {
    const inputs: unknown = JSON.parse(text);
    if (typeof inputs === 'object' && inputs !== null && !Array.isArray(inputs)) return inputs as Record<string, unknown>;
  } catch {
    // Said below, together with JSON of another shape.
  }
  throw usageFailure('What stdin brought is no JSON object.', 'Give inputs with --input name=value, or pipe {"name": "value"}.');
}

/** @throws Failure ACTION_FAILED unless it ran well */
export function explainRun(context: Context, id: string, run: WireScheduleRun): void {
  const took = run.duration_ms === null ? '' : ` in ${run.duration_ms} ms`;
  if (run.outcome !== 'ok') {
    throw new Failure({
      code: 'ACTION_FAILED', what: `${id} ${run.outcome === 'skipped' ? 'was not run' : `ended as ${run.outcome}${took}`}.`,
      why: run.error ?? (run.status === null ? undefined : `the Micro answered with status ${run.status}`), remedy: '`space logs` shows what the app said.', requestId: run.request_id ?? undefined,
    });
  }
  context.result(run, `${id} ran${took}.`);
}
