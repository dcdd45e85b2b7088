// Owns bodies: what may become one, and how one is read. Shared by Request and Response.
import { Blob, blobAround, bytesOfBlob } from './blob.ts';
import { bytesOfSource, joinBytes } from './buffer-source.ts';
import { decodeText, decodeWhole, encodeText } from './encoding.ts';
import { FormData, formFromMultipart, formFromPairs, formToMultipart } from './form-data.ts';
import { mimeTypeText, parseMimeType } from './mime-type.ts';
import { isByteStream, isDisturbed, isLocked, ReadableStream, readBytes, relayStream, teeStream } from './stream.ts';
import { structuredClone } from './structured-clone.ts';
import { parsePairs, URLSearchParams } from './url.ts';
import { defineInterface, usvString } from './web-idl.ts';

/** Text and bytes are kept as they came; a stream is read when somebody asks. */
export type BodyContent = string | Uint8Array | ReadableStream | null;

/** `maxBytes`: most that is read whole of a stream that came from outside. */
export interface BodyState { content: BodyContent; used: boolean; stream: ReadableStream | undefined; maxBytes: number }

let arrivingMaxBytes = Infinity;
let fileMaxBytes = Infinity;
export function useBodyLimits(bytes: number, fileBytes: number): void {
  arrivingMaxBytes = bytes;
  fileMaxBytes = fileBytes;
}

const tooLarge = new WeakSet<object>();
/** Is this what reading a large body whole throws? */
export const isTooLarge = (error: unknown): boolean => typeof error === 'object' && error !== null && hasError(error);
const hasError = WeakSet.prototype.has.bind(tooLarge);
const addError = WeakSet.prototype.add.bind(tooLarge);

/** @returns content, and the content type that goes with it */
export function bodyFrom(init: unknown): { content: BodyContent; type: string | null } {
  if (init === null || init === undefined) return { content: null, type: null };
  if (typeof init === 'string') return { content: init, type: 'text/plain;charset=UTF-8' };
  if (init instanceof URLSearchParams) return { content: init.toString(), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
  if (init instanceof Blob) return { content: bytesOfBlob(init), type: init.type || null };
  if (init instanceof ReadableStream) {
    if (isLocked(init) || isDisturbed(init)) throw new TypeError('The stream is in use already');
    return { content: init, type: null };
  }
  if (init instanceof FormData) return formToMultipart(init);
  const bytes = bytesOfSource(init);
  if (bytes) return { content: bytes.slice(), type: null };
  return { content: usvString(init), type: 'text/plain;charset=UTF-8' };
}

export function newBody(content: BodyContent, maxBytes = Infinity): BodyState {
  return { content, used: false, stream: undefined, maxBytes };
}

/** A body from outside. */
export function receivedBody(content: BodyContent): BodyState {
  return newBody(content, arrivingMaxBytes);
}

/** Somebody read from it, or is about to. */
export function isTaken(body: BodyState): boolean {
  const stream = streamOf(body);
  return body.used || (stream !== undefined && (isLocked(stream) || isDisturbed(stream)));
}

function streamOf(body: BodyState): ReadableStream | undefined {
  return body.stream ?? (body.content instanceof ReadableStream ? body.content : undefined);
}

/** The body's content for one reader. @throws TypeError when it was read before */
export function takeContent(body: BodyState): BodyContent {
  if (isTaken(body)) throw new TypeError('The body was read already');
  if (body.content === null) return null;
  body.used = true;
  return body.stream ?? body.content;
}

export function bodyStream(body: BodyState): ReadableStream | null {
  if (body.content === null) return null;
  body.stream ??= body.content instanceof ReadableStream ? body.content : oneChunk(body, body.content);
  return body.stream;
}

function oneChunk(body: BodyState, content: string | Uint8Array): ReadableStream {
  const stream = new ReadableStream({
    type: 'bytes',
    pull(controller) {
      const bytes = typeof content === 'string' ? encodeText(content) : content.slice();
      if (bytes.length > 0) controller.enqueue(bytes);
      controller.close();
      controller.byobRequest?.respond(0);
    },
  }, { highWaterMark: 0 });
  // What was read before somebody asked for the stream looks like a stream that was read.
  if (body.used) readBytes(stream, () => {}).catch(() => {});
  return stream;
}

/** A second body with the same content. */
export function cloneBody(body: BodyState): BodyState {
  if (isTaken(body)) throw new TypeError('The body was read already');
  const stream = streamOf(body);
  if (!stream) return newBody(body.content);
  const [mine, other] = teeStream(stream);
  body.content = body.stream = mine;
  // A stream of bytes has copied its chunks already.
  return newBody(isByteStream(stream) ? other : relayStream(other, structuredClone), body.maxBytes);
}

/** The same content for somebody else: this body counts as read. */
export function moveBody(body: BodyState): BodyState {
  if (isTaken(body)) throw new TypeError('The body was read already');
  const { content, stream, maxBytes } = body;
  const moved = newBody(content instanceof ReadableStream ? relayStream(content) : content, maxBytes);
  if (stream && stream !== content) readBytes(stream, () => {}).catch(() => {});
  body.used = true;
  return moved;
}

function isUsed(body: BodyState): boolean {
  const stream = streamOf(body);
  return body.used || (stream !== undefined && isDisturbed(stream));
}

/** All bytes of a stream. @throws TypeError for chunks that are no bytes, an Error when there are too many */
export async function readAll(stream: ReadableStream, maxBytes = Infinity): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  await readBytes(stream, (chunk) => {
    size += chunk.length;
    if (size > maxBytes) throw tooLargeError(maxBytes);
    parts[parts.length] = chunk;
  });
  return joinBytes(parts);
}

/** All bytes of a File. */
export function readFile(stream: ReadableStream): Promise<Uint8Array> {
  return readAll(stream, fileMaxBytes);
}

function tooLargeError(maxBytes: number): Error {
  const error: any = new Error(`The body is larger than ${maxBytes} bytes: read it as a stream, with \`body\`.`);
  error.code = 'PAYLOAD_TOO_LARGE';
  error.status = 413;
  addError(error);
  return error;
}

async function textOf(body: BodyState): Promise<string> {
  const content = takeContent(body);
  if (content === null) return '';
  if (typeof content === 'string') return usvString(content.charCodeAt(0) === 0xfeff ? content.slice(1) : content);
  return decodeText(content instanceof Uint8Array ? content : await readAll(content, body.maxBytes));
}

/** Bytes that the caller may keep and change. */
async function bytesOf(body: BodyState): Promise<Uint8Array> {
  const content = takeContent(body);
  if (content === null) return new Uint8Array(0);
  if (typeof content === 'string') return encodeText(content);
  return content instanceof Uint8Array ? content.slice() : readAll(content, body.maxBytes);
}

/** The reading half of Request and Response. */
export abstract class Body {
  abstract get _body(): BodyState;
  abstract get _type(): string | null;

  get body(): ReadableStream | null { return bodyStream(this._body); }
  get bodyUsed(): boolean { return isUsed(this._body); }
  async text(): Promise<string> { return textOf(this._body); }
  async json(): Promise<unknown> { return JSON.parse(await textOf(this._body)); }
  async bytes(): Promise<Uint8Array> { return bytesOf(this._body); }
  async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = await bytesOf(this._body);
    return (bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer) as ArrayBuffer;
  }
  async blob(): Promise<Blob> {
    const bytes = await bytesOf(this._body);
    const type = parseMimeType(this._type);
    return blobAround(bytes, type ? mimeTypeText(type) : '');
  }
  async formData(): Promise<FormData> {
    const type = parseMimeType(this._type);
    const bytes = await bytesOf(this._body);
    if (type?.essence === 'multipart/form-data') return formFromMultipart(bytes, type.parameters.get('boundary'));
    if (type?.essence === 'application/x-www-form-urlencoded') return formFromPairs(parsePairs(decodeWhole(bytes)));
    throw new TypeError(`A body of type ${type?.essence ?? '(none)'} is no form`);
  }
}
defineInterface(Body);
