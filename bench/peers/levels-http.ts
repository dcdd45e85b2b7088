// A peer: many classic-level stores behind node:http, opened on first use and kept open.
// `node levels-http.ts FOLDER COUNT` prints its port. PUT /<number>/items stores the body, synced, in the store of that number.
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';

const [folder = '', count = '1'] = process.argv.slice(2);
const stores = new Map<number, Promise<ClassicLevel<string, string>>>();

function storeOf(number: number): Promise<ClassicLevel<string, string>> {
  const known = stores.get(number);
  if (known) return known;
  if (!(number >= 0 && number < Number(count))) throw new RangeError('there is no such store');
  const level = new ClassicLevel<string, string>(join(folder, String(number)));
  const opening = level.open().then(() => level);
  stores.set(number, opening);
  return opening;
}

async function put(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { items } = JSON.parse(Buffer.concat(chunks).toString()) as { items: { key: string }[] };
  const level = await storeOf(Number(request.url?.split('/')[1]));
  await level.put(items[0]?.key ?? '', JSON.stringify(items[0]), { sync: true });
  const body = JSON.stringify({ processed: { items } });
  response.writeHead(207, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

const server = createServer((request, response) => { put(request, response).catch(() => response.destroy()); });
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.on('SIGTERM', () => process.exit(0));
