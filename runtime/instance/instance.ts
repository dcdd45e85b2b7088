// Owns the records of Instances and their labels. Knows no engine and no HTTP.
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import { newId, newLabelSuffix } from '../../core/ids.ts';
import { isoTime, type Clock } from '../../core/clock.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { commit, createTable, type Write } from '../../sandbox-data/store/table.ts';
import { checkLabel } from './label.ts';

/** installing: the first Installation runs. failed: it failed, or an update could not even be undone. updating: requests
 *  wait until other code is on it, and was tried. removing: it is being uninstalled. */
export type InstanceState = 'installing' | 'ready' | 'failed' | 'updating' | 'removing';

/** What an Instance runs, or ran. */
export interface Code { revisionId: string; releaseId: string; version: string }

export interface Instance {
  id: string;
  spaceId: string;
  projectId: string;
  /** A Project has one Builder Instance; every other copy is installed from a Release. */
  kind: 'builder' | 'installed';
  /** First label of its host name. */
  label: string;
  appName: string;
  releaseId: string;
  /** The only pointer that moves on an update; null until the first Installation is complete. */
  revisionId: string | null;
  version: string;
  collectionId: string;
  state: InstanceState;
  /** Rises whenever code or settings change: what runs under an older one is retired. */
  generation: number;
  createdAt: string;
  updatedAt: string;
}

export interface NewInstance {
  spaceId: string;
  projectId: string;
  kind: Instance['kind'];
  alias: string;
  appName: string;
  releaseId: string;
  version: string;
}

/** A label once given stays with its Instance, even after it is gone: old links never reach another app. `goneAt`: it is, and
 *  was of the Space `goneOf`. */
interface Label { id: string; instanceId: string; goneOf?: string; goneAt?: string }

export interface Instances {
  get(id: string): Promise<Instance | undefined>;
  byLabel(label: string): Promise<Instance | undefined>;
  list(spaceId: string): Promise<Instance[]>;
  /** Of all Spaces. */
  all(): Promise<Instance[]>;
  builderOf(projectId: string): Promise<Instance | undefined>;
  ofProject(projectId: string): Promise<Instance[]>;
  /** A new Instance, not yet written. */
  draft(fresh: NewInstance, collection: (instanceId: string) => { id: string }): Instance;
  insertWrites(instance: Instance): Write[];
  replaceWrite(before: Instance, after: Instance): Write;
  deleteWrite(instance: Instance): Write;
  /** The label that this Instance has when it comes back: its own, unless another one has it by now. */
  labelFor(instance: Instance): Promise<string>;
  /** An Instance that was deleted is there again. */
  restoreWrites(instance: Instance): Promise<Write[]>;
  /** Another address; those that it had lead to it as before. @throws LABEL_TAKEN, LABEL_INVALID */
  rename(instance: Instance, label: string): Promise<Instance>;
  /** It is gone for good: of the addresses that apps of its Space had, the last stay with them. Bears repetition. */
  retire(instance: Pick<Instance, 'id' | 'spaceId'>): Promise<void>;
  /** A copy that says when it changed. */
  touched(instance: Instance, change: Partial<Instance>): Instance;
}

/** Of one Space. */
export const INSTANCES_MAX = 500;
const LABEL_MAX = 63;
/** Of one Instance, those included that it had: each stays with it for good. */
const LABELS_MAX = 20;
/** Of Instances that are gone, of one Space; whoever needs more of them lets the oldest go. */
export const LABELS_GONE_MAX = 1000;
const RELEASED_AT_ONCE = 50;

export function createInstances(store: Store, clock: Clock): Instances {
  const instances = createTable<Instance>(store, 'instance', {
    space: { of: (instance) => instance.spaceId },
    project: { of: (instance) => instance.projectId },
    builder: { of: (instance) => (instance.kind === 'builder' ? instance.projectId : undefined), unique: true },
  });
  const labels = createTable<Label>(store, 'label', { instance: { of: ({ instanceId }) => instanceId }, gone: { of: ({ goneOf }) => goneOf, order: ({ goneAt }) => goneAt ?? '' } });

  return {
    get: (id) => instances.get(id),
    async byLabel(label) {
      const known = await labels.get(label);
      return known && instances.get(known.instanceId);
    },
    all: () => instances.list(),
    list: (spaceId) => instances.list({ by: { index: 'space', value: spaceId } }),
    builderOf: (projectId) => instances.find('builder', projectId),
    ofProject: (projectId) => instances.list({ by: { index: 'project', value: projectId } }),
    draft({ alias, ...fresh }, collection) {
      const id = newId('instance');
      const suffix = newLabelSuffix();
      const now = isoTime(clock.now());
      return {
        ...fresh, id, label: labelOf(alias, suffix), revisionId: null,
        collectionId: collection(id).id, state: 'installing', generation: 1, createdAt: now, updatedAt: now,
      };
    },
    insertWrites: (instance) => [
      instances.insertWrite(instance),
      labels.insertWrite({ id: instance.label, instanceId: instance.id }),
    ],
    replaceWrite: instances.replaceWrite,
    deleteWrite: instances.deleteWrite,
    async labelFor({ id, label }) {
      const known = await labels.get(label);
      return known === undefined || known.instanceId === id ? label : labelOf(label.replace(/-[a-z]\d{7}$/, ''), newLabelSuffix());
    },
    async restoreWrites(instance) {
      const known = await labels.get(instance.label);
      return [instances.insertWrite(instance), ...(known ? [] : [labels.insertWrite({ id: instance.label, instanceId: instance.id })])];
    },
    async rename(instance, label) {
      const known = await labels.get(checkLabel(label));
      if (known && known.instanceId !== instance.id) throw new SpaceError('LABEL_TAKEN', { label });
      const had = await labels.list({ by: { index: 'instance', value: instance.id } });
      if (!known && had.length >= LABELS_MAX) throw new SpaceError('LABEL_INVALID', { label, reason: `this app had ${LABELS_MAX} addresses already` });
      const after = { ...instance, label, generation: instance.generation + 1, updatedAt: isoTime(clock.now()) };
      await commit(store, instances.replaceWrite(instance, after), ...(known ? [] : [labels.insertWrite({ id: label, instanceId: instance.id })])).catch((error) => {
        throw isSpaceError(error, 'STORE_CONDITION_FAILED') ? new SpaceError('LABEL_TAKEN', { label }, { cause: error }) : error;
      });
      return after;
    },
    async retire({ id, spaceId }) {
      const goneAt = isoTime(clock.now());
      for (const label of await labels.list({ by: { index: 'instance', value: id } })) await labels.update(label.id, (had) => (had.goneAt === undefined ? { ...had, goneOf: spaceId, goneAt } : undefined));
      const gone = await labels.list({ by: { index: 'gone', value: spaceId }, reverse: true, limit: LABELS_GONE_MAX + RELEASED_AT_ONCE });
      for (const label of gone.slice(LABELS_GONE_MAX)) await labels.delete(label.id);
    },
    touched: (instance, change) => ({ ...instance, ...change, updatedAt: isoTime(clock.now()) }),
  };
}

function labelOf(alias: string, suffix: string): string {
  return `${alias.slice(0, LABEL_MAX - suffix.length - 1)}-${suffix}`;
}
