// Owns how an Instance's host says no: a page for a person, JSON for a program. Every refusal is logged once, here.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toSpaceError, type SpaceError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { troublePage, unknownHostPage, type Trouble } from '../../dashboard/pages/error.ts';
import { sendAsset, type Assets } from '../http/assets.ts';
import { headerValue } from '../http/headers.ts';
import { logError, sendError, SERVER_NAME } from '../http/reply.ts';
import type { LiveInstance } from './live.ts';

export interface Refusal { id: string; request: IncomingMessage; response: ServerResponse; live?: LiveInstance }

const TROUBLE: Partial<Record<SpaceError['code'], Trouble>> = {
  INSTANCE_NOT_READY: 'installing', INSTANCE_FAILED: 'failed', MICRO_START_FAILED: 'failed', MICRO_BUSY: 'busy', MICRO_CRASHED: 'crashed', MICRO_THREW: 'crashed',
  MICRO_TIMEOUT: 'crashed', MICRO_CPU_EXCEEDED: 'crashed', MICRO_OUT_OF_MEMORY: 'crashed', MICRO_BAD_RESPONSE: 'crashed', MICRO_LOOP: 'crashed', MICRO_PAUSED: 'paused',
};

const POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/** @param dashboardUrl for the port and scheme by which the request came */
export function createRefuse({ log, assets, dashboardUrl }: { log: Log; assets: Assets; dashboardUrl(request: IncomingMessage): string }): (refusal: Refusal, error: unknown) => void {
  return ({ id, request, response, live }, error) => {
    const known = toSpaceError(error);
    const asset = assets.get(/^\/__space\/assets\/([a-z.-]+)$/.exec(request.url ?? '')?.[1] ?? '');
    if (known.code === 'HOST_UNKNOWN' && asset) {
      sendAsset(response, asset);
      return;
    }
    const page = wantsPage(request) ? pageFor(known, { id, live, dashboardUrl: dashboardUrl(request) }) : undefined;
    if (page === undefined || response.headersSent || response.destroyed) {
      sendError(response, known, { requestId: id, log });
      return;
    }
    logError(log, known, id);
    response.writeHead(known.status, {
      'content-type': 'text/html; charset=utf-8', 'content-length': Buffer.byteLength(page), 'cache-control': 'no-store', server: SERVER_NAME,
      'content-security-policy': POLICY, 'x-content-type-options': 'nosniff', 'x-request-id': id,
    });
    response.end(page);
  };
}

function pageFor(error: SpaceError, { id, live, dashboardUrl }: { id: string; live: LiveInstance | undefined; dashboardUrl: string }): string | undefined {
  if (error.code === 'HOST_UNKNOWN') return unknownHostPage({ host: String(error.details['host'] ?? ''), dashboardUrl });
  const trouble = TROUBLE[error.code];
  return trouble ? troublePage({ appName: live?.record.appName ?? 'This app', trouble, reason: error.message, dashboardUrl, requestId: id }) : undefined;
}

/** A browser that shows the answer as a page, not one that fetches it for a script. */
function wantsPage({ method, rawHeaders }: IncomingMessage): boolean {
  const mode = headerValue(rawHeaders, 'sec-fetch-mode');
  const isPage = mode === undefined || mode === 'navigate';
  return (method === 'GET' || method === 'POST') && isPage && /text\/html/.test(headerValue(rawHeaders, 'accept') ?? '');
}
