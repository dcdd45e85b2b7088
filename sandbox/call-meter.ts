// Owns how many calls to the outside one caller makes and may make: at once, and in a minute (attack C10).
import { LRUCache } from 'lru-cache';
import { SpaceError } from '../core/errors.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';

export interface CallCounts { open: number; inMinute: number; total: number; refused: number }

export interface CallLimits { callsOpen: number; callsPerMinute: number }

export interface CallMeter {
  /** Count one call. @returns what ends it; ending it twice changes nothing  @throws TOO_MANY_REQUESTS */
  enter(instanceId: string, limits: CallLimits): () => void;
  /** One that a rule refused. */
  refused(instanceId: string): void;
  /** Since the host started. */
  counts(instanceId: string): CallCounts;
}

const MINUTE_MS = 60_000;

interface Count extends CallCounts { windowEndsAt: number; wasTold: boolean }

export function createCallMeter(clock: Clock, log: Log): CallMeter {
  const known = new LRUCache<string, Count>({ max: 10_000 });

  function countOf(instanceId: string): Count {
    const now = clock.now();
    const count = known.get(instanceId) ?? { open: 0, inMinute: 0, total: 0, refused: 0, windowEndsAt: 0, wasTold: false };
    known.set(instanceId, count);
    if (count.windowEndsAt <= now) Object.assign(count, { inMinute: 0, windowEndsAt: now + MINUTE_MS, wasTold: false });
    return count;
  }

  function refuse(instanceId: string, count: Count): never {
    if (!count.wasTold) log.warn('egress.limited', { instanceId, open: count.open, inMinute: count.inMinute });
    count.wasTold = true;
    count.refused += 1;
    throw new SpaceError('TOO_MANY_REQUESTS', { retryAfterSeconds: Math.max(1, Math.ceil((count.windowEndsAt - clock.now()) / 1000)) });
  }

  return {
    enter(instanceId, { callsOpen, callsPerMinute }) {
      const count = countOf(instanceId);
      if (count.open >= callsOpen || count.inMinute >= callsPerMinute) refuse(instanceId, count);
      count.open += 1;
      count.inMinute += 1;
      count.total += 1;
      let isOpen = true;
      return () => {
        if (isOpen) count.open -= 1;
        isOpen = false;
      };
    },
    refused: (instanceId) => void (countOf(instanceId).refused += 1),
    counts(instanceId) {
      const { open, inMinute, total, refused } = countOf(instanceId);
      return { open, inMinute, total, refused };
    },
  };
}
