// Owns in which order Builds run: few at once, fair between Spaces, bounded. Knows not what a Build does.
import { SpaceError } from '../core/errors.ts';

export interface QueuedBuild { id: string; spaceId: string }

export interface BuildQueue {
  /** Keep a place for a Build whose source is still arriving; the returned function gives the place back.
   *  @throws TOO_MANY_REQUESTS */
  reserve(spaceId: string): () => void;
  /** Run it when its turn comes; never refused, so that nothing accepted is lost. */
  add(build: QueuedBuild): void;
  /** Forget one that still waits. */
  remove(id: string): void;
  /** Start nothing more; resolves when what runs has ended. */
  close(): Promise<void>;
}

export interface BuildQueueOptions {
  /** Never rejects. */
  run: (build: QueuedBuild) => Promise<void>;
  concurrency?: number;
  maxWaiting?: number;
  maxWaitingPerSpace?: number;
}

const RETRY_AFTER_SECONDS = 30;

export function createBuildQueue(options: BuildQueueOptions): BuildQueue {
  const { run, concurrency = 2, maxWaiting = 500, maxWaitingPerSpace = 20 } = options;
  /** Spaces with waiting Builds; the order is the order of turns. */
  const waiting = new Map<string, QueuedBuild[]>();
  const running = new Map<QueuedBuild, Promise<void>>();
  /** Spaces of the Builds that have a place reserved. */
  const arriving: string[] = [];
  let isClosed = false;

  const runningOf = (spaceId: string): number => [...running.keys()].filter((build) => build.spaceId === spaceId).length;

  /** The Space with the fewest Builds running; among those, the one whose turn is longest ago. */
  function nextSpace(): string | undefined {
    let best: { spaceId: string; count: number } | undefined;
    for (const spaceId of waiting.keys()) {
      const count = runningOf(spaceId);
      if (!best || count < best.count) best = { spaceId, count };
    }
    return best?.spaceId;
  }

  function take(spaceId: string): QueuedBuild | undefined {
    const builds = waiting.get(spaceId) ?? [];
    const build = builds.shift();
    waiting.delete(spaceId);
    if (builds.length > 0) waiting.set(spaceId, builds);
    return build;
  }

  function advance(): void {
    while (!isClosed && running.size < concurrency) {
      const spaceId = nextSpace();
      const build = spaceId === undefined ? undefined : take(spaceId);
      if (!build) return;
      running.set(build, run(build).finally(() => {
        running.delete(build);
        advance();
      }));
    }
  }

  return {
    reserve(spaceId) {
      const total = [...waiting.values()].reduce((sum, builds) => sum + builds.length, arriving.length);
      const own = (waiting.get(spaceId)?.length ?? 0) + arriving.filter((one) => one === spaceId).length;
      if (total >= maxWaiting || own >= maxWaitingPerSpace) throw new SpaceError('TOO_MANY_REQUESTS', { retryAfterSeconds: RETRY_AFTER_SECONDS });
      arriving.push(spaceId);
      return () => void arriving.splice(arriving.indexOf(spaceId), 1);
    },
    add(build) {
      const builds = waiting.get(build.spaceId);
      if (builds) builds.push(build);
      else waiting.set(build.spaceId, [build]);
      advance();
    },
    remove(id) {
      for (const [spaceId, builds] of waiting) {
        const rest = builds.filter((build) => build.id !== id);
        if (rest.length === 0) waiting.delete(spaceId);
        else waiting.set(spaceId, rest);
      }
    },
    async close() {
      isClosed = true;
      await Promise.all(running.values());
    },
  };
}
