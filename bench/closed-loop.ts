// Owns load whose requests differ from each other: so many connections, each of which asks, waits, and asks for the next.
// Runs in this process, so it is for ratios between loads that it makes itself. Knows no peers.
import { Agent, request } from 'node:http';
import type { Target } from './http.ts';
import type { LoadResult } from './load.ts';

export interface ClosedLoad {
  connections: number;
  /** What to ask next; `undefined` ends it. */
  next: () => Target | undefined;
  /** Without it, until there is nothing left to ask. */
  seconds?: number;
}

/** @throws when a request fails */
export async function applyClosedLoad({ connections, next, seconds = Number.POSITIVE_INFINITY }: ClosedLoad): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times: number[] = [];
  let failures = 0;
  const start = performance.now();
  const deadline = start + seconds * 1000;
  const lane = async (): Promise<void> => {
    while (performance.now() < deadline) {
      const target = next();
      if (!target) return;
      const began = performance.now();
      if (!(await isAnswered(agent, target))) failures += 1;
      times.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: connections }, lane));
  const elapsed = performance.now() - start;
  agent.destroy();
  if (failures > 0) throw new Error(`${failures} requests failed`);
  times.sort((left, right) => left - right);
  const at = (part: number): number => times[Math.min(Math.floor(times.length * part), times.length - 1)] ?? Number.NaN;
  return { requestsPerSecond: (times.length / elapsed) * 1000, p50Ms: at(0.5), p99Ms: at(0.99), failures };
}

function isAnswered(agent: Agent, { url, method = 'GET', headers, body }: Target): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request(url, { agent, method, headers: body === undefined ? headers : { ...headers, 'content-length': Buffer.byteLength(body) } }, (response) => {
      response.resume().on('end', () => resolve((response.statusCode ?? 500) < 300)).on('error', () => resolve(false));
    });
    sent.on('error', () => resolve(false)).end(body);
  });
}
