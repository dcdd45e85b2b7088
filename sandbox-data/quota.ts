// Owns how much may be stored: the bytes of Items and Files of each Collection and of each Space, and who is over.
// What is counted here is an upper bound; near a limit the Stores are asked, whose counts are exact whatever happened.
import { SpaceError } from '../core/errors.ts';
import type { CollectionRef } from './data.ts';

/** Infinity: no limit. */
export interface QuotaSource {
  spaceBytes(spaceId: string): Promise<number>;
  collectionBytes(ref: CollectionRef): Promise<number>;
}

export interface QuotaPlace {
  /** Exact, as of now. */
  used(ref: CollectionRef): Promise<number>;
  collectionsOf(spaceId: string): Promise<string[]>;
}

interface CollectionMeter {
  limitBytes: number;
  /** What is stored is never more than this. */
  boundBytes: number;
  /** Part of the bound: writes that are under way. */
  pendingBytes: number;
  /** Of all writes that have ended. */
  doneBytes: number;
  /** Something was written or deleted since it was exact. */
  isLoose: boolean;
}

/** `boundBytes`: of all its Collections. */
interface SpaceMeter { limitBytes: number; boundBytes: number; collections: Map<string, CollectionMeter> }

export class Quotas {
  readonly #place: QuotaPlace;
  readonly #spaces = new Map<string, SpaceMeter>();
  readonly #loading = new Map<string, Promise<void>>();
  #source: QuotaSource | undefined;

  constructor(place: QuotaPlace) {
    this.#place = place;
  }

  use(source: QuotaSource): void {
    this.#source = source;
  }

  /** Limits, or what is stored, are no longer what they were. */
  forget(spaceId?: string): void {
    if (spaceId === undefined) this.#spaces.clear();
    else this.#spaces.delete(spaceId);
  }

  /** Run `write`, which brings `bytes` at most. A write needs room for what it brings, also where it replaces something.
   *  @throws QUOTA_EXCEEDED */
  async write<R>(ref: CollectionRef, bytes: number, write: () => Promise<R>): Promise<R> {
    if (!this.#source) return write();
    const meter = this.#admitted(ref, bytes) ?? (await this.#admit(ref, bytes));
    try {
      return await write();
    } finally {
      meter.pendingBytes -= bytes;
      meter.doneBytes += bytes;
    }
  }

  /** Something was deleted. */
  loosen({ spaceId, collectionId }: CollectionRef): void {
    const meter = this.#spaces.get(spaceId)?.collections.get(collectionId);
    if (meter) meter.isLoose = true;
  }

  /** @throws QUOTA_EXCEEDED when nothing more may be written */
  async check(ref: CollectionRef): Promise<void> {
    await this.write(ref, 1, async () => {});
  }

  /** Exact bytes of each Collection of the Space. */
  async usage(spaceId: string): Promise<Map<string, number>> {
    const ids = await this.#place.collectionsOf(spaceId);
    const used = await Promise.all(ids.map((collectionId) => this.#place.used({ spaceId, collectionId })));
    return new Map(ids.map((id, at) => [id, used[at]!]));
  }

  /** Without asking anybody, when there is room for sure. */
  #admitted({ spaceId, collectionId }: CollectionRef, bytes: number): CollectionMeter | undefined {
    const space = this.#spaces.get(spaceId);
    const meter = space?.collections.get(collectionId);
    if (!space || !meter || meter.boundBytes + bytes > meter.limitBytes || space.boundBytes + bytes > space.limitBytes) return undefined;
    space.boundBytes += bytes;
    meter.boundBytes += bytes;
    meter.pendingBytes += bytes;
    meter.isLoose = true;
    return meter;
  }

  async #admit(ref: CollectionRef, bytes: number): Promise<CollectionMeter> {
    const space = await this.#spaceOf(ref);
    await this.#tighten(ref.spaceId, space, ref.collectionId);
    const meter = this.#admitted(ref, bytes);
    if (meter) return meter;
    for (const id of space.collections.keys()) await this.#tighten(ref.spaceId, space, id);
    return this.#admitted(ref, bytes) ?? this.#refuse(ref, space);
  }

  #refuse({ collectionId }: CollectionRef, space: SpaceMeter): never {
    const meter = space.collections.get(collectionId)!;
    const isSpaceFull = space.boundBytes / space.limitBytes > meter.boundBytes / meter.limitBytes;
    const [what, used, limit, remedy] = isSpaceFull
      ? ['This Space', space.boundBytes, space.limitBytes, 'the owner of the host sets it']
      : ['This app', meter.boundBytes, meter.limitBytes, 'the owner of the Space sets it'];
    throw new SpaceError('QUOTA_EXCEEDED', { what, used: byteText(used), limit: byteText(limit), remedy });
  }

  async #tighten(spaceId: string, space: SpaceMeter, collectionId: string): Promise<void> {
    const meter = space.collections.get(collectionId);
    if (!meter?.isLoose) return;
    meter.isLoose = meter.pendingBytes > 0;
    const doneBefore = meter.doneBytes;
    const used = await this.#place.used({ spaceId, collectionId });
    const boundBytes = used + meter.pendingBytes + meter.doneBytes - doneBefore;
    space.boundBytes += boundBytes - meter.boundBytes;
    meter.boundBytes = boundBytes;
  }

  async #spaceOf(ref: CollectionRef): Promise<SpaceMeter> {
    const { spaceId, collectionId } = ref;
    while (!this.#spaces.has(spaceId)) {
      const loading = this.#loading.get(spaceId) ?? this.#load(spaceId).finally(() => this.#loading.delete(spaceId));
      this.#loading.set(spaceId, loading);
      await loading;
    }
    const space = this.#spaces.get(spaceId)!;
    if (!space.collections.has(collectionId)) {
      const meter = await this.#meter(ref, 0, true);
      if (!space.collections.has(collectionId)) space.collections.set(collectionId, meter);
    }
    return space;
  }

  async #load(spaceId: string): Promise<void> {
    const limitBytes = await this.#source!.spaceBytes(spaceId);
    const used = await this.usage(spaceId);
    const meters = await Promise.all([...used].map(async ([collectionId, bytes]): Promise<[string, CollectionMeter]> => [collectionId, await this.#meter({ spaceId, collectionId }, bytes, false)]));
    const boundBytes = meters.reduce((sum, [, meter]) => sum + meter.boundBytes, 0);
    this.#spaces.set(spaceId, { limitBytes, boundBytes, collections: new Map(meters) });
  }

  async #meter(ref: CollectionRef, boundBytes: number, isLoose: boolean): Promise<CollectionMeter> {
    return { limitBytes: await this.#source!.collectionBytes(ref), boundBytes, pendingBytes: 0, doneBytes: 0, isLoose };
  }
}

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'];

/** As people read it: 1 KB has 1000 bytes. */
export function byteText(bytes: number): string {
  const power = Math.min(Math.max(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 0), UNITS.length - 1);
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${UNITS[power]}`;
}
