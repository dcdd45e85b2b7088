// Owns how a job runs: which steps are those of its kind, what an uninstall does, and what becomes of a job that cannot go on.
import { toSpaceError } from '../../core/errors.ts';
import { commit, type Table } from '../../sandbox-data/store/table.ts';
import type { Instance } from './instance.ts';
import { createGround, type InstallationGround } from './installation-ground.ts';
import { rollBack, undoRestore } from './installation-rollback.ts';
import { isFinal } from './installation-state.ts';
import { giveBack, place, rejected } from './installation-update.ts';
import type { Installation, InstallationParts } from './installation.ts';
import { letGo } from './trash.ts';

/** @param changed the job of this id is at another step */
export function createSteps(table: Table<Installation>, parts: InstallationParts, changed: (id: string) => void): { run(job: Installation): Promise<void> } {
  const ground = createGround(table, parts, changed);
  const stepsOf = { install: place, update: place, rollback: rollBack, uninstall: remove };
  return {
    async run(job) {
      try {
        ground.reached(job, 'recorded');
        await stepsOf[job.kind](ground, job);
      } catch (error) {
        await fail(ground, job.id, error);
      }
    },
  };
}

/** Uninstall: pending -> preparing -> complete. The Instance was marked when the job was recorded. */
async function remove(ground: InstallationGround, given: Installation): Promise<void> {
  const { parts, table } = ground;
  const job = await ground.begun(given, 'stopping the app...');
  const instance = await parts.instances.get(job.instanceId);
  if (!instance) {
    await ground.write(ground.step(job, 'placed', {}));
    return;
  }
  await parts.onChanged(instance.id);
  ground.reached(job, 'stopped');
  // In the trash it keeps its keys and settings, so that it can come back as it was.
  const collection = await parts.collections.get(instance.collectionId);
  const fate = collection ? [job.data === 'keep' ? parts.collections.detachWrite(collection, instance) : parts.collections.trashWrite(collection, instance)] : [];
  const done = ground.step(job, 'placed', {}, job.data === 'keep' ? 'the data was kept as a Collection' : 'the app and its data were put into the trash');
  await commit(parts.store, parts.instances.deleteWrite(instance), table.replaceWrite(job, done), ...fate);
  parts.collections.forget(instance.collectionId);
  ground.reached(job, 'decided');
  await parts.onChanged(instance.id);
  await letGo(parts, instance.collectionId);
  ground.reached(job, done.state);
}

async function fail(ground: InstallationGround, id: string, error: unknown): Promise<void> {
  const { parts: { log }, table } = ground;
  const known = toSpaceError(error);
  if (known.blame === 'platform') log.error('installation.failed', { installationId: id, error });
  const job = await table.get(id);
  if (!job || isFinal(job.state)) return;
  if (job.state !== 'checking') return giveUp(ground, id, known);
  try {
    await giveBack(ground, await rejected(ground, job, { micro: '', code: known.code, text: known.message }));
  } catch (second) {
    await giveUp(ground, id, second);
  }
}

async function giveUp(ground: InstallationGround, id: string, error: unknown): Promise<void> {
  const { parts, table } = ground;
  const job = await table.get(id);
  if (!job || isFinal(job.state)) return;
  await undoRestore(ground, job);
  const { message } = toSpaceError(error);
  const text = job.state === 'returning' ? `${job.problem?.text ?? ''} And what was there before could not be put back: ${message} Roll it back with its data once that is mended.` : message;
  const instance = await parts.instances.get(job.instanceId);
  const marks = instance ? stateAfterFailure(instance, job).map((state) => parts.instances.replaceWrite(instance, parts.instances.touched(instance, { state }))) : [];
  await commit(parts.store, table.replaceWrite(job, ground.step(job, 'fail', { error: text }, `failed: ${text}`)), ...marks);
  if (marks.length > 0) parts.onReady(job.instanceId);
}

/** An install that failed has nothing to go back to; an uninstall that failed leaves what its owner can use and uninstall
 *  again; an update that failed changed nothing, unless even going back failed. */
function stateAfterFailure({ state, revisionId }: Instance, job: Installation): Instance['state'][] {
  if (state === 'installing') return ['failed'];
  if (state === 'updating') return [job.state === 'returning' ? 'failed' : 'ready'];
  return state === 'removing' ? [revisionId === null ? 'failed' : 'ready'] : [];
}
