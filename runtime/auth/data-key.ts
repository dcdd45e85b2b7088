// Owns data keys, `<collection>_<secret>`: they open one Collection. Some are created by people and kept as hashes;
// one for each Collection is the host's own, computed anew whenever a Micro starts.
import { LRUCache } from 'lru-cache';
import type { Keyring, StoredKey } from './keyring.ts';
import { newSecret } from '../../core/ids.ts';
import { sameSecret, type Vault } from './vault.ts';

export interface DataKeys {
  create(collectionId: string, name: unknown): Promise<{ key: StoredKey; value: string }>;
  list(collectionId: string): Promise<StoredKey[]>;
  delete(collectionId: string, name: string): Promise<boolean>;
  deleteAll(collectionId: string): Promise<void>;
  /** `DETA_PROJECT_KEY` of the Micros of the Collection's Instance. */
  ownKey(collectionId: string): string;
  /** The Collection that this key opens. */
  collectionOf(value: string): string | undefined | Promise<string | undefined>;
}

export function createDataKeys(keyring: Keyring, vault: Vault): DataKeys {
  const derived = new LRUCache<string, string>({ max: 10_000 });
  const ownKey = (collectionId: string): string => `${collectionId}_${vault.derivedSecret('data-key', collectionId)}`;
  return {
    ...keyring,
    ownKey,
    async create(collectionId, name) {
      const value = `${collectionId}_${newSecret(32)}`;
      return { key: await keyring.create(collectionId, name, value), value };
    },
    collectionOf(value) {
      // Deriving costs more than reading the Item that the key is for. A derived key never changes.
      const known = derived.get(value) ?? keyring.subjectSeen(value);
      if (known !== undefined) return known;
      const end = value.indexOf('_');
      if (end < 1) return undefined;
      const collectionId = value.slice(0, end);
      if (/^[a-z][a-z0-9]{7,11}$/.test(collectionId) && sameSecret(value, ownKey(collectionId))) {
        derived.set(value, collectionId);
        return collectionId;
      }
      return keyring.subjectOf(value);
    },
  };
}
