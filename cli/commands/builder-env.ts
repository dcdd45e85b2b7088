// Owns `space builder env`: the env values of the Builder Instance, as a dotenv file to and fro.
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import type { Api } from '../../client/api.ts';
import type { WireInstance, WireMicro } from '../../core/wire.ts';
import { findBuilderInstance } from '../choose-instance.ts';
import { defineCommand, withDir, withProjectId } from '../command.ts';
import type { Context } from '../command.ts';
import { Failure, usageFailure } from '../failure.ts';
import { count } from '../output.ts';
import { findProjectDir, findProjectId } from '../project-dir.ts';

interface Options { dir?: string; id?: string; get?: string; set?: string; micro?: string }

export const builderEnvCommand = defineCommand<Options>({
  summary: 'read or change the env values of your Builder Instance',
  configure: (command) =>
    withProjectId(withDir(command))
      .option('-g, --get <file>', 'write the values to this dotenv file')
      .option('-s, --set <file>', 'change the values to those of this dotenv file')
      .option('-m, --micro <name>', 'of this Micro (needed when there are several)'),
  async run(context, options) {
    if ((options.get === undefined) === (options.set === undefined)) throw usageFailure('Give one of --get FILE and --set FILE.');
    const dir = await findProjectDir(context.io, options.dir);
    const projectId = await findProjectId(dir, options.id);
    const api = await context.api();
    const instance = await api.getInstance((await findBuilderInstance(api, projectId)).id);
    const micro = chooseMicro(instance, options.micro);
    if (options.get !== undefined) await writeValues(context, micro, resolve(dir, options.get));
    else await sendValues(context, api, { instance, micro, file: resolve(dir, options.set ?? '') });
  },
});

function chooseMicro(instance: WireInstance, name: string | undefined): WireMicro {
  const names = instance.micros.map((micro) => micro.name).join(', ');
  if (name === undefined && instance.micros.length > 1) throw usageFailure('Which Micro?', `Name one with --micro: ${names}.`);
  const micro = instance.micros.find((one) => name === undefined || one.name === name);
  if (micro !== undefined) return micro;
  throw new Failure({ code: 'MICRO_NOT_FOUND', what: `The Builder Instance has no Micro \`${name}\`.`, remedy: `It has: ${names}.` });
}

async function writeValues(context: Context, { presets }: WireMicro, file: string): Promise<void> {
  const rows = presets.env.map(({ name, value }) => `${name}=${dotenvValue(value)}\n`);
  // Values may be secrets.
  await writeFile(file, rows.join(''), { mode: 0o600 });
  context.result({ file, values: presets.env.length }, `Wrote ${count(presets.env.length, 'value')} to ${file}.`);
}

function dotenvValue(value: string): string {
  if (/^[\w./:@%+,-]*$/.test(value)) return value;
  const quote = [`'`, '`', '"'].find((one) => !value.includes(one)) ?? '"';
  return `${quote}${value}${quote}`;
}

interface Change { instance: WireInstance; micro: WireMicro; file: string }

/** Only what the app asks for can be set; other names of the file are left alone. */
async function sendValues(context: Context, api: Api, { instance, micro, file }: Change): Promise<void> {
  const values = parseEnv(await readFile(file, 'utf8'));
  const env = micro.presets.env.map((one) => ({ ...one, value: values[one.name] ?? one.value }));
  const changed = env.filter((one, at) => one.value !== micro.presets.env[at]?.value).length;
  const unknown = Object.keys(values).filter((name) => !env.some((one) => one.name === name));
  if (unknown.length > 0) context.note(`Not in the Spacefile, and left out: ${unknown.join(', ')}.`);
  if (changed > 0) await api.changeInstance(instance.id, { micros: [{ id: micro.id, name: micro.name, presets: { env } }] });
  context.result({ changed }, changed === 0 ? 'Nothing to change.' : `Changed ${count(changed, 'value')} of ${micro.name}.`);
}
