// Owns the variables that a Micro sees (@source reference 3.1), and which values their owner may give them. Composed from
// nothing; the host's own are never in it.
import type { Revision } from '../../builder/revision.ts';
import { SpaceError } from '../../core/errors.ts';
import { reservedReason } from '../../spacefile-schema/name.ts';
import type { Instance } from './instance.ts';

export interface MicroKeys { dataKey: string; microKey: string }

/** What owners set, by Micro and by name. */
export type EnvValues = Readonly<Record<string, Readonly<Record<string, string>>>>;

type Micro = Pick<Revision['micros'][number], 'name' | 'presets' | 'runs'>;

/** Linux gives a program 128 KiB for one variable. */
const VALUE_MAX_BYTES = 32 * 1024;
const ALL_MAX_BYTES = 128 * 1024;

/** @param own what the owner set for this Micro */
export function composeEnv(instance: Instance, micro: Revision['micros'][number], more: MicroKeys & { hostname: string; own: Readonly<Record<string, string>> }): Record<string, string> {
  const presets = micro.presets.env.flatMap(({ name, default: fallback }) => {
    const value = Object.hasOwn(more.own, name) ? more.own[name] : fallback;
    return value === undefined || value === '' ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(presets),
    DETA_SPACE_APP: 'true',
    DETA_SPACE_APP_VERSION: instance.version,
    DETA_SPACE_APP_HOSTNAME: more.hostname,
    DETA_SPACE_APP_MICRO_NAME: micro.name,
    DETA_SPACE_APP_MICRO_TYPE: micro.primary ? 'primary' : 'normal',
    DETA_PROJECT_KEY: more.dataKey,
    DETA_API_KEY: more.microKey,
  };
}

/** What was set for this Micro, whatever it is called. */
export function ownEnv(values: EnvValues, micro: string): Readonly<Record<string, string>> {
  return Object.assign(Object.create(null) as Record<string, string>, Object.hasOwn(values, micro) ? values[micro] : undefined);
}

/** The values after a change. A value that is empty, or the app's own default, is not kept: then the default holds, also
 *  that of a later version. Values of names that the app has no more are: it may have them again.
 *  @throws ENV_RESERVED, ENV_UNKNOWN, ENV_INVALID */
export function changedEnv(before: EnvValues, micro: Micro, change: Readonly<Record<string, unknown>>): EnvValues {
  const own = new Map(Object.entries(ownEnv(before, micro.name)));
  for (const [name, value] of Object.entries(change)) {
    const preset = presetOf(micro, name);
    if (value === null || value === '' || value === preset.default) own.delete(name);
    else own.set(name, checkValue(name, value));
  }
  const after = { ...before, [micro.name]: Object.fromEntries(own) };
  if (Buffer.byteLength(JSON.stringify(after)) > ALL_MAX_BYTES) throw new SpaceError('ENV_INVALID', { name: 'all of them together', reason: `have ${ALL_MAX_BYTES / 1024} KB at most` });
  return after;
}

function presetOf({ name: micro, presets, runs }: Micro, name: string): Micro['presets']['env'][number] {
  const reason = reservedReason(name, runs === 'isolate');
  if (reason !== undefined) throw new SpaceError('ENV_RESERVED', { name: name.slice(0, 100), reason });
  const found = presets.env.find((preset) => preset.name === name);
  if (!found) throw new SpaceError('ENV_UNKNOWN', { name: name.slice(0, 100), micro, known: presets.env.map((preset) => preset.name).join(', ') });
  return found;
}

function checkValue(name: string, value: unknown): string {
  if (typeof value !== 'string') throw new SpaceError('ENV_INVALID', { name, reason: 'is text' });
  if (value.includes('\0') || !value.isWellFormed()) throw new SpaceError('ENV_INVALID', { name, reason: 'has a character that no program can read' });
  if (Buffer.byteLength(value) > VALUE_MAX_BYTES) throw new SpaceError('ENV_INVALID', { name, reason: `has ${VALUE_MAX_BYTES / 1024} KB at most` });
  return value;
}
