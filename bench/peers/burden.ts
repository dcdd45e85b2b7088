// A program: load that others feel, from a process of its own. `node burden.ts scan|import TARGET ITEMS` says `begun`, and
// goes on until it is ended. TARGET is JSON: the address of a Base, and the headers to send.
import { applyClosedLoad } from '../closed-loop.ts';
import { ask } from '../http.ts';
import type { Target } from '../http.ts';

const [kind = '', place = '', count = ''] = process.argv.slice(2);
const base = JSON.parse(place) as { url: string; headers: Record<string, string> };
const PER_PUT = 25;
/** No index answers it, no Item passes it, and the text of each lets it be parsed. */
const CONDITIONS = { 'likes?ne': 7, 'user?!contains': 'user' };

async function scanForever(): Promise<void> {
  for (let last: string | undefined; ;) {
    const { body } = await ask({ url: `${base.url}/query`, method: 'POST', headers: base.headers, body: JSON.stringify({ query: CONDITIONS, last }) });
    last = (JSON.parse(body) as { paging: { last?: string } }).paging.last;
  }
}

/** The same Items again and again, in batches as an import sends them. */
async function importForever(): Promise<void> {
  let n = 0;
  const next = (): Target => {
    const items = Array.from({ length: PER_PUT }, (_, at) => ({ key: String((n + at) % Number(count)).padStart(8, '0'), user: `user${n}`, text: 'That brain of mine is something more than merely mortal. '.repeat(2) }));
    n += PER_PUT;
    return { url: `${base.url}/items`, method: 'PUT', headers: base.headers, body: JSON.stringify({ items }) };
  };
  await applyClosedLoad({ connections: 8, next });
}

console.log('begun');
await (kind === 'scan' ? scanForever() : importForever());
