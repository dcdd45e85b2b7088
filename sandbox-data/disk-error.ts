// Owns what an error of the file system means to those above. Text is matched only where a library hides the code.
import { SpaceError } from '../core/errors.ts';

/** STORE_FULL when there is no room, else STORE_UNAVAILABLE; the cause is kept. */
export function diskError(error: unknown): SpaceError {
  if (error instanceof SpaceError) return error;
  return new SpaceError(isFull(error) ? 'STORE_FULL' : 'STORE_UNAVAILABLE', {}, { cause: error });
}

/** An error number of the operating system, anywhere in the chain of causes. */
export function hasErrno(error: unknown, code: string): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ((at as NodeJS.ErrnoException).code === code) return true;
  }
  return false;
}

function isFull(error: unknown): boolean {
  if (hasErrno(error, 'ENOSPC') || hasErrno(error, 'EDQUOT')) return true;
  for (let at = error; at instanceof Error; at = at.cause) {
    if (/no space left on device|disk quota exceeded/i.test(at.message)) return true;
  }
  return false;
}
