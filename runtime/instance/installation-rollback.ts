// Owns the steps of going back to what an Instance ran before: its code, and the data of then where that was wished. What is
// there now is put aside first, so that this can be undone too.
import { SpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Installation } from './installation.ts';
import { resourceLines, type InstallationGround, type Pair } from './installation-ground.ts';

/** preparing -> saving -> complete. */
export async function rollBack(ground: InstallationGround, given: Installation): Promise<void> {
  const { parts } = ground;
  const begun = await ground.begun(given, 'looking for the earlier version...');
  const { target } = begun;
  const revision = target && (await parts.revision(target.revisionId));
  if (!revision) throw new SpaceError('REVISION_NOT_FOUND');
  const instance = await ground.instanceOf(begun);
  if (begun.state === 'preparing') {
    await parts.checkRunnable(revision);
    await assertSnapshot(ground, { job: begun, instance });
  }
  const held = begun.state === 'saving' ? { job: begun, instance } : await hold(ground, { job: begun, instance });
  await parts.onChanged(instance.id);
  await moveData(ground, held, `Before the rollback from ${held.instance.version} to ${target.version}`);
  ground.reached(held.job, 'data saved');
  await ground.both(held, ground.step(held.job, 'placed', {}, ...resourceLines(revision), parts.urlOf(instance)), { ...target, state: 'ready' });
  parts.onReady(instance.id);
  await ground.prune(instance);
}

async function assertSnapshot({ parts }: InstallationGround, { job: { restoreId }, instance }: Pair): Promise<void> {
  if (restoreId === undefined) return;
  if (!(await parts.snapshotsOf(instance).list()).some(({ id }) => id === restoreId)) throw new SpaceError('SNAPSHOT_NOT_FOUND');
}

/** Under which name the data of now are kept is written down before they are, so that it happens once. */
function hold(ground: InstallationGround, pair: Pair): Promise<Pair> {
  return pair.job.restoreId === undefined
    ? ground.hold(pair, { snapshotId: newId('snapshot') }, 'saving the data as they are...')
    : ground.hold(pair, { replacedId: newId('snapshot') }, 'putting the data back...');
}

async function moveData({ parts }: InstallationGround, { job, instance }: Pair, note: string): Promise<void> {
  const snapshots = parts.snapshotsOf(instance);
  if (job.restoreId === undefined) await snapshots.create({ id: job.snapshotId, kind: 'automatic', note });
  else await snapshots.restore(job.restoreId, { replacedId: job.replacedId, note });
}

/** Data that were put back already go with code that is not: never one without the other. */
export async function undoRestore(ground: InstallationGround, job: Installation): Promise<void> {
  const { replacedId } = job;
  if (job.kind !== 'rollback' || job.state !== 'saving' || replacedId === undefined) return;
  const snapshots = ground.parts.snapshotsOf(await ground.instanceOf(job));
  if ((await snapshots.list()).some(({ id }) => id === replacedId)) await snapshots.restore(replacedId);
}
