// Owns the variables that a Micro sees (@source reference 3.1). Composed from nothing; the host's own are never in it.
import type { Revision } from '../../builder/revision.ts';
import type { Instance } from './instance.ts';

export interface MicroKeys { dataKey: string; microKey: string }

export function composeEnv(instance: Instance, micro: Revision['micros'][number], more: MicroKeys & { hostname: string }): Record<string, string> {
  const presets = micro.presets.env.flatMap(({ name, default: value }) => (value === undefined || value === '' ? [] : [[name, value] as const]));
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
