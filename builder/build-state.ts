// Owns the states of a Build and what may follow what: one total, pure table. Knows no record and no file.
import type { WireJobStatus } from '../core/wire.ts';

/** `released`: its Revision and development Release exist, so it can no longer fail; only the
 *  Builder Instance is still being told. */
export type BuildState =
  | 'created' | 'manifest' | 'icon' | 'code' | 'queued' | 'running' | 'released' | 'complete' | 'failed';

/** `code`: the upload began; `queue`: it is there whole; `interrupt`: the host stopped or restarted. */
export type BuildEvent =
  | 'manifest' | 'icon' | 'code' | 'queue' | 'run' | 'release' | 'complete' | 'fail' | 'cancel' | 'interrupt';

/** `ignore`: the event comes too late and changes nothing. `invalid`: somebody has to be told. */
export type BuildStep = BuildState | 'ignore' | 'invalid';

const waiting = { queue: 'invalid', run: 'invalid', release: 'invalid', complete: 'invalid', fail: 'failed', cancel: 'failed', interrupt: 'ignore' } as const;
const uploaded = { manifest: 'invalid', icon: 'invalid', code: 'invalid' } as const;

export const BUILD_STEPS: Record<BuildState, Record<BuildEvent, BuildStep>> = {
  created: { ...waiting, manifest: 'manifest', icon: 'invalid', code: 'code' },
  manifest: { ...waiting, manifest: 'manifest', icon: 'icon', code: 'code' },
  icon: { ...waiting, manifest: 'invalid', icon: 'icon', code: 'code' },
  code: { ...uploaded, queue: 'queued', run: 'invalid', release: 'invalid', complete: 'invalid', fail: 'failed', cancel: 'failed', interrupt: 'failed' },
  queued: { ...uploaded, queue: 'ignore', run: 'running', release: 'invalid', complete: 'invalid', fail: 'failed', cancel: 'failed', interrupt: 'ignore' },
  running: { ...uploaded, queue: 'ignore', run: 'invalid', release: 'released', complete: 'invalid', fail: 'failed', cancel: 'failed', interrupt: 'queued' },
  released: { ...uploaded, queue: 'ignore', run: 'ignore', release: 'ignore', complete: 'complete', fail: 'ignore', cancel: 'invalid', interrupt: 'ignore' },
  complete: { ...uploaded, queue: 'ignore', run: 'ignore', release: 'ignore', complete: 'ignore', fail: 'ignore', cancel: 'invalid', interrupt: 'ignore' },
  failed: { ...uploaded, queue: 'ignore', run: 'ignore', release: 'ignore', complete: 'ignore', fail: 'ignore', cancel: 'ignore', interrupt: 'ignore' },
};

const STATUS: Record<BuildState, WireJobStatus> = {
  created: 'pending', manifest: 'pending', icon: 'pending', code: 'pending', queued: 'pending',
  running: 'running', released: 'running', complete: 'complete', failed: 'failed',
};

/** What the state is called outside. @source reference 7.2 */
export function statusOf(state: BuildState): WireJobStatus {
  return STATUS[state];
}

/** True when nothing can change any more. */
export function isFinished(state: BuildState): boolean {
  return state === 'complete' || state === 'failed';
}

/** True while the source is still awaited. */
export function isAwaitingSource(state: BuildState): boolean {
  return state === 'created' || state === 'manifest' || state === 'icon';
}
