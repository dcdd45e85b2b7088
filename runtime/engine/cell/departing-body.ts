// Owns a body on its way into a Cell: read from its source only as far as the Cell's credit goes.
import type { Readable } from 'node:stream';
import { toSpaceError } from '../../../core/errors.ts';
import type { Outgoing } from './frames.ts';
import { FRAME, ProtocolError, START_CREDIT_BYTES, WINDOW_BYTES } from './protocol.ts';

export interface DepartingOptions {
  micro: number;
  id: number;
  /** Whether the source is of no more use when the Cell reads on no more: not so for a connection that waits for its answer. */
  destroysSource: boolean;
  send(frame: Outgoing): void;
  onMoved?(): void;
  onEnd(): void;
}

export class DepartingBody {
  #source: Readable;
  #options: DepartingOptions;
  #credit = START_CREDIT_BYTES;
  /** Of what the source gave, what the credit did not cover. */
  #rest: Uint8Array | undefined;
  #hasEnded = false;
  #isOver = false;

  constructor(source: Readable, options: DepartingOptions) {
    this.#source = source;
    this.#options = options;
    source.on('data', this.#take).on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose);
    source.resume();
    if (source.readableEnded || source.destroyed) setImmediate(source.readableEnded ? this.#onEnd : this.#onClose);
  }

  /** @throws ProtocolError */
  grant(bytes: number): void {
    if (bytes === 0 || this.#credit + bytes > WINDOW_BYTES) throw new ProtocolError('too much credit');
    this.#credit += bytes;
    if (this.#rest === undefined) return;
    this.#pump();
    if (this.#rest === undefined) this.#source.resume();
  }

  /** The Cell reads no more. */
  stop(): void {
    this.#finish('');
  }

  /** Nobody in the Cell is there to read it. */
  cut(): void {
    this.#finish(JSON.stringify({ reason: 'The request is over.' }));
  }

  /** The source flows until it gives what the credit does not cover. */
  #take = (chunk: string | Uint8Array): void => {
    this.#rest = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    this.#pump();
    if (this.#rest !== undefined) this.#source.pause();
  };

  #pump(): void {
    const bytes = this.#rest;
    if (bytes !== undefined && this.#credit > 0) {
      const piece = bytes.subarray(0, Math.min(this.#credit, bytes.length));
      this.#rest = piece.length < bytes.length ? bytes.subarray(piece.length) : undefined;
      this.#sendPiece(piece);
    }
    if (this.#hasEnded && this.#rest === undefined) this.#finish('');
  }

  #sendPiece(piece: Uint8Array): void {
    if (piece.length === 0) return;
    const { micro, id, send, onMoved } = this.#options;
    this.#credit -= piece.length;
    send({ type: FRAME.DATA, micro, id, body: piece, isOwn: true });
    onMoved?.();
  }

  #onEnd = (): void => {
    this.#hasEnded = true;
    this.#pump();
  };

  #onError = (error: Error): void => {
    this.#finish(JSON.stringify({ reason: toSpaceError(error).blame === 'platform' ? 'The other end is gone.' : error.message }));
  };

  #onClose = (): void => {
    if (!this.#hasEnded) this.#finish(JSON.stringify({ reason: 'The other end went away.' }));
  };

  #finish(meta: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { micro, id, send, onEnd, destroysSource } = this.#options;
    const source = this.#source;
    source.off('data', this.#take).off('end', this.#onEnd);
    // Its errors are nobody's any more, but one without a listener would end this process.
    source.on('error', () => {});
    if (destroysSource) source.destroy();
    else source.resume(); // what still comes is thrown away: the connection may be used again
    send({ type: FRAME.END, micro, id, meta });
    onEnd();
  }
}
