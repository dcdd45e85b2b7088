// Owns the check that what many callers saw of one register is what a single register could have shown, one step at a
// time: the search of Wing and Gong, with the memory of Lowe, for reads and compare-and-set with values that never repeat.

/** From `called` to `returned` (Infinity: nobody knows whether, or when, it happened). */
export interface RegisterCall {
  called: number;
  returned: number;
  /** A read saw `value`; a write made it of `from`, or was refused because it was not there. */
  did: { kind: 'read'; value: string } | { kind: 'write'; from: string; to: string; isDone: boolean | 'unknown' };
}

/** Whether there is an order of single steps, each within its call, that explains the history. Exhaustive. */
export function isLinearizable(history: readonly RegisterCall[], initial: string): boolean {
  const seen = new Set<string>();
  const search = (rest: readonly RegisterCall[], state: string): boolean => {
    const left = withoutHarmless(rest, state);
    if (left.every(({ did }) => did.kind === 'write' && did.isDone === 'unknown')) return true;
    const memory = `${state} ${left.length} ${left.map(({ called }) => called).join(',')}`;
    if (seen.has(memory)) return false;
    seen.add(memory);
    return firsts(left).some((call) => {
      const next = stateAfter(call, state);
      return next !== undefined && search(left.filter((other) => other !== call), next);
    });
  };
  return search(history, initial);
}

/** What changes nothing and fits can always happen at once: it can only be in the way of others. */
function withoutHarmless(rest: readonly RegisterCall[], state: string): readonly RegisterCall[] {
  let left = rest;
  for (;;) {
    const harmless = new Set(firsts(left).filter(({ did }) => (did.kind === 'read' ? did.value === state : did.isDone === false && did.from !== state)));
    if (harmless.size === 0) return left;
    left = left.filter((call) => !harmless.has(call));
  }
}

/** Calls that began before every other had returned: one of them happened first. */
function firsts(calls: readonly RegisterCall[]): RegisterCall[] {
  const earliest = Math.min(...calls.map(({ returned }) => returned));
  return calls.filter(({ called }) => called <= earliest);
}

function stateAfter({ did }: RegisterCall, state: string): string | undefined {
  return did.kind === 'write' && did.isDone !== false && did.from === state ? did.to : undefined;
}
