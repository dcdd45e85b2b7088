// Owns the file of one Base in an archive, a JSON array of Items, as a stream in both directions: any length in little memory.
import { invalid } from './archive-names.ts';

/** Longer text is no Item, however it is spelled. */
const ELEMENT_MAX_LENGTH = 4 * 1024 * 1024;
const BATCH_ITEMS = 100;
const BATCH_LENGTH = 128 * 1024;
const WRITE_LENGTH = 64 * 1024;

/** @param items JSON of each */
export async function* arrayText(items: AsyncIterable<string>): AsyncGenerator<string> {
  let text = '[';
  let isFirst = true;
  for await (const item of items) {
    text += `${isFirst ? '' : ','}\n${item}`;
    isFirst = false;
    if (text.length < WRITE_LENGTH) continue;
    yield text;
    text = '';
  }
  yield `${text}\n]\n`;
}

/** The elements of a JSON array, as texts, in batches. Only their borders are looked at; what they are is for their reader.
 *  @param path for messages  @throws ARCHIVE_INVALID when it is no array */
export async function* elementsOf(chunks: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<string[]> {
  const splitter = new ArraySplitter(path);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch (error) {
      throw invalid(`${JSON.stringify(path)} is not UTF-8`, error);
    }
  };
  for await (const chunk of chunks) {
    splitter.take(decode(chunk));
    if (splitter.isFull()) yield splitter.batch();
  }
  splitter.take(decode());
  splitter.end();
  const rest = splitter.batch();
  if (rest.length > 0) yield rest;
}

type Where = 'before' | 'between' | 'inside' | 'after';

class ArraySplitter {
  readonly #path: string;
  #where: Where = 'before';
  #elements: string[] = [];
  #length = 0;
  /** What is there of the element that is not complete. */
  #pieces: string[] = [];
  #pieceLength = 0;
  #depth = 0;
  #isInText = false;
  #isEscaped = false;
  /** The brackets of the element are complete. */
  #isClosed = false;
  #hasElements = false;
  /** After a comma an element must come. */
  #isDue = false;

  constructor(path: string) {
    this.#path = path;
  }

  take(text: string): void {
    let start = 0;
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      if (this.#where === 'inside') {
        if (!this.#isEndOfElement(unit)) continue;
        this.#keep(text.slice(start, at));
        this.#complete();
      }
      if (isSpace(unit)) continue;
      if (this.#begins(unit)) start = at;
    }
    if (this.#where === 'inside') this.#keep(text.slice(start));
  }

  end(): void {
    if (this.#where !== 'after') throw this.#bad('ends in the middle');
  }

  isFull(): boolean {
    return this.#elements.length >= BATCH_ITEMS || this.#length >= BATCH_LENGTH;
  }

  batch(): string[] {
    const batch = this.#elements;
    this.#elements = [];
    this.#length = 0;
    return batch;
  }

  /** Outside of elements. @returns whether one begins here */
  #begins(unit: number): boolean {
    if (this.#where === 'before' && unit === 0x5b) this.#where = 'between';
    else if (this.#where === 'between' && unit === 0x5d && !this.#isDue) this.#where = 'after';
    else if (this.#where === 'between' && unit === 0x2c && !this.#isDue && this.#hasElements) this.#isDue = true;
    else if (this.#where === 'between' && unit === 0x7b && (this.#isDue || !this.#hasElements)) {
      this.#where = 'inside';
      this.#depth = 0;
      this.#isDue = false;
      this.#isEndOfElement(unit);
      return true;
    } else throw this.#bad('is not a JSON array of objects');
    return false;
  }

  /** Whether the element ended before this character. */
  #isEndOfElement(unit: number): boolean {
    if (this.#isInText) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (unit === 0x5c) this.#isEscaped = true;
      else if (unit === 0x22) this.#isInText = false;
      return false;
    }
    if (this.#depth === 0 && this.#isClosed) return true;
    if (unit === 0x22) this.#isInText = true;
    else if (unit === 0x7b || unit === 0x5b) this.#depth += 1;
    else if (unit === 0x7d || unit === 0x5d) {
      this.#depth -= 1;
      this.#isClosed = this.#depth === 0;
    }
    return false;
  }

  #keep(piece: string): void {
    this.#pieces.push(piece);
    this.#pieceLength += piece.length;
    if (this.#pieceLength > ELEMENT_MAX_LENGTH) throw this.#bad('has an item that is too large');
  }

  #complete(): void {
    this.#elements.push(this.#pieces.length === 1 ? this.#pieces[0]! : this.#pieces.join(''));
    this.#length += this.#pieceLength;
    this.#pieces = [];
    this.#pieceLength = 0;
    this.#isClosed = false;
    this.#hasElements = true;
    this.#where = 'between';
  }

  #bad(what: string): Error {
    return invalid(`${JSON.stringify(this.#path)} ${what}`);
  }
}

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}
