// Owns putting Installations and the trash together with what they touch: Engines, data, keys, logs, settings.
import type { Builder } from '../builder/builder.ts';
import type { Clock } from '../core/clock.ts';
import { orMissing } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Data } from '../sandbox-data/data.ts';
import type { Actions } from './actions.ts';
import type { ApiParts } from './api/parts.ts';
import type { Engines } from './engines.ts';
import type { Addresses } from './http/address.ts';
import { checkHealth, type HealthProblem } from './instance/health.ts';
import { createInstallations, type Installations } from './instance/installation.ts';
import type { Instance } from './instance/instance.ts';
import type { LiveInstances } from './instance/live.ts';
import { createTrash, type Trash } from './instance/trash.ts';

export interface InstallsParts extends Pick<ApiParts, 'instances' | 'collections' | 'settings' | 'domains' | 'logs' | 'apiKeys' | 'dataKeys'> {
  data: Data;
  clock: Clock;
  log: Log;
  addresses: Addresses;
  builder: Builder;
  engines: Engines;
  live: LiveInstances;
  actions: Actions;
  /** Requests in flight have so long when other code comes. */
  drainMs: number;
}

export function openInstalls(parts: InstallsParts): { installations: Installations; trash: Trash } {
  const { instances, collections, settings, domains, actions, logs, apiKeys, dataKeys, data, clock, log, addresses, builder, engines, live } = parts;
  const store = data.hostStore;

  async function onRemoved(instance: Instance): Promise<void> {
    await apiKeys.deleteAll(instance.id);
    await logs.remove({ spaceId: instance.spaceId, instanceId: instance.id });
    await settings.remove(instance.id);
    await actions.schedules.instanceRemoved(instance.id);
    await domains.instanceRemoved(instance.id);
    await installations.forget(instance);
    await instances.retire(instance);
  }

  const trash = createTrash({
    store, clock, data, collections, instances, onRemoved,
    hasRevision: async (id) => (await orMissing(builder.revisions.get(id))) !== undefined,
    onPurged: (collectionId) => dataKeys.deleteAll(collectionId),
  });
  const installations: Installations = createInstallations({
    store, clock, log, instances, collections, onRemoved,
    release: (id) => orMissing(builder.releases.get(id)),
    revision: (id) => orMissing(builder.revisions.get(id)),
    checkRunnable: ({ micros }) => engines.assertRunnable(micros),
    onChanged: async (instanceId) => {
      live.forget(instanceId);
      actions.instanceChanged(instanceId);
      await engines.stop(instanceId, parts.drainMs);
    },
    onReady: (instanceId) => {
      live.forget(instanceId);
      actions.instanceChanged(instanceId);
    },
    snapshotsOf: ({ spaceId, collectionId }) => data.collection({ spaceId, collectionId }).snapshots,
    check: async (instance) => checkHealth(await live.ofRecord(instance), { engineFor: engines.for, clock, origin: addresses.instanceUrl(instance.label) }),
    onReturned: (instance, told) => tell(parts, instance, told),
    urlOf: (instance) => addresses.instanceUrl(instance.label),
  });
  return {
    installations,
    trash: {
      ...trash,
      async restore(trashed, as) {
        const instance = await trash.restore(trashed, as);
        if (instance) {
          actions.instanceChanged(instance.id);
          await domains.load();
        }
        return instance;
      },
    },
  };
}

/** The owner is told all of it. The developer of another's copy learns which Micro and what kind of failure: what its code
 *  says may speak of the owner's data. */
async function tell({ logs, instances }: Pick<InstallsParts, 'logs' | 'instances'>, instance: Instance, { problem, text, version }: { problem: HealthProblem; text: string; version: string }): Promise<void> {
  logs.append({ spaceId: instance.spaceId, instanceId: instance.id }, { micro: problem.micro, level: 'error', text, requestId: null });
  const builder = await instances.builderOf(instance.projectId);
  if (!builder || builder.id === instance.id) return;
  const told = builder.spaceId === instance.spaceId ? text : `Version ${version} failed its check when somebody updated to it, and they are back at version ${instance.version}: Micro \`${problem.micro}\`, ${problem.code}.`;
  logs.append({ spaceId: builder.spaceId, instanceId: builder.id }, { micro: problem.micro, level: 'error', text: told, requestId: null });
}
