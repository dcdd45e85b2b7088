// Owns the classes of the Streams standard: web-streams-polyfill, the standard's own reference implementation made fast.
// Bodies read streams through what is captured here, so that a guest's changes to the prototypes reach only the guest.
import './dom-exception.ts';
import {
  ByteLengthQueuingStrategy, CountQueuingStrategy, ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader, ReadableStreamBYOBRequest,
  ReadableStreamDefaultController, ReadableStreamDefaultReader, TransformStream, TransformStreamDefaultController, WritableStream,
  WritableStreamDefaultController, WritableStreamDefaultWriter,
} from 'web-streams-polyfill';

export { ReadableStream, TransformStream, WritableStream };

/** All that become global. */
export const classes = {
  ByteLengthQueuingStrategy, CountQueuingStrategy, ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader, ReadableStreamBYOBRequest,
  ReadableStreamDefaultController, ReadableStreamDefaultReader, TransformStream, TransformStreamDefaultController, WritableStream,
  WritableStreamDefaultController, WritableStreamDefaultWriter,
};

// The bundler may have called them otherwise.
for (const [name, type] of Object.entries(classes)) Object.defineProperty(type, 'name', { value: name, configurable: true });

const { call } = Function.prototype;
const read = call.bind(ReadableStreamDefaultReader.prototype.read) as (reader: ReadableStreamDefaultReader) => Promise<{ done: boolean; value?: unknown }>;
const cancelReader = call.bind(ReadableStreamDefaultReader.prototype.cancel as any) as (reader: ReadableStreamDefaultReader, reason: unknown) => Promise<void>;
const isLockedStream = call.bind(Object.getOwnPropertyDescriptor(ReadableStream.prototype, 'locked')!.get as any) as (stream: ReadableStream) => boolean;
export const teeStream = call.bind(ReadableStream.prototype.tee as any) as (stream: ReadableStream) => [ReadableStream, ReadableStream];

export function isLocked(stream: ReadableStream): boolean {
  return isLockedStream(stream);
}

/** Somebody read from it or cancelled it. The library keeps that in a field which the standard gives no name. */
export function isDisturbed(stream: ReadableStream): boolean {
  return (stream as unknown as { _disturbed: boolean })._disturbed;
}

export interface Reader { read(): Promise<{ done: boolean; value?: unknown }>; cancel(reason: unknown): Promise<void> }

/** A reader that a guest cannot change. @throws TypeError when the stream has one already */
export function openReader(stream: ReadableStream): Reader {
  const reader = new ReadableStreamDefaultReader(stream);
  return { read: () => read(reader), cancel: (reason) => cancelReader(reader, reason) };
}

/** Every chunk in its order; `take` may wait. The stream stays locked, as one that was read should. @throws TypeError for chunks that are no bytes */
export async function readBytes(stream: ReadableStream, take: (chunk: Uint8Array) => void | Promise<void>): Promise<void> {
  const reader = new ReadableStreamDefaultReader(stream);
  try {
    for (let next = await read(reader); !next.done; next = await read(reader)) {
      if (!(next.value instanceof Uint8Array)) throw new TypeError('A body stream must yield Uint8Array chunks');
      const wait = take(next.value);
      if (wait) await wait;
    }
  } catch (error) {
    cancelReader(reader, error).catch(() => {});
    throw error;
  }
}

export function isByteStream(stream: ReadableStream): boolean {
  return (stream as unknown as { _readableStreamController: object })._readableStreamController instanceof ReadableByteStreamController;
}

/** A stream that gives what another one gives, when it is asked. */
export function relayStream(stream: ReadableStream, change: (chunk: unknown) => unknown = (chunk) => chunk): ReadableStream {
  const reader = openReader(stream);
  const source = {
    async pull(controller: any) {
      const { done, value } = await reader.read();
      if (!done) { controller.enqueue(change(value)); return; }
      controller.close();
      controller.byobRequest?.respond(0);
    },
    cancel: (reason: unknown) => reader.cancel(reason),
  };
  return isByteStream(stream) ? new ReadableStream({ ...source, type: 'bytes' }, { highWaterMark: 0 }) : new ReadableStream(source, { highWaterMark: 0 });
}
