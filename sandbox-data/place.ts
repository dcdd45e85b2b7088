// Owns where a Collection lies, on the disk and among blobs elsewhere. Ids are checked here before they become a path.
import { join } from 'node:path';
import type { CollectionRef } from './data.ts';

const ID = /^[a-z][a-z0-9]{0,63}$/;

export const isId = (text: string): boolean => ID.test(text);

export function collectionFolder(folder: string, ref: CollectionRef): string {
  const { spaceId, collectionId } = checked(ref);
  return join(folder, 'spaces', spaceId, 'collections', collectionId);
}

/** Its scope where blobs are not in its folder. */
export function collectionScope(ref: CollectionRef): string {
  const { spaceId, collectionId } = checked(ref);
  return `spaces/${spaceId}/${collectionId}`;
}

function checked(ref: CollectionRef): CollectionRef {
  if (!isId(ref.spaceId) || !isId(ref.collectionId)) throw new TypeError('an id consists of lower-case letters and digits');
  return ref;
}
