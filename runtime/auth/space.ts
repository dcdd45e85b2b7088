// Owns Spaces and the people in them: set-up, invitations, sign-up, sign-in. Knows no HTTP and no cookie.
import { isSpaceError, SpaceError } from '../../core/errors.ts';
import { newId, newSecret } from '../../core/ids.ts';
import { isoTime, type Clock } from '../../core/clock.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { commit, createTable, type Table } from '../../sandbox-data/store/table.ts';
import { createAttemptLimit } from './attempt-limit.ts';
import { hashPassword, passwordMatches } from './password.ts';
import { sameSecret, sha256 } from './vault.ts';

/** One person's cloud. `owner` is the owner of the host. */
export interface Space {
  id: string;
  /** Lower case, unique; the name of the Space, too. */
  username: string;
  passwordHash: string;
  role: 'owner' | 'member';
  createdAt: string;
}

/** `id` is the hash of the secret in the link: the link itself is kept nowhere. */
export interface Invite {
  id: string;
  createdBy: string;
  createdAt: string;
  expiresAt: string;
  usedBy: string | null;
}

export interface Credentials { username: unknown; password: unknown }

export interface Spaces {
  get(id: string): Promise<Space | undefined>;
  list(): Promise<Space[]>;
  /** True until the first person has set this host up. */
  needsSetup(): Promise<boolean>;
  /** Create the host's owner. @throws SETUP_SECRET_WRONG, SETUP_DONE, USERNAME_INVALID, PASSWORD_INVALID */
  setUp(secret: unknown, credentials: Credentials): Promise<Space>;
  /** @returns the secret for the link */
  invite(by: Space): Promise<{ secret: string; invite: Invite }>;
  invites(): Promise<Invite[]>;
  /** @returns false when there is none, or it was used */
  withdrawInvite(id: string): Promise<boolean>;
  inviteIsOpen(secret: unknown): Promise<boolean>;
  /** @throws INVITE_INVALID, USERNAME_INVALID, USERNAME_TAKEN, PASSWORD_INVALID */
  signUp(inviteSecret: unknown, credentials: Credentials): Promise<Space>;
  /** @param address of the caller, to limit guessing  @throws LOGIN_FAILED, TOO_MANY_REQUESTS */
  signIn(credentials: Credentials, address: string): Promise<Space>;
}

const USERNAME = /^[a-z][a-z0-9-]{1,31}$/;
const INVITE_DAYS = 7;
const DAY_MS = 86_400_000;
/** The id of the one owner record: a second set-up, even a simultaneous one, finds it taken. */
const OWNER_MARK = 'owner';

export function createSpaces({ store, clock, setupSecret }: { store: Store; clock: Clock; setupSecret: string }): Spaces {
  const spaces: Table<Space> = createTable<Space>(store, 'space', {
    username: { of: (space) => space.username, unique: true },
    owner: { of: (space) => (space.role === 'owner' ? OWNER_MARK : undefined), unique: true },
  });
  const invites: Table<Invite> = createTable<Invite>(store, 'invite');
  const perPerson = createAttemptLimit(clock, 10, 5 * 60_000);
  const perAddress = createAttemptLimit(clock, 100, 5 * 60_000);

  async function newSpace({ username, password }: Credentials, role: Space['role']): Promise<Space> {
    const name = typeof username === 'string' ? username.trim().toLowerCase() : '';
    if (!USERNAME.test(name)) throw new SpaceError('USERNAME_INVALID');
    const passwordHash = await hashPassword(password);
    return { id: newId('space'), username: name, passwordHash, role, createdAt: isoTime(clock.now()) };
  }

  const needsSetup = async (): Promise<boolean> => (await spaces.find('owner', OWNER_MARK)) === undefined;

  async function openInvite(secret: unknown): Promise<Invite | undefined> {
    if (typeof secret !== 'string' || secret === '') return undefined;
    const invite = await invites.get(sha256(secret));
    const open = invite && invite.usedBy === null && Date.parse(invite.expiresAt) > clock.now();
    return open ? invite : undefined;
  }

  return {
    get: (id) => spaces.get(id),
    list: () => spaces.list(),
    needsSetup,
    async setUp(secret, credentials) {
      if (!(await needsSetup())) throw new SpaceError('SETUP_DONE');
      if (typeof secret !== 'string' || !sameSecret(secret, setupSecret)) throw new SpaceError('SETUP_SECRET_WRONG');
      const space = await newSpace(credentials, 'owner');
      await spaces.insert(space).catch(rename('SETUP_DONE'));
      return space;
    },
    async invite(by) {
      const secret = newSecret(32);
      const now = clock.now();
      const invite: Invite = { id: sha256(secret), createdBy: by.id, createdAt: isoTime(now), expiresAt: isoTime(now + INVITE_DAYS * DAY_MS), usedBy: null };
      await invites.insert(invite);
      return { secret, invite };
    },
    invites: () => invites.list(),
    async withdrawInvite(id) {
      const invite = await invites.get(id);
      if (invite?.usedBy !== null) return false;
      await invites.delete(id);
      return true;
    },
    inviteIsOpen: async (secret) => (await openInvite(secret)) !== undefined,
    async signUp(inviteSecret, credentials) {
      const invite = await openInvite(inviteSecret);
      if (!invite) throw new SpaceError('INVITE_INVALID');
      const space = await newSpace(credentials, 'member');
      if (await spaces.find('username', space.username)) throw new SpaceError('USERNAME_TAKEN');
      const used = invites.replaceWrite(invite, { ...invite, usedBy: space.id });
      await commit(store, spaces.insertWrite(space), used).catch(async (error) => {
        const isOpen = (await openInvite(inviteSecret)) !== undefined;
        return rename(isOpen ? 'USERNAME_TAKEN' : 'INVITE_INVALID')(error);
      });
      return space;
    },
    async signIn({ username, password }, address) {
      const name = typeof username === 'string' ? username.trim().toLowerCase() : '';
      perAddress.count(address);
      perPerson.count(`${address} ${name}`);
      const space = USERNAME.test(name) ? await spaces.find('username', name) : undefined;
      const matches = await passwordMatches(space?.passwordHash, typeof password === 'string' ? password : '');
      if (!space || !matches) throw new SpaceError('LOGIN_FAILED');
      perPerson.forget(`${address} ${name}`);
      return space;
    },
  };
}

/** Somebody else took it between our look and our write: say what that means here. */
function rename(code: 'SETUP_DONE' | 'INVITE_INVALID' | 'USERNAME_TAKEN'): (error: unknown) => never {
  return (error) => {
    throw isSpaceError(error, 'STORE_CONDITION_FAILED') ? new SpaceError(code, {}, { cause: error }) : error;
  };
}
