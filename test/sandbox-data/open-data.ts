// Owns what tests of the data plane start from: a temporary folder, a data plane in it, and their end.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, onTestFinished } from 'vitest';
import { silentLog } from '../../core/log.ts';
import type { Base, Collection, CollectionRef, Data } from '../../sandbox-data/data.ts';
import { createData } from '../../sandbox-data/open.ts';
import type { DataOptions } from '../../sandbox-data/open.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import type { FakeClock } from '../support/fake-clock.ts';

export const REF: CollectionRef = { spaceId: 'space1', collectionId: 'collection1' };

/** A folder that is gone when the test is over. */
export async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ownspace-data-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function openData(options: Partial<DataOptions> = {}): Promise<{ data: Data; folder: string; clock: FakeClock }> {
  const folder = options.folder ?? (await tempFolder());
  const clock = createFakeClock();
  const data = await createData({ log: silentLog, clock, ...options, folder });
  onTestFinished(() => data.close());
  return { data, folder, clock };
}

let shared: Promise<{ data: Data; clock: FakeClock }> | undefined;
let collections = 0;

/** A Collection of its own on a data plane that the tests of a file share: starting one takes a while. */
export async function openCollection(): Promise<{ collection: Collection; data: Data; clock: FakeClock }> {
  shared ??= startShared();
  collections += 1;
  const { data, clock } = await shared;
  return { collection: data.collection({ ...REF, collectionId: `c${collections}` }), data, clock };
}

async function startShared(): Promise<{ data: Data; clock: FakeClock }> {
  const folder = await mkdtemp(join(tmpdir(), 'ownspace-data-'));
  const clock = createFakeClock();
  const data = await createData({ log: silentLog, clock, folder });
  stopShared = async () => {
    await data.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { data, clock };
}

let stopShared = async (): Promise<void> => {};
afterAll(() => stopShared());

/** A Base in a Collection of its own, spoken to in values instead of JSON. */
export async function openBase() {
  const opened = await openCollection();
  return { ...opened, base: inValues(opened.collection.base('things')) };
}

export function inValues(base: Base) {
  return {
    raw: base,
    get: async (key: string) => parsed(await base.get(key)),
    put: async (...items: unknown[]) => parsed(await base.put(JSON.stringify({ items }))).processed.items,
    insert: async (item: unknown) => parsed(await base.insert(JSON.stringify({ item }))),
    update: async (key: string, request: unknown) => parsed(await base.update(key, JSON.stringify(request))),
    delete: (key: string) => base.delete(key),
    query: async (request: unknown) => parsed(await base.query(JSON.stringify(request))),
    keys: async (query?: unknown, rest: object = {}) => parsed(await base.query(JSON.stringify({ query, ...rest }))).items.map((item: { key: string }) => item.key),
  };
}

function parsed(text: string | undefined): any {
  return text === undefined ? undefined : JSON.parse(text);
}

export async function* bytes(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}

export async function collected(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Matches a SpaceError of this code. */
export function failure(code: string): object {
  return { asymmetricMatch: (error: { code?: string }) => error.code === code, toString: () => `SpaceError ${code}` };
}
