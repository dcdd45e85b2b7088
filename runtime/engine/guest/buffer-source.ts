// Owns how bytes come out of what Web IDL calls a BufferSource, and how they are joined.

/** The bytes of a buffer or of a view, not copied; `undefined` for anything else. A detached buffer has none. */
export function bytesOfSource(source: unknown): Uint8Array | undefined {
  if (source instanceof ArrayBuffer) return (source as any).detached ? new Uint8Array(0) : new Uint8Array(source);
  // Memory that is shared is no BufferSource.
  if (!ArrayBuffer.isView(source) || !(source.buffer instanceof ArrayBuffer)) return undefined;
  return (source.buffer as any).detached ? new Uint8Array(0) : new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
}

export function joinBytes(parts: Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) { joined.set(part, at); at += part.length; }
  return joined;
}
