// Owns the steps by which a Release comes on an Instance: at once where there is nothing to lose, else guarded: the data are
// put aside, the new code is tried before anybody reaches it, and what fails is undone.
//
// Requests to an Instance that is `updating` wait. What they find when they go on is old code with old data, or new code
// with its data.
import { SpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Release } from '../../builder/release.ts';
import type { Revision } from '../../builder/revision.ts';
import type { HealthProblem } from './health.ts';
import type { Installation } from './installation.ts';
import { codeOf, codeOfRelease, resourceLines, type InstallationGround, type Pair } from './installation-ground.ts';

/** Install, or an update. */
export async function place(ground: InstallationGround, given: Installation): Promise<void> {
  const { parts, both, step } = ground;
  if (given.state === 'checking') return tryOut(ground, given);
  if (given.state === 'returning') return giveBack(ground, given);
  const job = await ground.begun(given, 'fetching release configuration...');
  const release = await parts.release(job.releaseId);
  const revision = release && (await parts.revision(release.revisionId));
  if (!release || !revision) throw new SpaceError('RELEASE_NOT_FOUND');
  await parts.checkRunnable(revision);
  const instance = await ground.instanceOf(job);
  // A push has its developer at hand, and must be live at once.
  if (job.kind === 'update' && instance.kind === 'installed') return updateGuarded(ground, { job, instance }, { release, revision });
  const before = codeOf(instance);
  await both({ job, instance }, step(job, 'placed', before ? { before } : {}, ...resourceLines(revision), parts.urlOf(instance)), { ...codeOfRelease(release), state: 'ready' });
  await parts.onChanged(instance.id);
}

/** preparing -> saving -> checking. Nothing has changed while it is saving. */
async function updateGuarded(ground: InstallationGround, pair: Pair, { release, revision }: { release: Release; revision: Revision }): Promise<void> {
  const { parts } = ground;
  const held = pair.job.state === 'saving' ? pair : await ground.hold(pair, { snapshotId: newId('snapshot') }, 'saving the data as they are...');
  const { job, instance } = held;
  await parts.onChanged(instance.id);
  await parts.snapshotsOf(instance).create({ id: job.snapshotId, kind: 'automatic', note: `Before the update from ${instance.version} to ${release.version}` });
  ground.reached(job, 'data saved');
  const line = job.isUnchecked ? `version ${release.version} is not checked: that was the wish` : `starting version ${release.version} to see whether it answers...`;
  const after = await ground.both(held, ground.step(job, 'switched', {}, ...resourceLines(revision), line), codeOfRelease(release));
  await tryOut(ground, after.job);
}

/** checking -> complete, or returning. Nobody but the check reaches the new code meanwhile. */
async function tryOut(ground: InstallationGround, job: Installation): Promise<void> {
  const { parts } = ground;
  const instance = await ground.instanceOf(job);
  const problem = job.isUnchecked ? undefined : await parts.check(instance);
  ground.reached(job, 'checked');
  if (problem) return giveBack(ground, await rejected(ground, job, problem));
  await ground.both({ job, instance }, ground.step(job, 'placed', {}, parts.urlOf(instance)), { state: 'ready' });
  parts.onReady(instance.id);
  await ground.prune(instance);
}

export function rejected({ step, write }: InstallationGround, job: Installation, problem: HealthProblem): Promise<Installation> {
  return write(step(job, 'rejected', { problem, replacedId: newId('snapshot') }, `failed its check: ${problem.text}`, 'going back to what was there before...'));
}

/** returning -> failed. */
export async function giveBack(ground: InstallationGround, job: Installation): Promise<void> {
  const { parts } = ground;
  const instance = await ground.instanceOf(job);
  const { before, problem } = job;
  if (!before || !problem) throw new TypeError('an update that is undone knows what was there and what is wrong');
  await parts.onChanged(instance.id);
  const isDataBack = await giveDataBack(ground, { job, instance });
  ground.reached(job, 'data back');
  const { message } = new SpaceError('UPDATE_UNHEALTHY', { version: instance.version, reason: problem.text, before: before.version, snapshot: isDataBack ? job.replacedId : undefined });
  const failed = ground.step(job, 'fail', { error: message, replacedId: isDataBack ? job.replacedId : undefined }, `failed: ${message}`);
  const { instance: back } = await ground.both({ job, instance }, failed, { ...before, state: 'ready' });
  parts.onReady(instance.id);
  await parts.onReturned(back, { problem, text: message, version: instance.version });
}

/** @returns whether anything was written since they were saved: else they are the old ones already */
async function giveDataBack({ parts }: InstallationGround, { job, instance }: Pair): Promise<boolean> {
  const snapshots = parts.snapshotsOf(instance);
  const { items, files, isMore } = await snapshots.since(job.snapshotId ?? '');
  if (items + files === 0 && !isMore) return false;
  await snapshots.restore(job.snapshotId ?? '', { replacedId: job.replacedId, note: `What version ${instance.version} wrote before it failed its check` });
  return true;
}
