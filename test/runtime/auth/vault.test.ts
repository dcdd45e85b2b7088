// Owns the proof that what is sealed opens only unchanged and for its purpose, and that the host's key is kept.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createVault, openVault, sameSecret, sha256 } from '../../../runtime/auth/vault.ts';

const vault = createVault(Buffer.alloc(32, 1));
const other = createVault(Buffer.alloc(32, 2));

describe('sealing', () => {
  test.each(['', 'a secret', 'ünïcödé\0'])('%j comes back', (text) => {
    expect(vault.unsealText('x', vault.sealText('x', text))).toBe(text);
  });

  test('shows nothing, and never looks the same twice', () => {
    const sealed = vault.seal('x', Buffer.from('a secret that is long enough'));
    expect(sealed.includes('secret')).toBe(false);
    expect(vault.seal('x', Buffer.from('a secret that is long enough')).equals(sealed)).toBe(false);
  });

  test('every changed byte is noticed', () => {
    const sealed = vault.seal('x', Buffer.from('secret'));
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed);
      changed[index] = (changed[index] as number) ^ 1;
      expect(() => vault.unseal('x', changed), `byte ${index}`).toThrow();
    }
  });

  test.each([0, 1, 12, 20, 27])('the first %i bytes alone do not open', (length) => {
    expect(() => vault.unseal('x', vault.seal('x', Buffer.from('secret')).subarray(0, length))).toThrow();
  });

  test('another purpose or another host does not open it', () => {
    const sealed = vault.seal('access-token/1', Buffer.from('secret'));
    expect(() => vault.unseal('access-token/2', sealed)).toThrow();
    expect(() => other.unseal('access-token/1', sealed)).toThrow();
    expect(vault.unseal('access-token/1', sealed).toString()).toBe('secret');
  });
});

describe('derived secrets', () => {
  test('are the same for the same words, and different for any other', () => {
    const secret = vault.derivedSecret('data-key', 'a');
    expect(vault.derivedSecret('data-key', 'a')).toBe(secret);
    const others = [vault.derivedSecret('data-key', 'b'), vault.derivedSecret('micro-key', 'a'), other.derivedSecret('data-key', 'a')];
    expect(new Set([secret, ...others]).size).toBe(4);
  });

  test.each([1, 32, 100])('have %i letters and digits', (length) => {
    expect(vault.derivedSecret('x', 'y', length)).toMatch(new RegExp(`^[A-Za-z0-9]{${length}}$`));
  });

  test('keys differ by purpose, and from the keys that seal', () => {
    expect(vault.derive('a').equals(vault.derive('b'))).toBe(false);
    expect(vault.derive('a')).toHaveLength(32);
  });
});

test('secrets are compared as wholes', () => {
  expect(sameSecret('abc', 'abc')).toBe(true);
  expect([sameSecret('abc', 'abd'), sameSecret('abc', 'ab'), sameSecret('', 'a')]).toEqual([false, false, false]);
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

describe('the key of a host', () => {
  const folders: string[] = [];
  afterEach(() => Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true }))));
  const folder = async (): Promise<string> => {
    const made = await mkdtemp(join(tmpdir(), 'ownspace-'));
    folders.push(made);
    return made;
  };

  test('is made once, readable by its owner only', async () => {
    const place = await folder();
    const sealed = (await openVault(place)).sealText('x', 'secret');
    expect((await stat(join(place, 'host.key'))).mode & 0o777).toBe(0o600);
    expect((await openVault(place)).unsealText('x', sealed)).toBe('secret');
    expect(await readFile(join(place, 'host.key'))).toHaveLength(32);
  });

  test('that is damaged stops the host, and is not replaced', async () => {
    const place = await folder();
    await writeFile(join(place, 'host.key'), 'short');
    await expect(openVault(place)).rejects.toThrow('host.key is damaged');
    expect(await readFile(join(place, 'host.key'), 'utf8')).toBe('short');
  });
});
