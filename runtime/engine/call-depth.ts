// Owns the guess how deep a call is nested that a program makes by itself. An isolate says for which request it calls; a process
// does not, so the calls that it has open are laid to the requests that it has open. Pure.

export interface CallDepth {
  /** The program got a request that came by `hops` calls. @returns what ends it */
  received(hops: number): () => void;
  /** The program makes a call. `hops`: by how many calls it comes. */
  calling(): { hops: number; end(): void };
}

interface Received { hops: number; callsOpen: number }

/** Each call goes to the shallowest request that waits for none yet: what calls itself without end is counted exactly, since
 *  all its requests but the last one wait; requests that are merely many at once do not lift each other. */
export function createCallDepth(): CallDepth {
  const open = new Set<Received>();
  return {
    received(hops) {
      const request: Received = { hops, callsOpen: 0 };
      open.add(request);
      return () => void open.delete(request);
    },
    calling() {
      const caller = likeliest(open);
      if (caller) caller.callsOpen += 1;
      let isOpen = true;
      return {
        hops: (caller?.hops ?? 0) + 1,
        end() {
          if (caller && isOpen) caller.callsOpen -= 1;
          isOpen = false;
        },
      };
    },
  };
}

function likeliest(open: ReadonlySet<Received>): Received | undefined {
  let best: Received | undefined;
  for (const request of open) {
    if (!best || request.callsOpen < best.callsOpen || (request.callsOpen === best.callsOpen && request.hops < best.hops)) best = request;
  }
  return best;
}
