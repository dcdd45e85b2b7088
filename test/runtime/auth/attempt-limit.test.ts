// Owns the proof that guessing is counted for each key, and that a window ends.
import { expect, test } from 'vitest';
import { isSpaceError } from '../../../core/errors.ts';
import { createAttemptLimit } from '../../../runtime/auth/attempt-limit.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

function refusal(attempt: () => void): number | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    if (!isSpaceError(error, 'TOO_MANY_REQUESTS')) throw error;
    return error.details['retryAfterSeconds'] as number;
  }
}

test('the attempt after the last allowed one is refused, with the time to wait', () => {
  const clock = createFakeClock();
  const limit = createAttemptLimit(clock, 3, 60_000);
  const tries = [1, 2, 3].map(() => refusal(() => limit.count('ada')));
  clock.advance(15_000);
  expect([...tries, refusal(() => limit.count('ada'))]).toEqual([undefined, undefined, undefined, 45]);
});

test('keys do not count for each other', () => {
  const limit = createAttemptLimit(createFakeClock(), 1, 60_000);
  limit.count('ada');
  expect(refusal(() => limit.count('bob'))).toBeUndefined();
});

test('a window that ended counts no more; attempts in it do not prolong it', () => {
  const clock = createFakeClock();
  const limit = createAttemptLimit(clock, 1, 60_000);
  limit.count('ada');
  clock.advance(59_999);
  expect(refusal(() => limit.count('ada'))).toBe(1);
  clock.advance(1);
  expect(refusal(() => limit.count('ada'))).toBeUndefined();
});

test('what was forgotten starts anew', () => {
  const limit = createAttemptLimit(createFakeClock(), 1, 60_000);
  limit.count('ada');
  limit.forget('ada');
  expect(refusal(() => limit.count('ada'))).toBeUndefined();
});
