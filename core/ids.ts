// Owns how identifiers and secrets look. Knows nothing of what they name.
import { randomBytes, randomInt } from 'node:crypto';

const LOWER_ALNUM = 'abcdefghijklmnopqrstuvwxyz0123456789';
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const ALNUM = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** `length` characters of `alphabet`, uniformly and unpredictably. */
export function randomText(length: number, alphabet: string = ALNUM): string {
  const limit = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < limit && text.length < length) text += alphabet[byte % alphabet.length];
    }
  }
  return text;
}

export type IdKind =
  | 'space' | 'project' | 'revision' | 'release' | 'installation' | 'instance' | 'collection'
  | 'session' | 'request' | 'blob' | 'snapshot';

/** A new opaque id: lower-case letters and digits only, starting with a letter, so that it is safe in
 *  host names, file names and URLs. Lengths follow what old clients expect
 *  (@source reference 1.1: Collection ids 8 to 12, Release ids 16). */
export function newId(kind: IdKind): string {
  switch (kind) {
    case 'collection': return randomText(1, LETTERS) + randomText(10, LOWER_ALNUM);
    case 'space': case 'project': case 'snapshot': return randomText(1, LETTERS) + randomText(11, LOWER_ALNUM);
    case 'revision': case 'release': case 'installation': case 'instance':
      return randomText(1, LETTERS) + randomText(15, LOWER_ALNUM);
    case 'session': case 'blob': return randomText(1, LETTERS) + randomText(31, LOWER_ALNUM);
    case 'request': return nextRequestId();
  }
}

const requestSeries = randomText(1, LETTERS) + randomText(5, LOWER_ALNUM);
let requestCount = 0;

/** Unique rather than unpredictable: every request takes one, and it opens nothing. */
function nextRequestId(): string {
  requestCount += 1;
  return requestSeries + requestCount.toString(36).padStart(6, '0');
}

/** A secret of `length` characters [A-Za-z0-9]; 32 carry 190 bits. */
export function newSecret(length = 32): string {
  return randomText(length, ALNUM);
}

/** The key of an Item that was stored without one: 12 characters [a-z0-9] (@source reference 4.5). */
export function newItemKey(): string {
  return randomText(12, LOWER_ALNUM);
}

/** Suffix of an Instance's label: one letter and 7 digits (@source reference 1.1). */
export function newLabelSuffix(): string {
  return randomText(1, LETTERS) + String(randomInt(1_000_000, 10_000_000));
}

const ANIMALS = [
  'badger', 'crane', 'crow', 'dolphin', 'dory', 'eagle', 'falcon', 'ferret', 'finch', 'fox', 'gecko', 'heron',
  'ibis', 'jackal', 'kestrel', 'lamprey', 'lemur', 'lynx', 'marten', 'mole', 'newt', 'otter', 'owl', 'panda',
  'pika', 'puffin', 'quail', 'raven', 'robin', 'seal', 'shrew', 'sparrow', 'stoat', 'swift', 'tapir', 'toad',
  'vole', 'walrus', 'wren', 'yak',
];

/** A Revision's tag, `<animal>-<4 characters>` (@source reference 1.1). */
export function newRevisionTag(): string {
  return `${ANIMALS[randomInt(ANIMALS.length)]}-${randomText(4, LOWER_ALNUM)}`;
}

/** The version of a Release that was given none: `exp-<4 characters>` (@source reference 1.1). */
export function newReleaseVersion(): string {
  return `exp-${randomText(4, ALNUM)}`;
}
