// Owns whose schedule begins next where more are due than may run at once: Spaces take turns, and none, however many of its
// runs hang, keeps the others waiting for them. Knows no schedule and no timer.

export interface Turns {
  /** Of these Spaces the one whose turn it is; undefined while none of them has room. */
  next(waiting: Iterable<string>): string | undefined;
  hasRoom(spaceId: string): boolean;
  /** One of this Space begins. @returns what is called once when it has ended */
  begin(spaceId: string): () => void;
}

/** Runs at once. */
export const RUNS_MAX = 16;
/** Of one Space. */
export const RUNS_MAX_SPACE = 4;
/** The last places are for Spaces that have nothing running. */
export const RUNS_KEPT_FREE = 4;

export function createTurns(): Turns {
  const running = new Map<string, number>();
  /** Space -> when it had its last turn, counted in turns. */
  const last = new Map<string, number>();
  let total = 0;
  let turn = 0;

  const ofSpace = (spaceId: string): number => running.get(spaceId) ?? 0;
  function hasRoom(spaceId: string): boolean {
    const own = ofSpace(spaceId);
    return total < RUNS_MAX && own < RUNS_MAX_SPACE && (own === 0 || total < RUNS_MAX - RUNS_KEPT_FREE);
  }
  const isBefore = (left: string, right: string): boolean => {
    const byRunning = ofSpace(left) - ofSpace(right);
    return (byRunning === 0 ? (last.get(left) ?? 0) - (last.get(right) ?? 0) : byRunning) < 0;
  };

  return {
    hasRoom,
    next(waiting) {
      let best: string | undefined;
      for (const spaceId of waiting) if (hasRoom(spaceId) && (best === undefined || isBefore(spaceId, best))) best = spaceId;
      return best;
    },
    begin(spaceId) {
      running.set(spaceId, ofSpace(spaceId) + 1);
      total += 1;
      turn += 1;
      last.set(spaceId, turn);
      return () => {
        total -= 1;
        if (ofSpace(spaceId) === 1) running.delete(spaceId);
        else running.set(spaceId, ofSpace(spaceId) - 1);
      };
    },
  };
}
