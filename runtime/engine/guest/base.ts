// Owns Base as the Deta SDK has it, on host calls instead of HTTP. @source reference 4, deta 2.0.0
import { callHost } from './bridge.ts';

const ACTION = Symbol('update action');
interface Action { [ACTION]: 'trim' | 'increment' | 'append' | 'prepend'; value: unknown }
const action = (kind: Action[typeof ACTION], value: unknown): Action => ({ [ACTION]: kind, value });
const listed = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);

interface Expiry { expireIn?: number; expireAt?: Date | number }
type Item = Record<string, unknown>;

export class Base {
  #name: string;
  readonly util = {
    trim: () => action('trim', undefined),
    increment: (value = 1) => action('increment', value),
    append: (value: unknown) => action('append', listed(value)),
    prepend: (value: unknown) => action('prepend', listed(value)),
  };

  constructor(name: string) {
    this.#name = checkText(name, 'Base name');
  }

  async put(data: unknown, key?: string | null, options?: Expiry): Promise<Item> {
    const answer = await this.#call('put', { items: [toItem(data, key, options)] });
    return (answer as any).processed.items[0];
  }

  async putMany(items: unknown[], options?: Expiry): Promise<unknown> {
    if (!Array.isArray(items)) throw new Error('Items must be an array');
    if (items.length === 0) throw new Error("Items can't be empty");
    if (items.length > 25) throw new Error("We can't put more than 25 items at a time");
    return this.#call('put', { items: items.map((item) => toItem(item, undefined, options)) });
  }

  async insert(data: unknown, key?: string | null, options?: Expiry): Promise<Item> {
    try {
      return await this.#call('insert', { item: toItem(data, key, options) }) as Item;
    } catch (error: any) {
      if (error?.code === 'BASE_KEY_EXISTS') error.message = `Item with key ${key ?? (data as any)?.key} already exists`;
      throw error;
    }
  }

  async get(key: string): Promise<Item | null> {
    return await this.#call('get', undefined, checkText(key, 'Key')) as Item | null;
  }

  async delete(key: string): Promise<null> {
    await this.#call('delete', undefined, checkText(key, 'Key'));
    return null;
  }

  async update(updates: Item | null, key: string, options?: Expiry): Promise<null> {
    const name = checkText(key, 'Key');
    await this.#call('update', toUpdate({ ...updates, ...expiry(options) }), name);
    return null;
  }

  async fetch(query: unknown = [], options: { limit?: number; last?: string; desc?: boolean } = {}): Promise<{ items: Item[]; count: number; last?: string }> {
    const { limit, last, desc } = options;
    const request = { query: listed(query ?? []), limit: limit ?? 1000, last: last ?? '', sort: desc ? 'desc' : '' };
    const { items, paging } = await this.#call('query', request) as any;
    return { items, count: paging.size, ...(paging.last === undefined ? {} : { last: paging.last }) };
  }

  async #call(method: string, request?: unknown, key?: string): Promise<unknown> {
    const body = request === undefined ? null : JSON.stringify(request);
    const answer = await callHost(['base', this.#name, method, key ?? ''], body);
    return answer.body === undefined || answer.body === '' ? null : JSON.parse(answer.body as string);
  }
}

export function checkText(value: unknown, what: string): string {
  const text = String(value ?? '').trim();
  if (text === '') throw new Error(`${what} is empty`);
  return text;
}

function toItem(data: unknown, key: unknown, options: Expiry | undefined): Item {
  const isItem = typeof data === 'object' && data !== null && !Array.isArray(data);
  const item: Item = isItem ? { ...data } : { value: data };
  const name = typeof key === 'string' ? key.trim() : key;
  if (name) item.key = name;
  return { ...item, ...expiry(options) };
}

function expiry(options: Expiry | undefined): { __expires?: number } {
  const { expireIn, expireAt } = options ?? {};
  if (expireIn !== undefined && expireAt !== undefined) throw new Error("'expireIn' and 'expireAt' are mutually exclusive parameters");
  if (expireIn !== undefined) return { __expires: Math.floor(Date.now() / 1000 + seconds(expireIn, 'expireIn')) };
  if (expireAt instanceof Date) return { __expires: Math.floor(expireAt.getTime() / 1000) };
  return expireAt === undefined ? {} : { __expires: Math.floor(seconds(expireAt, 'expireAt')) };
}

function seconds(value: unknown, name: string): number {
  if (typeof value !== 'number') throw new Error(`option ${name} should have a value of type number`);
  return value;
}

function toUpdate(updates: Item): unknown {
  const request: Record<string, any> = { set: {}, increment: {}, append: {}, prepend: {}, delete: [] };
  for (const [path, value] of Object.entries(updates)) {
    const kind = typeof value === 'object' && value !== null ? (value as Action)[ACTION] : undefined;
    if (kind === undefined) request.set[path] = value;
    else if (kind === 'trim') request.delete.push(path);
    else request[kind][path] = (value as Action).value;
  }
  return request;
}
