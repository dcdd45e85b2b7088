// Owns carrying bytes between two connections, for the proxies of this host.
import type { Socket } from 'node:net';

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';

/** Tell the client that its CONNECT holds, and carry both ways from then on. Who has said all that it will may still listen.
 *  @param head what came right after the client's request  @param idleMs after which a silent side is given up */
export function joinTunnel(client: Socket, server: Socket, { head, idleMs }: { head: Buffer; idleMs: number }): void {
  client.write(ESTABLISHED);
  if (head.length > 0) server.write(head);
  for (const [from, to] of [[client, server], [server, client]] as const) {
    from.setTimeout(idleMs, () => from.destroy());
    from.on('error', () => from.destroy());
    from.pipe(to);
    // What is on its way still arrives, unless one side broke off.
    from.on('close', (isBroken: boolean) => (isBroken ? to.destroy() : to.end()));
  }
}
