// A peer: node:http that does nothing but answer. `node node-http.ts BODY [CONTENT_TYPE]` prints its port.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const [body = '', contentType = 'text/plain'] = process.argv.slice(2);
const bytes = Buffer.from(body);
const headers = { 'content-type': contentType, 'content-length': bytes.length };

const server = createServer((_request, response) => {
  response.writeHead(200, headers);
  response.end(bytes);
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.on('SIGTERM', () => process.exit(0));
