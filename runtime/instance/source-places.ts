// Owns turning places in bundles, such as `api.js:812:7` in a stack, into places in the source that a developer wrote.
// Maps are read by a thread of their own: one that is large, broken or hostile costs its own text and nothing else.
import { Worker } from 'node:worker_threads';
import type { Log } from '../../core/log.ts';
import type { Place, PlacesAnswer, PlacesQuestion } from './source-map-thread.ts';

/** The source map of a Micro's bundle. */
export interface SourceMapFile { hash: string; sizeBytes: number; read(): Promise<Buffer> }

export interface SourcePlaces {
  /** The text with its places turned; undefined when there are none, so that such a text need not wait.
   *  @param mapOf the map of a Micro by its name */
  turned(text: string, mapOf: (micro: string) => SourceMapFile | undefined): Promise<string> | undefined;
  close(): Promise<void>;
}

export const PLACES_MAX = 64;
const MAP_MAX_BYTES = 48 * 1024 * 1024;
/** Questions that wait for the thread; those beyond keep their places as they are. */
const WAITING_MAX = 256;
const REFUSED_MAX = 1_000;
const HEAP_MAX_MB = 384;
const IDLE_MS = 30_000;

/** A place stands in a line of a stack, or in the brackets with which a compiler's message ends. */
const STACK_LINE = /^\s*at |^.*\[[\w.:-]+\]$/;
const PLACE = /(?<=[\s([])([\w-]{1,100})\.js:(\d{1,7}):(\d{1,7})(?=[)\]\s]|$)/g;

export function createSourcePlaces({ log, timeoutMs = 5_000 }: { log: Log; timeoutMs?: number }): SourcePlaces {
  const thread = createThread(log, timeoutMs);

  async function turn(text: string, mapOf: (micro: string) => SourceMapFile | undefined): Promise<string> {
    const lines = text.split('\n').filter((line) => !isOwnLine(line));
    const found = new Map<string, Place[]>();
    let count = 0;
    for (const line of lines) {
      if (!STACK_LINE.test(line)) continue;
      for (const [, micro, at, column] of line.matchAll(PLACE)) {
        if (++count <= PLACES_MAX) found.set(micro!, [...found.get(micro!) ?? [], [Number(at), Number(column)]]);
      }
    }
    const names = new Map<string, string>();
    for (const [micro, places] of found) {
      const map = mapOf(micro);
      const answer = map && map.sizeBytes <= MAP_MAX_BYTES ? await thread.ask(map, places) : [];
      places.forEach(([line, column], at) => { if (answer[at]) names.set(`${micro}.js:${line}:${column}`, answer[at]); });
    }
    return lines.map((line) => (STACK_LINE.test(line) ? line.replace(PLACE, (place) => names.get(place) ?? place) : line)).join('\n');
  }

  return {
    turned: (text, mapOf) => (text.includes('.js:') ? turn(text, mapOf).catch(() => text) : undefined),
    close: () => thread.close(),
  };
}

/** A line of the runtime inside the isolate: it says nothing to a developer. */
function isOwnLine(line: string): boolean {
  return line.includes('ownspace:') && line.trimStart().startsWith('at ');
}

interface Asked { hash: string; settle(answer: PlacesAnswer | undefined): void }

/** The thread that reads maps: started when one is needed, ended when none was for a while, or when one takes too long. */
function createThread(log: Log, timeoutMs: number): { ask(map: SourceMapFile, places: Place[]): Promise<readonly (string | null)[]>; close(): Promise<void> } {
  let worker: Worker | undefined;
  let ready: Promise<void> = Promise.resolve();
  let idle: NodeJS.Timeout | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let asked: Asked | undefined;
  /** Maps that brought the thread down. */
  const refused = new Set<string>();

  function start(): Worker {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const fresh = new Worker(new URL(`./source-map-thread.${extension}`, import.meta.url), { name: 'source-maps', resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB }, env: {} });
    fresh.unref();
    ready = new Promise((resolve) => {
      fresh.once('message', () => resolve());
      fresh.once('exit', () => resolve());
    });
    fresh.on('message', (message: 'ready' | PlacesAnswer) => { if (message !== 'ready') asked?.settle(message); });
    fresh.on('error', (error) => log.warn('source-maps.failed', { error, hash: asked?.hash }));
    fresh.on('exit', () => {
      if (worker !== fresh) return;
      worker = undefined;
      asked?.settle(undefined);
    });
    return fresh;
  }

  /** One question at a time: whoever asked is to blame for what happens. */
  async function put(question: PlacesQuestion): Promise<PlacesAnswer | undefined> {
    worker ??= start();
    // A busy machine takes its time to start a thread: that is no map's fault.
    await ready;
    if (worker === undefined) return [];
    const { promise, resolve } = Promise.withResolvers<PlacesAnswer | undefined>();
    const timer = setTimeout(stop, timeoutMs);
    asked = { hash: question.hash, settle: resolve };
    worker.postMessage(question);
    const answer = await promise;
    clearTimeout(timer);
    asked = undefined;
    return answer;
  }

  function stop(): void {
    const ending = worker;
    worker = undefined;
    void ending?.terminate();
    asked?.settle(undefined);
  }

  async function look(map: SourceMapFile, places: Place[]): Promise<readonly (string | null)[]> {
    if (refused.has(map.hash)) return [];
    clearTimeout(idle);
    let answer = await put({ hash: map.hash, places });
    if (answer === 'map missing') answer = await put({ hash: map.hash, places, map: await map.read() });
    idle = setTimeout(stop, IDLE_MS).unref();
    if (Array.isArray(answer)) return answer;
    if (refused.size >= REFUSED_MAX) refused.clear();
    refused.add(map.hash);
    return [];
  }

  return {
    ask(map, places) {
      if (waiting >= WAITING_MAX) return Promise.resolve([]);
      waiting += 1;
      const answer = last.then(() => look(map, places)).finally(() => { waiting -= 1; });
      last = answer.catch(() => {});
      return answer;
    },
    async close() {
      clearTimeout(idle);
      await last;
      clearTimeout(idle);
      stop();
    },
  };
}
