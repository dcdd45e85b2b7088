// Owns the types of snappyjs, which has none of its own: only what is used.
declare module 'snappyjs' {
  /** @throws Error when `compressed` is no valid Snappy stream */
  export function uncompress(compressed: Uint8Array, maxLength?: number): Uint8Array;
}
