// Owns a client that writes to a host through HTTP while somebody kills it, remembers what was acknowledged and what may
// have happened, and checks a host that was started again against that.
import { randomInt } from 'node:crypto';
import { Agent, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { expect } from 'vitest';

interface Reply { status: number; etag: string | undefined; bytes: Buffer; json(): any }
type State = string | null;

/** A thing that one lane alone writes to, so that its history is a line. */
interface Thing {
  /** What it was when the last write was acknowledged. */
  sure: State;
  /** What it may be besides, since the answer to the write never came. */
  maybe: State[];
}

const PAIRS = 6;
const PARTS = 3;

export class CrashClient {
  readonly #url: () => string;
  readonly #collectionId: string;
  readonly #key: string;
  readonly #items = new Map<string, Thing>();
  readonly #files = new Map<string, Thing>();
  /** Two Items that are always written in one request. */
  readonly #pairs = new Map<string, Thing>();
  /** A counter that only conditional or atomic writes change: how often that was acknowledged, and how often tried. */
  #counted = { sure: 0, tried: 0 };
  #agent = new Agent({ keepAlive: true, maxSockets: 32 });
  acknowledged = 0;
  #sequence = 0;

  constructor(url: () => string, collectionId: string, key: string) {
    this.#url = url;
    this.#collectionId = collectionId;
    this.#key = key;
  }

  /** Write with many lanes until the host no longer answers. */
  async writeUntilKilled(): Promise<void> {
    this.#agent = new Agent({ keepAlive: true, maxSockets: 32 });
    const lanes = [
      ...Array.from({ length: 8 }, (_, lane) => () => this.#writeItem(`i${lane}-${randomInt(4)}`)),
      ...Array.from({ length: PAIRS }, (_, lane) => () => this.#writePair(`p${lane}`)),
      ...Array.from({ length: 3 }, (_, lane) => () => this.#writeFile(`f${lane}-${randomInt(3)}`)),
      ...Array.from({ length: 2 }, () => () => this.#count()),
    ];
    await Promise.all(lanes.map(async (step) => {
      for (;;) {
        try {
          await step();
        } catch (error) {
          if (error instanceof Unexpected) throw error;
          return; // the host is gone
        }
      }
    }));
    this.#agent.destroy();
  }

  /** Everything that was acknowledged is there, and nothing by half. What is found counts as sure from now on. */
  async check(): Promise<void> {
    for (const [key, thing] of this.#items) this.#settle(`Item ${key}`, thing, await this.#readItem(key));
    for (const [key, thing] of this.#pairs) {
      const [left, right] = [await this.#readItem(`${key}a`), await this.#readItem(`${key}b`)];
      expect(left, `both halves of ${key}`).toBe(right);
      this.#settle(`pair ${key}`, thing, left);
    }
    for (const [name, thing] of this.#files) this.#settle(`File ${name}`, thing, await this.#readFile(name));
    const count = Number((await this.#call('GET', 'items/counter')).json().n ?? 0);
    expect(count, 'increments').toBeGreaterThanOrEqual(this.#counted.sure);
    expect(count, 'increments').toBeLessThanOrEqual(this.#counted.tried);
    this.#counted = { sure: count, tried: count };
    await this.#checkListing();
  }

  /** Delete behind our own back. */
  async loseHalfAPair(): Promise<void> {
    await this.#call('PUT', 'items', JSON.stringify({ items: [{ key: 'p0a', value: '' }, { key: 'p0b', value: '' }] }));
    await this.#call('DELETE', 'items/p0a');
  }

  #settle(what: string, thing: Thing, found: State): void {
    expect([thing.sure, ...thing.maybe], what).toContain(found);
    thing.sure = found;
    thing.maybe = [];
  }

  async #checkListing(): Promise<void> {
    const listed: string[] = [];
    for (let last: string | undefined, more = true; more; more = last !== undefined) {
      const page = (await this.#call('POST', 'query', JSON.stringify({ limit: 7, ...(last && { last }) }))).json();
      listed.push(...page.items.map(({ key }: { key: string }) => key));
      last = page.paging.last;
    }
    const expected = [...this.#items].filter(([, { sure }]) => sure !== null).map(([key]) => key);
    for (const [key, { sure }] of this.#pairs) if (sure !== null) expected.push(`${key}a`, `${key}b`);
    expect(listed.filter((key) => key !== 'counter')).toEqual(expected.toSorted());
    const names = (await this.#drive('GET', 'files?limit=1000')).json().names;
    expect(names).toEqual([...this.#files].filter(([, { sure }]) => sure !== null).map(([name]) => name).toSorted());
  }

  async #writeItem(key: string): Promise<void> {
    const thing = thingOf(this.#items, key);
    if (thing.maybe.length > 0) throw new Gone(); // another lane's write of it was cut off
    const value = `${this.#sequence++}-${'x'.repeat(randomInt(2000))}`;
    const kind = randomInt(5);
    if (kind === 4 && thing.sure !== null) await this.#writeVersion(key, thing, value);
    else if (kind === 0) await this.#change(thing, null, () => this.#call('DELETE', `items/${key}`), [200]);
    else if (kind === 1 && thing.sure === null) await this.#change(thing, value, () => this.#call('POST', 'items', JSON.stringify({ item: { key, value } })), [201]);
    else if (kind === 2 && thing.sure !== null) await this.#change(thing, value, () => this.#call('PATCH', `items/${key}`, JSON.stringify({ set: { value } })), [200]);
    else await this.#change(thing, value, () => this.#call('PUT', 'items', JSON.stringify({ items: [{ key, value }] })), [207]);
  }

  /** On condition that it is what was read; then once more on the same condition, which no longer holds. */
  async #writeVersion(key: string, thing: Thing, value: string): Promise<void> {
    const { etag } = await this.#call('GET', `items/${key}`);
    const body = JSON.stringify({ items: [{ key, value }] });
    const put = (): Promise<Reply> => this.#call('PUT', 'items', body, { 'if-match': etag ?? '' });
    await this.#change(thing, value, put, [207]);
    const { status } = await put();
    if (status !== 412 && status < 500) throw new Unexpected(`a condition that does not hold: ${status}`);
  }

  async #writePair(key: string): Promise<void> {
    const value = String(this.#sequence++);
    const items = [{ key: `${key}a`, value }, { key: `${key}b`, value }];
    await this.#change(thingOf(this.#pairs, key), value, () => this.#call('PUT', 'items', JSON.stringify({ items })), [207]);
  }

  async #count(): Promise<void> {
    this.#counted.tried += 1;
    const { status } = await this.#call('PATCH', 'items/counter', JSON.stringify({ increment: { n: 1 } }));
    if (status === 404) await this.#call('POST', 'items', JSON.stringify({ item: { key: 'counter', n: 0 } }));
    else if (status === 200) this.#counted.sure += 1;
    if (status === 200) this.acknowledged += 1;
  }

  async #writeFile(name: string): Promise<void> {
    const thing = thingOf(this.#files, name);
    if (thing.maybe.length > 0) throw new Gone();
    const letter = String.fromCharCode(97 + randomInt(26));
    const kind = randomInt(5);
    if (kind === 0) await this.#change(thing, null, () => this.#drive('DELETE', 'files', JSON.stringify({ names: [name] })), [200]);
    else if (kind === 1) await this.#upload(name, thing, letter);
    else {
      const length = randomInt(1, 200_000);
      await this.#change(thing, `${letter}${length}`, () => this.#drive('POST', `files?name=${name}`, Buffer.alloc(length, letter)), [201]);
    }
  }

  async #upload(name: string, thing: Thing, letter: string): Promise<void> {
    const started = await this.#drive('POST', `uploads?name=${name}`);
    const id = started.json().upload_id;
    for (let part = 1; part <= PARTS; part += 1) {
      const { status } = await this.#drive('POST', `uploads/${id}/parts?name=${name}&part=${part}`, Buffer.alloc(50_000, letter));
      if (status !== 200) throw new Unexpected(`part: ${status}`);
      if (randomInt(10) === 0) return; // abandoned
    }
    await this.#change(thing, `${letter}${PARTS * 50_000}`, () => this.#drive('PATCH', `uploads/${id}?name=${name}`), [200]);
  }

  async #change(thing: Thing, after: State, send: () => Promise<Reply>, expected: number[]): Promise<void> {
    thing.maybe.push(after);
    const { status, bytes } = await send();
    if (!expected.includes(status)) throw status >= 500 ? new Gone() : new Unexpected(`${status}: ${bytes.toString().slice(0, 200)}`);
    thing.sure = after;
    thing.maybe = [];
    this.acknowledged += 1;
  }

  async #readItem(key: string): Promise<State> {
    const { status, json } = await this.#call('GET', `items/${key}`);
    expect([200, 404]).toContain(status);
    return status === 404 ? null : json().value;
  }

  /** Its letter and its length, when it is of one letter. */
  async #readFile(name: string): Promise<State> {
    const { status, bytes } = await this.#drive('GET', `files/download?name=${name}`);
    expect([200, 404], `File ${name}: ${bytes.toString().slice(0, 200)}`).toContain(status);
    if (status === 404) return null;
    const letter = String.fromCharCode(bytes[0] ?? 0);
    expect(bytes.equals(Buffer.alloc(bytes.length, letter)), `File ${name} is of one letter`).toBe(true);
    return `${letter}${bytes.length}`;
  }

  #call(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Reply> {
    return this.#send(method, `/base/v1/${this.#collectionId}/crash/${path}`, body, headers);
  }

  #drive(method: string, path: string, body?: string | Buffer): Promise<Reply> {
    return this.#send(method, `/drive/v1/${this.#collectionId}/crash/${path}`, body);
  }

  #send(method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const outgoing = request(`${this.#url()}${path}`, { method, agent: this.#agent, headers: { ...headers, 'x-api-key': this.#key, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body), ...(typeof body === 'string' && { 'content-type': 'application/json' }) }) } });
      outgoing.on('response', (incoming) => {
        buffer(incoming).then((bytes) => resolve({ status: incoming.statusCode ?? 0, etag: incoming.headers.etag, bytes, json: () => JSON.parse(bytes.toString()) }), reject);
      });
      outgoing.on('error', reject);
      outgoing.setTimeout(20_000, () => outgoing.destroy(new Error('no answer')));
      outgoing.end(body);
    });
  }
}

class Gone extends Error {}
class Unexpected extends Error {}

function thingOf(things: Map<string, Thing>, key: string): Thing {
  const known = things.get(key) ?? { sure: null, maybe: [] };
  things.set(key, known);
  return known;
}
