// Owns that a Build ends, also where its end cannot be written at first, say on a full disk: whoever follows it waits no longer
// than that lasts. Knows not how a Build came to its end.
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { BuildLogs } from './build-log.ts';
import type { BuildTable } from './build.ts';

export interface BuildEnds {
  /** As failed for this reason, or as complete where its Revision is there already. Never rejects. */
  end(id: string, error: unknown): Promise<void>;
  /** What has not ended by now is decided by the next start. */
  close(): void;
}

const RETRY_MS = 5000;
const RETRY_MAX_MS = 300_000;

export function createBuildEnds({ table, logs, clock, log }: { table: BuildTable; logs: BuildLogs; clock: Clock; log: Log }): BuildEnds {
  const waiting = new Map<string, () => void>();
  let isClosed = false;

  async function attempt(id: string, error: unknown, count: number): Promise<void> {
    waiting.delete(id);
    try {
      const build = await table.get(id);
      if (build?.state === 'released') await table.step(id, 'complete');
      else if (build) await table.fail(id, error);
      await logs.finish(id);
    } catch (second) {
      log.error('build.not-ended', { buildId: id, attempt: count, error: second });
      if (!isClosed) waiting.set(id, clock.after(Math.min(RETRY_MS * 2 ** count, RETRY_MAX_MS), () => void attempt(id, error, count + 1)));
    }
  }

  return {
    end: (id, error) => attempt(id, error, 0),
    close() {
      isClosed = true;
      for (const cancel of waiting.values()) cancel();
    },
  };
}
