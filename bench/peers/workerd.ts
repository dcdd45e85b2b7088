// A peer: workerd, Cloudflare's runtime, with one hello Worker.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask } from '../http.ts';
import { ROOT } from '../machine.ts';
import { findFreePort, startProgram } from '../process.ts';
import type { Running } from '../process.ts';

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-01-01",
);
`;

/** @param source an ES module with a default export that has `fetch`
 *  @param onSpawn called as soon as the process is being started; started means that this is done, too */
export async function startWorkerd(source: string, { onSpawn }: { onSpawn?: (port: number) => Promise<unknown> } = {}): Promise<Running & { port: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-workerd-'));
  await writeFile(join(folder, 'config.capnp'), CONFIG);
  await writeFile(join(folder, 'worker.js'), source);
  const port = await findFreePort();
  const command = [join(ROOT, 'node_modules/.bin/workerd'), 'serve', join(folder, 'config.capnp'), '--socket-addr', `http=127.0.0.1:${port}`];
  const isReady = (): Promise<boolean> => ask({ url: `http://127.0.0.1:${port}/` }).then(() => true, () => false);
  const starting = startProgram(command, { isReady });
  await onSpawn?.(port);
  const running = await starting;
  return { ...running, port, stop: async () => { await running.stop(); await rm(folder, { recursive: true }); } };
}
