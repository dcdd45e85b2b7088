// Owns the states of an Installation and what may follow what: a total table, so that no case is forgotten. Pure.

export type InstallationState = 'pending' | 'preparing' | 'complete' | 'failed';
/** start: the job is taken up. placed: its one deciding batch is written. fail: it cannot be done. */
export type InstallationEvent = 'start' | 'placed' | 'fail';

export const INSTALLATION_TRANSITIONS: Record<InstallationState, Record<InstallationEvent, InstallationState | 'invalid'>> = {
  pending: { start: 'preparing', placed: 'invalid', fail: 'failed' },
  preparing: { start: 'preparing', placed: 'complete', fail: 'failed' },
  complete: { start: 'invalid', placed: 'invalid', fail: 'invalid' },
  failed: { start: 'invalid', placed: 'invalid', fail: 'invalid' },
};

export function nextState(state: InstallationState, event: InstallationEvent): InstallationState {
  const next = INSTALLATION_TRANSITIONS[state][event];
  if (next === 'invalid') throw new TypeError(`an Installation that is ${state} cannot ${event}`);
  return next;
}

export function isFinal(state: InstallationState): boolean {
  return state === 'complete' || state === 'failed';
}
