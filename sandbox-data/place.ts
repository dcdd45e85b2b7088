// Owns where a Collection lies on the disk. Ids are checked here before they become a path.
import { join } from 'node:path';
import type { CollectionRef } from './data.ts';

const ID = /^[a-z][a-z0-9]{0,63}$/;

export function collectionFolder(folder: string, { spaceId, collectionId }: CollectionRef): string {
  if (!ID.test(spaceId) || !ID.test(collectionId)) throw new TypeError('an id consists of lower-case letters and digits');
  return join(folder, 'spaces', spaceId, 'collections', collectionId);
}
