// Owns the question who sent a request to the control plane: session cookie, bearer token or signature. Never refuses:
// whether that person may is for the route to say.
import type { IncomingMessage } from 'node:http';
import { isSpaceError, type SpaceError } from '../../core/errors.ts';
import { cookieName, cookieValues } from '../http/cookie.ts';
import type { AccessTokens, SignatureVerifier } from './access-token.ts';
import type { Session, Sessions } from './session.ts';
import type { Space, Spaces } from './space.ts';

export interface Identity {
  person: Space | undefined;
  session?: Session;
  /** Set for a signed request: nobody is proven before the body has been fed to it. */
  verifier?: SignatureVerifier;
  /** Why the token or the signature that came along proves nobody. */
  refusal?: SpaceError;
}

export interface Identify {
  (request: IncomingMessage, isSecure: boolean): Promise<Identity>;
}

const MAX_COOKIES = 10;
const NOBODY: Identity = { person: undefined };

export function createIdentify({ spaces, sessions, accessTokens }: { spaces: Spaces; sessions: Sessions; accessTokens: AccessTokens }): Identify {
  async function bySignature(request: IncomingMessage, signature: string): Promise<Identity> {
    const verifier = await accessTokens.verifier({
      signature, method: request.method ?? 'GET', uri: request.url ?? '/', contentType: request.headers['content-type'] ?? '',
      timestamp: String(request.headers['x-deta-timestamp'] ?? ''),
    });
    return { person: await spaces.get(verifier.spaceId), verifier };
  }

  /** A sibling host can plant a second cookie of this name where no TLS forbids it: the one that is good counts (attack E1). */
  async function byCookie(request: IncomingMessage, isSecure: boolean): Promise<Identity> {
    for (const token of cookieValues(request.headers.cookie ?? '', cookieName('session', isSecure)).slice(0, MAX_COOKIES)) {
      const session = await sessions.find(token);
      if (session) return { person: await spaces.get(session.spaceId), session };
    }
    return NOBODY;
  }

  async function byToken(accessToken: string): Promise<Identity> {
    return { person: await spaces.get(await accessTokens.check(accessToken)) };
  }

  return async (request, isSecure) => {
    const signature = request.headers['x-deta-signature'];
    if (typeof signature === 'string') return bySignature(request, signature).catch(refused);
    const bearer = /^\s*Bearer\s+(\S+)\s*$/i.exec(request.headers.authorization ?? '')?.[1];
    if (bearer === undefined) return byCookie(request, isSecure);
    return byToken(bearer).catch(refused);
  };
}

function refused(error: unknown): Identity {
  if (!isSpaceError(error) || error.status !== 401) throw error;
  return { person: undefined, refusal: error };
}

/** Did the browser say that our own page sent this? Sibling hosts are same-site, so that is not enough.
 *  A request without any such word is no browser's, or one so old that its cookie must not count. */
export function isSameOrigin(request: IncomingMessage, origin: string): boolean {
  const site = request.headers['sec-fetch-site'];
  const claimed = request.headers.origin;
  if (claimed !== undefined && claimed !== origin) return false;
  if (site !== undefined) return site === 'same-origin' || (site === 'none' && claimed === origin);
  return claimed === origin;
}

/** Nothing says that another site sent this: enough where no cookie is read, as for signing in. */
export function isNotCrossOrigin(request: IncomingMessage, origin: string): boolean {
  const site = request.headers['sec-fetch-site'];
  const claimed = request.headers.origin;
  return (claimed === undefined || claimed === origin) && (site === undefined || site === 'same-origin' || site === 'none');
}
