// Owns `space env`: the values of an app's variables, of which its Spacefile says the names.
import type { Api } from '../../client/api.ts';
import type { WireInstance, WireMicro } from '../../core/wire.ts';
import type { Command } from 'commander';
import { findBuilderInstance, findInstance } from '../choose-instance.ts';
import { defineCommand, withDir } from '../command.ts';
import type { Context } from '../command.ts';
import { Failure } from '../failure.ts';
import { readPairs } from '../key-values.ts';
import { count, formatTable, plainText } from '../output.ts';
import { findProjectDir, findProjectId } from '../project-dir.ts';

interface Options { dir?: string; instance?: string; micro?: string }

function withInstance(command: Command): Command {
  return withDir(command)
    .option('--instance <instance>', 'id, alias, address or name of an app (default: the Builder Instance of this project)')
    .option('-m, --micro <name>', 'only of this Micro');
}

export const envCommand = defineCommand<Options>({
  summary: 'list the variables of an app and their values',
  configure: withInstance,
  async run(context, options) {
    const { instance } = await choose(context, options);
    const found = microsOf(instance, options.micro).flatMap(({ name: micro, presets }) => presets.env.map((one) => ({ micro, ...one })));
    const rows = found.map(({ micro, name, value, description, default: fallback }) => [micro, name, plainText(value.split('\n')[0] ?? ''), value === (fallback ?? '') ? 'default' : 'set', plainText(description)]);
    const text = rows.length === 0 ? `${instance.app_name} asks for no variables.` : formatTable(['MICRO', 'NAME', 'VALUE', '', 'MEANING'], rows, context.io.colors);
    context.result({ env: found }, text);
  },
});

export const envSetCommand = defineCommand<Options>({
  summary: 'give variables of an app a value; its Micros start anew',
  configure: (command) => withInstance(command).argument('<name=value...>', 'variables that the Spacefile has in `presets`'),
  run: (context, options, pairs) => change(context, options, new Map(readPairs(pairs, 'NAME=value'))),
});

export const envUnsetCommand = defineCommand<Options>({
  summary: 'give variables of an app their default again',
  configure: (command) => withInstance(command).argument('<name...>', 'names of variables'),
  run: (context, options, names) => change(context, options, new Map(names.map((name) => [name, '']))),
});

/** @param values '': its default again */
async function change(context: Context, options: Options, values: ReadonlyMap<string, string>): Promise<void> {
  const { api, instance } = await choose(context, options);
  const micros = microsOf(instance, options.micro);
  const known = new Set(micros.flatMap(({ presets }) => presets.env.map(({ name }) => name)));
  const unknown = [...values.keys()].filter((name) => !known.has(name));
  if (unknown.length > 0) {
    const has = known.size === 0 ? 'It asks for none.' : `It asks for: ${[...known].join(', ')}.`;
    throw new Failure({ code: 'ENV_UNKNOWN', what: `${instance.app_name} does not ask for ${unknown.map((name) => `\`${name}\``).join(', ')}.`, remedy: `${has} The developer names variables in the Spacefile, under \`presets\`.` });
  }
  const changed = micros.flatMap(({ id, name, presets }) => {
    const env = presets.env.filter((one) => values.has(one.name)).map((one) => ({ ...one, value: values.get(one.name) ?? '' }));
    return env.length === 0 ? [] : [{ id, name, presets: { env } }];
  });
  await api.changeInstance(instance.id, { micros: changed });
  const after = await api.getInstance(instance.id);
  context.result({ instance_id: instance.id, micros: after.micros.map(({ name, presets }) => ({ name, env: presets.env })) }, `Changed ${count(values.size, 'variable')} of ${instance.app_name}.`);
}

async function choose(context: Context, options: Options): Promise<{ api: Api; instance: WireInstance }> {
  const projectId = options.instance === undefined ? await findProjectId(await findProjectDir(context.io, options.dir), undefined) : '';
  const api = await context.api();
  const { id } = options.instance === undefined ? await findBuilderInstance(api, projectId) : await findInstance(api, options.instance);
  return { api, instance: await api.getInstance(id) };
}

function microsOf({ micros, app_name: app }: WireInstance, wanted: string | undefined): WireMicro[] {
  const found = micros.filter(({ name }) => wanted === undefined || name === wanted);
  if (found.length > 0) return found;
  throw new Failure({ code: 'MICRO_NOT_FOUND', what: `${app} has no Micro \`${wanted}\`.`, remedy: `It has: ${micros.map(({ name }) => name).join(', ')}.` });
}
