// Owns how far back the jobs of Instances are kept: the last of each, and of those that are gone the very last, so that
// whoever waits for an uninstall sees its end. Knows no step of a job.
import type { Table } from '../../sandbox-data/store/table.ts';
import { isFinal } from './installation-state.ts';
import type { Installation } from './installation.ts';
import type { Instance } from './instance.ts';

/** Of one Instance, as far back as anybody looks. */
export const HISTORY_MAX = 100;
/** Jobs of Instances that are gone, of one Space. */
export const HISTORY_GONE_MAX = 100;
/** More than come at a time, so that what an older host left goes by and by. */
const REMOVED_AT_ONCE = 20;

export interface InstallationHistory {
  /** Newest first. */
  ofInstance(instanceId: string, limit?: number): Promise<Installation[]>;
  /** Older ones go. */
  prune(instanceId: string): Promise<void>;
  /** The Instance is gone for good. Bears repetition. */
  forget(instance: Pick<Instance, 'id' | 'spaceId'>): Promise<void>;
}

export function createInstallationHistory(table: Table<Installation>): InstallationHistory {
  const newest = (index: 'instance' | 'gone', value: string, limit: number): Promise<Installation[]> => table.list({ by: { index, value }, reverse: true, limit });

  async function remove(jobs: readonly Installation[]): Promise<void> {
    for (const job of jobs) if (isFinal(job.state)) await table.delete(job.id);
  }

  return {
    ofInstance: (instanceId, limit = HISTORY_MAX) => newest('instance', instanceId, limit),
    prune: async (instanceId) => remove((await newest('instance', instanceId, HISTORY_MAX + REMOVED_AT_ONCE)).slice(HISTORY_MAX)),
    async forget({ id, spaceId }) {
      const jobs = await table.list({ by: { index: 'instance', value: id }, reverse: true });
      const last = jobs.find(({ kind }) => kind === 'uninstall') ?? jobs[0];
      await remove(jobs.filter((job) => job !== last));
      if (last) await table.update(last.id, (job) => ({ ...job, isOfGone: true }));
      await remove((await newest('gone', spaceId, HISTORY_GONE_MAX + REMOVED_AT_ONCE)).slice(HISTORY_GONE_MAX));
    },
  };
}
