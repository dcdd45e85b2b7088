// Owns the thread in which source maps are parsed and asked. What happens here cannot hold up the front door.
import { parentPort } from 'node:worker_threads';
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { LRUCache } from 'lru-cache';

/** Line and column of a bundle, both from 1, as stacks count. */
export type Place = [line: number, column: number];

export interface PlacesQuestion { hash: string; places: Place[]; map?: Uint8Array }

/** `file:line:column` for each place, or null where the map knows none. */
export type PlacesAnswer = (string | null)[] | 'map missing' | 'map broken';

const NAME_MAX_CHARS = 300;

const known = new LRUCache<string, TraceMap>({ max: 4 });

parentPort?.on('message', (question: PlacesQuestion) => parentPort?.postMessage(answerTo(question)));
parentPort?.postMessage('ready');

function answerTo({ hash, places, map }: PlacesQuestion): PlacesAnswer {
  try {
    if (map) known.set(hash, new TraceMap(Buffer.from(map).toString()));
    const trace = known.get(hash);
    return trace ? places.map((place) => placeIn(trace, place)) : 'map missing';
  } catch {
    return 'map broken';
  }
}

function placeIn(trace: TraceMap, [line, column]: Place): string | null {
  if (line < 1 || column < 1) return null;
  const found = originalPositionFor(trace, { line, column: column - 1 });
  if (found.source === null) return null;
  return `${found.source.slice(0, NAME_MAX_CHARS).replace(/[\r\n]/g, ' ')}:${found.line}:${found.column + 1}`;
}
