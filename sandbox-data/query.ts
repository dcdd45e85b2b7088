// Owns Deta's query language: what a query means, and whether an Item matches. Pure; knows no Store.
// Every refusal has the same text, which clients compare.
import { SpaceError } from '../core/errors.ts';
import { isObject, isSameJson, ownValue, unstorableReason, valueAt } from './json-value.ts';
import type { JsonObject } from './json-value.ts';
import { compareText, textAfterPrefix } from './text-order.ts';
import { containing } from './text-search.ts';

export const QUERY_MAX_LIMIT = 1000;
/** Of all alternatives together: each is evaluated for each Item that is met. */
const CONDITIONS_MAX = 1000;

/** Bounds on the key, in byte order. */
export interface KeyBounds { gt?: string; gte?: string; lt?: string; lte?: string }

export interface Query {
  limit: number;
  descending: boolean;
  /** It goes on behind the last Item of a page. */
  isContinued: boolean;
  /** What the key conditions and `last` leave. */
  bounds: KeyBounds;
  /** How much work one Item is. */
  conditionCount: number;
  /** `undefined` when every Item within the bounds matches. */
  matches?: (item: JsonObject) => boolean;
  /** The same, one alternative each: for Items so long that all of them in one go would keep others waiting. */
  steps: readonly ((item: JsonObject) => boolean)[];
  /** False for JSON of an Item that certainly does not match: cheaper than parsing it. */
  mayMatch: (json: string) => boolean;
  /** The conditions besides those on the key: all of one of these. Empty when every Item matches. */
  alternatives: readonly (readonly Term[])[];
}

/** One condition on a field, a dotted path. */
export interface Term { field: string; operator: Operator; operand: unknown }

export type Operator = 'eq' | 'ne' | 'lt' | 'gt' | 'lte' | 'gte' | 'pfx' | 'r' | 'contains' | 'not_contains';
type Test = (value: unknown) => boolean;
interface Condition extends Term { path: string[]; test: Test }

/** Spelling after the `?` -> operator. */
const OPERATORS = new Map<string, Operator>([
  ['ne', 'ne'], ['lt', 'lt'], ['<', 'lt'], ['gt', 'gt'], ['>', 'gt'], ['lte', 'lte'], ['<=', 'lte'], ['gte', 'gte'], ['>=', 'gte'],
  ['pfx', 'pfx'], ['r', 'r'], ['contains', 'contains'], ['not_contains', 'not_contains'], ['!contains', 'not_contains'],
]);
const KEY_OPERATORS: ReadonlySet<Operator> = new Set(['eq', 'lt', 'gt', 'lte', 'gte', 'pfx', 'r']);

/** @param request `{query, limit, last, sort}`, all optional   @throws BASE_BAD_QUERY   @source reference 4.2, 4.3 */
export function parseQuery(request: unknown): Query {
  if (!isObject(request) || unstorableReason(request) !== undefined) throw badQuery();
  const descending = isDescending(ownValue(request, 'sort'));
  const alternatives = parseAlternatives(ownValue(request, 'query'));
  const key = sharedKeyCondition(alternatives);
  const others = alternatives.map((conditions) => conditions.filter((condition) => !isOnKey(condition)));
  const conditionCount = others.reduce((sum, conditions) => sum + conditions.length, 0);
  // One alternative without conditions lets every Item pass.
  const isOpen = others.length === 0 || others.some((conditions) => conditions.length === 0);
  const steps = isOpen ? [] : others.map((conditions) => (item: JsonObject) => conditions.every(({ path, test }) => test(valueAt(item, path))));
  return {
    limit: parseLimit(ownValue(request, 'limit')),
    descending,
    isContinued: Boolean(ownValue(request, 'last')),
    bounds: narrowed(key ? keyBounds(key) : {}, ownValue(request, 'last'), descending),
    conditionCount,
    alternatives: isOpen ? [] : others,
    mayMatch: isOpen ? () => true : textFilter(others),
    steps,
    matches: isOpen ? undefined : (item) => steps.some((isMatch) => isMatch(item)),
  };
}

function badQuery(): SpaceError {
  return new SpaceError('BASE_BAD_QUERY');
}

function parseLimit(limit: unknown): number {
  if (limit === undefined || limit === null) return QUERY_MAX_LIMIT;
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1) throw badQuery();
  return Math.min(limit, QUERY_MAX_LIMIT);
}

function isDescending(sort: unknown): boolean {
  if (sort !== undefined && sort !== null && sort !== '' && sort !== 'asc' && sort !== 'desc') throw badQuery();
  return sort === 'desc';
}

function parseAlternatives(query: unknown): Condition[][] {
  if (query === undefined || query === null) return [];
  const objects: unknown[] = Array.isArray(query) ? query : [query];
  if (objects.length > CONDITIONS_MAX) throw badQuery();
  let conditionCount = objects.length;
  return objects.map((object) => {
    if (!isObject(object)) throw badQuery();
    conditionCount += Object.keys(object).length;
    if (conditionCount > CONDITIONS_MAX) throw badQuery();
    return Object.entries(object).map(([name, operand]) => parseCondition(name, operand));
  });
}

function parseCondition(name: string, operand: unknown): Condition {
  const mark = name.indexOf('?');
  const field = mark === -1 ? name : name.slice(0, mark);
  const operator = mark === -1 ? 'eq' : OPERATORS.get(name.slice(mark + 1));
  if (field === '' || operator === undefined) throw badQuery();
  const condition: Condition = { field, path: field.split('.'), operator, operand, test: testFor(operator, operand) };
  if (isOnKey(condition)) assertKeyCondition(condition);
  return condition;
}

function isOnKey({ path }: Condition): boolean {
  return path.length === 1 && path[0] === 'key';
}

function assertKeyCondition({ operator, operand }: Condition): void {
  const operands = operator === 'r' ? (operand as unknown[]) : [operand];
  if (!KEY_OPERATORS.has(operator) || operands.some((each) => typeof each !== 'string')) throw badQuery();
}

/** The one key condition that all alternatives must share, or none.   @source reference 4.3, key conditions */
function sharedKeyCondition(alternatives: Condition[][]): Condition | undefined {
  const first = alternatives[0]?.find(isOnKey);
  for (const conditions of alternatives) {
    const own = conditions.filter(isOnKey);
    if ((own.length > 0) !== (first !== undefined)) throw badQuery();
    if (own.some(({ operator, operand }) => operator !== first?.operator || !isSameJson(operand, first.operand))) throw badQuery();
  }
  return first;
}

function testFor(operator: Operator, operand: unknown): Test {
  switch (operator) {
    case 'eq': return (value) => isSameJson(value, operand);
    case 'ne': return (value) => !isSameJson(value, operand);
    case 'lt': return ordered(operand, (order) => order < 0);
    case 'gt': return ordered(operand, (order) => order > 0);
    case 'lte': return ordered(operand, (order) => order <= 0);
    case 'gte': return ordered(operand, (order) => order >= 0);
    case 'r': return within(operand);
    case 'pfx': return startsWith(operand);
    case 'contains': return contains(operand);
    case 'not_contains': return not(contains(operand));
  }
}

/** Values of another type than the operand's never match. */
function ordered(operand: unknown, accepts: (order: number) => boolean): Test {
  if (typeof operand === 'number') return (value) => typeof value === 'number' && accepts(value - operand);
  if (typeof operand === 'string') return (value) => typeof value === 'string' && accepts(compareText(value, operand));
  throw badQuery();
}

function within(operand: unknown): Test {
  if (!Array.isArray(operand) || operand.length !== 2 || typeof operand[0] !== typeof operand[1]) throw badQuery();
  const least = ordered(operand[0], (order) => order >= 0);
  const most = ordered(operand[1], (order) => order <= 0);
  return (value) => least(value) && most(value);
}

function startsWith(operand: unknown): Test {
  if (typeof operand !== 'string') throw badQuery();
  return (value) => typeof value === 'string' && value.startsWith(operand);
}

function contains(operand: unknown): Test {
  if (typeof operand !== 'string') return () => false;
  const isIn = containing(operand);
  return (value) => (typeof value === 'string' ? isIn(value) : Array.isArray(value) && value.includes(operand));
}

function not(test: Test): Test {
  return (value) => !test(value);
}

/** Beyond this, parsing an Item is cheaper than searching it. */
const FILTER_MAX_WORK = 1024 * 1024;

/** Stored JSON spells each value in one way only, so what a condition asks for must be in it. */
function textFilter(alternatives: readonly Term[][]): (json: string) => boolean {
  const needles = alternatives.map((terms) => terms.map(neededText).filter((text) => text !== undefined).map(containing));
  if (needles.some((tests) => tests.length === 0)) return () => true;
  const count = needles.reduce((sum, tests) => sum + tests.length, 0);
  return (json) => json.length * count > FILTER_MAX_WORK || needles.some((tests) => tests.every((isIn) => isIn(json)));
}

function neededText({ operator, operand }: Term): string | undefined {
  if (typeof operand === 'string') {
    if (operator === 'eq') return JSON.stringify(operand);
    if (operator === 'pfx') return JSON.stringify(operand).slice(0, -1);
    return operator === 'contains' ? JSON.stringify(operand).slice(1, -1) : undefined;
  }
  return operator === 'eq' && typeof operand === 'number' ? JSON.stringify(operand) : undefined;
}

function keyBounds({ operator, operand }: Condition): KeyBounds {
  const text = operand as string;
  switch (operator) {
    case 'eq': return { gte: text, lte: text };
    case 'pfx': return { gte: text, lt: textAfterPrefix(text) };
    case 'r': return { gte: (operand as [string, string])[0], lte: (operand as [string, string])[1] };
    case 'lt': case 'gt': case 'lte': case 'gte': return { [operator]: text };
    default: throw badQuery();
  }
}

/** Results go on strictly after `last`, in the direction of the sort. */
function narrowed(bounds: KeyBounds, last: unknown, descending: boolean): KeyBounds {
  if (last === undefined || last === null || last === '') return bounds;
  if (typeof last !== 'string') throw badQuery();
  const { gt, gte, lt, lte } = bounds;
  if (descending) {
    const upper = lt ?? lte;
    return upper !== undefined && compareText(upper, last) < 0 ? bounds : { gt, gte, lt: last };
  }
  const lower = gt ?? gte;
  return lower !== undefined && compareText(lower, last) > 0 ? bounds : { gt: last, lt, lte };
}
