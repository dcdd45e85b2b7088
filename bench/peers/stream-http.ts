// A peer: node:http that takes any body and says how long it was, and gives as many bytes as it is asked for.
// `node stream-http.ts` prints its port.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';

const CHUNK = Buffer.alloc(64 * 1024, 'x');

function* bytes(count: number): Generator<Buffer> {
  for (let left = count; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, Math.min(left, CHUNK.length));
}

const server = createServer((request, response) => {
  if (request.method === 'POST') {
    let length = 0;
    request.on('data', (chunk: Buffer) => { length += chunk.length; }).on('end', () => response.end(String(length)));
  } else {
    Readable.from(bytes(Number(new URL(request.url ?? '/', 'http://peer').searchParams.get('bytes')))).pipe(response);
  }
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.on('SIGTERM', () => process.exit(0));
