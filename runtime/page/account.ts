// Owns the pages of a person's own matters: set-up, sign-in, sign-out, invitations, access tokens.
import { isSpaceError, type SpaceError } from '../../core/errors.ts';
import { acceptInvitePage, invitesPage } from '../../dashboard/pages/invite.ts';
import { continuePage, loginPage } from '../../dashboard/pages/login.ts';
import { setupDonePage, setupPage } from '../../dashboard/pages/setup.ts';
import { tokensPage } from '../../dashboard/pages/tokens.ts';
import type { ApiParts } from '../api/parts.ts';
import { page, type PersonalRequest, type Reply, type Route, type RouteRequest } from '../api/route.ts';
import { endSession, sessionCookie } from '../api/spaces.ts';
import type { Space } from '../auth/space.ts';
import { chrome, ownChrome } from './chrome.ts';
import { destinationOf, enter } from './sign-in.ts';

export function accountPages(parts: ApiParts): Route[] {
  const { spaces, sessions, accessTokens } = parts;

  /** Start a session and go to `redirectUri`. */
  async function welcome(space: Space, request: RouteRequest, redirectUri: string | null): Promise<Reply> {
    const destination = await destinationOf(parts, redirectUri, request.origin);
    const { token, session } = await sessions.start(space.id);
    // Browsers hold the page's rule for forms against where they lead: to another domain it goes in a step of its own.
    if (destination.kind === 'instance' && destination.customDomain !== undefined) return { html: continuePage({ appName: destination.instance.appName, domain: destination.customDomain, url: `/login?redirect_uri=${encodeURIComponent(redirectUri ?? '')}` }), cookies: [sessionCookie(token, request.isSecure)] };
    return { redirect: enter(parts, destination, { session, origin: request.origin }), cookies: [sessionCookie(token, request.isSecure)] };
  }

  async function loginView(request: RouteRequest, redirectUri: string | null): Promise<{ next?: string; appName?: string }> {
    const destination = await destinationOf(parts, redirectUri, request.origin);
    const appName = destination.kind === 'instance' ? destination.instance.appName : undefined;
    return { next: redirectUri ?? undefined, appName };
  }

  const tokensView = async ({ person, origin }: PersonalRequest) => ({
    ...ownChrome(parts, person), tokens: await accessTokens.list(person.id), spaceRoot: `${parts.addresses.controlOrigin(origin)}/api`,
  });

  const invitesView = async (person: Space) => ({
    ...ownChrome(parts, person),
    invites: (await spaces.invites()).map((invite) => ({ id: invite.id, createdAt: invite.createdAt, expiresAt: invite.expiresAt, used: invite.usedBy !== null })),
  });

  return [
    page('GET /setup', {
      access: 'public',
      handle: async ({ query }) => ({ html: (await spaces.needsSetup()) ? setupPage({ secret: query.get('secret') ?? '' }) : setupDonePage() }),
    }),
    page('POST /setup', {
      access: 'public',
      async handle(request) {
        const { secret, username, password } = await request.form();
        return retried(async () => welcome(await spaces.setUp(secret, { username, password }), request, null),
          (error) => (error.code === 'SETUP_DONE' ? setupDonePage() : setupPage({ secret: error.code === 'SETUP_SECRET_WRONG' ? '' : secret ?? '', username, error: error.message })));
      },
    }),
    page('GET /login', {
      access: 'public',
      async handle(request) {
        const redirectUri = request.query.get('redirect_uri');
        if (await spaces.needsSetup()) return { redirect: '/setup' };
        if (!request.session) return { html: loginPage(await loginView(request, redirectUri)) };
        return { redirect: enter(parts, await destinationOf(parts, redirectUri, request.origin), { session: request.session, origin: request.origin }) };
      },
    }),
    page('POST /login', {
      access: 'public',
      async handle(request) {
        const { username, password, redirect_uri: redirectUri = null } = await request.form();
        const view = await loginView(request, redirectUri);
        return retried(async () => welcome(await spaces.signIn({ username, password }, request.address), request, redirectUri),
          (error) => loginPage({ ...view, username, error: error.message }));
      },
    }),
    page('POST /logout', {
      access: 'person', handle: async (request) => ({ redirect: '/login', cookies: await endSession(parts, request) }),
    }),
    page('GET /invites', { access: 'host-owner', handle: async ({ person }) => ({ html: invitesPage(await invitesView(person)) }) }),
    page('POST /invites', {
      access: 'host-owner',
      async handle({ person, origin }) {
        const { secret } = await spaces.invite(person);
        const url = `${parts.addresses.controlOrigin(origin)}/invites/${secret}`;
        return { html: invitesPage({ ...(await invitesView(person)), created: { url } }) };
      },
    }),
    page('POST /invites/:invite/withdraw', {
      access: 'host-owner',
      async handle({ params }) {
        await spaces.withdrawInvite(params['invite'] ?? '');
        return { redirect: '/invites' };
      },
    }),
    page('GET /invites/:invite', {
      access: 'public',
      async handle({ params, person }) {
        const invite = params['invite'] ?? '';
        const error = (await spaces.inviteIsOpen(invite)) ? undefined : 'This invitation is not valid: it was used, withdrawn, or has expired. Ask for a new one.';
        return { status: error === undefined ? 200 : 403, html: acceptInvitePage({ ...chrome(parts, person), invite, error }) };
      },
    }),
    page('POST /invites/:invite', {
      access: 'public',
      async handle(request) {
        const invite = request.params['invite'] ?? '';
        const { username, password } = await request.form();
        return retried(async () => welcome(await spaces.signUp(invite, { username, password }), request, null),
          (error) => acceptInvitePage({ invite, username, error: error.message }));
      },
    }),
    page('GET /tokens', { access: 'person', handle: async (request) => ({ html: tokensPage(await tokensView(request)) }) }),
    page('POST /tokens', {
      access: 'person',
      async handle(request) {
        const { name } = await request.form();
        return retried(async () => {
          const { token, accessToken } = await accessTokens.create(request.person.id, name);
          return { html: tokensPage({ ...(await tokensView(request)), created: { name: token.name, access_token: accessToken } }) };
        }, async (error) => tokensPage({ ...(await tokensView(request)), error: error.message }));
      },
    }),
    page('POST /tokens/:token/revoke', {
      access: 'person',
      async handle({ person, params }) {
        await accessTokens.delete(person.id, params['token'] ?? '');
        return { redirect: '/tokens' };
      },
    }),
  ];
}

/** What the visitor can mend is shown above the form they filled in; everything else is an error page. */
export async function retried(attempt: () => Promise<Reply>, form: (error: SpaceError) => string | Promise<string>): Promise<Reply> {
  try {
    return await attempt();
  } catch (error) {
    if (!isSpaceError(error) || error.blame !== 'caller') throw error;
    return { status: error.status, html: await form(error) };
  }
}
