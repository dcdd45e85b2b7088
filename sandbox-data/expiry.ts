// Owns when an Item is over: `__expires`, epoch seconds. It is invisible from that moment, and swept later.
import { SpaceError } from '../core/errors.ts';
import { ownValue } from './json-value.ts';
import type { JsonObject } from './json-value.ts';

export const EXPIRES = '__expires';
/** Sweeping waits this long after expiry, so that a clock that jumps ahead for a moment destroys nothing. */
export const SWEEP_GRACE_SECONDS = 3600;

/** The expiry of an Item, in epoch seconds. `null` counts as none. @throws BASE_BAD_ITEM */
export function expiryOf(item: JsonObject): number | undefined {
  const expires = ownValue(item, EXPIRES);
  if (expires === undefined || expires === null) return undefined;
  if (typeof expires !== 'number') throw new SpaceError('BASE_BAD_ITEM', { reason: `${EXPIRES} is a number of seconds` });
  return expires;
}

export function isExpired(expires: number | undefined, nowMs: number): boolean {
  return expires !== undefined && expires * 1000 <= nowMs;
}
