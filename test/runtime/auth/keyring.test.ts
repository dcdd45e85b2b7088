// Owns the proof that keys open what they were made for, that a revoked one is worth nothing at once, and that the
// host's own data keys cannot be computed by others.
import { describe, expect, test } from 'vitest';
import { createDataKeys, type DataKeys } from '../../../runtime/auth/data-key.ts';
import { createKeyring, KEYS_MAX, type Keyring } from '../../../runtime/auth/keyring.ts';
import { createVault } from '../../../runtime/auth/vault.ts';
import type { Store } from '../../../sandbox-data/store/store.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { codeOf } from '../../support/identity.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { createSlowStore } from '../../support/slow-store.ts';

const VALUE = 'k'.repeat(32);

function keyringOn(store: Store = createMemoryStore()): Keyring {
  return createKeyring(store, createFakeClock(), 'api-key');
}

describe('a key', () => {
  test('opens its subject, and is kept as a hash', async () => {
    const store = createMemoryStore();
    const keyring = keyringOn(store);
    await keyring.create('instance-a', ' phone ', VALUE);
    expect(await keyring.subjectOf(VALUE)).toBe('instance-a');
    expect(await keyring.list('instance-a')).toMatchObject([{ name: 'phone', subject: 'instance-a' }]);
    for await (const [key, value] of store.range({})) expect(key + value).not.toContain(VALUE);
  });

  test.each(['', 'x', VALUE.slice(1), VALUE.toUpperCase(), `${VALUE} `, 'x'.repeat(5000), '../t/api-key'])('%j opens nothing', async (value) => {
    const keyring = keyringOn();
    await keyring.create('instance-a', 'phone', VALUE);
    expect(await keyring.subjectOf(value)).toBeUndefined();
  });

  test('its hash opens nothing', async () => {
    const keyring = keyringOn();
    const { id } = await keyring.create('instance-a', 'phone', VALUE);
    expect(await keyring.subjectOf(id)).toBeUndefined();
  });

  test('has a name of its own in its subject', async () => {
    const keyring = keyringOn();
    await keyring.create('instance-a', 'phone', VALUE);
    expect(await codeOf(keyring.create('instance-a', 'phone', 'another'))).toBe('CONFLICT');
    expect(await codeOf(keyring.create('instance-b', 'phone', 'another'))).toBeUndefined();
    expect(await keyring.subjectOf(VALUE)).toBe('instance-a');
  });

  test('is one of a limited number', async () => {
    const keyring = keyringOn();
    for (let count = 0; count < KEYS_MAX; count += 1) await keyring.create('instance-a', `key ${count}`, `${VALUE}${count}`);
    expect(await codeOf(keyring.create('instance-a', 'too many', VALUE))).toBe('COUNT_LIMIT');
    expect(await codeOf(keyring.create('instance-b', 'another', VALUE))).toBeUndefined();
  });

  test.each(['', ' ', 'x'.repeat(65), undefined, 1, null])('name %j is refused', async (name) => {
    expect(await codeOf(keyringOn().create('instance-a', name, VALUE))).toBe('INVALID_FIELD');
  });

  test('is worth nothing at once when it is revoked, although it was used just now', async () => {
    const keyring = keyringOn();
    await keyring.create('instance-a', 'phone', VALUE);
    expect(await keyring.subjectOf(VALUE)).toBe('instance-a');
    expect(keyring.subjectOf(VALUE)).toBe('instance-a'); // remembered: no promise
    expect(await keyring.delete('instance-a', 'phone')).toBe(true);
    expect(await keyring.subjectOf(VALUE)).toBeUndefined();
    expect(await keyring.delete('instance-a', 'phone')).toBe(false);
  });

  test('that is revoked while it is being looked up is not remembered', async () => {
    const store = createMemoryStore();
    await keyringOn(store).create('instance-a', 'phone', VALUE);
    let isHeld = true;
    const slow = createSlowStore(store, () => isHeld);
    const keyring = keyringOn(slow.store);
    const looking = keyring.subjectOf(VALUE);
    await slow.waiting(1);
    isHeld = false;
    await keyring.delete('instance-a', 'phone');
    slow.release();
    await looking;
    expect(await keyring.subjectOf(VALUE)).toBeUndefined();
  });

  test('is not revoked by the name it has elsewhere; all of a subject go together', async () => {
    const keyring = keyringOn();
    await keyring.create('instance-a', 'phone', VALUE);
    await keyring.create('instance-a', 'tablet', 'second');
    await keyring.create('instance-b', 'phone', 'third');
    expect(await keyring.delete('instance-c', 'phone')).toBe(false);
    await keyring.deleteAll('instance-a');
    expect(await Promise.all([VALUE, 'second', 'third'].map((value) => keyring.subjectOf(value)))).toEqual([undefined, undefined, 'instance-b']);
  });
});

describe('a data key', () => {
  const COLLECTION = 'c0llection1';
  function dataKeysOf(secret: number): DataKeys {
    return createDataKeys(createKeyring(createMemoryStore(), createFakeClock(), 'data-key'), createVault(Buffer.alloc(32, secret)));
  }

  test('names its Collection and opens it', async () => {
    const dataKeys = dataKeysOf(1);
    const { value, key } = await dataKeys.create(COLLECTION, 'laptop');
    expect(value).toMatch(new RegExp(`^${COLLECTION}_[A-Za-z0-9]{32}$`));
    expect(key.name).toBe('laptop');
    expect(await dataKeys.collectionOf(value)).toBe(COLLECTION);
    await dataKeys.delete(COLLECTION, 'laptop');
    expect(await dataKeys.collectionOf(value)).toBeUndefined();
  });

  test('of the host opens its Collection, is not listed, and another host has another', async () => {
    const dataKeys = dataKeysOf(1);
    const own = dataKeys.ownKey(COLLECTION);
    expect(await dataKeys.collectionOf(own)).toBe(COLLECTION);
    expect(await dataKeys.list(COLLECTION)).toEqual([]);
    expect(await dataKeysOf(2).collectionOf(own)).toBeUndefined();
  });

  test('with the secret of another Collection opens neither', async () => {
    const dataKeys = dataKeysOf(1);
    const secretOf = (value: string): string => value.slice(value.indexOf('_') + 1);
    const { value } = await dataKeys.create('c0llection2', 'laptop');
    const mixed = [`${COLLECTION}_${secretOf(value)}`, `${COLLECTION}_${secretOf(dataKeys.ownKey('c0llection2'))}`];
    expect(await Promise.all(mixed.map((one) => dataKeys.collectionOf(one)))).toEqual([undefined, undefined]);
  });

  test.each(['', '_', `${COLLECTION}_`, COLLECTION, `_${COLLECTION}`, `__proto___${'x'.repeat(32)}`])('%j opens nothing', async (value) => {
    expect(await dataKeysOf(1).collectionOf(value)).toBeUndefined();
  });
});
