// A peer: classic-level with nothing but node:http in front. `node level-http.ts FOLDER KEY VALUE` prints its port.
// GET reads KEY; PUT stores the body under a new key and answers when it is on the disk.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ClassicLevel } from 'classic-level';

const [folder = '', key = '', value = ''] = process.argv.slice(2);
const level = new ClassicLevel<string, string>(folder);
await level.open();
await level.put(key, value);

async function get(response: ServerResponse): Promise<void> {
  send(response, (await level.get(key)) ?? '');
}

async function put(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { items } = JSON.parse(Buffer.concat(chunks).toString()) as { items: unknown[] };
  await level.put(randomUUID(), JSON.stringify(items[0]), { sync: true });
  send(response, JSON.stringify({ processed: { items } }));
}

function send(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

const server = createServer((request, response) => {
  const done = request.method === 'PUT' ? put(request, response) : get(response);
  done.catch(() => response.destroy());
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.on('SIGTERM', () => { level.close().then(() => process.exit(0), () => process.exit(1)); });
