// Owns writing lines to a descriptor that may stand still or fail: a full disk, a reader that has stopped reading. Nobody waits
// for it, only so much is kept, and what is lost is counted.
import { write, writeSync } from 'node:fs';

export interface LineWriter {
  /** One complete line with its newline. */
  write(line: string): void;
  /** What is pending, as far as it can be had at once: this process ends. */
  flush(): void;
}

const PENDING_MAX_CHARS = 1024 * 1024;

/** @param lost the line that says how many were lost, written once lines can be written again */
export function createLineWriter(descriptor: number, lost: (count: number) => string): LineWriter {
  let pending: string[] = [];
  let pendingChars = 0;
  let lostCount = 0;
  let isWriting = false;

  function take(): Buffer {
    if (lostCount > 0) pending.unshift(lost(lostCount));
    const bytes = Buffer.from(pending.join(''));
    pending = [];
    pendingChars = 0;
    lostCount = 0;
    return bytes;
  }

  function next(): void {
    if (pending.length === 0) return;
    const lines = pending.length + lostCount;
    isWriting = true;
    pour(take(), lines);
  }

  /** A system may take a part only. */
  function pour(bytes: Buffer, lines: number): void {
    write(descriptor, bytes, (error, written) => {
      if (error?.code === 'EAGAIN') return void setTimeout(pour, 50, bytes, lines);
      if (!error && written < bytes.length) return pour(bytes.subarray(written), lines);
      if (error) lostCount += lines;
      isWriting = false;
      next();
    });
  }

  return {
    write(line) {
      if (pendingChars + line.length > PENDING_MAX_CHARS) {
        lostCount += 1;
        return;
      }
      pending.push(line);
      pendingChars += line.length;
      if (!isWriting) next();
    },
    flush() {
      // Whoever stands still in a write would stand still in this one too.
      if (isWriting || pending.length === 0) return;
      try {
        writeSync(descriptor, take());
      } catch {
        // There is nobody left to tell.
      }
    },
  };
}
