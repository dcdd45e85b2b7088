// Owns the sign-in of one browser at ONE Instance: a one-time code carries it there, a short JWT keeps it there.
// The JWT's audience is the Instance and it dies with the dashboard session that it came from.
import jwt from 'jsonwebtoken';
import { LRUCache } from 'lru-cache';
import { newSecret } from '../../core/ids.ts';
import type { Clock } from '../../core/clock.ts';
import type { Sessions } from './session.ts';
import type { Vault } from './vault.ts';

export interface InstanceSessions {
  /** A code that only this Instance's host can redeem, once, within a minute. */
  issueCode(instanceId: string, sessionId: string): string;
  /** @returns the token for the Instance's cookie; undefined when the code is not good for this Instance */
  redeem(code: string, instanceId: string): string | undefined;
  /** The token that was made for this Instance, of those that a browser sent: a sibling host can plant others where no
   *  TLS forbids it (attack E1). */
  ownToken(tokens: readonly string[] | undefined, instanceId: string): string | undefined;
  /** Is this token good here and now? `renewed` is a fresh token once half of the old one's time is over.
   *  Returns without a promise for a token that was seen lately: this stands on the hot path. */
  check(token: string, instanceId: string): CheckedSession | Promise<CheckedSession>;
}

export interface CheckedSession { valid: boolean; renewed?: string }

interface Claims { sid: string; aud: string; exp: number }

const MAX_TOKENS = 10;
const CODE_LIFE_MS = 60_000;
export const INSTANCE_SESSION_SECONDS = 3600;
const REFUSED: CheckedSession = { valid: false };
const ACCEPTED: CheckedSession = { valid: true };

export function createInstanceSessions({ vault, sessions, clock }: { vault: Vault; sessions: Sessions; clock: Clock }): InstanceSessions {
  const key = vault.derive('instance-session');
  const codes = new LRUCache<string, { instanceId: string; sessionId: string; expiresAt: number }>({ max: 10_000 });
  /** Verified tokens: checking a signature costs more than the rest of the way to a Micro. */
  const verified = new LRUCache<string, Claims>({ max: 10_000 });

  const sign = (instanceId: string, sessionId: string): string => {
    const now = Math.floor(clock.now() / 1000);
    const claims = { sid: sessionId, aud: instanceId, iat: now, exp: now + INSTANCE_SESSION_SECONDS };
    return jwt.sign(claims, key, { algorithm: 'HS256', header: { alg: 'HS256', typ: 'instance+jwt' } });
  };

  function claimsOf(token: string, instanceId: string): Claims | undefined {
    const known = verified.get(token);
    if (known) return known.aud === instanceId && known.exp * 1000 > clock.now() ? known : undefined;
    try {
      const options = { algorithms: ['HS256' as const], audience: instanceId, clockTimestamp: Math.floor(clock.now() / 1000), complete: true as const };
      const { header, payload } = jwt.verify(token, key, options);
      if (header.typ !== 'instance+jwt' || typeof payload === 'string' || typeof payload['sid'] !== 'string' || payload.exp === undefined) return undefined;
      const claims: Claims = { sid: payload['sid'], aud: instanceId, exp: payload.exp };
      verified.set(token, claims);
      return claims;
    } catch {
      return undefined;
    }
  }

  const accept = ({ sid, aud, exp }: Claims): CheckedSession => {
    const halfTime = (exp - INSTANCE_SESSION_SECONDS / 2) * 1000;
    return clock.now() < halfTime ? ACCEPTED : { valid: true, renewed: sign(aud, sid) };
  };

  return {
    issueCode(instanceId, sessionId) {
      const code = newSecret(43);
      codes.set(code, { instanceId, sessionId, expiresAt: clock.now() + CODE_LIFE_MS });
      return code;
    },
    redeem(code, instanceId) {
      const grant = codes.get(code);
      codes.delete(code);
      if (!grant || grant.instanceId !== instanceId || grant.expiresAt < clock.now()) return undefined;
      return sign(instanceId, grant.sessionId);
    },
    ownToken(tokens, instanceId) {
      if (tokens === undefined || tokens.length === 1) return tokens?.[0];
      return tokens.slice(0, MAX_TOKENS).find((token) => claimsOf(token, instanceId) !== undefined);
    },
    check(token, instanceId) {
      const claims = claimsOf(token, instanceId);
      if (!claims) return REFUSED;
      const alive = sessions.alive(claims.sid);
      if (typeof alive === 'boolean') return alive ? accept(claims) : REFUSED;
      return alive.then((isAlive) => (isAlive ? accept(claims) : REFUSED));
    },
  };
}
