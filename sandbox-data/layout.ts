// Owns the keys of a Collection's Store. Names contain no `/`, so no name reaches into another one's range.
import { SpaceError } from '../core/errors.ts';
import { textAfterPrefix } from './text-order.ts';

export type Area = 'base' | 'drive';

const NAME_MAX_BYTES = 256;
const SECONDS_MAX = 1e15;

export const itemPrefix = (base: string): string => `b/${base}/`;
export const itemKey = (base: string, key: string): string => `b/${base}/${key}`;
export const filePrefix = (drive: string): string => `d/${drive}/`;
export const fileKey = (drive: string, name: string): string => `d/${drive}/${name}`;
/** Says that a Base or Drive was written to, and how much is in it. */
export const nameKey = (area: Area, name: string): string => `${namePrefix(area)}${name}`;
export const namePrefix = (area: Area): string => `n/${area}/`;
/** The name that a record of an Item or File belongs to; `undefined` for other records. */
export function nameKeyOf(key: string): string | undefined {
  const area = key.startsWith('b/') ? 'base' : key.startsWith('d/') ? 'drive' : undefined;
  return area && nameKey(area, key.slice(2, key.indexOf('/', 2)));
}

/** What is known of the automatic indexes, and their entries. */
export const INDEX_RECORD_PREFIX = 'm/index/';
export const indexRecordKey = (id: string): string => INDEX_RECORD_PREFIX + id;
export const ALL_INDEXES_PREFIX = 'x/';
export const indexPrefix = (id: string): string => `${ALL_INDEXES_PREFIX}${id}/`;
/** Says that a blob is referred to. One without it may be collected. */
export const blobKey = (blob: string): string => `r/${blob}`;
export const uploadKey = (uploadId: string): string => `u/${uploadId}`;
export const UPLOAD_PREFIX = 'u/';
export const PART_PREFIX = 'p/';
export const partPrefix = (uploadId: string): string => `${PART_PREFIX}${uploadId}/`;
export const partKey = (uploadId: string, part: number): string => partPrefix(uploadId) + String(part).padStart(6, '0');
export const LOG_HEAD_KEY = 'm/log';
export const LOG_PREFIX = 'c/';
export const logKey = (sequence: number): string => LOG_PREFIX + String(sequence).padStart(16, '0');
export const EXPIRY_PREFIX = 'e/';

/** Items in the order of their expiry. */
export function expiryKey(expires: number, base: string, key: string): string {
  return `${expiryBefore(expires)}/${base}/${key}`;
}

/** All expiry keys below this one belong to Items that expire before. */
export function expiryBefore(seconds: number): string {
  const whole = Math.floor(Math.min(Math.max(seconds, 0), SECONDS_MAX));
  return EXPIRY_PREFIX + String(whole).padStart(16, '0');
}

/** The Base and key that an expiry key belongs to. */
export function itemOfExpiryKey(text: string): { base: string; key: string } {
  const [, , base = ''] = text.split('/', 3);
  return { base, key: text.slice(expiryBefore(0).length + base.length + 2) };
}

export function prefixRange(prefix: string): { gte: string; lt?: string } {
  return { gte: prefix, lt: textAfterPrefix(prefix) };
}

/** Names of Bases and Drives become parts of keys, URLs and files of an export. @throws NAME_INVALID */
export function assertName(area: Area, name: string): void {
  const isValid = typeof name === 'string' && name.trim() !== '' && name !== '.' && name !== '..'
    && !/[/\u0000-\u001f\u007f]/.test(name) && name.isWellFormed() && Buffer.byteLength(name) <= NAME_MAX_BYTES;
  if (!isValid) throw new SpaceError('NAME_INVALID', { reason: `A ${area} name is 1 to ${NAME_MAX_BYTES} bytes without \`/\`` });
}
