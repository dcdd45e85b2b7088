// Owns the proof that a session lives thirty days, ends when it is ended, and is not remembered beyond that.
import { expect, test } from 'vitest';
import { createSessions } from '../../../runtime/auth/session.ts';
import { sha256 } from '../../../runtime/auth/vault.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createIdentities } from '../../support/identity.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { createSlowStore } from '../../support/slow-store.ts';

const DAY_MS = 86_400_000;

test('is found by its token, which is kept as a hash only', async () => {
  const { sessions, store } = createIdentities();
  const { token, session } = await sessions.start('space-a');
  expect(await sessions.find(token)).toEqual(session);
  expect(session.id).toBe(sha256(token));
  for await (const [key, value] of store.range({})) expect(key + value).not.toContain(token);
});

test.each(['', 'x', 'x'.repeat(43), '../..'])('token %j finds nobody', async (token) => {
  const { sessions } = createIdentities();
  await sessions.start('space-a');
  expect(await sessions.find(token)).toBeUndefined();
});

test('the id of a session is no token', async () => {
  const { sessions } = createIdentities();
  const { session } = await sessions.start('space-a');
  expect(await sessions.find(session.id)).toBeUndefined();
});

test('is over after thirty days, remembered or not', async () => {
  const { sessions, store, clock } = createIdentities();
  const { token, session } = await sessions.start('space-a');
  clock.advance(30 * DAY_MS - 1);
  expect([await sessions.find(token), sessions.alive(session.id)]).toEqual([session, true]);
  clock.advance(1);
  expect([await sessions.find(token), sessions.alive(session.id)]).toEqual([undefined, false]);
  const afterRestart = createSessions(store, clock);
  expect([await afterRestart.find(token), await afterRestart.alive(session.id)]).toEqual([undefined, false]);
});

test('survives a restart of the host, and is answered at once from then on', async () => {
  const { sessions, store, clock } = createIdentities();
  const { token, session } = await sessions.start('space-a');
  const afterRestart = createSessions(store, clock);
  const first = afterRestart.alive(session.id);
  expect(first).toBeInstanceOf(Promise);
  expect(await first).toBe(true);
  expect(afterRestart.alive(session.id)).toBe(true);
  expect(await afterRestart.find(token)).toEqual(session);
});

test('ends at once, and for good', async () => {
  const { sessions, store, clock } = createIdentities();
  const { token, session } = await sessions.start('space-a');
  await sessions.end(session.id);
  expect([await sessions.find(token), await sessions.alive(session.id)]).toEqual([undefined, false]);
  expect(await createSessions(store, clock).find(token)).toBeUndefined();
  await sessions.end(session.id);
});

test('all sessions of a Space end together; others go on', async () => {
  const { sessions } = createIdentities();
  const mine = await Promise.all([1, 2, 3].map(() => sessions.start('space-a')));
  const other = await sessions.start('space-b');
  await sessions.endAll('space-a');
  expect(await Promise.all(mine.map(({ token }) => sessions.find(token)))).toEqual([undefined, undefined, undefined]);
  expect(await sessions.find(other.token)).toEqual(other.session);
});

test('a session that ends while it is being looked up is not remembered', async () => {
  const store = createMemoryStore();
  const clock = createFakeClock();
  const { token, session } = await createSessions(store, clock).start('space-a');
  let isHeld = true;
  const slow = createSlowStore(store, () => isHeld);
  const sessions = createSessions(slow.store, clock);
  const looking = sessions.find(token);
  await slow.waiting(1);
  isHeld = false;
  await sessions.end(session.id);
  slow.release();
  await looking;
  expect(await sessions.find(token)).toBeUndefined();
  expect(await sessions.alive(session.id)).toBe(false);
});
