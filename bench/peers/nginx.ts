// A peer: nginx with one folder, two workers, no log. Where it is installed.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask } from '../http.ts';
import { findFreePort, findProgram, startProgram } from '../process.ts';
import type { Running } from '../process.ts';

/** @returns undefined where there is none */
export async function startNginx(folder: string): Promise<(Running & { port: number }) | undefined> {
  const program = findProgram('nginx') ?? findProgram('/usr/sbin/nginx');
  if (program === undefined) return undefined;
  const base = await mkdtemp(join(tmpdir(), 'bench-nginx-'));
  await mkdir(join(base, 'logs'));
  const port = await findFreePort();
  await writeFile(join(base, 'nginx.conf'), `daemon off; master_process on; worker_processes 2; pid ${base}/pid; error_log stderr warn; ${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 512; }
http { access_log off; sendfile on; keepalive_requests 1000000000; open_file_cache max=100; types { text/plain txt; }
  server { listen 127.0.0.1:${port}; root ${folder}; } }`);
  const isReady = (): Promise<boolean> => ask({ url: `http://127.0.0.1:${port}/` }).then(() => true, () => false);
  const running = await startProgram([program, '-p', base, '-e', 'stderr', '-c', join(base, 'nginx.conf')], { isReady });
  return { ...running, port, stop: async () => { await running.stop(); await rm(base, { recursive: true }); } };
}
