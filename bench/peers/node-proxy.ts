// A peer: a proxy of node:http that does nothing but pass on. `node node-proxy.ts PORT` prints its own port.
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

const agent = new Agent({ keepAlive: true });
const target = { host: '127.0.0.1', port: Number(process.argv[2]), agent };

const server = createServer((incoming, response) => {
  const outgoing = request({ ...target, method: incoming.method, path: incoming.url, headers: incoming.headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(response);
  });
  outgoing.on('error', () => response.destroy());
  incoming.pipe(outgoing);
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.on('SIGTERM', () => process.exit(0));
