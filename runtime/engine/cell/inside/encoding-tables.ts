// Owns the tables of multi-byte encodings that a guest may ask for: put into this program by the bundler, packed.

declare const ENCODING_TABLES: string;

export function encodingTables(): string {
  return process.getBuiltinModule('node:zlib').inflateRawSync(Buffer.from(ENCODING_TABLES, 'base64')).toString();
}
