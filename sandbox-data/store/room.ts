// Owns when a disk counts as full: a little before it is, so that what must go on for readers still can. Opening a Store
// writes, and so does signing in. Room means bytes and file entries.
import { statfs } from 'node:fs/promises';
import { SpaceError } from '../../core/errors.ts';

/** Kept free on a disk; on a small one a tenth of it. */
const RESERVE_BYTES = 64 * 1024 * 1024;
const RESERVE_ENTRIES = 1000;
const RESERVE_SHARE = 0.1;
/** How long the file system is believed that there is room. That there is none is never said without a look. */
const BELIEVE_MS = 250;

/** Deletes, which make room, go on until this part of the reserve is left. */
const DELETING_SHARE = 0.2;

type Operation = { type: 'put'; value: string } | { type: 'del' };

/** Looks at the disk that `folder` is on. */
export class RoomGuard {
  readonly #folder: string;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** Shared by those who ask meanwhile, so that what one of them takes counts for the next. */
  #looking: Promise<void> | undefined;
  #reserveBytes = 1;
  #freeBytes = Number.POSITIVE_INFINITY;
  /** Of the entries that shall be free: 1 and more is all of them. */
  #entryShare = 1;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws STORE_FULL */
  async assertRoomFor(operations: readonly Operation[]): Promise<void> {
    const bytes = operations.reduce((sum, operation) => sum + (operation.type === 'put' ? operation.value.length : 0), 0);
    const isFreeing = operations.some(({ type }) => type === 'del');
    await this.#assertShare(isFreeing ? DELETING_SHARE : 1, bytes);
  }

  /** @param bytes that are to come  @throws STORE_FULL */
  async assertRoom(bytes: number): Promise<void> {
    await this.#assertShare(1, bytes);
  }

  async #assertShare(share: number, bytes: number): Promise<void> {
    const isOld = performance.now() - this.#lookedAtMs >= BELIEVE_MS;
    if (isOld || !this.#hasShare(share, bytes)) await (this.#looking ??= this.#look());
    if (!this.#hasShare(share, bytes)) throw new SpaceError('STORE_FULL');
    this.#freeBytes -= bytes;
  }

  #hasShare(share: number, bytes: number): boolean {
    return Math.min((this.#freeBytes - bytes) / this.#reserveBytes, this.#entryShare) >= share;
  }

  async #look(): Promise<void> {
    const { bavail, blocks, bsize, ffree, files } = await statfs(this.#folder).finally(() => { this.#looking = undefined; });
    this.#lookedAtMs = performance.now();
    this.#freeBytes = bavail * bsize;
    this.#reserveBytes = Math.min(RESERVE_BYTES, blocks * bsize * RESERVE_SHARE);
    // Some file systems make entries as they are needed and count none.
    this.#entryShare = files === 0 ? 1 : ffree / Math.min(RESERVE_ENTRIES, files * RESERVE_SHARE);
  }
}
