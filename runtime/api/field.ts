// Owns reading fields of a parsed body with a clear refusal. Knows no route.
import { SpaceError } from '../../core/errors.ts';

type Body = Record<string, unknown>;

/** @throws INVALID_FIELD when it is missing or no text */
export function requiredText(body: Body, field: string): string {
  const value = body[field];
  if (typeof value !== 'string' || value === '') throw new SpaceError('INVALID_FIELD', { field, reason: 'is missing, or is not text' });
  return value;
}

/** '' when missing. @throws INVALID_FIELD when it is there and no text */
export function optionalText(body: Body, field: string): string {
  const value = body[field];
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw new SpaceError('INVALID_FIELD', { field, reason: 'is not text' });
  return value;
}

/** @throws INVALID_FIELD when it is there and neither true nor false */
export function optionalFlag(body: Body, field: string, fallback: boolean): boolean {
  const value = body[field];
  if (value === undefined || value === null) return fallback;
  if (typeof value !== 'boolean') throw new SpaceError('INVALID_FIELD', { field, reason: 'is true or false' });
  return value;
}

/** [] when missing. @throws INVALID_FIELD when it is no list of texts */
export function optionalTexts(body: Body, field: string): string[] {
  const value = body[field] ?? [];
  if (!Array.isArray(value) || value.some((entry) => typeof entry !== 'string')) throw new SpaceError('INVALID_FIELD', { field, reason: 'is a list of texts' });
  return value as string[];
}

/** @throws INVALID_FIELD */
export function oneOf<T extends string>(value: unknown, choices: readonly T[], field: string): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new SpaceError('INVALID_FIELD', { field, reason: `is one of ${choices.join(', ')}` });
  return found;
}

/** `per_page`, from 1 to `max`. */
export function perPage(query: URLSearchParams, max = 100): number {
  const value = Number(query.get('per_page') ?? max);
  return Number.isSafeInteger(value) && value >= 1 ? Math.min(value, max) : max;
}
