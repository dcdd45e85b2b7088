// Owns the way of connections into a box: a listening socket that this host makes and the box alone takes from. Whoever comes
// before the program listens waits in the kernel, so nobody has to ask whether it is ready.
import { rename, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import type { Pool } from 'undici';
import { openPool } from './kept.ts';

export interface Ingress {
  /** At most 107 bytes. */
  path: string;
  /** Open until it is handed over. */
  handle: { fd: number };
  pool: Pool;
  /** The box has it now. */
  handOver(): Promise<void>;
  close(): Promise<void>;
}

const BACKLOG = 511;

export async function openIngress(path: string): Promise<Ingress> {
  const draft = `${path}~`;
  await Promise.all([path, draft].map((each) => rm(each, { force: true })));
  // Nobody knows the draft, so nobody connects while this process could take it.
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen({ path: draft, backlog: BACKLOG }, resolve));
  const pool = await openPool(path);
  return {
    path, pool, handle: handleOf(server),
    async handOver() {
      await rename(draft, path);
      await closed(server);
    },
    async close() {
      await pool.destroy();
      await closed(server);
      await Promise.all([path, draft].map((each) => rm(each, { force: true })));
    },
  };
}

/** Node.js has no other way to hand on a listening socket to a program that is not Node.js. A test watches that it is there. */
function handleOf(server: Server): { fd: number } {
  const { _handle: handle } = server as unknown as { _handle: { fd: number } };
  if (!Number.isInteger(handle.fd) || handle.fd < 0) throw new TypeError('this Node.js does not tell the descriptor of a listening socket');
  return handle;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
