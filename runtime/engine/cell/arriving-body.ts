// Owns a body that a Cell sends, as a Readable: at most a window of it waits here, however slow its reader is.
import { Readable } from 'node:stream';
import type { Clock } from '../../../core/clock.ts';
import type { SpaceError } from '../../../core/errors.ts';
import type { Outgoing } from './frames.ts';
import { FRAME, ProtocolError, START_CREDIT_BYTES } from './protocol.ts';

export interface ArrivingOptions { micro: number; id: number; sizeBytes: number | undefined; windowBytes: number; clock: Clock; send(frame: Outgoing): void }

export class ArrivingBody extends Readable {
  /** Its size, where the Cell knows it ahead. */
  readonly sizeBytes: number | undefined;
  /** When a byte moved last. */
  movedAt: number;
  #options: ArrivingOptions;
  /** Bytes that the Cell may still send. */
  #owed = START_CREDIT_BYTES;
  #isEnded = false;

  constructor(options: ArrivingOptions) {
    super({ highWaterMark: options.windowBytes });
    this.#options = options;
    this.movedAt = options.clock.now();
    this.sizeBytes = options.sizeBytes;
    // Whoever reads hears of it; without a reader there is nobody to tell.
    this.on('error', () => {});
  }

  /** @throws ProtocolError */
  accept(chunk: Uint8Array | null): void {
    if (chunk === null || chunk.length === 0 || chunk.length > this.#owed) throw new ProtocolError('more than was asked for');
    this.#owed -= chunk.length;
    if (this.destroyed) return;
    this.movedAt = this.#options.clock.now();
    this.push(chunk);
    this.#grant();
  }

  /** Nothing follows. @param failure why that is not the body's end */
  end(failure?: SpaceError): void {
    this.#isEnded = true;
    if (failure) this.destroy(failure);
    else if (!this.destroyed) this.push(null);
  }

  override read(size?: number): Buffer | null {
    const chunk = super.read(size) as Buffer | null;
    if (chunk !== null) this.movedAt = this.#options.clock.now();
    this.#grant();
    return chunk;
  }

  override _read(): void {}

  /** Let the Cell send on, a good part of the window at a time. */
  #grant(): void {
    const { windowBytes, micro, id, send } = this.#options;
    const room = windowBytes - this.readableLength - this.#owed;
    if (this.#isEnded || this.destroyed || room < windowBytes / 4) return;
    this.#owed += room;
    send({ type: FRAME.CREDIT, micro, id, other: room });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#isEnded) this.#options.send({ type: FRAME.STOP, micro: this.#options.micro, id: this.#options.id });
    done(error);
  }
}
