// Owns the states of an Installation and what may follow what: a total table, so that no case is forgotten. Pure.

/** saving: requests wait, the data are being put aside. checking: the new code is on, and tried. returning: it failed, and what
 *  was there before comes back. */
export type InstallationState = 'pending' | 'preparing' | 'saving' | 'checking' | 'returning' | 'complete' | 'failed';
/** start: the job is taken up. hold: requests wait from here on. switched: other code is on. placed: its deciding batch is
 *  written. rejected: the new code is no good. fail: it cannot be done, or was undone. */
export type InstallationEvent = 'start' | 'hold' | 'switched' | 'placed' | 'rejected' | 'fail';

type Row = Record<InstallationEvent, InstallationState | 'invalid'>;
const NOTHING: Row = { start: 'invalid', hold: 'invalid', switched: 'invalid', placed: 'invalid', rejected: 'invalid', fail: 'invalid' };

export const INSTALLATION_TRANSITIONS: Record<InstallationState, Row> = {
  pending: { ...NOTHING, start: 'preparing', fail: 'failed' },
  preparing: { ...NOTHING, start: 'preparing', hold: 'saving', placed: 'complete', fail: 'failed' },
  saving: { ...NOTHING, switched: 'checking', placed: 'complete', fail: 'failed' },
  checking: { ...NOTHING, placed: 'complete', rejected: 'returning' },
  returning: { ...NOTHING, fail: 'failed' },
  complete: NOTHING,
  failed: NOTHING,
};

export function nextState(state: InstallationState, event: InstallationEvent): InstallationState {
  const next = INSTALLATION_TRANSITIONS[state][event];
  if (next === 'invalid') throw new TypeError(`an Installation that is ${state} cannot ${event}`);
  return next;
}

export function isFinal(state: InstallationState): boolean {
  return state === 'complete' || state === 'failed';
}
