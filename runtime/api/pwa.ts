// Owns what makes an app installable, under `/__space/v0/` of its host: manifest, icons, service worker, and the script that
// the front door puts into pages (@source reference 3.5, 3.9). Scripts hold nothing of the app and are open; what says
// which app this is takes the owner's session.
import { readFile } from 'node:fs/promises';
import type { Revision } from '../../builder/revision.ts';
import { SpaceError } from '../../core/errors.ts';
import { generatedIcon } from '../../dashboard/icon.ts';
import type { InstanceCall } from '../instance/dispatch.ts';
import type { LiveInstance } from '../instance/live.ts';

export interface PwaParts {
  readArtifact(hash: string): Promise<Buffer>;
  /** Does the owner's session come with it? @throws UNAUTHORIZED */
  assertOwner(call: InstanceCall): Promise<void>;
}

export type Pwa = (call: InstanceCall, path: readonly string[]) => Promise<void>;

const FOLDER = new URL('../../dashboard/pwa/', import.meta.url);
const ICON = '/__space/v0/assets/icon-pwa';
const APPLE_SIZE_PX = 180;
const SHORT_NAME_CHARACTERS = 12;

export async function createPwa({ readArtifact, assertOwner }: PwaParts): Promise<Pwa> {
  const [runtime, runtimeNo, worker, noWorker] = await Promise.all(['runtime.js', 'runtime-no.js', 'service-worker.js', 'no-service-worker.js'].map((name) => readFile(new URL(name, FOLDER), 'utf8')));

  return async (call, path) => {
    if (call.request.method !== 'GET' && call.request.method !== 'HEAD') throw new SpaceError('METHOD_NOT_ALLOWED', { allow: 'GET, HEAD' });
    const { live } = call;
    const name = path.join('/');
    if (name === 'runtime.js') sendScript(call, runtime ?? '');
    else if (name === 'runtime-no.js') sendScript(call, runtimeNo ?? '');
    else if (name === 'assets/service-worker.js') sendScript(call, live.revision.autoPwa ? (worker ?? '').replaceAll('##RELEASE_ID##', live.record.releaseId) : noWorker ?? '');
    else if (name === 'assets/manifest.json') await assertOwner(call).then(() => send(call, JSON.stringify(manifestOf(live)), 'application/manifest+json; charset=utf-8'));
    else if (name === 'assets/icon-pwa') await assertOwner(call).then(() => sendIcon(call, readArtifact));
    else throw new SpaceError('NOT_FOUND');
  };
}

/** A name that the app has for itself is up to its own manifest. */
function manifestOf({ record, revision }: LiveInstance): object {
  return {
    id: '/', name: record.appName, short_name: [...record.appName].slice(0, SHORT_NAME_CHARACTERS).join(''), description: `${record.appName}, in your own Space`,
    start_url: '/', scope: '/', display: 'standalone', icons: iconsOf(revision),
  };
}

function iconsOf({ icon, pwaIcons = [] }: Revision): { src: string; sizes: string; type: string }[] {
  if (pwaIcons.length > 0) return pwaIcons.map(({ sizePx, hash }) => ({ src: `${ICON}?size=${sizePx}&v=${hash.slice(0, 8)}`, sizes: `${sizePx}x${sizePx}`, type: 'image/png' }));
  if (icon) return [{ src: `${ICON}?v=${icon.hash.slice(0, 8)}`, sizes: `${icon.widthPx}x${icon.heightPx}`, type: icon.contentType }];
  return [{ src: ICON, sizes: 'any', type: 'image/svg+xml' }];
}

async function sendIcon(call: InstanceCall, readArtifact: PwaParts['readArtifact']): Promise<void> {
  const { revision, record } = call.live;
  const sizePx = Number(new URLSearchParams(call.query).get('size') ?? APPLE_SIZE_PX);
  const resized = revision.pwaIcons?.find((each) => each.sizePx === sizePx);
  if (resized) send(call, await readArtifact(resized.hash), 'image/png');
  else if (revision.icon) send(call, await readArtifact(revision.icon.hash), revision.icon.contentType);
  else send(call, generatedIcon(record.appName), 'image/svg+xml; charset=utf-8');
}

/** A worker below a folder may only work for all of the host where its own head says so. */
function sendScript(call: InstanceCall, text: string): void {
  send(call, text, 'text/javascript; charset=utf-8', { 'service-worker-allowed': '/' });
}

function send({ request, response }: InstanceCall, content: string | Buffer, contentType: string, more: Record<string, string> = {}): void {
  response.writeHead(200, {
    'content-type': contentType, 'content-length': Buffer.byteLength(content), 'cache-control': 'private, no-cache', 'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'", ...more,
  });
  response.end(request.method === 'HEAD' ? undefined : content);
}
