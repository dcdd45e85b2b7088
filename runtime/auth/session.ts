// Owns a person's sessions at the dashboard, and which of them are alive. Knows no cookie and no Instance.
import { LRUCache } from 'lru-cache';
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

export function createSessions(store: Store, clock: Clock): Sessions {
  const sessions = createTable<Session>(store, 'session', { space: { of: (session) => session.spaceId } });
  /** Every session that ends, ends through this process, so what is remembered here is true. */
  const seen = new LRUCache<string, Session>({ max: 10_000 });
  /** Rises with every end, so that what was read before it is not remembered after it. */
  let ends = 0;

  const isFresh = (session: Session): boolean => Date.parse(session.expiresAt) > clock.now();

  async function load(id: string): Promise<Session | undefined> {
    const known = seen.get(id);
    if (known) return isFresh(known) ? known : undefined;
    const before = ends;
    const stored = await sessions.get(id);
    if (!stored || !isFresh(stored)) return undefined;
    if (before === ends) seen.set(id, stored);
    return stored;
  }

  async function end(id: string): Promise<void> {
    await sessions.delete(id);
    ends += 1;
    seen.delete(id);
  }

  return {
    async start(spaceId) {
      const token = newSecret(43);
      const now = clock.now();
      const session: Session = { id: sha256(token), spaceId, createdAt: isoTime(now), expiresAt: isoTime(now + SESSION_DAYS * DAY_MS) };
      await sessions.insert(session);
      seen.set(session.id, session);
      return { token, session };
    },
    find: (token) => load(sha256(token)),
    alive(id) {
      const known = seen.get(id);
      return known ? isFresh(known) : load(id).then((session) => session !== undefined);
    },
    end,
    async endAll(spaceId) {
      for (const session of await sessions.list({ by: { index: 'space', value: spaceId } })) await end(session.id);
    },
  };
}
