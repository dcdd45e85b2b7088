// Owns how a stored value is framed: one format character, the CRC of key and payload, the payload.
// Damage is noticed when a record is read, and confined to that record.
import { crc32 } from 'node:zlib';

const FORMAT = '1';
const CRC_DIGITS = 8;
const FRAME_LENGTH = FORMAT.length + CRC_DIGITS;

export function encodeRecord(key: string, payload: string): string {
  return FORMAT + checksum(key, payload).toString(16).padStart(CRC_DIGITS, '0') + payload;
}

/** The payload; `undefined` when the record is damaged. */
export function decodeRecord(key: string, framed: string): string | undefined {
  const payload = framed.slice(FRAME_LENGTH);
  const intact = framed[0] === FORMAT && Number.parseInt(framed.slice(FORMAT.length, FRAME_LENGTH), 16) === checksum(key, payload);
  return intact ? payload : undefined;
}

function checksum(key: string, payload: string): number {
  return crc32(key + payload);
}
