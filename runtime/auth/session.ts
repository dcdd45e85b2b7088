// Owns a person's sessions at the dashboard, and which of them are alive. Knows no cookie and no Instance.
import { LRUCache } from 'lru-cache';
import { isSpaceError } from '../../core/errors.ts';
import { newSecret } from '../../core/ids.ts';
import { isoTime, type Clock } from '../../core/clock.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { createTable } from '../../sandbox-data/store/table.ts';
import { sha256 } from './vault.ts';

/** `id` is the hash of the token that the browser holds. */
export interface Session {
  id: string;
  spaceId: string;
  createdAt: string;
  expiresAt: string;
}

export interface Sessions {
  /** @returns the token for the cookie */
  start(spaceId: string): Promise<{ token: string; session: Session }>;
  find(token: string): Promise<Session | undefined>;
  /** By id, for what was derived from the session. Immediate for a session that was seen lately. */
  alive(id: string): boolean | Promise<boolean>;
  end(id: string): Promise<void>;
  endAll(spaceId: string): Promise<void>;
}

/** @source reference 3.2: 30 days */
export const SESSION_DAYS = 30;
const DAY_MS = 86_400_000;
/** More people than this do not sign in while the disk is full. */
const UNSAVED_MAX = 10_000;

export function createSessions(store: Store, clock: Clock): Sessions {
  const sessions = createTable<Session>(store, 'session', { space: { of: (session) => session.spaceId } });
  /** Every session that ends, ends through this process, so what is remembered here is true. */
  const seen = new LRUCache<string, Session>({ max: 10_000 });
  /** Rises with every end, so that what was read before it is not remembered after it. */
  let ends = 0;

  const isFresh = (session: Session): boolean => Date.parse(session.expiresAt) > clock.now();

  /** Those whose end could not be written yet. */
  const ended = new Set<string>();

  async function load(id: string): Promise<Session | undefined> {
    if (ended.has(id)) return undefined;
    const known = seen.get(id) ?? unsaved.get(id);
    if (known) return isFresh(known) ? known : undefined;
    const before = ends;
    const stored = await sessions.get(id);
    if (!stored || !isFresh(stored)) return undefined;
    if (before === ends) seen.set(id, stored);
    return stored;
  }

  /** Where the disk is full or fails, people sign in all the same: such a session lasts as long as this process. */
  const unsaved = new Map<string, Session>();

  async function save(session: Session): Promise<void> {
    try {
      await sessions.insert(session);
      unsaved.delete(session.id);
    } catch (error) {
      if (!isSpaceError(error, 'STORE_FULL') && !isSpaceError(error, 'STORE_UNAVAILABLE')) throw error;
      if (unsaved.size >= UNSAVED_MAX) throw error;
      unsaved.set(session.id, session);
    }
  }

  /** It is over for this process even if that cannot be written: then whoever ends it is told, and may try again. */
  async function end(id: string): Promise<void> {
    ends += 1;
    seen.delete(id);
    if (unsaved.delete(id)) return;
    ended.add(id);
    await sessions.delete(id);
    ended.delete(id);
    ends += 1;
    seen.delete(id);
  }

  return {
    async start(spaceId) {
      const token = newSecret(43);
      const now = clock.now();
      const session: Session = { id: sha256(token), spaceId, createdAt: isoTime(now), expiresAt: isoTime(now + SESSION_DAYS * DAY_MS) };
      await save(session);
      if (!unsaved.has(session.id)) for (const one of unsaved.values()) await save(one); // there is room again
      seen.set(session.id, session);
      return { token, session };
    },
    find: (token) => load(sha256(token)),
    alive(id) {
      const known = ended.has(id) ? undefined : seen.get(id);
      return known ? isFresh(known) : load(id).then((session) => session !== undefined);
    },
    end,
    async endAll(spaceId) {
      for (const session of unsaved.values()) if (session.spaceId === spaceId) unsaved.delete(session.id);
      for (const session of await sessions.list({ by: { index: 'space', value: spaceId } })) await end(session.id);
    },
  };
}
