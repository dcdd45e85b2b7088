// Owns how many calls to the outside one caller may make: at once, and in a minute (attack C10).
import { LRUCache } from 'lru-cache';
import { SpaceError } from '../core/errors.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';

export interface CallMeter {
  /** Count one call. @returns what ends it; ending it twice changes nothing  @throws TOO_MANY_REQUESTS */
  enter(instanceId: string): () => void;
}

export const MAX_OPEN_CALLS = 64;
export const MAX_CALLS_A_MINUTE = 1200;
const MINUTE_MS = 60_000;

interface Count { open: number; inWindow: number; windowEndsAt: number; wasTold: boolean }

export function createCallMeter(clock: Clock, log: Log): CallMeter {
  const counts = new LRUCache<string, Count>({ max: 10_000 });

  function refuse(instanceId: string, count: Count): never {
    if (!count.wasTold) log.warn('egress.limited', { instanceId, open: count.open, inMinute: count.inWindow });
    count.wasTold = true;
    throw new SpaceError('TOO_MANY_REQUESTS', { retryAfterSeconds: Math.max(1, Math.ceil((count.windowEndsAt - clock.now()) / 1000)) });
  }

  return {
    enter(instanceId) {
      const now = clock.now();
      const count = counts.get(instanceId) ?? { open: 0, inWindow: 0, windowEndsAt: 0, wasTold: false };
      counts.set(instanceId, count);
      if (count.windowEndsAt <= now) Object.assign(count, { inWindow: 0, windowEndsAt: now + MINUTE_MS, wasTold: false });
      if (count.open >= MAX_OPEN_CALLS || count.inWindow >= MAX_CALLS_A_MINUTE) refuse(instanceId, count);
      count.open += 1;
      count.inWindow += 1;
      let isOpen = true;
      return () => {
        if (isOpen) count.open -= 1;
        isOpen = false;
      };
    },
  };
}
