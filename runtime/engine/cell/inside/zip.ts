// Owns compression for a guest: Node's zlib, fed and emptied piece by piece, so that no input can make more bytes than were asked for.
import { once } from 'node:events';
import type { Transform } from 'node:stream';

/** One answer holds at most about this much; the guest asks again for more. */
const STEP_BYTES = 512 * 1024;
/** Open at a time in one isolate; the one that was used least lately goes first. */
const OPEN_MAX = 64;

const OPTIONS = { readableHighWaterMark: STEP_BYTES, chunkSize: 64 * 1024, rejectGarbageAfterEnd: true };
const MAKE: Record<string, 'createDeflate' | 'createDeflateRaw' | 'createGzip' | 'createInflate' | 'createInflateRaw' | 'createGunzip'> = {
  'compress deflate': 'createDeflate', 'compress deflate-raw': 'createDeflateRaw', 'compress gzip': 'createGzip',
  'decompress deflate': 'createInflate', 'decompress deflate-raw': 'createInflateRaw', 'decompress gzip': 'createGunzip',
};

/** `write` gives input, `end` says that there is no more, `more` asks for what did not fit into the last answer, `drop` forgets. */
export type ZipStep = 'write' | 'end' | 'more' | 'drop';

export class GuestZips {
  #open = new Map<number, Zip>();

  /** @param kind of a stream that is new */
  async run(step: ZipStep, id: number, kind: string | null, input: Uint8Array): Promise<unknown> {
    if (step === 'drop') return this.#drop(id);
    const zip = kind === null ? this.#open.get(id) : this.#make(kind);
    if (!zip) throw new Error('This stream was left alone for too long');
    this.#open.delete(id);
    this.#open.set(id, zip);
    try {
      const { bytes, hasMore } = await zip.step(step, input);
      if (zip.isEnded && !hasMore) this.#open.delete(id);
      return { bytes, hasMore };
    } catch (error) {
      this.#drop(id);
      throw Object.assign(new Error(`The data is not valid: ${(error as { code?: string }).code ?? 'unknown'}`), { name: 'TypeError' });
    }
  }

  dispose(): void {
    for (const zip of this.#open.values()) zip.close();
    this.#open.clear();
  }

  #make(kind: string): Zip {
    if (!Object.hasOwn(MAKE, kind)) throw new Error('There is no such format');
    if (this.#open.size >= OPEN_MAX) this.#drop(this.#open.keys().next().value!);
    // Loaded by the first Micro that asks for it.
    return new Zip(process.getBuiltinModule('node:zlib')[MAKE[kind]!](OPTIONS));
  }

  #drop(id: number): null {
    this.#open.get(id)?.close();
    this.#open.delete(id);
    return null;
  }
}

class Zip {
  #stream: Transform;
  /** The input that is being worked on, and whether it is done. */
  #isDone = true;
  isEnded = false;
  #failure: unknown;

  constructor(stream: Transform) {
    this.#stream = stream;
    stream.on('error', (error) => { this.#failure ??= error; });
    // Who waits when all is dropped waits no longer.
    stream.on('close', () => { if (!this.#isDone) this.#done(new Error('closed')); });
  }

  async step(step: ZipStep, input: Uint8Array): Promise<{ bytes: Uint8Array; hasMore: boolean }> {
    if (step === 'write') this.#begin((done) => this.#stream.write(input, done));
    else if (step === 'end') this.#end();
    const parts: Buffer[] = [];
    for (let size = 0; size < STEP_BYTES;) {
      const part = this.#stream.read() as Buffer | null;
      if (part) { parts.push(part); size += part.length; }
      else if (this.#failure !== undefined) {
        // What came before the fault is still given.
        if (parts.length === 0) throw this.#failure;
        return { bytes: Buffer.concat(parts), hasMore: true };
      }
      else if (this.#isDone) return { bytes: Buffer.concat(parts), hasMore: false };
      else await this.#change();
    }
    return { bytes: Buffer.concat(parts), hasMore: true };
  }

  close(): void {
    this.#stream.destroy();
  }

  #end(): void {
    this.isEnded = true;
    this.#begin((done) => { this.#stream.once('end', () => done()); this.#stream.end(); });
  }

  #begin(start: (done: (error?: Error | null) => void) => void): void {
    this.#isDone = false;
    start((error) => this.#done(error ?? undefined));
  }

  #done(error: Error | undefined): void {
    this.#isDone = true;
    this.#failure ??= error;
    this.#stream.emit('step');
  }

  /** Something can be read, the input is used up, or it turned out to be broken. */
  async #change(): Promise<void> {
    const stop = new AbortController();
    const options = { signal: stop.signal };
    await Promise.race([once(this.#stream, 'readable', options), once(this.#stream, 'step', options)]).catch((error: unknown) => { this.#failure ??= error; });
    stop.abort();
  }
}
