// Owns what owners set for an Instance beside its code: limits, variables, where it may call, which Micros are paused; and who in a Space
// shares a process. Knows no engine and no HTTP.
import { LRUCache } from 'lru-cache';
import { SpaceError } from '../../core/errors.ts';
import { isoTime, type Clock } from '../../core/clock.ts';
import { checkReach, type Reach } from '../../sandbox/reach.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { contended, createTable } from '../../sandbox-data/store/table.ts';
import { limitProblem } from '../engine/cell/limits.ts';
import type { Vault } from '../auth/vault.ts';
import { changedEnv, type EnvValues } from './env.ts';

export interface PausedMicro { micro: string; reason: string; at: string; revisionId: string }

export interface InstanceSettings {
  /** Of the Instance. */
  id: string;
  /** What differs from the host's own numbers. */
  limits: Record<string, number>;
  reach: Reach;
  paused: PausedMicro[];
  /** Variables, sealed: they may be secrets. */
  sealedEnv?: string;
  /** Rises with every change that what runs has to be started anew for. */
  revision: number;
}

export type CordonKind = 'instance' | 'space';
interface SpaceSettings { id: string; cordon: CordonKind }

export interface Settings {
  of(instanceId: string): Promise<InstanceSettings>;
  /** @param change `null`: the host's own number  @throws INVALID_FIELD, and then nothing changes */
  setLimits(instanceId: string, change: Record<string, unknown>): Promise<InstanceSettings>;
  /** @throws INVALID_FIELD */
  setReach(instanceId: string, reach: Record<string, unknown>): Promise<InstanceSettings>;
  envOf(settings: InstanceSettings): EnvValues;
  /** @throws ENV_RESERVED, ENV_UNKNOWN, ENV_INVALID, and then nothing changes */
  setEnv(instanceId: string, changes: readonly EnvChange[]): Promise<InstanceSettings>;
  pause(instanceId: string, paused: Omit<PausedMicro, 'at'>): Promise<void>;
  /** Every Micro of it. */
  resume(instanceId: string): Promise<void>;
  cordonOf(spaceId: string): Promise<CordonKind>;
  setCordon(spaceId: string, cordon: CordonKind): Promise<void>;
  remove(instanceId: string): Promise<void>;
}

/** Of one Micro. `values`: null is the app's own default. */
export interface EnvChange { micro: Parameters<typeof changedEnv>[1]; values: Readonly<Record<string, unknown>> }

const REMEMBERED = 10_000;

export function createSettings({ store, clock, vault }: { store: Store; clock: Clock; vault: Pick<Vault, 'sealText' | 'unsealText'> }): Settings {
  const table = createTable<InstanceSettings>(store, 'instance-settings');
  const spaces = createTable<SpaceSettings>(store, 'space-settings');
  const known = new LRUCache<string, InstanceSettings>({ max: REMEMBERED });
  /** Rises with every change, so that what was read before it is not remembered after it. */
  let changes = 0;
  const forget = (id: string): void => {
    changes += 1;
    known.delete(id);
  };

  async function of(id: string): Promise<InstanceSettings> {
    const remembered = known.get(id);
    if (remembered) return remembered;
    const before = changes;
    const found = (await table.get(id)) ?? plain(id);
    if (before === changes) known.set(id, found);
    return found;
  }

  /** Of several at once each has the others' change before it, the very first ones too. */
  async function change(id: string, how: (before: InstanceSettings) => InstanceSettings): Promise<InstanceSettings> {
    try {
      return await contended(async () => {
        const changed = await table.update(id, how);
        if (changed) return changed;
        const first = how(plain(id));
        await table.insert(first);
        return first;
      });
    } finally {
      forget(id);
    }
  }

  const envOf = ({ id, sealedEnv }: InstanceSettings): EnvValues =>
    sealedEnv === undefined ? {} : (JSON.parse(vault.unsealText(`env/${id}`, sealedEnv)) as EnvValues);

  return {
    of,
    envOf,
    setEnv: (id, changes) => change(id, (before) => {
      const was = envOf(before);
      const now = changes.reduce((values, { micro, values: wanted }) => changedEnv(values, micro, wanted), was);
      if (JSON.stringify(was) === JSON.stringify(now)) return before;
      return { ...before, sealedEnv: vault.sealText(`env/${id}`, JSON.stringify(now)), revision: before.revision + 1 };
    }),
    setLimits: (id, wanted) => {
      for (const [name, value] of Object.entries(wanted)) {
        const problem = limitProblem(name, value ?? 0, 'instance');
        if (problem !== undefined && !(value === null && isKnownLimit(name))) throw new SpaceError('INVALID_FIELD', { field: name.slice(0, 64), reason: problem });
      }
      return change(id, (before) => {
        const limits = Object.entries({ ...before.limits, ...wanted }).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
        return { ...before, limits: Object.fromEntries(limits), revision: before.revision + 1 };
      });
    },
    setReach: async (id, wanted) => {
      const reach = checkReach(wanted);
      // A program that may call nothing is started without the way outside.
      const isOther = (before: Reach): boolean => (before.policy === 'none') !== (reach.policy === 'none');
      return change(id, (before) => ({ ...before, reach, revision: before.revision + (isOther(before.reach) ? 1 : 0) }));
    },
    async pause(id, paused) {
      await change(id, (before) => ({ ...before, paused: [...before.paused.filter(({ micro }) => micro !== paused.micro), { ...paused, at: isoTime(clock.now()) }] }));
    },
    async resume(id) {
      await change(id, (before) => ({ ...before, paused: [] }));
    },
    cordonOf: async (spaceId) => (await spaces.get(spaceId))?.cordon ?? 'instance',
    setCordon: (id, cordon) => contended(async () => {
      if (!(await spaces.update(id, () => ({ id, cordon })))) await spaces.insert({ id, cordon });
    }),
    async remove(id) {
      await table.delete(id);
      forget(id);
    },
  };
}

const plain = (id: string): InstanceSettings => ({ id, limits: {}, reach: { policy: 'internet', hosts: [] }, paused: [], revision: 0 });

function isKnownLimit(name: string): boolean {
  return limitProblem(name, null, 'instance')?.startsWith('is a whole number') ?? false;
}
