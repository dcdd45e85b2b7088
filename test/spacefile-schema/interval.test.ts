// Owns what intervals of scheduled actions mean: which are taken, why others are not, and when each is due.
import { describe, expect, test } from 'vitest';
import { nextDue, parseInterval } from '../../spacefile-schema/interval.ts';

const at = (iso: string): number => Date.parse(`${iso}Z`);
const time = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');

/** The next `count` times. */
function dueTimes(text: string, { start = '2026-11-28T10:07:30', count = 3 }: { start?: string; count?: number } = {}): string[] {
  const { interval, problem } = parseInterval(text);
  if (problem !== undefined) throw new Error(problem);
  const times: string[] = [];
  for (let afterMs = at(start); times.length < count;) {
    afterMs = nextDue(interval, { startMs: at(start), afterMs });
    times.push(time(afterMs));
  }
  return times;
}

describe('a rate begins at the next full unit after it was set', () => {
  test.each([
    ['1 minute', ['2026-11-28 10:08', '2026-11-28 10:09', '2026-11-28 10:10']],
    ['15 minutes', ['2026-11-28 10:08', '2026-11-28 10:23', '2026-11-28 10:38']],
    ['1 hour', ['2026-11-28 11:00', '2026-11-28 12:00', '2026-11-28 13:00']],
    ['5 hours', ['2026-11-28 11:00', '2026-11-28 16:00', '2026-11-28 21:00']],
    ['1 day', ['2026-11-29 00:00', '2026-11-30 00:00', '2026-12-01 00:00']],
    ['2 days', ['2026-11-29 00:00', '2026-12-01 00:00', '2026-12-03 00:00']],
    ['  7   days ', ['2026-11-29 00:00', '2026-12-06 00:00', '2026-12-13 00:00']],
  ])('%s', (text, times) => expect(dueTimes(text)).toEqual(times));

  test('also when it was set at a full unit', () => {
    expect(dueTimes('1 hour', { start: '2026-11-28T10:00:00', count: 1 })).toEqual(['2026-11-28 11:00']);
  });
});

describe('a cron expression is UTC', () => {
  // The first six are the examples of Deta's documentation.
  test.each([
    ['0 10 * * *', ['2026-11-29 10:00', '2026-11-30 10:00', '2026-12-01 10:00']],
    ['15 12 * * *', ['2026-11-28 12:15', '2026-11-29 12:15', '2026-11-30 12:15']],
    ['0 18 * * mon-fri', ['2026-11-30 18:00', '2026-12-01 18:00', '2026-12-02 18:00']],
    ['0 8 1 * *', ['2026-12-01 08:00', '2027-01-01 08:00', '2027-02-01 08:00']],
    ['0/15 * * * *', ['2026-11-28 10:15', '2026-11-28 10:30', '2026-11-28 10:45']],
    ['0/5 8-17 * * mon-fri', ['2026-11-30 08:00', '2026-11-30 08:05', '2026-11-30 08:10']],
    ['*/15 * * * *', ['2026-11-28 10:15', '2026-11-28 10:30', '2026-11-28 10:45']],
    ['1/10 * * * *', ['2026-11-28 10:11', '2026-11-28 10:21', '2026-11-28 10:31']],
    ['* * * * *', ['2026-11-28 10:08', '2026-11-28 10:09', '2026-11-28 10:10']],
    ['0 0 * * 0', ['2026-11-29 00:00', '2026-12-06 00:00', '2026-12-13 00:00']],
    ['0 0 * * 7', ['2026-11-29 00:00', '2026-12-06 00:00', '2026-12-13 00:00']],
    ['0 0 * * SAT-Sun', ['2026-11-29 00:00', '2026-12-05 00:00', '2026-12-06 00:00']],
    ['5,10-12 10 * * *', ['2026-11-28 10:10', '2026-11-28 10:11', '2026-11-28 10:12']],
    ['0 6 ? * mon', ['2026-11-30 06:00', '2026-12-07 06:00', '2026-12-14 06:00']],
    ['0 8 1 * ?', ['2026-12-01 08:00', '2027-01-01 08:00', '2027-02-01 08:00']],
    ['0 0 1 JAN,jul *', ['2027-01-01 00:00', '2027-07-01 00:00', '2028-01-01 00:00']],
    ['0 0 29 2 *', ['2028-02-29 00:00', '2032-02-29 00:00', '2036-02-29 00:00']],
    ['30 23 31 */2 *', ['2027-01-31 23:30', '2027-03-31 23:30', '2027-05-31 23:30']],
    ['0 12 1-7/3 * *', ['2026-12-01 12:00', '2026-12-04 12:00', '2026-12-07 12:00']],
  ])('%s', (text, times) => expect(dueTimes(text)).toEqual(times));

  test('the last run of working hours is at 17:55', () => {
    expect(dueTimes('0/5 8-17 * * mon-fri', { start: '2026-11-30T17:52:00', count: 2 })).toEqual(['2026-11-30 17:55', '2026-12-01 08:00']);
  });

  test('29 February is found around the end of a century', () => {
    expect(dueTimes('0 0 29 2 *', { start: '2096-03-01T00:00:00', count: 1 })).toEqual(['2104-02-29 00:00']);
  });

  test('a whole year of each minute is neither missed nor met twice', () => {
    const { interval } = parseInterval('7 3-5 * * *');
    let afterMs = at('2027-01-01T00:00:00');
    let count = 0;
    for (const end = at('2028-01-01T00:00:00'); (afterMs = nextDue(interval!, { startMs: 0, afterMs })) < end;) count += 1;
    expect(count).toBe(365 * 3);
  });
});

test.each([
  ['', /has 0/], ['1 minutes', /after 1 it is `minute`/], ['2 hour', /after 2 it is `hours`/], ['0 minutes', /from 1 to/], ['-1 days', /from 1 to/],
  ['1.5 hours', /from 1 to/], ['30 seconds', /the unit is/], ['1 week', /the unit is/], ['5 Minutes', /the unit is/], ['daily', /a number and a unit/], ['1000000 days', /from 1 to/],
  ['rate(1 minute)', /without/], ['cron(0 10 * * ? *)', /without/], ['* * * *', /five fields.*has 4/], ['0 * * * * *', /five fields.*has 6/],
  ['60 * * * *', /the minute is 0 to 59, not 60/], ['* 24 * * *', /the hour is 0 to 23/], ['* * 0 * *', /the day of the month is 1 to 31/], ['* * 32 * *', /1 to 31/],
  ['* * * 13 *', /the month is 1 to 12/], ['* * * 0 *', /the month is 1 to 12/], ['* * * * 8', /the day of the week is 0 to 7/], ['* * * foo *', /the month cannot be `foo`/],
  ['* * * * mon/2', /takes no step/], ['*/0 * * * *', /a step of the minute is 1 to 59, not `0`/], ['*/60 * * * *', /a step/], ['*/ * * * *', /a step.*empty/], ['*/5/5 * * * *', /step of a step/],
  ['30-10 * * * *', /counts backwards/], ['* * * * fri-mon', /counts backwards/], ['1-2-3 * * * *', /cannot be/], ['1, * * * *', /cannot be empty/], [', * * * *', /cannot be empty/],
  ['0 0 1 * mon', /only one of/], ['0 0 ? * ?*', /cannot be/], ['? 0 1 * *', /the minute cannot be `\?`/], ['0 0 31 2 *', /never comes/], ['0 0 31 4,6,9,11 *', /never comes/], ['0 0 L * *', /L, W and # are not known/],
  ['0 0 * * 5#2', /L, W and # are not known|cannot be/], ['0 0 15W * *', /L, W and # are not known/], ['1e1 * * * *', /cannot be/], ['٣ * * * *', /cannot be/], [`${'1,'.repeat(200)}1 * * * *`, /256 characters/],
])('%j is refused', (text, problem) => {
  expect(parseInterval(text).problem).toMatch(problem);
});
