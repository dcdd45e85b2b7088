// Owns which content coding a client gets: what its Accept-Encoding allows, in the order of its wishes. Pure.

export type Encoding = 'br' | 'gzip';
/** '' is the content as it is. */
export type Coding = Encoding | '';

/** Between equal wishes, what comes first here wins: it is the smallest. */
const ORDER: readonly Coding[] = ['br', 'gzip', ''];
const HEADER_MAX_CHARACTERS = 500;
/** A handful of browsers send a handful of headers. */
const REMEMBERED = 200;

const known = new Map<string, readonly Coding[]>();

/** Codings that the client takes, the best first; empty when it takes none of ours. @source RFC 9110, 12.5.3 */
export function codingsFor(header: string | undefined): readonly Coding[] {
  if (header === undefined || header.length > HEADER_MAX_CHARACTERS) return [''];
  let codings = known.get(header);
  if (codings === undefined) {
    codings = ordered(header);
    if (known.size >= REMEMBERED) known.clear();
    known.set(header, codings);
  }
  return codings;
}

function ordered(header: string): Coding[] {
  const wishes = new Map<string, number>();
  for (const part of header.split(',')) {
    const [, name = '', weight] = /^\s*([\w*-]+)\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?$/i.exec(part) ?? [];
    if (name !== '') wishes.set(name.toLowerCase().replace(/^x-/, ''), weight === undefined ? 1 : Number(weight) || 0);
  }
  const others = wishes.get('*');
  const wishFor = (coding: Coding): number => {
    if (coding !== '') return wishes.get(coding) ?? others ?? 0;
    // Nobody has to name it; then it is taken, but only for want of something better.
    return wishes.get('identity') ?? (others === 0 ? 0 : 0.0001);
  };
  return ORDER.filter((coding) => wishFor(coding) > 0).sort((left, right) => wishFor(right) - wishFor(left));
}
