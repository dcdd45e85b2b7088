// Owns the proof of the states of an Installation, cell by cell.
import { expect, test } from 'vitest';
import { INSTALLATION_TRANSITIONS, isFinal, nextState, type InstallationEvent, type InstallationState } from '../../../runtime/instance/installation-state.ts';

const EVENTS: readonly InstallationEvent[] = ['start', 'hold', 'switched', 'placed', 'rejected', 'fail'];
/** In the order of the events; `-` may not happen. */
const CELLS: Record<InstallationState, string> = {
  pending: 'preparing - - - - failed',
  preparing: 'preparing saving - complete - failed',
  saving: '- - checking complete - failed',
  checking: '- - - complete returning -',
  returning: '- - - - - failed',
  complete: '- - - - - -',
  failed: '- - - - - -',
};

test.each(Object.entries(CELLS).flatMap(([state, row]) => row.split(' ').map((next, at) => [state, EVENTS[at], next] as [InstallationState, InstallationEvent, string])))('%s, %s: %s', (state, event, expected) => {
  if (expected === '-') expect(() => nextState(state, event)).toThrow(`an Installation that is ${state} cannot ${event}`);
  else expect(nextState(state, event)).toBe(expected);
});

test('every cell is covered above', () => {
  expect(Object.values(INSTALLATION_TRANSITIONS).flatMap((events) => Object.keys(events))).toHaveLength(Object.keys(CELLS).length * EVENTS.length);
});

test('what is final leads nowhere, and nothing else is', () => {
  for (const [state, events] of Object.entries(INSTALLATION_TRANSITIONS)) {
    expect(isFinal(state as InstallationState), state).toBe(Object.values(events).every((next) => next === 'invalid'));
  }
});
