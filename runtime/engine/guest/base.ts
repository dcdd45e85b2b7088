// Owns Base as the Deta SDK has it, on host calls instead of HTTP. @source reference 4, deta 2.0.0
import { type Answer, callHost } from './bridge.ts';

const ACTION = Symbol('update action');
interface Action { [ACTION]: 'trim' | 'increment' | 'append' | 'prepend'; value: unknown }
const action = (kind: Action[typeof ACTION], value: unknown): Action => ({ [ACTION]: kind, value });
const listed = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);

interface Expiry { expireIn?: number; expireAt?: Date | number }
/** Of a write, in the words of HTTP: an ETag, several with commas, or `*`. */
interface Condition { ifMatch?: string; ifNoneMatch?: string }
type Item = Record<string, unknown>;

/** A constructor that gives back what it is given: a class made from it can put private fields into that. */
const Given = function Given(given: object): object { return given; } as unknown as new (given: object) => object;

/** The ETag of an Item that was returned, kept in the Item itself, where nobody sees it: Items look as the SDK's do.
 *  A WeakMap of them costs ten times as much, in the collector too. */
class Tagged extends Given {
  #etag: string;
  constructor(item: Item, etag: string) {
    super(item);
    this.#etag = etag;
  }
  static tag(item: Item, etag: string): Item {
    return new Tagged(item, etag) as unknown as Item;
  }
  static etagOf(item: object): string | undefined {
    return #etag in item ? item.#etag : undefined;
  }
}

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

  /** Of an Item that `get`, `put` or `insert` returned, for the condition of a write. */
  etag(item: Item): string {
    const etag = typeof item === 'object' && item !== null ? Tagged.etagOf(item) : undefined;
    if (etag === undefined) throw new TypeError('Only what get, put or insert returned has an ETag');
    return etag;
  }

  async put(data: unknown, key?: string | null, options?: Expiry & Condition): Promise<Item> {
    const answer = await this.#ask('put', { items: [toItem(data, key, options)] }, '', options);
    return Tagged.tag((parsed(answer) as any).processed.items[0], answer.meta);
  }

  async putMany(items: unknown[], options?: Expiry & Condition): Promise<unknown> {
    if (!Array.isArray(items)) throw new Error('Items must be an array');
    if (items.length === 0) throw new Error("Items can't be empty");
    if (items.length > 25) throw new Error("We can't put more than 25 items at a time");
    return parsed(await this.#ask('put', { items: items.map((item) => toItem(item, undefined, options)) }, '', options));
  }

  async insert(data: unknown, key?: string | null, options?: Expiry & Condition): Promise<Item> {
    try {
      const answer = await this.#ask('insert', { item: toItem(data, key, options) }, '', options);
      return Tagged.tag(parsed(answer) as Item, answer.meta);
    } catch (error: any) {
      if (error?.code === 'BASE_KEY_EXISTS') error.message = `Item with key ${key ?? (data as any)?.key} already exists`;
      throw error;
    }
  }

  async get(key: string): Promise<Item | null> {
    const answer = await this.#ask('get', undefined, checkText(key, 'Key'));
    const item = parsed(answer) as Item | null;
    return item && Tagged.tag(item, answer.meta);
  }

  async delete(key: string, options?: Condition): Promise<null> {
    await this.#ask('delete', undefined, checkText(key, 'Key'), options);
    return null;
  }

  async update(updates: Item | null, key: string, options?: Expiry & Condition): Promise<null> {
    const name = checkText(key, 'Key');
    await this.#ask('update', toUpdate({ ...updates, ...expiry(options) }), name, options);
    return null;
  }

  async fetch(query: unknown = [], options: { limit?: number; last?: string; desc?: boolean } = {}): Promise<{ items: Item[]; count: number; last?: string }> {
    const { limit, last, desc } = options;
    const request = { query: listed(query ?? []), limit: limit ?? 1000, last: last ?? '', sort: desc ? 'desc' : '' };
    const { items, paging } = parsed(await this.#ask('query', request, '')) as any;
    return { items, count: paging.size, ...(paging.last === undefined ? {} : { last: paging.last }) };
  }

  #ask(method: string, request: unknown, key: string, options?: Condition): Promise<Answer> {
    const body = request === undefined ? null : JSON.stringify(request);
    return callHost(['base', this.#name, method, key, ...condition(options)], body);
  }
}

function parsed({ body }: Answer): unknown {
  return body === undefined || body === '' ? null : JSON.parse(body as string);
}


/** One that was meant and got lost on the way must not turn into none. */
function condition(options: Condition | undefined): string[] {
  const asked = (name: keyof Condition): string => {
    if (options === undefined || options === null || !(name in options)) return '';
    const text = options[name];
    if (typeof text !== 'string' || text === '') throw new TypeError(`option ${name} should be an ETag, or *`);
    return text;
  };
  const texts = [asked('ifMatch'), asked('ifNoneMatch')];
  return texts.join('') === '' ? [] : texts;
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
