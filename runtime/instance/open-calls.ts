// Owns what stays open after its head: WebSockets, and answers that stream to somebody who is signed in. Every few seconds each
// is asked whether its caller may still be here, so that an ended session ends them too (attacks D17, E9).
import type { Clock } from '../../core/clock.ts';

export interface OpenCall {
  /** Asked again and again. */
  mayStay(): boolean | Promise<boolean>;
  /** `revoked`: the caller may not be here any more. `closing`: the host ends. */
  close(why: 'revoked' | 'closing'): void;
}

export interface OpenCalls {
  /** @returns what takes it off the list again */
  add(call: OpenCall): () => void;
  /** The host ends. */
  close(): void;
}

const LOOK_MS = 2_000;

export function createOpenCalls(clock: Clock): OpenCalls {
  const calls = new Set<OpenCall>();
  let stop: (() => void) | undefined;
  let isClosed = false;

  async function look(): Promise<void> {
    for (const call of calls) {
      // What cannot be decided now is decided at the next look.
      if (await Promise.resolve(call.mayStay()).catch(() => true)) continue;
      if (calls.delete(call)) call.close('revoked');
    }
    stop = undefined;
    start();
  }

  function start(): void {
    if (calls.size > 0 && !isClosed) stop ??= clock.after(LOOK_MS, () => void look());
  }

  return {
    add(call) {
      calls.add(call);
      start();
      return () => calls.delete(call);
    },
    close() {
      isClosed = true;
      stop?.();
      for (const call of calls) call.close('closing');
      calls.clear();
    },
  };
}
