// Owns CompressionStream and DecompressionStream. The work is the Cell's; a reader that is slow slows the writer, and nothing is
// unpacked that nobody reads.
import { bytesOfSource } from './buffer-source.ts';
import { callCell } from './cell-call.ts';
import { ReadableStream, WritableStream } from './stream.ts';
import { defineInterface, domString, needArguments } from './web-idl.ts';

const FORMATS = ['deflate', 'deflate-raw', 'gzip'];
const NOTHING = new Uint8Array(0);
let lastId = 0;

interface Answer { bytes: Uint8Array; hasMore: boolean }

class Zip {
  readonly readable: ReadableStream;
  readonly writable: WritableStream;
  #id = ++lastId;
  #kind: string;
  #reading: any;
  #writing: any;
  /** Somebody waits for bytes. */
  #isWanted = false;
  #wake: (() => void) | undefined;
  #isOver = false;
  #isKnown = false;

  constructor(way: 'compress' | 'decompress', format: string) {
    this.#kind = `${way} ${format}`;
    this.readable = new ReadableStream({
      start: (controller) => { this.#reading = controller; },
      pull: () => { this.#isWanted = true; this.#wake?.(); },
      cancel: (reason) => { this.#leave(); this.#writing.error(reason); },
    }, { highWaterMark: 0 });
    this.writable = new WritableStream({
      start: (controller) => { this.#writing = controller; },
      write: (chunk) => this.#guarded(() => this.#write(chunk)),
      close: () => this.#guarded(() => this.#close()),
      abort: (reason) => { this.#leave(); this.#reading.error(reason); },
    });
  }

  async #write(chunk: unknown): Promise<void> {
    const bytes = bytesOfSource(chunk);
    if (!bytes) throw new TypeError('A chunk has to be an ArrayBuffer or a view of one');
    await this.#wanted();
    await this.#deliver('write', bytes);
  }

  async #close(): Promise<void> {
    await this.#deliver('end', NOTHING);
    if (!this.#isOver) this.#reading.close();
    this.#isOver = true;
  }

  async #deliver(step: string, input: Uint8Array): Promise<void> {
    let answer = await this.#ask(step, input);
    for (;;) {
      if (this.#isOver) return;
      if (answer.bytes.length > 0) {
        await this.#wanted();
        if (this.#isOver) return;
        this.#isWanted = false;
        this.#reading.enqueue(answer.bytes.slice());
      }
      if (!answer.hasMore) return;
      await this.#wanted();
      answer = await this.#ask('more', NOTHING);
    }
  }

  /** Only the first question names the kind: one that the Cell gave up is not begun anew. */
  #ask(step: string, input: Uint8Array): Promise<Answer> {
    const kind = this.#isKnown ? null : this.#kind;
    this.#isKnown = true;
    return callCell(['zip', step, this.#id, kind, input]);
  }

  #wanted(): Promise<void> {
    if (this.#isWanted || this.#isOver) return Promise.resolve();
    return new Promise((resolve) => { this.#wake = resolve; });
  }

  /** What fails on one side fails on the other. */
  async #guarded(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#leave();
      this.#reading.error(error);
      throw error;
    }
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wake?.();
    if (this.#isKnown) this.#ask('drop', NOTHING).catch(() => {});
  }
}

function checkedFormat(given: number, format: unknown, what: string): string {
  needArguments(given, 1, what);
  const text = domString(format);
  if (!FORMATS.includes(text)) throw new TypeError(`The format cannot be ${text}`);
  return text;
}

export class CompressionStream {
  #zip: Zip;
  constructor(format: unknown) {
    this.#zip = new Zip('compress', checkedFormat(arguments.length, format, 'CompressionStream'));
  }
  get readable(): ReadableStream { return this.#zip.readable; }
  get writable(): WritableStream { return this.#zip.writable; }
}
defineInterface(CompressionStream);

export class DecompressionStream {
  #zip: Zip;
  constructor(format: unknown) {
    this.#zip = new Zip('decompress', checkedFormat(arguments.length, format, 'DecompressionStream'));
  }
  get readable(): ReadableStream { return this.#zip.readable; }
  get writable(): WritableStream { return this.#zip.writable; }
}
defineInterface(DecompressionStream);
