// Owns the connections that are kept open to a program, and requests over them. undici needs half of the time for one that
// node:http does. Only what does no harm when it is repeated goes this way: the program may be closing the connection.
import type { Dispatcher, Pool } from 'undici';
import { Readable } from 'node:stream';
import type { HeaderList } from '../engine.ts';

/** The head of an answer, and its body, which is taken in one of three ways. */
export interface Incoming {
  status: number;
  headers: HeaderList;
  skip(): void;
  /** @param done not called when it is cut off */
  whole(done: (bytes: Buffer) => void): void;
  /** @param onMoved something was said or taken */
  stream(onMoved: () => void): Readable;
}

export interface KeptEvents {
  onHead(answer: Incoming): void;
  /** Before an answer, or instead of its end. */
  onError(error: NodeJS.ErrnoException): void;
  /** It came to its end. */
  onEnd(): void;
}

export interface KeptRequest { method: string; path: string; headers: HeaderList }

/** Of an answer. */
export const HEAD_MAX_BYTES = 64 * 1024;
const CONNECTIONS_MAX = 400;
const FREE_MS = 4_000;

/** @param path of the program's socket; nothing is connected yet */
export async function openPool(path: string): Promise<Pool> {
  // It takes a moment to load, which a host without programs does not need.
  const { Pool } = await import('undici');
  return new Pool('http://localhost', {
    socketPath: path, connections: CONNECTIONS_MAX, pipelining: 1, maxHeaderSize: HEAD_MAX_BYTES, keepAliveTimeout: FREE_MS,
    // Who waits how long is said elsewhere, for all kinds of requests.
    connectTimeout: 0, headersTimeout: 0, bodyTimeout: 0,
  });
}

/** @returns what ends it; harmless when it is over */
export function ask(pool: Pool, request: KeptRequest, events: KeptEvents): (error: Error) => void {
  const answer = new KeptAnswer(events);
  pool.dispatch(request, answer);
  return (error) => answer.cancel(error);
}

class KeptAnswer implements Incoming, Dispatcher.DispatchHandler {
  status = 0;
  headers: HeaderList = [];
  #events: KeptEvents;
  #controller: Dispatcher.DispatchController | undefined;
  #chunks: Buffer[] | undefined;
  #done: ((bytes: Buffer) => void) | undefined;
  #stream: Readable | undefined;
  #onMoved = (): void => {};
  #cancelled: Error | undefined;
  #isOver = false;

  constructor(events: KeptEvents) {
    this.#events = events;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#cancelled) controller.abort(this.#cancelled);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    // What is said ahead of the answer is for nobody here.
    if (status < 200) return;
    this.status = status;
    this.headers = (controller.rawHeaders as Buffer[]).map((part) => part.toString('latin1'));
    this.#events.onHead(this);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#chunks) this.#chunks.push(chunk);
    else if (this.#stream && !this.#stream.push(chunk)) controller.pause();
    this.#onMoved();
  }

  onResponseEnd(): void {
    this.#isOver = true;
    const { length } = this.#chunks ?? [];
    this.#done?.(length === 1 ? this.#chunks![0]! : Buffer.concat(this.#chunks!));
    this.#stream?.push(null);
    this.#events.onEnd();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#isOver = true;
    this.#stream?.destroy(error);
    this.#events.onError(error);
  }

  skip(): void {}

  whole(done: (bytes: Buffer) => void): void {
    this.#chunks = [];
    this.#done = done;
  }

  stream(onMoved: () => void): Readable {
    this.#onMoved = onMoved;
    this.#stream = new Readable({
      read: () => {
        onMoved();
        this.#controller!.resume();
      },
      destroy: (error, done) => {
        this.cancel(error ?? new Error('nobody reads it any more'));
        done(error);
      },
    });
    // Whoever reads it hears of it besides; where nobody does, it must not end the host.
    return this.#stream.on('error', () => {});
  }

  cancel(error: Error): void {
    if (this.#isOver) return;
    this.#cancelled = error;
    this.#controller?.abort(error);
  }
}
