// A program: load that others feel, from a process of its own. `node burden.ts scan|import|puts PLACE MORE` says `begun`,
// and goes on until it is ended. PLACE is JSON: the address of a Base, for `import` the one that takes archives, and the
// headers to send. MORE is how many Items there are, for `import` the path of a zip.
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { applyClosedLoad } from '../closed-loop.ts';
import { ask } from '../http.ts';
import type { Target } from '../http.ts';

const [kind = '', placeText = '', more = ''] = process.argv.slice(2);
const place = JSON.parse(placeText) as { url: string; headers: Record<string, string> };
const PER_PUT = 25;
/** No index answers it, no Item passes it, and the text of each lets it be parsed. */
const CONDITIONS = { 'likes?ne': 7, 'user?!contains': 'user' };

async function scanForever(): Promise<void> {
  for (let last: string | undefined; ;) {
    const { body } = await ask({ url: `${place.url}/query`, method: 'POST', headers: place.headers, body: JSON.stringify({ query: CONDITIONS, last }) });
    last = (JSON.parse(body) as { paging: { last?: string } }).paging.last;
  }
}

async function importForever(): Promise<void> {
  for (;;) {
    const sent = request(place.url, { method: 'POST', headers: { ...place.headers, 'content-type': 'application/zip' } });
    const [[response]] = await Promise.all([once(sent, 'response'), pipeline(createReadStream(more), sent)]);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const said = Buffer.concat(chunks).toString();
    if (!said.includes('"report"')) throw new Error(`an import ended with: ${said.slice(-300)}`);
  }
}

/** The same Items again and again, in batches as programs send them. */
async function putForever(): Promise<void> {
  let n = 0;
  const next = (): Target => {
    const items = Array.from({ length: PER_PUT }, (_, at) => ({ key: String((n + at) % Number(more)).padStart(8, '0'), user: `user${n}`, text: 'That brain of mine is something more than merely mortal. '.repeat(2) }));
    n += PER_PUT;
    return { url: `${place.url}/items`, method: 'PUT', headers: place.headers, body: JSON.stringify({ items }) };
  };
  await applyClosedLoad({ connections: 8, next });
}

console.log('begun');
const burdens: Record<string, () => Promise<void>> = { scan: scanForever, import: importForever, puts: putForever };
await burdens[kind]?.();
