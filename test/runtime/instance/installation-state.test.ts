// Owns the proof of the states of an Installation, cell by cell.
import { expect, test } from 'vitest';
import { INSTALLATION_TRANSITIONS, isFinal, nextState, type InstallationEvent, type InstallationState } from '../../../runtime/instance/installation-state.ts';

test.each([
  ['pending', 'start', 'preparing'], ['pending', 'placed', 'invalid'], ['pending', 'fail', 'failed'],
  ['preparing', 'start', 'preparing'], ['preparing', 'placed', 'complete'], ['preparing', 'fail', 'failed'],
  ['complete', 'start', 'invalid'], ['complete', 'placed', 'invalid'], ['complete', 'fail', 'invalid'],
  ['failed', 'start', 'invalid'], ['failed', 'placed', 'invalid'], ['failed', 'fail', 'invalid'],
] as [InstallationState, InstallationEvent, string][])('%s, %s: %s', (state, event, expected) => {
  expect(INSTALLATION_TRANSITIONS[state][event]).toBe(expected);
  if (expected === 'invalid') expect(() => nextState(state, event)).toThrow(`an Installation that is ${state} cannot ${event}`);
  else expect(nextState(state, event)).toBe(expected);
});

test('every cell is covered above', () => {
  expect(Object.values(INSTALLATION_TRANSITIONS).flatMap((events) => Object.keys(events))).toHaveLength(12);
});

test('what is final leads nowhere, and nothing else is', () => {
  for (const [state, events] of Object.entries(INSTALLATION_TRANSITIONS)) {
    expect(isFinal(state as InstallationState), state).toBe(Object.values(events).every((next) => next === 'invalid'));
  }
});
