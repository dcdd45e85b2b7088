// Owns access tokens: `<8 chars>_<32 chars>`, one person's key to the control plane, as bearer or as signature.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { SpaceError } from '../../core/errors.ts';
import { newSecret } from '../../core/ids.ts';
import { isoTime, type Clock } from '../../core/clock.ts';
import type { Store } from '../../sandbox-data/store/store.ts';
import { createTable } from '../../sandbox-data/store/table.ts';
import { sameSecret, type Vault } from './vault.ts';

/** `id` is the part before `_`. The secret is sealed, not hashed: signatures are computed from it. */
export interface AccessToken {
  id: string;
  spaceId: string;
  name: string;
  sealedSecret: string;
  createdAt: string;
  expiresAt: string;
  lastUsedAt: string | null;
}

/** What a request signature covers (@source reference 7.1). */
export interface SignedRequest { method: string; uri: string; timestamp: string; contentType: string; signature: string }

export interface AccessTokens {
  /** @returns the token, shown once  @throws TOKEN_NAME_INVALID, COUNT_LIMIT */
  create(spaceId: string, name: unknown): Promise<{ token: AccessToken; accessToken: string }>;
  list(spaceId: string): Promise<AccessToken[]>;
  /** @returns false when it is not there, or another person's */
  delete(spaceId: string, id: string): Promise<boolean>;
  /** @returns the id of its Space  @throws TOKEN_INVALID, TOKEN_EXPIRED */
  check(accessToken: string): Promise<string>;
  /** Begin to check a signature: feed the body, then prove. @throws TOKEN_INVALID, SIGNATURE_TIME_WRONG */
  verifier(request: SignedRequest): Promise<SignatureVerifier>;
}

export interface SignatureVerifier {
  spaceId: string;
  update(chunk: Uint8Array): void;
  /** Ends the body. That a token has expired is told to whoever holds it, and to nobody else.
   *  @throws TOKEN_INVALID, TOKEN_EXPIRED */
  prove(): void;
}

/** @source reference Appendix B 16 */
const LIFE_DAYS = 365;
const DAY_MS = 86_400_000;
/** How far a client's clock may be off. */
export const SIGNATURE_WINDOW_SECONDS = 300;
const SIGNATURE = /^v0=([A-Za-z0-9]{1,32}):([0-9a-f]{64})$/;
const LAST_USED_STEP_MS = 60_000;
/** Secrets that are kept open in memory. */
const OPENED_MAX = 1_000;
/** Of one Space. */
export const ACCESS_TOKENS_MAX = 100;

export function createAccessTokens({ store, vault, clock }: { store: Store; vault: Vault; clock: Clock }): AccessTokens {
  const tokens = createTable<AccessToken>(store, 'access-token', { space: { of: (token) => token.spaceId } });
  /** Opening a seal takes longer than all else of a check; who follows a build asks often. */
  const opened = new LRUCache<string, string>({ max: OPENED_MAX });
  const secretOf = ({ id, sealedSecret }: AccessToken): string => {
    const secret = opened.get(`${id} ${sealedSecret}`) ?? vault.unsealText(`access-token/${id}`, sealedSecret);
    opened.set(`${id} ${sealedSecret}`, secret);
    return secret;
  };

  function assertAlive({ expiresAt }: AccessToken): void {
    if (Date.parse(expiresAt) <= clock.now()) throw new SpaceError('TOKEN_EXPIRED', { expiredAt: expiresAt });
  }

  function assertNear(timestamp: string): void {
    const now = clock.now();
    const seconds = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) : NaN;
    if (Math.abs(seconds - now / 1000) <= SIGNATURE_WINDOW_SECONDS) return;
    const signedAt = Number.isNaN(seconds) ? undefined : isoTime(seconds * 1000);
    throw new SpaceError('SIGNATURE_TIME_WRONG', { signedAt, now: isoTime(now), minutes: SIGNATURE_WINDOW_SECONDS / 60 });
  }

  async function noteUse(token: AccessToken): Promise<void> {
    const last = token.lastUsedAt === null ? 0 : Date.parse(token.lastUsedAt);
    if (clock.now() - last < LAST_USED_STEP_MS) return;
    await tokens.update(token.id, (stored) => ({ ...stored, lastUsedAt: isoTime(clock.now()) })).catch(() => undefined);
  }

  return {
    async create(spaceId, name) {
      if (typeof name !== 'string' || name.trim() === '' || name.length > 64) throw new SpaceError('TOKEN_NAME_INVALID');
      const known = await tokens.list({ by: { index: 'space', value: spaceId }, limit: ACCESS_TOKENS_MAX });
      if (known.length >= ACCESS_TOKENS_MAX) throw new SpaceError('COUNT_LIMIT', { limit: ACCESS_TOKENS_MAX, what: 'access tokens', remedy: 'Revoke those that nobody uses, under Settings.' });
      const id = newSecret(8);
      const secret = newSecret(32);
      const now = clock.now();
      const token: AccessToken = {
        id, spaceId, name: name.trim(), sealedSecret: vault.sealText(`access-token/${id}`, secret),
        createdAt: isoTime(now), expiresAt: isoTime(now + LIFE_DAYS * DAY_MS), lastUsedAt: null,
      };
      await tokens.insert(token);
      return { token, accessToken: `${id}_${secret}` };
    },
    list: (spaceId) => tokens.list({ by: { index: 'space', value: spaceId } }),
    async delete(spaceId, id) {
      const token = await tokens.get(id);
      if (token?.spaceId !== spaceId) return false;
      await tokens.delete(id);
      return true;
    },
    async check(accessToken) {
      const [id, secret, ...rest] = accessToken.split('_');
      const token = id && secret && rest.length === 0 ? await tokens.get(id) : undefined;
      if (!token || !sameSecret(secret ?? '', secretOf(token))) throw new SpaceError('TOKEN_INVALID');
      assertAlive(token);
      await noteUse(token);
      return token.spaceId;
    },
    async verifier({ method, uri, timestamp, contentType, signature }) {
      assertNear(timestamp);
      const [, id, given] = SIGNATURE.exec(signature) ?? [];
      const token = id ? await tokens.get(id) : undefined;
      if (!token || !given) throw new SpaceError('TOKEN_INVALID');
      const hmac = createHmac('sha256', secretOf(token)).update(`${method}\n${uri}\n${timestamp}\n${contentType}\n`);
      return {
        spaceId: token.spaceId,
        update: (chunk) => void hmac.update(chunk),
        prove() {
          if (!timingSafeEqual(hmac.update('\n').digest(), Buffer.from(given, 'hex'))) throw new SpaceError('TOKEN_INVALID');
          assertAlive(token);
          void noteUse(token);
        },
      };
    },
  };
}
