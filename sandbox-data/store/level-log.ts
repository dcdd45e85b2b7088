// Owns the format of LevelDB's logs, which its manifest has too: records in checksummed pieces, in blocks of 32 KB.
// LevelDB itself passes over damage in a log without a word, together with the rest of the block; this file finds it.
// @source leveldb 1.20, doc/log_format.md
import { crc32c } from '@node-rs/crc32';

const BLOCK_BYTES = 32_768;
const HEADER_BYTES = 7;
const FULL = 1, FIRST = 2, MIDDLE = 3, LAST = 4;

export interface LogContent {
  /** Complete ones whose checksums are right, in order. */
  records: Buffer[];
  /** What is not, as far as it can be read. `isLast`: nothing follows, so it may never have been acknowledged. */
  damaged: { offset: number; bytes: Buffer; isLast: boolean }[];
  /** Bytes at the end that are no complete record: what a process leaves that was killed while it wrote. */
  cutBytes: number;
  /** LevelDB would read less than these records. */
  isMisread: boolean;
}

interface Piece { type: number; payload: Buffer; end: number; isMisread?: boolean }

export function readLog(file: Buffer): LogContent {
  const content: LogContent = { records: [], damaged: [], cutBytes: 0, isMisread: false };
  let open: Buffer[] | undefined;
  let openedAt = 0;
  const drop = (offset: number, bytes: Buffer): void => {
    content.damaged.push({ offset, bytes: Buffer.concat([...(open ?? []), bytes]), isLast: false });
    content.isMisread = true;
    open = undefined;
  };
  for (let at = 0; at < file.length;) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES);
    if (left < HEADER_BYTES) {
      at += left;
      continue;
    }
    const piece = pieceAt(file, at);
    if (piece === 'cut') {
      content.cutBytes = file.length - (open ? openedAt : at);
      return marked(content, file);
    }
    if (piece === 'damaged') {
      const end = nextPiece(file, at);
      drop(at, file.subarray(Math.min(at + HEADER_BYTES, end), end));
      at = end;
      continue;
    }
    if (piece.type === FULL || piece.type === FIRST) {
      if (open) drop(openedAt, Buffer.alloc(0));
      open = [piece.payload];
      openedAt = at;
    } else if (open) open.push(piece.payload);
    else drop(at, piece.payload); // its beginning was damaged
    if (open && (piece.type === FULL || piece.type === LAST)) {
      content.records.push(Buffer.concat(open));
      open = undefined;
    }
    content.isMisread ||= piece.isMisread === true;
    at = piece.end;
  }
  if (open) content.cutBytes = file.length - openedAt;
  return marked(content, file);
}

/** A log that holds exactly these records. */
export function writeLog(records: readonly Buffer[]): Buffer {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const record of records) {
    let rest = record;
    for (let isFirst = true, isDone = false; !isDone; isFirst = false) {
      const left = BLOCK_BYTES - (at % BLOCK_BYTES);
      if (left < HEADER_BYTES) {
        pieces.push(Buffer.alloc(left));
        at += left;
        continue;
      }
      const payload = rest.subarray(0, left - HEADER_BYTES);
      rest = rest.subarray(payload.length);
      isDone = rest.length === 0;
      pieces.push(pieceOf(isFirst && isDone ? FULL : isFirst ? FIRST : isDone ? LAST : MIDDLE, payload));
      at += HEADER_BYTES + payload.length;
    }
  }
  return Buffer.concat(pieces);
}

function pieceAt(file: Buffer, at: number): Piece | 'cut' | 'damaged' {
  const blockEnd = Math.min(at - (at % BLOCK_BYTES) + BLOCK_BYTES, file.length);
  if (at + HEADER_BYTES > blockEnd) return 'cut';
  const type = file[at + 6]!;
  const length = file.readUInt16LE(at + 4);
  const end = at + HEADER_BYTES + length;
  if (type === 0 && length === 0) return file.subarray(at).every((byte) => byte === 0) ? 'cut' : 'damaged';
  if (end > blockEnd) return blockEnd === file.length ? wholeDespiteLength(file, at) : 'damaged';
  return isIntact(file, at, end) ? { type, payload: file.subarray(at + HEADER_BYTES, end), end } : 'damaged';
}

/** Beyond the end of the file: cut, or only its length is wrong. The checksum, which does not cover the length, tells. */
function wholeDespiteLength(file: Buffer, at: number): Piece | 'cut' {
  if (!isIntact(file, at, file.length)) return 'cut';
  return { type: file[at + 6]!, payload: file.subarray(at + HEADER_BYTES), end: file.length, isMisread: true };
}

/** Behind a damaged piece: where its length leads to an intact one, else the next block. */
function nextPiece(file: Buffer, at: number): number {
  const blockEnd = Math.min(at - (at % BLOCK_BYTES) + BLOCK_BYTES, file.length);
  const end = at + HEADER_BYTES + file.readUInt16LE(at + 4);
  if (end >= blockEnd || blockEnd - end < HEADER_BYTES) return blockEnd;
  return typeof pieceAt(file, end) === 'object' ? end : blockEnd;
}

function isIntact(file: Buffer, at: number, end: number): boolean {
  const type = file[at + 6]!;
  return type >= FULL && type <= LAST && unmasked(file.readUInt32LE(at)) === crc32c(file.subarray(at + 6, end));
}

function pieceOf(type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16LE(payload.length, 4);
  header[6] = type;
  header.writeUInt32LE(masked(crc32c(Buffer.concat([header.subarray(6), payload]))), 0);
  return Buffer.concat([header, payload]);
}

/** A checksum of data that has checksums in it is stored rotated.   @source leveldb util/crc32c.h */
export function unmasked(stored: number): number {
  const turned = (stored - 0xa282ead8) >>> 0;
  return ((turned >>> 17) | (turned << 15)) >>> 0;
}

function masked(crc: number): number {
  return ((((crc >>> 15) | (crc << 17)) >>> 0) + 0xa282ead8) >>> 0;
}

function marked(content: LogContent, file: Buffer): LogContent {
  const last = content.damaged.at(-1);
  if (last && content.cutBytes === 0) last.isLast = last.offset + HEADER_BYTES + last.bytes.length >= file.length;
  return content;
}
