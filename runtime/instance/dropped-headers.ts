// Owns telling developers which headers of their answers the front door leaves out: each once, as long as the same code runs.
import type { LiveInstance } from './live.ts';

const TOLD_MAX = 20;
const told = new WeakMap<LiveInstance, Set<string>>();

/** @param what the name of a header, or a part of one */
export function tellDropped(live: LiveInstance, micro: string, what: string): void {
  const before = told.get(live) ?? new Set<string>();
  told.set(live, before);
  const key = `${micro} ${what}`;
  if (before.has(key) || before.size >= TOLD_MAX) return;
  before.add(key);
  const whole = what === 'Domain of a cookie' ? 'The Domain of a cookie' : `The header ${what} of an answer`;
  live.spec.services.log({ micro, level: 'warn', text: `${whole} was left out: it would count for more than this app.`, requestId: null });
}
