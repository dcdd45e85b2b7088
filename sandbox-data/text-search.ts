// Owns finding one text in another in time that grows with their lengths only, whatever they are. Pure.

/** The engine's own search is the fastest for these, and its worst case is small. */
const SHORT_LENGTH = 16;

/** @returns whether a text contains `needle`. The engine's search of a long text for a long one can take the product of
 *  both lengths: one crafted query would keep a data worker for hours. */
export function containing(needle: string): (text: string) => boolean {
  if (needle.length <= SHORT_LENGTH) return (text) => text.includes(needle);
  const beginning = needle.slice(0, SHORT_LENGTH);
  let borders: Int32Array | undefined;
  return (text) => {
    if (text.length < needle.length) return false;
    const start = text.indexOf(beginning);
    if (start === -1 || start + needle.length > text.length) return false;
    borders ??= bordersOf(needle);
    return isFound(text, needle, { borders, start });
  };
}

/** For each position: how long the longest proper beginning of `needle` is that ends there.
 *  @source Knuth, Morris, Pratt: Fast Pattern Matching in Strings, 1977 */
function bordersOf(needle: string): Int32Array {
  const borders = new Int32Array(needle.length);
  for (let at = 1, length = 0; at < needle.length; at += 1) {
    while (length > 0 && needle.charCodeAt(at) !== needle.charCodeAt(length)) length = borders[length - 1]!;
    if (needle.charCodeAt(at) === needle.charCodeAt(length)) length += 1;
    borders[at] = length;
  }
  return borders;
}

function isFound(text: string, needle: string, { borders, start }: { borders: Int32Array; start: number }): boolean {
  for (let at = start, length = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    while (length > 0 && unit !== needle.charCodeAt(length)) length = borders[length - 1]!;
    if (unit === needle.charCodeAt(length)) length += 1;
    if (length === needle.length) return true;
  }
  return false;
}
