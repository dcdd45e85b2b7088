// Owns `/__space/...` on an Instance's host: the end of a sign-in, the data plane for the app's own pages, and the
// files of the platform's own pages. Everything else there is closed to the outside (attack E21).
import { SpaceError } from '../../core/errors.ts';
import type { Data } from '../../sandbox-data/data.ts';
import { dataAddress, type DataPlane } from './data-plane.ts';
import { createPwa } from './pwa.ts';
import { actsForOwner } from '../auth/access.ts';
import { INSTANCE_SESSION_SECONDS, type InstanceSessions } from '../auth/instance-session.ts';
import { cookieName, setCookie } from '../http/cookie.ts';
import { redirect } from '../http/reply.ts';
import { assetNamed, sendAsset, type Assets } from '../http/assets.ts';
import type { InstanceCall } from '../instance/dispatch.ts';

export interface ReservedParts { instanceSessions: InstanceSessions; data: Data; dataPlane: DataPlane; assets: Assets; readArtifact(hash: string): Promise<Buffer>; loginUrl(call: InstanceCall): string }

export async function createReserved(parts: ReservedParts): Promise<(call: InstanceCall) => Promise<void>> {
  const pwa = await createPwa({ readArtifact: parts.readArtifact, assertOwner: (call) => assertOwner(parts, call) });
  return async (call) => {
    const [area, ...rest] = call.path.slice('/__space/'.length).split('/');
    if (area === 'auth' && rest.length === 0) await finishSignIn(parts, call);
    else if (area === 'assets' && rest.length === 1) sendAsset(call.response, assetNamed(parts.assets, rest[0] ?? ''));
    else if (area === 'v0' && (rest[0] === 'base' || rest[0] === 'drive')) await ownData(parts, call);
    else if (area === 'actions' || (area === 'v0' && rest[0] === 'actions')) throw new SpaceError('FORBIDDEN', { reason: 'This address is for the platform only.' });
    else if (area === 'v0') await pwa(call, rest);
    else throw new SpaceError('NOT_FOUND');
  };
}

/** The dashboard sent the browser here with a code. Whoever has none, and is not signed in already, starts the sign-in over. */
async function finishSignIn(parts: ReservedParts, call: InstanceCall): Promise<void> {
  const query = new URLSearchParams(call.query);
  const code = query.get('code');
  const token = parts.instanceSessions.redeem(code ?? '', call.live.record.id);
  const path = localPath(query.get('to'));
  if (token === undefined) {
    const isSignedIn = code === null && (await isOwner(parts, call));
    redirect(call.response, isSignedIn ? path : parts.loginUrl({ ...call, path, query: '' }));
    return;
  }
  redirect(call.response, path, {
    'set-cookie': setCookie('instance', token, { isSecure: call.isSecure, maxAgeSeconds: INSTANCE_SESSION_SECONDS }),
    'referrer-policy': 'no-referrer',
  });
}

/** A path on this host, however it is written; `//host` and the like become `/`. */
function localPath(to: string | null): string {
  const url = to?.startsWith('/') ? URL.parse(to, 'http://here') : null;
  return url?.host === 'here' && !url.pathname.startsWith('//') ? url.pathname + url.search : '/';
}

/** Base and Drive for the app's own pages: the owner's session opens them, and only the Instance's own Collection
 *  (@source reference 3.5, 6). The path is read raw, since keys may hold `%2F`. */
async function ownData(parts: ReservedParts, call: InstanceCall): Promise<void> {
  const { request, live } = call;
  await assertOwner(parts, call);
  const raw = (request.url ?? '').split('?')[0] ?? '';
  const address = dataAddress(raw.replace(/^\/+__space\/v0/, ''));
  if (!address) throw new SpaceError('NOT_FOUND');
  const collection = parts.data.collection({ spaceId: live.record.spaceId, collectionId: live.record.collectionId });
  await parts.dataPlane.handleFor(collection, request, call.response, { ...address, id: call.id });
}

/** @throws UNAUTHORIZED */
async function assertOwner(parts: ReservedParts, call: InstanceCall): Promise<void> {
  if (!(await isOwner(parts, call))) throw new SpaceError('UNAUTHORIZED');
}

async function isOwner({ instanceSessions }: ReservedParts, call: InstanceCall): Promise<boolean> {
  const { request, live } = call;
  const token = instanceSessions.ownToken(call.clean.platformCookies[cookieName('instance', call.isSecure)], live.record.id);
  if (token === undefined || !actsForOwner(request.method ?? 'GET', request.rawHeaders, call.origin)) return false;
  return (await instanceSessions.check(token, live.record.id)).valid;
}
