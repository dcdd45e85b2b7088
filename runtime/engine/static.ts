// Owns serving a static Micro: the Revision's files, without a process. Knows no Instance and no session.
import type { ByteRange } from '../../sandbox-data/blob/blob-store.ts';
import { rangeIn } from '../http/range.ts';
import type { Engine, HeaderList, MicroRequest, MicroResponse, MicroSpec } from './engine.ts';
import { codingsFor } from './static/accept-encoding.ts';
import { isVisit, precondition, rangeAsked, readAsked, type Asked } from './static/asked.ts';
import { createContents, type Contents } from './static/contents.ts';
import { resourceOf, type Representation, type Resource } from './static/resource.ts';
import { siteOf } from './static/site.ts';

export function createStaticEngine(): Engine {
  const contents = createContents();
  return {
    async fetch(instance, name, request) {
      const micro = instance.micros.find((candidate) => candidate.name === name);
      if (!micro) throw new TypeError(`no Micro ${name}`);
      if (request.method !== 'GET' && request.method !== 'HEAD') return plain(405, 'This address takes GET only.', ['allow', 'GET, HEAD']);
      const asked = readAsked(request.headers);
      const { pathname, query } = partsOf(request.url);
      const place = siteOf(micro.files).find(pathname, isVisit(asked));
      if (place === undefined) return plain(404, 'Not found.');
      if ('redirect' in place) return { status: 302, headers: ['location', place.redirect + query, 'cache-control', 'no-cache'], body: null };
      const resource = resourceOf(micro.files, place);
      if (request.pageMarkup === undefined || !resource.isPage) return answer(resource, { asked, request, micro, contents });
      return { ...(await answer(await contents.withMarkup(micro, resource, request.pageMarkup), { asked, request, micro, contents })), hasPageMarkup: true };
    },
    async stop() {},
    async close() {
      contents.clear();
    },
  };
}

/** Path and query of an absolute URL, without parsing it again. */
function partsOf(url: string): { pathname: string; query: string } {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  const end = url.indexOf('?', start);
  return end < 0 ? { pathname: url.slice(start), query: '' } : { pathname: url.slice(start, end), query: url.slice(end) };
}

interface Asking { asked: Asked; request: MicroRequest; micro: MicroSpec; contents: Contents }

function answer(resource: Resource, asking: Asking): MicroResponse | Promise<MicroResponse> {
  const { asked } = asking;
  const chosen = representationFor(resource, asked);
  if (!chosen) return plain(406, 'This file cannot be sent in a coding that you take. Allow identity, gzip or br.', ['vary', 'accept-encoding']);
  if (resource.status !== 200) return whole(resource, chosen, asking);
  const decided = precondition(asked, chosen.etag);
  if (decided === 'failed') return plain(412, 'There is another version of this file.');
  if (decided === 'unchanged') return { status: 304, headers: chosen.unchanged, body: null };
  const range = asked.range !== undefined && chosen.coding === '' ? rangeIn(rangeAsked(asked, chosen.etag), chosen.sizeBytes) : undefined;
  if (range === undefined || asking.request.method === 'HEAD') return whole(resource, chosen, asking);
  if (range === 'unsatisfiable') return plain(416, 'The file ends before that.', ['content-range', `bytes */${chosen.sizeBytes}`, 'accept-ranges', 'bytes']);
  return part(chosen, range, asking);
}

/** Who asks for a part gets one of the file itself: its places are those that players and downloads count. */
function representationFor({ representations }: Resource, { acceptEncoding, range }: Asked): Representation | undefined {
  const codings = codingsFor(acceptEncoding);
  if (range !== undefined && codings.includes('')) return representations[''];
  for (const coding of codings) {
    const found = representations[coding];
    if (found) return found;
  }
  return undefined;
}

async function whole({ status }: Resource, chosen: Representation, { request, micro, contents }: Asking): Promise<MicroResponse> {
  const { headers, sizeBytes } = chosen;
  if (request.method === 'HEAD') return { status, headers, body: null, sizeBytes };
  return { status, headers, ...(await contents.open(micro, chosen)) };
}

async function part(chosen: Representation, range: ByteRange, { micro, contents }: Asking): Promise<MicroResponse> {
  const headers: HeaderList = [...chosen.headers, 'content-range', `bytes ${range.start}-${range.end}/${chosen.sizeBytes}`];
  return { status: 206, headers, ...(await contents.open(micro, chosen, range)) };
}

function plain(status: number, text: string, headers: HeaderList = []): MicroResponse {
  return { status, headers: ['content-type', 'text/plain; charset=utf-8', 'cache-control', 'no-cache', 'x-content-type-options', 'nosniff', ...headers], body: Buffer.from(text) };
}
