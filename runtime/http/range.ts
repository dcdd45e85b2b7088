// Owns what a Range header asks of a body whose size is known (@source RFC 9110, 14). Pure.
import rangeParser from 'range-parser';
import type { ByteRange } from '../../sandbox-data/blob/blob-store.ts';

const RANGE_MAX_CHARACTERS = 100;

/** One range is served; several, and what is no range, are ignored: a list of ranges may ask for much more than there is
 *  (attack D12). @param header the Range header, where its If-Range holds */
export function rangeIn(header: string | undefined, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  if (header === undefined || header.length > RANGE_MAX_CHARACTERS || sizeBytes === 0) return undefined;
  // More bytes from the end than there are: all of them (RFC 9110, 14.1.2), which the library calls unsatisfiable.
  const suffix = Number(/^bytes=-(\d+)$/.exec(header)?.[1] ?? 0);
  if (suffix > sizeBytes) return { start: 0, end: sizeBytes - 1 };
  const ranges = rangeParser(sizeBytes, header);
  if (ranges === -1) return 'unsatisfiable';
  const [only] = ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1 ? [] : ranges;
  return only;
}
