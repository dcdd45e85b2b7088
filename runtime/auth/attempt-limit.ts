// Owns how often something may be tried: a count in a window, per key. Knows nothing of what is tried.
import { LRUCache } from 'lru-cache';
import { SpaceError } from '../../core/errors.ts';
import type { Clock } from '../../core/clock.ts';

export interface AttemptLimit {
  /** Count one attempt. @throws TOO_MANY_REQUESTS */
  count(key: string): void;
  /** Forget the key, as after a success. */
  forget(key: string): void;
}

/** At most `limit` attempts in `windowMs` for one key; the 10,000 keys used last are remembered. */
export function createAttemptLimit(clock: Clock, limit: number, windowMs: number): AttemptLimit {
  const windows = new LRUCache<string, { count: number; endsAt: number }>({ max: 10_000 });
  return {
    count(key) {
      const now = clock.now();
      const known = windows.get(key);
      const window = known && known.endsAt > now ? known : { count: 0, endsAt: now + windowMs };
      window.count += 1;
      windows.set(key, window);
      if (window.count > limit) {
        throw new SpaceError('TOO_MANY_REQUESTS', { retryAfterSeconds: Math.ceil((window.endsAt - now) / 1000) });
      }
    },
    forget: (key) => void windows.delete(key),
  };
}
