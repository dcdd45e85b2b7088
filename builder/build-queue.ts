// Owns in which order Builds run: few at once, fair between Spaces, bounded. Knows not what a Build does.
import { availableParallelism } from 'node:os';
import { SpaceError } from '../core/errors.ts';

export interface QueuedBuild { id: string; spaceId: string }

export interface BuildQueue {
  /** Keep a place for a Build whose source is still arriving; the returned function gives the place back.
   *  @throws BUILD_QUEUE_FULL */
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

/** At once; a build starts programs of its own, so that more of them would only slow each other down. */
const CONCURRENCY = Math.min(4, Math.max(2, availableParallelism()));
const RETRY_AFTER_SECONDS = 30;

export function createBuildQueue(options: BuildQueueOptions): BuildQueue {
  const { run, concurrency = CONCURRENCY, maxWaiting = 500, maxWaitingPerSpace = 20 } = options;
  /** Spaces with waiting Builds; the order is the order of turns. */
  const waiting = new Map<string, QueuedBuild[]>();
  const running = new Map<QueuedBuild, Promise<void>>();
  /** Spaces of the Builds that have a place reserved. */
  const arriving: string[] = [];
  let isClosed = false;
  /** One place is left for the others, however long the builds of one Space take. */
  const maxRunningPerSpace = Math.max(1, concurrency - 1);

  const runningOf = (spaceId: string): number => [...running.keys()].filter((build) => build.spaceId === spaceId).length;

  /** The Space with the fewest Builds running, of those that may run another; among these, whose turn is longest ago. */
  function nextSpace(): string | undefined {
    let best: { spaceId: string; count: number } | undefined;
    for (const spaceId of waiting.keys()) {
      const count = runningOf(spaceId);
      if (count < maxRunningPerSpace && (!best || count < best.count)) best = { spaceId, count };
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
      const details = { retryAfterSeconds: RETRY_AFTER_SECONDS };
      if (own >= maxWaitingPerSpace) throw new SpaceError('BUILD_QUEUE_FULL', { ...details, waiting: own, whose: 'of yours' });
      if (total >= maxWaiting) throw new SpaceError('BUILD_QUEUE_FULL', { ...details, waiting: total, whose: 'of this host' });
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
