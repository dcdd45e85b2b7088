// Owns what an attacker would like to reach: servers on the loopback that note every call, and a redirector that leads there.
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface BaitCall { url: string; headers: IncomingHttpHeaders; raw: string[]; body: string }

export interface Bait {
  port: number;
  /** Calls that got through. */
  calls: BaitCall[];
  close(): Promise<void>;
}

/** On 127.0.0.1, and on ::1 where this machine has it. `/to?<address>` redirects. */
export async function openBait(): Promise<Bait> {
  const calls: BaitCall[] = [];
  const servers: Server[] = [];
  const open = async (host: string, port: number): Promise<number> => {
    const server = createServer(async (request, response) => {
      calls.push({ url: request.url!, headers: request.headers, raw: request.rawHeaders, body: await text(request) });
      if (request.url!.startsWith('/to?')) response.writeHead(302, { location: decodeURIComponent(request.url!.slice(4)) }).end();
      else response.end('reached');
    });
    await new Promise<void>((resolve, reject) => { server.on('error', reject).listen(port, host, resolve); });
    servers.push(server);
    return (server.address() as AddressInfo).port;
  };
  const port = await open('127.0.0.1', 0);
  await open('::1', port).catch(() => 0);
  return {
    port, calls,
    async close() {
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => { server.close(resolve); })));
    },
  };
}
