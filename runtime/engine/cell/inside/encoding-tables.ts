// Owns the tables of multi-byte encodings that a guest may ask for: put into this program by the bundler, packed.
import { inflateRawSync } from 'node:zlib';

declare const ENCODING_TABLES: string;

export function encodingTables(): string {
  return inflateRawSync(Buffer.from(ENCODING_TABLES, 'base64')).toString();
}
