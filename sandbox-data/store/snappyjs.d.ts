declare module 'snappyjs' {
  /** @throws Error when `compressed` is no valid Snappy stream */
  export function uncompress(compressed: Uint8Array, maxLength?: number): Uint8Array;
}
