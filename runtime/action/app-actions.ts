// Owns App Actions of Instances: asking a Micro what it offers once for each Revision, remembering that, and running one.
// Knows no HTTP; how a Micro is reached is given to it.
import { isSpaceError, SpaceError, toSpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import { isoTime, type Clock } from '../../core/clock.ts';
import type { Revision } from '../../builder/revision.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { createTable } from '../../sandbox-data/store/table.ts';
import type { HostAnswer, HostRequest } from '../instance/deliver.ts';
import type { Instance, Instances } from '../instance/instance.ts';
import { type AppAction, checkInputs, METADATA_MAX_BYTES, readActions, wrapOutput } from './app-action.ts';

/** What an Instance offers. `failed`: its Micro did not say it, and is asked again later. */
interface Offer { id: string; revisionId: string; actions: AppAction[]; askedAt: string; isFailed: boolean }

export interface AppActionsParts {
  store: Store;
  clock: Clock;
  instances: Instances;
  revision(id: string): Promise<Revision | undefined>;
  ask(instance: Instance, micro: string, request: Omit<HostRequest, 'event'>): Promise<HostAnswer>;
  /** For the Instance's own log. */
  tell(instance: Instance, entry: { micro: string; text: string; requestId: string }): void;
}

export interface AppActions {
  list(instance: Instance): Promise<AppAction[]>;
  /** @throws ACTION_NOT_FOUND, ACTION_INPUT_INVALID, ACTION_FAILED, and what the Micro's Engine throws */
  run(instance: Instance, name: string, inputs: Readonly<Record<string, unknown>>): Promise<{ type: string; data: unknown }>;
  /** It runs another Revision, or is gone. */
  instanceChanged(instanceId: string): Promise<void>;
}

const ASK_MS = 10_000;
const ASK_AGAIN_MS = 60_000;
const RUN_MS = 60_000;
const OUTPUT_MAX_BYTES = 4 * 1024 * 1024;
const TEXT_SHOWN = 300;

export function createAppActions(parts: AppActionsParts): AppActions {
  const { clock, instances } = parts;
  const offers = createTable<Offer>(parts.store, 'app-actions');
  const asking = new Map<string, Promise<AppAction[]>>();

  async function list(instance: Instance): Promise<AppAction[]> {
    if (instance.revisionId === null || instance.state !== 'ready') return [];
    const known = await offers.get(instance.id);
    const isFresh = known?.revisionId === instance.revisionId && !(known.isFailed && Math.abs(clock.now() - Date.parse(known.askedAt)) > ASK_AGAIN_MS);
    if (isFresh) return known.actions;
    const key = `${instance.id}/${instance.revisionId}`;
    const pending = asking.get(key) ?? askAll(instance).finally(() => asking.delete(key));
    asking.set(key, pending);
    return pending;
  }

  async function askAll(instance: Instance): Promise<AppAction[]> {
    const revision = await parts.revision(instance.revisionId ?? '');
    if (!revision) return [];
    const answers = await Promise.all(revision.micros.filter(({ provideActions }) => provideActions).map(({ name }) => askOne(instance, name)));
    const seen = new Set<string>();
    const actions = answers.flatMap((answer) => answer ?? []).filter(({ name }) => !seen.has(name) && seen.add(name));
    await keep({ id: instance.id, revisionId: revision.id, actions, askedAt: isoTime(clock.now()), isFailed: answers.includes(undefined) });
    return actions;
  }

  /** @returns undefined when it did not say */
  async function askOne(instance: Instance, micro: string): Promise<AppAction[] | undefined> {
    const requestId = newId('request');
    const complain = (problem: string): undefined => {
      parts.tell(instance, { micro, requestId, text: `The app's actions are not known: GET /__space/actions ${problem}` });
    };
    try {
      const { status, text, isCut } = await parts.ask(instance, micro, { id: requestId, method: 'GET', path: '/__space/actions', signal: AbortSignal.timeout(ASK_MS), keepBytes: METADATA_MAX_BYTES });
      if (status !== 200) return complain(`answered ${status}`);
      if (isCut) return complain(`answered with more than ${METADATA_MAX_BYTES / 1024} KB`);
      return readActions(text, micro) ?? complain('did not answer with {"actions": [...]}');
    } catch (error) {
      return complain(`failed. ${toSpaceError(error).message}`);
    }
  }

  async function keep(offer: Offer): Promise<void> {
    if (await offers.update(offer.id, () => offer)) return;
    await offers.insert(offer).catch((error) => {
      // Somebody else asked at the same time.
      if (!isSpaceError(error, 'STORE_CONDITION_FAILED')) throw error;
    });
  }

  return {
    list,
    async run(instance, name, inputs) {
      const action = (await list(instance)).find((each) => each.name === name);
      if (!action) throw new SpaceError('ACTION_NOT_FOUND', { action: name.slice(0, 64) });
      const json = checkInputs(action, inputs);
      const { status, text, isCut } = await parts.ask(instance, action.micro, { id: newId('request'), method: 'POST', path: action.path, json, signal: AbortSignal.timeout(RUN_MS), keepBytes: OUTPUT_MAX_BYTES });
      if (status >= 300) throw new SpaceError('ACTION_FAILED', { action: name, status, text: text.slice(0, TEXT_SHOWN) });
      if (isCut) throw new SpaceError('MICRO_BAD_RESPONSE', { reason: `an action's answer has ${OUTPUT_MAX_BYTES / 1024 / 1024} MB at most` });
      return wrapOutput(action, text);
    },
    async instanceChanged(instanceId) {
      const instance = await instances.get(instanceId);
      if (instance) await list(instance);
      else await offers.delete(instanceId);
    },
  };
}
