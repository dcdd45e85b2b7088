// Owns the identity parts of a host over a Store in memory, for tests that need people and no host.
import { createAccessTokens, type AccessTokens } from '../../runtime/auth/access-token.ts';
import { createInstanceSessions, type InstanceSessions } from '../../runtime/auth/instance-session.ts';
import { createSessions, type Sessions } from '../../runtime/auth/session.ts';
import { createSpaces, type Spaces } from '../../runtime/auth/space.ts';
import { createVault, type Vault } from '../../runtime/auth/vault.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { createMemoryStore } from './memory-store.ts';

export interface Identities {
  clock: FakeClock;
  store: Store;
  vault: Vault;
  spaces: Spaces;
  sessions: Sessions;
  accessTokens: AccessTokens;
  instanceSessions: InstanceSessions;
}

export const SETUP_SECRET = 'a set-up secret';
export const PASSWORD = 'correct horse';

export function createIdentities(store: Store = createMemoryStore()): Identities {
  const clock = createFakeClock();
  const vault = createVault(Buffer.alloc(32, 7));
  const sessions = createSessions(store, clock);
  return {
    clock, store, vault, sessions,
    spaces: createSpaces({ store, clock, setupSecret: SETUP_SECRET }),
    accessTokens: createAccessTokens({ store, vault, clock }),
    instanceSessions: createInstanceSessions({ vault, sessions, clock }),
  };
}

/** The code of the SpaceError that `work` ends with; undefined when it succeeds. */
export async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(() => undefined, (error: { code?: string }) => error.code ?? String(error));
}
