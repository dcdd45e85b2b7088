// Owns how `name=value` on a command line becomes an object, for inputs and for env values.
import { usageFailure } from './failure.ts';

/** For commander: an option that may be given again and again. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** @throws Failure (usage) for a pair without `=` or without a name */
export function readPairs(pairs: readonly string[], example: string): [name: string, value: string][] {
  return pairs.map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1) throw usageFailure(`\`${pair}\` is not understood.`, `Give a name and a value, such as ${example}.`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
}
