// Owns when a disk counts as full: a little before it is, so that what must go on for readers still can. Opening a Store
// writes, and so does signing in. Room means bytes and file entries.
import { statfs } from 'node:fs/promises';
import { SpaceError } from '../../core/errors.ts';

/** Kept free on a disk; on a small one a tenth of it. */
const RESERVE_BYTES = 64 * 1024 * 1024;
const RESERVE_ENTRIES = 1000;
const RESERVE_SHARE = 0.1;
/** How long an answer of the file system is believed. */
const BELIEVE_MS = 250;

type Operation = { type: 'put' | 'del' };

/** Looks at the disk that `folder` is on. */
export class RoomGuard {
  readonly #folder: string;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** 1 and more: as much as shall be free; 0: nothing is. */
  #share = 1;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** What deletes may go on for longer: that is how room is made. @throws STORE_FULL */
  async assertRoomFor(operations: readonly Operation[]): Promise<void> {
    const share = await this.#freeShare();
    if (share >= 1) return;
    const isFreeing = operations.some(({ type }) => type === 'del');
    if (!isFreeing || share < 0.5) throw new SpaceError('STORE_FULL');
  }

  /** For bytes that are to come. @throws STORE_FULL */
  async assertRoom(): Promise<void> {
    await this.assertRoomFor([]);
  }

  async #freeShare(): Promise<number> {
    const nowMs = performance.now();
    if (nowMs - this.#lookedAtMs < BELIEVE_MS) return this.#share;
    const { bavail, blocks, bsize, ffree, files } = await statfs(this.#folder);
    this.#lookedAtMs = nowMs;
    const bytes = (bavail * bsize) / Math.min(RESERVE_BYTES, blocks * bsize * RESERVE_SHARE);
    // Some file systems make entries as they are needed and count none.
    const entries = files === 0 ? 1 : ffree / Math.min(RESERVE_ENTRIES, files * RESERVE_SHARE);
    this.#share = Math.min(bytes, entries);
    return this.#share;
  }
}
