// Owns the proof that a host is set up once, that invitations let one person in, and that signing in tells nothing to
// whoever guesses.
import { describe, expect, test } from 'vitest';
import type { Space } from '../../../runtime/auth/space.ts';
import { codeOf, createIdentities, PASSWORD, SETUP_SECRET, type Identities } from '../../support/identity.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { createSlowStore } from '../../support/slow-store.ts';

const DAY_MS = 86_400_000;

async function withOwner(): Promise<Identities & { owner: Space }> {
  const all = createIdentities();
  return { ...all, owner: await all.spaces.setUp(SETUP_SECRET, { username: 'ada', password: PASSWORD }) };
}

describe('set-up', () => {
  test('needs the secret that the host printed', async () => {
    const { spaces } = createIdentities();
    const wrong = ['', 'a set-up secre', `${SETUP_SECRET} `, undefined, 7, [SETUP_SECRET]];
    const codes = await Promise.all(wrong.map((secret) => codeOf(spaces.setUp(secret, { username: 'ada', password: PASSWORD }))));
    expect(codes).toEqual(wrong.map(() => 'SETUP_SECRET_WRONG'));
    expect(await spaces.needsSetup()).toBe(true);
    expect(await spaces.setUp(SETUP_SECRET, { username: 'ada', password: PASSWORD })).toMatchObject({ username: 'ada', role: 'owner' });
  });

  test('happens once, also with the right secret', async () => {
    const { spaces } = await withOwner();
    expect(await spaces.needsSetup()).toBe(false);
    expect(await codeOf(spaces.setUp(SETUP_SECRET, { username: 'eve', password: PASSWORD }))).toBe('SETUP_DONE');
  });

  test('happens once, also when several try at the same time', async () => {
    const { spaces } = createIdentities();
    const codes = await Promise.all(['ada', 'eve', 'bob'].map((username) => codeOf(spaces.setUp(SETUP_SECRET, { username, password: PASSWORD }))));
    expect(codes.toSorted()).toEqual(['SETUP_DONE', 'SETUP_DONE', undefined]);
  });
});

describe('an invitation', () => {
  test('lets one person in', async () => {
    const { spaces, owner } = await withOwner();
    const { secret } = await spaces.invite(owner);
    expect(await spaces.signUp(secret, { username: 'bob', password: PASSWORD })).toMatchObject({ username: 'bob', role: 'member' });
    expect(await codeOf(spaces.signUp(secret, { username: 'eve', password: PASSWORD }))).toBe('INVITE_INVALID');
    expect(await spaces.inviteIsOpen(secret)).toBe(false);
  });

  test('lets one person in, also when several use it at the same time', async () => {
    const { spaces, owner } = await withOwner();
    const { secret } = await spaces.invite(owner);
    const codes = await Promise.all(['bob', 'eve', 'carol'].map((username) => codeOf(spaces.signUp(secret, { username, password: PASSWORD }))));
    expect(codes.filter((code) => code === undefined)).toHaveLength(1);
    expect(codes.filter((code) => code === 'INVITE_INVALID')).toHaveLength(2);
  });

  test('stays open when the name, and not the invitation, was the trouble', async () => {
    const { spaces, owner } = await withOwner();
    const { secret } = await spaces.invite(owner);
    expect(await codeOf(spaces.signUp(secret, { username: 'ada', password: PASSWORD }))).toBe('USERNAME_TAKEN');
    expect(await spaces.inviteIsOpen(secret)).toBe(true);
  });

  test('stays open when somebody else took the name at the same moment', async () => {
    const slow = createSlowStore(createMemoryStore(), (key) => key === 'u/space/username/bob');
    const { spaces } = createIdentities(slow.store);
    const owner = await spaces.setUp(SETUP_SECRET, { username: 'ada', password: PASSWORD });
    const secrets = [(await spaces.invite(owner)).secret, (await spaces.invite(owner)).secret];
    const both = secrets.map((secret) => codeOf(spaces.signUp(secret, { username: 'bob', password: PASSWORD })));
    await slow.waiting(2);
    slow.release();
    expect((await Promise.all(both)).toSorted()).toEqual(['USERNAME_TAKEN', undefined]);
    const open = await Promise.all(secrets.map((secret) => spaces.inviteIsOpen(secret)));
    expect(open.filter(Boolean)).toHaveLength(1);
  });

  test('expires after seven days', async () => {
    const { spaces, owner, clock } = await withOwner();
    const { secret } = await spaces.invite(owner);
    clock.advance(7 * DAY_MS - 1);
    expect(await spaces.inviteIsOpen(secret)).toBe(true);
    clock.advance(1);
    expect(await codeOf(spaces.signUp(secret, { username: 'bob', password: PASSWORD }))).toBe('INVITE_INVALID');
  });

  test('can be withdrawn, and is kept nowhere in clear', async () => {
    const { spaces, owner, store } = await withOwner();
    const { secret, invite } = await spaces.invite(owner);
    const kept: string[] = [];
    for await (const [key, value] of store.range({})) kept.push(key + value);
    expect(kept.join('\n')).not.toContain(secret);
    expect(kept.join('\n')).toContain(invite.id);
    await spaces.withdrawInvite(invite.id);
    expect(await codeOf(spaces.signUp(secret, { username: 'bob', password: PASSWORD }))).toBe('INVITE_INVALID');
  });

  test.each([undefined, '', null, 5, 'guess', {}])('%j is none', async (secret) => {
    const { spaces } = await withOwner();
    expect(await codeOf(spaces.signUp(secret, { username: 'bob', password: PASSWORD }))).toBe('INVITE_INVALID');
  });
});

describe('a name', () => {
  test.each(['a', '', '1ada', '-ada', 'ada lovelace', 'ada@x', 'ädä', 'a'.repeat(33), 'ada\n', 'ada\0b', undefined, 7, ['ada']])('%j is refused', async (username) => {
    const { spaces } = createIdentities();
    const code = await codeOf(spaces.setUp(SETUP_SECRET, { username, password: PASSWORD }));
    expect(code).toBe(username === 'ada\n' ? undefined : 'USERNAME_INVALID'); // white space around a name is no part of it
  });

  test('is the same name in capitals and with space around it', async () => {
    const { spaces, owner } = await withOwner();
    const { secret } = await spaces.invite(owner);
    expect(await codeOf(spaces.signUp(secret, { username: ' Ada ', password: PASSWORD }))).toBe('USERNAME_TAKEN');
    expect((await spaces.signIn({ username: ' ADA', password: PASSWORD }, '::1')).id).toBe(owner.id);
  });

  test.each(['1234567', '', 'x'.repeat(257), undefined, 12_345_678])('password %j is refused', async (password) => {
    expect(await codeOf(createIdentities().spaces.setUp(SETUP_SECRET, { username: 'ada', password }))).toBe('PASSWORD_INVALID');
  });
});

describe('signing in', () => {
  test('a wrong password and an unknown name get the same answer', async () => {
    const { spaces } = await withOwner();
    const errors = await Promise.all([
      spaces.signIn({ username: 'ada', password: 'wrong password' }, '::1').catch((error: Error) => error),
      spaces.signIn({ username: 'nobody', password: 'wrong password' }, '::1').catch((error: Error) => error),
      spaces.signIn({ username: '--', password: 'wrong password' }, '::1').catch((error: Error) => error),
    ]);
    const seen = errors.map((error) => JSON.stringify({ ...error, message: (error as Error).message }));
    expect(new Set(seen).size).toBe(1);
    expect(errors[0]).toMatchObject({ code: 'LOGIN_FAILED' });
  });

  test('an unknown name costs the work of a known one', async () => {
    const { spaces } = await withOwner();
    const measure = async (username: string): Promise<number> => {
      const startMs = performance.now();
      await codeOf(spaces.signIn({ username, password: 'wrong password' }, '::1'));
      return performance.now() - startMs;
    };
    await measure('warm-up');
    const known: number[] = [];
    const unknown: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      known.push(await measure('ada'));
      unknown.push(await measure('nobody'));
    }
    const median = (times: number[]): number => times.toSorted((a, b) => a - b)[3] as number;
    // Without the decoy an unknown name costs next to nothing.
    expect(median(unknown)).toBeGreaterThan(median(known) / 3);
  });

  test('guessing one name ends after ten attempts and goes on five minutes later; others may sign in', async () => {
    const { spaces, clock, owner } = await withOwner();
    const { secret } = await spaces.invite(owner);
    await spaces.signUp(secret, { username: 'bob', password: PASSWORD });
    const guess = (password: string, address = '10.0.0.1'): Promise<string | undefined> => codeOf(spaces.signIn({ username: 'ada', password }, address));
    for (let count = 0; count < 10; count += 1) expect(await guess(`wrong ${count} wrong`)).toBe('LOGIN_FAILED');
    expect(await guess(PASSWORD)).toBe('TOO_MANY_REQUESTS');
    expect(await guess(PASSWORD, '10.0.0.2')).toBeUndefined(); // the owner elsewhere is not locked out
    expect(await codeOf(spaces.signIn({ username: 'bob', password: PASSWORD }, '10.0.0.1'))).toBeUndefined();
    clock.advance(5 * 60_000);
    expect(await guess(PASSWORD)).toBeUndefined();
  }, 60_000);

  test('a success forgets the failures before it', async () => {
    const { spaces } = await withOwner();
    for (let round = 0; round < 2; round += 1) {
      for (let count = 0; count < 9; count += 1) await codeOf(spaces.signIn({ username: 'ada', password: 'wrong password' }, '::1'));
      expect(await codeOf(spaces.signIn({ username: 'ada', password: PASSWORD }, '::1'))).toBeUndefined();
    }
  }, 60_000);

  test('one address may not try many names', async () => {
    const { spaces } = createIdentities();
    for (let count = 0; count < 100; count += 1) await codeOf(spaces.signIn({ username: `name-${count}`, password: '' }, '::1'));
    expect(await codeOf(spaces.signIn({ username: 'another', password: '' }, '::1'))).toBe('TOO_MANY_REQUESTS');
  }, 60_000);
});
