// Owns Drive as the Deta SDK has it, on host calls instead of HTTP. @source reference 5, deta 2.0.0
import { checkText } from './base.ts';
import { Blob, blobAround, bytesOfBlob, bytesOfSource } from './blob.ts';
import { readAll } from './body.ts';
import { callHost } from './bridge.ts';
import { encodeText } from './encoding.ts';
import { ReadableStream } from './stream.ts';

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
    const { content, type } = await contentOf(options?.data);
    const answer = await callHost(['drive', this.#name, 'put', file, options.contentType ?? type], content);
    return JSON.parse(answer.body as string).name;
  }

  async get(name: string): Promise<Blob | null> {
    const answer = await callHost(['drive', this.#name, 'get', checkText(name, 'Name')], null);
    if (answer.meta === '') return null;
    const { contentType } = JSON.parse(answer.meta);
    const bytes = answer.body === undefined ? new Uint8Array(0) : typeof answer.body === 'string' ? encodeText(answer.body) : new Uint8Array(answer.body);
    return blobAround(bytes, contentType);
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

/** Text is stored as UTF-8. */
async function contentOf(data: unknown): Promise<{ content: string | Uint8Array; type: string }> {
  if (data === undefined || data === null) throw new Error('Please provide data');
  if (typeof data === 'string') return { content: data, type: '' };
  if (data instanceof Blob) return { content: bytesOfBlob(data), type: data.type };
  if (data instanceof ReadableStream) return { content: await readAll(data), type: '' };
  const bytes = bytesOfSource(data);
  if (!bytes) throw new Error('Unsupported data format, expected data to be one of: string | Uint8Array | ArrayBuffer | Blob');
  return { content: bytes.slice(), type: '' };
}
