// Owns Drive as the Deta SDK has it, on host calls instead of HTTP. @source reference 5, deta 2.0.0
import { checkText } from './base.ts';
import { Blob, blobAround, bytesOfBlob } from './blob.ts';
import { bytesOfSource } from './buffer-source.ts';
import { type BodyContent, bodyStream, newBody, readFile } from './body.ts';
import { callHost, current } from './bridge.ts';
import { arrivingBody, departingStream } from './channel.ts';
import { encodeText } from './encoding.ts';
import { isLocked, ReadableStream } from './stream.ts';

interface PutOptions { data?: unknown; contentType?: string; path?: string }

export class Drive {
  #name: string;
  constructor(name: string) {
    this.#name = checkText(name, 'Drive name');
  }

  /** @returns the name */
  async put(name: string, options: PutOptions): Promise<string> {
    const file = checkText(name, 'Name');
    if (options?.path !== undefined) throw new Error("A Micro in an isolate has no file system: use 'data' instead of 'path'");
    const { content, type } = contentOf(options?.data);
    const answer = await callHost(['drive', this.#name, 'put', file, options.contentType ?? type], content);
    return JSON.parse(answer.body as string).name;
  }

  /** The whole File; what does not fit in memory is read with `stream`. */
  async get(name: string): Promise<Blob | null> {
    const found = await this.#read(name);
    if (!found) return null;
    const { body, contentType } = found;
    const bytes = body === null ? new Uint8Array(0) : typeof body === 'string' ? encodeText(body) : body instanceof Uint8Array ? body : await readFile(body);
    return blobAround(bytes, contentType);
  }

  /** The File piece by piece, however large it is. */
  async stream(name: string): Promise<{ body: ReadableStream; contentType: string; size: number } | null> {
    const found = await this.#read(name);
    if (!found) return null;
    const { body, contentType, sizeBytes } = found;
    return { body: bodyStream(newBody(body ?? new Uint8Array(0)))!, contentType, size: sizeBytes };
  }

  async #read(name: string): Promise<{ body: BodyContent; contentType: string; sizeBytes: number } | null> {
    const owner = current;
    const { meta, body } = await callHost(['drive', this.#name, 'get', checkText(name, 'Name')], null);
    return meta === '' ? null : { ...JSON.parse(meta), body: arrivingBody(body, owner) };
  }

  async list(options: { recursive?: boolean; prefix?: string; limit?: number; last?: string } = {}): Promise<unknown> {
    const { recursive = true, prefix = '', limit = 1000, last = '' } = options;
    return this.#ask('list', JSON.stringify({ recursive: Boolean(recursive), prefix: String(prefix), limit: Number(limit), last: String(last) }));
  }

  async delete(name: string): Promise<string> {
    const { deleted } = await this.#ask('delete', JSON.stringify([checkText(name, 'Name')])) as { deleted: string[] };
    return deleted[0]!;
  }

  async deleteMany(names: string[]): Promise<unknown> {
    if (!Array.isArray(names) || names.length === 0) throw new Error("Names can't be empty");
    if (names.length > 1000) throw new Error("We can't delete more than 1000 items at a time");
    return this.#ask('delete', JSON.stringify(names.map(String)));
  }

  async #ask(method: string, request: string): Promise<unknown> {
    const answer = await callHost(['drive', this.#name, method, ''], request);
    return JSON.parse(answer.body as string);
  }
}

/** Text is stored as UTF-8; a stream is read as it is stored. */
function contentOf(data: unknown): { content: string | Uint8Array | (() => number); type: string } {
  if (data === undefined || data === null) throw new Error('Please provide data');
  if (typeof data === 'string') return { content: data, type: '' };
  if (data instanceof Blob) return { content: bytesOfBlob(data), type: data.type };
  if (data instanceof ReadableStream) {
    if (isLocked(data)) throw new TypeError('The stream is in use already');
    const owner = current;
    return { content: () => departingStream(data, owner), type: '' };
  }
  const bytes = bytesOfSource(data);
  if (!bytes) throw new Error('Unsupported data format, expected data to be one of: string | Uint8Array | ArrayBuffer | Blob | ReadableStream');
  return { content: bytes.slice(), type: '' };
}
