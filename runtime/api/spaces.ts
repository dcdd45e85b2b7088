// Owns the endpoints of people: health, time, set-up, invitations, sign-up, sign-in, access tokens.
import { SpaceError } from '../../core/errors.ts';
import type { WireHealth, WireInvite, WireNewToken, WireSignedUp, WireSpace, WireToken } from '../../core/wire.ts';
import { setCookie } from '../http/cookie.ts';
import { SESSION_DAYS } from '../auth/session.ts';
import type { Space } from '../auth/space.ts';
import type { ApiParts } from './parts.ts';
import { api, type Reply, type Route, type RouteRequest } from './route.ts';

export function spaceRoutes(parts: ApiParts): Route[] {
  const { spaces, sessions, accessTokens } = parts;

  async function signedUp(space: Space): Promise<WireSignedUp> {
    const { accessToken } = await accessTokens.create(space.id, 'first token');
    return { access_token: accessToken, space: { id: space.id, name: space.username } };
  }

  return [
    api('GET /api/v0/health', { access: 'public', handle: async () => ({ json: { status: 'ok', version: parts.version } satisfies WireHealth }) }),
    api('GET /api/v0/time', { access: 'public', handle: async () => ({ text: String(Math.floor(parts.clock.now() / 1000)) }) }),
    api('POST /api/v0/setup', {
      access: 'public',
      async handle(request) {
        const { secret, username, password } = await request.json();
        return { status: 201, json: await signedUp(await spaces.setUp(secret, { username, password })) };
      },
    }),
    api('POST /api/v0/invites', {
      access: 'host-owner',
      async handle({ person, origin }) {
        const { secret, invite } = await spaces.invite(person);
        const body: WireInvite = { invite: secret, url: `${parts.addresses.controlOrigin(origin)}/invites/${secret}`, expires_at: invite.expiresAt };
        return { status: 201, json: body };
      },
    }),
    api('GET /api/v0/invites', {
      access: 'host-owner',
      handle: async () => ({ json: { invites: (await spaces.invites()).map(({ id, createdAt, expiresAt, usedBy }) => ({ id, created_at: createdAt, expires_at: expiresAt, used: usedBy !== null })) } }),
    }),
    api('DELETE /api/v0/invites/:invite', {
      access: 'host-owner',
      async handle({ params }) {
        if (!(await spaces.withdrawInvite(params['invite'] ?? ''))) throw new SpaceError('NOT_FOUND', { what: 'An open invitation with this id' });
        return { json: { id: params['invite'] } };
      },
    }),
    api('POST /api/v0/signup', {
      access: 'public',
      async handle(request) {
        const { invite, username, password } = await request.json();
        return { status: 201, json: await signedUp(await spaces.signUp(invite, { username, password })) };
      },
    }),
    api('POST /api/v0/login', {
      access: 'public',
      async handle(request) {
        const { username, password } = await request.json();
        const space = await spaces.signIn({ username, password }, request.address);
        // Every sign-in is a new session: an id from before it is worth nothing after.
        const { token } = await sessions.start(space.id);
        return { json: wireSpace(space), cookies: [sessionCookie(token, request.isSecure)] };
      },
    }),
    api('POST /api/v0/logout', {
      access: 'person',
      handle: async (request) => ({ cookies: await endSession(parts, request) }),
    }),
    api('GET /api/v0/space', { access: 'person', handle: async ({ person }) => ({ json: wireSpace(person) }) }),
    api('GET /api/v0/metadata', { access: 'person', handle: async () => ({ json: { dev_mode: true } }) }),
    api('GET /api/v0/tokens', {
      access: 'person',
      async handle({ person }) {
        const tokens: WireToken[] = (await accessTokens.list(person.id)).map((token) => ({
          id: token.id, name: token.name, created_at: token.createdAt, expires_at: token.expiresAt, last_used_at: token.lastUsedAt,
        }));
        return { json: { tokens } };
      },
    }),
    api('POST /api/v0/tokens', {
      access: 'person',
      async handle(request) {
        const { name } = await request.json();
        const { token, accessToken } = await accessTokens.create(request.person.id, name);
        return { status: 201, json: { id: token.id, access_token: accessToken } satisfies WireNewToken };
      },
    }),
    api('DELETE /api/v0/tokens/:id', {
      access: 'person',
      async handle({ person, params }) {
        if (!(await accessTokens.delete(person.id, params['id'] ?? ''))) throw new SpaceError('NOT_FOUND', { what: 'This token' });
        return { json: { id: params['id'] } };
      },
    }),
  ];
}

function wireSpace(space: Space): WireSpace {
  return { id: space.id, name: space.username, role: space.role };
}

export function sessionCookie(token: string, isSecure: boolean): string {
  return setCookie('session', token, { isSecure, maxAgeSeconds: SESSION_DAYS * 86_400 });
}

export async function endSession({ sessions }: Pick<ApiParts, 'sessions'>, { session, isSecure }: RouteRequest): Promise<NonNullable<Reply['cookies']>> {
  if (session) await sessions.end(session.id);
  return [setCookie('session', '', { isSecure, maxAgeSeconds: 0 })];
}
