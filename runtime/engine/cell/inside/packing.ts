// Owns how values with bytes in them cross between a guest and the Cell's own jobs: JSON, and one run of bytes that it points into.
// The guest's cell-call.ts writes and reads the same.

/** A key as the guest holds it: closed, see keys.ts. */
export interface PackedKey { $key: string }
export interface Packed { text: string; bytes: Uint8Array | null }

/** @throws for what no sound guest writes */
export function unpack(text: string, bytes: Uint8Array | null): unknown {
  return JSON.parse(text, (_, value: { $bytes?: unknown } | null) => {
    if (!Array.isArray(value?.$bytes)) return value;
    const [from, to] = value.$bytes as number[];
    if (!Number.isInteger(from) || !Number.isInteger(to) || from! < 0 || to! < from! || to! > (bytes?.length ?? 0)) throw new RangeError('bytes that are not there');
    return bytes === null ? new Uint8Array(0) : bytes.subarray(from, to);
  });
}

export function pack(value: unknown): Packed {
  const parts: Uint8Array[] = [];
  let size = 0;
  const text = JSON.stringify(value, function (this: Record<string, unknown>, key, item: unknown) {
    // A Buffer has a toJSON of its own.
    const given = this[key];
    const part = given instanceof ArrayBuffer ? new Uint8Array(given) : given;
    if (!(part instanceof Uint8Array)) return item;
    parts.push(part);
    size += part.length;
    return { $bytes: [size - part.length, size] };
  });
  return { text, bytes: size === 0 ? null : parts.length === 1 ? parts[0]! : Buffer.concat(parts) };
}
