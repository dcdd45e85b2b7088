// Owns the threads on which Builds work, one for each that runs: nothing of a Build stands in the way of a request, and what
// brings a thread down fails its own Build alone. Knows no Build.
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { errorFromRecord, SpaceError } from '../core/errors.ts';
import type { Order, Outcome, Tasks } from './background-tasks.ts';

type Task = keyof Tasks;

/** A thread that is one Build's for a while. */
export interface Workbench {
  /** @throws what the task throws; the reason of `signal`, once the task has ended */
  run<T extends Task>(task: T, input: Parameters<Tasks[T]>[0], signal: AbortSignal): Promise<Awaited<ReturnType<Tasks[T]>>>;
}

export interface Background {
  /** A Build comes soon: start a thread, unless one waits. */
  prepare(): void;
  /** Lend `use` a thread that nobody else has. */
  lend<Result>(use: (bench: Workbench) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

const HEAP_MAX_MB = 256;
/** Threads that nobody needed for so long end. */
const IDLE_MS = 30_000;
/** What was given up, and has not ended by then, is ended with its thread. */
const ABORT_PATIENCE_MS = 5_000;

export function createBackground({ idleMs = IDLE_MS, heapMaxMb = HEAP_MAX_MB } = {}): Background {
  const all = new Set<BuildThread>();
  const idle = new Map<BuildThread, NodeJS.Timeout>();

  function rest(thread: BuildThread): void {
    if (thread.isGone) return void all.delete(thread);
    const timer = setTimeout(() => {
      idle.delete(thread);
      all.delete(thread);
      void thread.end();
    }, idleMs);
    idle.set(thread, timer.unref());
  }

  function start(): BuildThread {
    const thread = new BuildThread(heapMaxMb);
    all.add(thread);
    return thread;
  }

  function take(): BuildThread {
    for (const [thread, timer] of idle) {
      clearTimeout(timer);
      idle.delete(thread);
      if (!thread.isGone) return thread;
      all.delete(thread);
    }
    return start();
  }

  return {
    prepare() {
      if (idle.size === 0) rest(start());
    },
    async lend(use) {
      const thread = take();
      try {
        return await use(thread);
      } finally {
        rest(thread);
      }
    },
    async close() {
      for (const timer of idle.values()) clearTimeout(timer);
      idle.clear();
      await Promise.all([...all].map((thread) => thread.end()));
      all.clear();
    },
  };
}

/** The folder that was named, in which Node.js has one for its own version. */
function compileCache(): string | undefined {
  const folder = getCompileCacheDir();
  return folder === undefined ? undefined : dirname(folder);
}

interface Waiting { resolve(output: any): void; reject(error: unknown): void }

class BuildThread implements Workbench {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  isGone = false;

  constructor(heapMaxMb: number) {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./background-thread.${extension}`, import.meta.url), { name: 'build', env: {}, workerData: { compileCache: compileCache() }, resourceLimits: { maxOldGenerationSizeMb: heapMaxMb }, stdout: true, stderr: true });
    this.#worker.unref();
    this.#worker.on('message', (outcome: Outcome) => this.#settle(outcome));
    this.#worker.on('error', (error: NodeJS.ErrnoException) => this.#abandon(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooMuch(error, heapMaxMb) : error));
    this.#worker.on('exit', () => this.#abandon(new Error('the thread of a build ended')));
  }

  async run<T extends Task>(task: T, input: Parameters<Tasks[T]>[0], signal: AbortSignal): Promise<Awaited<ReturnType<Tasks[T]>>> {
    signal.throwIfAborted();
    const id = this.#nextId++;
    let patience: NodeJS.Timeout | undefined;
    const abort = (): void => {
      this.#send({ id, task: 'abort' });
      patience = setTimeout(() => void this.end(), ABORT_PATIENCE_MS);
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await this.#ask(id, task, input);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(patience);
      signal.removeEventListener('abort', abort);
    }
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #ask(id: number, task: Task, input: unknown): Promise<any> {
    if (this.isGone) return Promise.reject(new Error('the thread of a build has ended'));
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      this.#send({ id, task, input });
    });
  }

  #send(order: Order): void {
    this.#worker.postMessage(order);
  }

  #settle(outcome: Outcome): void {
    const waiting = this.#waiting.get(outcome.id);
    this.#waiting.delete(outcome.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('output' in outcome) waiting?.resolve(outcome.output);
    else waiting?.reject('error' in outcome ? errorFromRecord(outcome.error) : outcome.failure);
  }

  #abandon(error: unknown): void {
    this.isGone = true;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function tooMuch(cause: unknown, limitMb: number): SpaceError {
  return new SpaceError('SOURCE_INVALID', { reason: `reading it took more than ${limitMb} MB of memory. Leave out what the app does not need` }, { cause });
}
