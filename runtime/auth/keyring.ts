// Owns keys that people create and programs hold: named, shown once, kept as hashes. Knows not what they open.
import { LRUCache } from 'lru-cache';
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import { isoTime, type Clock } from '../../core/clock.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { createTable } from '../../sandbox-data/store/table.ts';
import { sha256 } from './vault.ts';

/** `id` is the hash of the value; `subject` is what it opens: a Collection or an Instance. */
export interface StoredKey {
  id: string;
  subject: string;
  name: string;
  createdAt: string;
  /** When it was good for something, to the minute. */
  lastUsedAt?: string;
}

export interface Keyring {
  /** @throws CONFLICT when the subject has a key of that name, COUNT_LIMIT, INVALID_FIELD */
  create(subject: string, name: unknown, value: string): Promise<StoredKey>;
  list(subject: string): Promise<StoredKey[]>;
  delete(subject: string, name: string): Promise<boolean>;
  deleteAll(subject: string): Promise<void>;
  /** What the key opens, when it was used lately. */
  subjectSeen(value: string): string | undefined;
  /** What the key opens. Immediate for a key that was used lately: this stands on the hot path. */
  subjectOf(value: string): string | undefined | Promise<string | undefined>;
}

const MAX_NAME = 64;
const MAX_VALUE = 128;
/** Of one Collection, or one Instance. */
export const KEYS_MAX = 100;
/** Its last use is written so often at most. */
const USED_STEP_MS = 60_000;

export function createKeyring(store: Store, clock: Clock, table: 'data-key' | 'api-key'): Keyring {
  const keys = createTable<StoredKey>(store, table, {
    subject: { of: (key) => key.subject },
    name: { of: (key) => `${key.subject}/${key.name}`, unique: true },
  });
  /** Keys end through this process only, so a remembered key is a good key. */
  const seen = new LRUCache<string, StoredKey>({ max: 10_000 });
  /** Rises with every end, so that what was read before it is not remembered after it. */
  let ends = 0;

  /** Nobody waits for it: this stands on the hot path. */
  function noteUse(key: StoredKey): void {
    const now = clock.now();
    if (key.lastUsedAt !== undefined && now - Date.parse(key.lastUsedAt) < USED_STEP_MS) return;
    const lastUsedAt = isoTime(now);
    key.lastUsedAt = lastUsedAt;
    void keys.update(key.id, (stored) => ({ ...stored, lastUsedAt })).catch(() => undefined);
  }

  async function remove(key: StoredKey): Promise<void> {
    await keys.delete(key.id);
    ends += 1;
    for (const [value, known] of seen.entries()) if (known.id === key.id) seen.delete(value);
  }

  return {
    async create(subject, name, value) {
      if (typeof name !== 'string' || name.trim() === '' || name.length > MAX_NAME) {
        throw new SpaceError('INVALID_FIELD', { field: 'name', reason: `has 1 to ${MAX_NAME} characters` });
      }
      const known = await keys.list({ by: { index: 'subject', value: subject }, limit: KEYS_MAX });
      if (known.length >= KEYS_MAX) throw new SpaceError('COUNT_LIMIT', { limit: KEYS_MAX, what: 'keys', remedy: 'Delete those that nobody uses.' });
      const key: StoredKey = { id: sha256(value), subject, name: name.trim(), createdAt: isoTime(clock.now()) };
      await keys.insert(key).catch((error) => {
        throw isSpaceError(error, 'STORE_CONDITION_FAILED') ? new SpaceError('CONFLICT', { reason: `A key named "${key.name}" exists already.` }) : error;
      });
      return key;
    },
    list: (subject) => keys.list({ by: { index: 'subject', value: subject } }),
    async delete(subject, name) {
      const key = await keys.find('name', `${subject}/${name}`);
      if (key) await remove(key);
      return key !== undefined;
    },
    async deleteAll(subject) {
      for (const key of await keys.list({ by: { index: 'subject', value: subject } })) await remove(key);
    },
    subjectSeen(value) {
      const known = seen.get(value);
      if (known) noteUse(known);
      return known?.subject;
    },
    subjectOf(value) {
      const known = seen.get(value);
      if (known) {
        noteUse(known);
        return known.subject;
      }
      if (value.length > MAX_VALUE) return undefined;
      const before = ends;
      return keys.get(sha256(value)).then((key) => {
        if (key && before === ends) seen.set(value, key);
        if (key) noteUse(key);
        return key?.subject;
      });
    },
  };
}
