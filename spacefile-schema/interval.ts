// Owns intervals of scheduled actions: what a rate or cron expression says, what is wrong with one, and when it is due next.
// Everything is UTC. Pure. @source Deta Space, scheduled actions

/** A rate counts from its start, rounded up to its unit; a cron expression names minutes of the calendar. */
export type Interval =
  | { kind: 'rate'; every: number; unit: Unit }
  | { kind: 'cron'; minutes: ReadonlySet<number>; hours: ReadonlySet<number>; days: ReadonlySet<number>; months: ReadonlySet<number>; weekdays: ReadonlySet<number> };

type Unit = 'minute' | 'hour' | 'day';
export type IntervalResult = { interval: Interval; problem?: undefined } | { interval?: undefined; problem: string };

export const INTERVAL_EXPECTED = 'a rate such as `15 minutes`, `1 hour`, `2 days`, or a cron expression such as `0 10 * * *` (UTC)';

const UNIT_MS: Record<Unit, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
const TEXT_MAX_CHARS = 256;
const RATE_MAX = 999_999;
/** 29 February may be eight years away, around a century's end. */
const SEARCH_DAYS = 366 * 8 + 1;

class Problem extends Error {}

/** @returns what it says, or one sentence without a full stop on what is wrong */
export function parseInterval(text: string): IntervalResult {
  try {
    if (text.length > TEXT_MAX_CHARS) throw new Problem(`it has more than ${TEXT_MAX_CHARS} characters`);
    const fields = text.trim().split(/\s+/);
    if (/^(?:rate|cron)\(/i.test(fields[0] ?? '')) throw new Problem('it is written without `rate(...)` or `cron(...)`');
    if (fields.length === 2 && /[a-z]/i.test(fields[1] ?? '')) return { interval: parseRate(fields[0] ?? '', fields[1] ?? '') };
    if (fields.length === 5) return { interval: parseCron(fields) };
    throw new Problem(/[a-z]/i.test(text) && fields.length <= 2 ? 'a rate is a number and a unit' : `a cron expression has five fields (minute, hour, day of the month, month, day of the week), this one has ${text.trim() === '' ? 0 : fields.length}`);
  } catch (error) {
    if (error instanceof Problem) return { problem: error.message };
    throw error;
  }
}

function parseRate(count: string, unitText: string): Interval {
  const unit = /^(minute|hour|day)s?$/.exec(unitText)?.[1] as Unit | undefined;
  if (!unit) throw new Problem('the unit is minute(s), hour(s) or day(s)');
  if (!/^\d{1,9}$/.test(count) || Number(count) < 1 || Number(count) > RATE_MAX) throw new Problem(`the number is a whole one from 1 to ${RATE_MAX}`);
  const every = Number(count);
  if ((every === 1) !== (unitText === unit)) throw new Problem(every === 1 ? `after 1 it is \`${unit}\`` : `after ${every} it is \`${unit}s\``);
  return { kind: 'rate', every, unit };
}

interface FieldRule { name: string; min: number; max: number; names?: readonly string[]; hasSteps: boolean }

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const FIELDS = [
  { name: 'minute', min: 0, max: 59, hasSteps: true },
  { name: 'hour', min: 0, max: 23, hasSteps: true },
  { name: 'day of the month', min: 1, max: 31, hasSteps: true },
  { name: 'month', min: 1, max: 12, names: MONTHS, hasSteps: true },
  { name: 'day of the week', min: 0, max: 7, names: WEEKDAYS, hasSteps: false },
] as const satisfies readonly FieldRule[];

/** Days that a month has at most. */
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function parseCron(texts: readonly string[]): Interval {
  // One of the two may be `?`, as AWS wants it: it says the same as `*`.
  const fields = texts.map((text, index) => (text === '?' && (index === 2 || index === 4) ? '*' : text));
  const [minutes, hours, days, months, given] = FIELDS.map((rule, index) => valuesOf(fields[index] ?? '', rule)) as [Set<number>, Set<number>, Set<number>, Set<number>, Set<number>];
  if (fields[2] !== '*' && fields[4] !== '*') throw new Problem('only one of day of the month and day of the week can be restricted: write `*` for the other');
  if (![...months].some((month) => [...days].some((day) => day <= (MONTH_DAYS[month - 1] ?? 0)))) throw new Problem('that day never comes');
  return { kind: 'cron', minutes, hours, days, months, weekdays: new Set([...given].map((day) => day % 7)) };
}

/** `, - * /` as written there: `start/step` needs no range. */
function valuesOf(text: string, rule: FieldRule): Set<number> {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const [range = '', step, ...more] = part.split('/');
    if (more.length > 0) throw new Problem(`the ${rule.name} has a step of a step`);
    if (step !== undefined && !rule.hasSteps) throw new Problem(`the ${rule.name} takes no step`);
    const [from, to] = rangeOf(range, rule, step !== undefined);
    const by = step === undefined ? 1 : stepOf(step, rule);
    for (let value = from; value <= to; value += by) values.add(value);
  }
  return values;
}

function rangeOf(text: string, rule: FieldRule, hasStep: boolean): [number, number] {
  if (text === '*') return [rule.min, rule.max];
  const [first = '', last, ...more] = text.split('-');
  if (more.length > 0) throw new Problem(`the ${rule.name} cannot be ${shown(text)}`);
  const from = valueOf(first, rule);
  if (last === undefined) return [from, hasStep ? rule.max : from];
  const end = valueOf(last, rule);
  // Both numbers of Sunday are Sunday.
  const to = rule.max === 7 && end === 0 && from > 0 ? 7 : end;
  if (to < from) throw new Problem(`the ${rule.name} counts backwards in ${shown(text)}: write two ranges with a comma between them`);
  return [from, to];
}

function valueOf(text: string, rule: FieldRule): number {
  const named = rule.names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + rule.min;
  if (/^[LW#]|[LW#]$/i.test(text) && !/^\d+$/.test(text) && text.length <= 3) throw new Problem(`the ${rule.name} cannot be ${shown(text)}: L, W and # are not known here`);
  if (!/^\d{1,2}$/.test(text)) throw new Problem(`the ${rule.name} cannot be ${text === '' ? 'empty' : shown(text)}`);
  const value = Number(text);
  if (value < rule.min || value > rule.max) throw new Problem(`the ${rule.name} is ${rule.min} to ${rule.max}, not ${value}`);
  return value;
}

function stepOf(text: string, rule: FieldRule): number {
  const step = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (step < 1 || step > rule.max) throw new Problem(`a step of the ${rule.name} is 1 to ${rule.max}, not ${text === '' ? 'empty' : shown(text)}`);
  return step;
}

const shown = (text: string): string => `\`${text.slice(0, 40)}\``;

/** The first instant after `afterMs` at which it is due.
 *  @param startMs when the rate was set: it begins at the next full minute, hour or day after it */
export function nextDue(interval: Interval, { startMs, afterMs }: { startMs: number; afterMs: number }): number {
  if (interval.kind === 'cron') return nextMinute(interval, afterMs);
  const unitMs = UNIT_MS[interval.unit];
  const first = (Math.floor(startMs / unitMs) + 1) * unitMs;
  const periodMs = unitMs * interval.every;
  return afterMs < first ? first : first + (Math.floor((afterMs - first) / periodMs) + 1) * periodMs;
}

type Cron = Extract<Interval, { kind: 'cron' }>;

function nextMinute(cron: Cron, afterMs: number): number {
  const start = (Math.floor(afterMs / 60_000) + 1) * 60_000;
  const today = Math.floor(start / UNIT_MS.day) * UNIT_MS.day;
  for (let ahead = 0; ahead <= SEARCH_DAYS; ahead += 1) {
    const dayMs = today + ahead * UNIT_MS.day;
    const date = new Date(dayMs);
    if (!cron.months.has(date.getUTCMonth() + 1) || !cron.days.has(date.getUTCDate()) || !cron.weekdays.has(date.getUTCDay())) continue;
    const found = nextInDay(cron, ahead === 0 ? (start - dayMs) / 60_000 : 0);
    if (found !== undefined) return dayMs + found * 60_000;
  }
  throw new TypeError('a cron expression that was parsed is due some day');
}

/** @param from minute of the day */
function nextInDay({ minutes, hours }: Cron, from: number): number | undefined {
  for (let hour = Math.floor(from / 60); hour < 24; hour += 1) {
    if (!hours.has(hour)) continue;
    for (let minute = hour * 60 < from ? from % 60 : 0; minute < 60; minute += 1) if (minutes.has(minute)) return hour * 60 + minute;
  }
  return undefined;
}
