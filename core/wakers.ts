// Owns who waits for the next change of something, such as a job. Knows not what it is.

export interface Wakers {
  /** Changes so far, of anything: taken before a look, so that nobody waits for a change that came while they looked. */
  count(): number;
  /** It changed: whoever waits for that looks again. */
  changed(id: string): void;
  /** Resolves at the next change of it after `seen`, and when `signal` says that nobody waits any more. */
  next(id: string, seen: number, signal?: AbortSignal): Promise<void>;
  /** Everybody looks again. */
  all(): void;
}

export function createWakers(): Wakers {
  const waiting = new Map<string, Set<() => void>>();
  let changes = 0;

  function changed(id: string): void {
    changes += 1;
    for (const wake of waiting.get(id) ?? []) wake();
  }

  return {
    count: () => changes,
    changed,
    next(id, seen, signal) {
      if (changes !== seen || signal?.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const wakers = waiting.get(id) ?? new Set();
        waiting.set(id, wakers.add(wake));
        signal?.addEventListener('abort', wake);
        function wake(): void {
          signal?.removeEventListener('abort', wake);
          wakers.delete(wake);
          if (wakers.size === 0 && waiting.get(id) === wakers) waiting.delete(id);
          resolve();
        }
      });
    },
    all() {
      for (const id of waiting.keys()) changed(id);
    },
  };
}
