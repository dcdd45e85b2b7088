// Owns access tokens: `<8 chars>_<32 chars>`, one person's key to the control plane, as bearer or as signature.
import { createHmac, timingSafeEqual } from 'node:crypto';
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
  /** @returns the token, shown once  @throws TOKEN_NAME_INVALID */
  create(spaceId: string, name: unknown): Promise<{ token: AccessToken; accessToken: string }>;
  list(spaceId: string): Promise<AccessToken[]>;
  /** @returns false when it is not there, or another person's */
  delete(spaceId: string, id: string): Promise<boolean>;
  /** @returns the id of its Space, or undefined */
  check(accessToken: string): Promise<string | undefined>;
  /** Begin to check a signature: feed the body, then ask. Undefined when key or clock rule it out already. */
  verifier(request: SignedRequest): Promise<SignatureVerifier | undefined>;
}

export interface SignatureVerifier {
  spaceId: string;
  update(chunk: Uint8Array): void;
  /** Ends the body. */
  matches(): boolean;
}

/** @source reference Appendix B 16 */
const LIFE_DAYS = 365;
const DAY_MS = 86_400_000;
/** How far a client's clock may be off. */
export const SIGNATURE_WINDOW_SECONDS = 300;
const SIGNATURE = /^v0=([A-Za-z0-9]{1,32}):([0-9a-f]{64})$/;
const LAST_USED_STEP_MS = 60_000;

export function createAccessTokens({ store, vault, clock }: { store: Store; vault: Vault; clock: Clock }): AccessTokens {
  const tokens = createTable<AccessToken>(store, 'access-token', { space: { of: (token) => token.spaceId } });
  const secretOf = (token: AccessToken): string => vault.unsealText(`access-token/${token.id}`, token.sealedSecret);

  async function usable(id: string): Promise<AccessToken | undefined> {
    const token = await tokens.get(id);
    return token && Date.parse(token.expiresAt) > clock.now() ? token : undefined;
  }

  async function noteUse(token: AccessToken): Promise<void> {
    const last = token.lastUsedAt === null ? 0 : Date.parse(token.lastUsedAt);
    if (clock.now() - last < LAST_USED_STEP_MS) return;
    await tokens.update(token.id, (stored) => ({ ...stored, lastUsedAt: isoTime(clock.now()) })).catch(() => undefined);
  }

  return {
    async create(spaceId, name) {
      if (typeof name !== 'string' || name.trim() === '' || name.length > 64) throw new SpaceError('TOKEN_NAME_INVALID');
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
      if (!id || !secret || rest.length > 0) return undefined;
      const token = await usable(id);
      if (!token || !sameSecret(secret, secretOf(token))) return undefined;
      await noteUse(token);
      return token.spaceId;
    },
    async verifier({ method, uri, timestamp, contentType, signature }) {
      const [, id, given] = SIGNATURE.exec(signature) ?? [];
      const seconds = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) : NaN;
      const isNear = Math.abs(seconds - clock.now() / 1000) <= SIGNATURE_WINDOW_SECONDS;
      const token = id && isNear ? await usable(id) : undefined;
      if (!token || !given) return undefined;
      await noteUse(token);
      const hmac = createHmac('sha256', secretOf(token)).update(`${method}\n${uri}\n${timestamp}\n${contentType}\n`);
      return {
        spaceId: token.spaceId,
        update: (chunk) => void hmac.update(chunk),
        matches: () => timingSafeEqual(hmac.update('\n').digest(), Buffer.from(given, 'hex')),
      };
    },
  };
}
