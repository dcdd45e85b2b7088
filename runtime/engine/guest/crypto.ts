// Owns crypto: random values from the Cell's operating system. `subtle` is not here yet.
import { ASK, askCell } from './ask-cell.ts';
import { DOMException } from './dom-exception.ts';

const POOL_BYTES = 512;
let pool = '';
let poolAt = 0;

/** Random bytes come one a character. */
function nextByte(): number {
  if (poolAt >= pool.length) {
    pool = askCell(ASK.random, String(POOL_BYTES))!;
    poolAt = 0;
  }
  return pool.charCodeAt(poolAt++);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export const crypto = {
  getRandomValues<T extends ArrayBufferView>(view: T): T {
    if (!ArrayBuffer.isView(view) || view instanceof DataView || (view as any)[Symbol.toStringTag].startsWith('Float')) throw new DOMException('getRandomValues needs an integer array', 'TypeMismatchError');
    if (view.byteLength > 65_536) throw new DOMException('getRandomValues gives 65536 bytes at most', 'QuotaExceededError');
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    for (let at = 0; at < bytes.length; at++) bytes[at] = nextByte();
    return view;
  },

  randomUUID(): string {
    const bytes = Array.from({ length: 16 }, nextByte);
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const hex = bytes.map((byte) => HEX[byte]).join('');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  },
};
