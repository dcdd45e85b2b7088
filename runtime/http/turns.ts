// Owns who is next: so many at once, then so many a second. Nobody is refused, everybody waits their turn.
import type { Clock } from '../../core/clock.ts';

export interface Turns {
  /** Resolves when it is one's turn; never after `end`. */
  next(): Promise<void>;
  end(): void;
}

export function createTurns(clock: Clock, { burst, perSecond }: { burst: number; perSecond: number }): Turns {
  let left = burst;
  let filledAt = clock.now();
  let waiting: (() => void)[] = [];
  let cancel: (() => void) | undefined;

  const fill = (): void => {
    const now = clock.now();
    left = Math.min(burst, left + Math.max(0, now - filledAt) * perSecond / 1000);
    filledAt = now;
  };
  const call = (): void => {
    cancel = undefined;
    fill();
    for (; left >= 1 && waiting.length > 0; left -= 1) waiting.shift()!();
    if (waiting.length > 0) cancel = clock.after(Math.ceil((1 - left) * 1000 / perSecond), call);
  };

  return {
    next() {
      fill();
      if (left >= 1 && waiting.length === 0) {
        left -= 1;
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        waiting.push(resolve);
        cancel ??= clock.after(Math.ceil((1 - left) * 1000 / perSecond), call);
      });
    },
    end() {
      cancel?.();
      waiting = [];
    },
  };
}
