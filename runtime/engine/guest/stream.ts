// Owns a small ReadableStream: start, pull, cancel, readers, tee and iteration. Backpressure ends at the isolate's edge.

interface Controller { enqueue(chunk: unknown): void; close(): void; error(reason?: unknown): void; readonly desiredSize: number }
interface Source { start?(controller: Controller): unknown; pull?(controller: Controller): unknown; cancel?(reason?: unknown): unknown }
type ReadResult = { done: boolean; value: unknown };

export class ReadableStream {
  #source: Source;
  #queue: unknown[] = [];
  #state: 'open' | 'closed' | 'errored' = 'open';
  #closing = false;
  #reason: unknown;
  #waiting: { resolve: (result: ReadResult) => void; reject: (reason: unknown) => void }[] = [];
  #reader: object | null = null;
  #pulling = false;
  #started: Promise<unknown>;
  #controller: Controller;

  constructor(source: Source = {}, _strategy?: unknown) {
    this.#source = source ?? {};
    const stream = this;
    this.#controller = {
      enqueue: (chunk) => stream.#enqueue(chunk),
      close: () => stream.#close(),
      error: (reason) => stream.#fail(reason),
      get desiredSize() { return 1 - stream.#queue.length; },
    };
    const started = this.#source.start?.(this.#controller);
    this.#started = Promise.resolve(started).catch((error) => this.#fail(error));
  }

  static from(items: Iterable<unknown> | AsyncIterable<unknown>): ReadableStream {
    const iterator = (items as any)[Symbol.asyncIterator]?.() ?? (items as any)[Symbol.iterator]();
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(await value);
      },
      async cancel(reason) { await iterator.return?.(reason); },
    });
  }

  get locked(): boolean { return this.#reader !== null; }

  getReader(): { read(): Promise<ReadResult>; releaseLock(): void; cancel(reason?: unknown): Promise<void>; closed: Promise<void> } {
    if (this.#reader) throw new TypeError('This stream has a reader already');
    const stream = this;
    let done: () => void;
    const closed = new Promise<void>((resolve) => { done = resolve; });
    const reader = {
      closed,
      async read(): Promise<ReadResult> {
        if (stream.#reader !== reader) throw new TypeError('This reader was released');
        const result = await stream.#read();
        if (result.done) done();
        return result;
      },
      releaseLock(): void { if (stream.#reader === reader) stream.#reader = null; },
      cancel: (reason?: unknown): Promise<void> => stream.#cancel(reason),
    };
    this.#reader = reader;
    return reader;
  }

  async cancel(reason?: unknown): Promise<void> {
    if (this.#reader) throw new TypeError('This stream has a reader');
    await this.#cancel(reason);
  }

  tee(): [ReadableStream, ReadableStream] {
    const reader = this.getReader();
    const controllers: Controller[] = [];
    const pull = async (): Promise<void> => {
      const { done, value } = await reader.read();
      for (const controller of controllers) done ? controller.close() : controller.enqueue(value);
    };
    const branch = (): ReadableStream => new ReadableStream({ start(controller) { controllers.push(controller); }, pull });
    return [branch(), branch()];
  }

  async pipeTo(target: any): Promise<void> {
    const writer = target.getWriter();
    for await (const chunk of this) await writer.write(chunk);
    await writer.close();
  }
  pipeThrough(transform: { readable: ReadableStream; writable: any }): ReadableStream {
    this.pipeTo(transform.writable).catch(() => {});
    return transform.readable;
  }

  async *values(): AsyncGenerator<unknown> {
    const reader = this.getReader();
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
    } finally {
      if (this.#state === 'open') await reader.cancel();
      reader.releaseLock();
    }
  }
  [Symbol.asyncIterator](): AsyncGenerator<unknown> { return this.values(); }
  get [Symbol.toStringTag]() { return 'ReadableStream'; }

  #enqueue(chunk: unknown): void {
    if (this.#state !== 'open' || this.#closing) throw new TypeError('This stream is closed');
    const next = this.#waiting.shift();
    if (next) next.resolve({ done: false, value: chunk });
    else this.#queue.push(chunk);
  }
  #close(): void {
    if (this.#state !== 'open' || this.#closing) throw new TypeError('This stream is closed');
    this.#closing = true;
    if (this.#queue.length === 0) this.#finish();
  }
  #finish(): void {
    this.#state = 'closed';
    for (const next of this.#waiting.splice(0)) next.resolve({ done: true, value: undefined });
  }
  #fail(reason: unknown): void {
    if (this.#state !== 'open') return;
    this.#state = 'errored';
    this.#reason = reason;
    this.#queue = [];
    for (const next of this.#waiting.splice(0)) next.reject(reason);
  }
  #read(): Promise<ReadResult> {
    if (this.#state === 'errored') return Promise.reject(this.#reason);
    if (this.#queue.length > 0) {
      const value = this.#queue.shift();
      if (this.#closing && this.#queue.length === 0) this.#finish();
      return Promise.resolve({ done: false, value });
    }
    if (this.#state === 'closed') return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#pull();
    });
  }
  async #pull(): Promise<void> {
    if (this.#pulling || !this.#source.pull) return;
    this.#pulling = true;
    try {
      await this.#started;
      while (this.#waiting.length > 0 && this.#state === 'open') {
        const before = this.#waiting.length;
        await this.#source.pull(this.#controller);
        if (this.#waiting.length === before) break;
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#pulling = false;
  }
  async #cancel(reason?: unknown): Promise<void> {
    if (this.#state !== 'open') return;
    this.#queue = [];
    this.#finish();
    await this.#source.cancel?.(reason);
  }
}
