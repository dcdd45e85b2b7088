// Owns the first request of something that sleeps or has just been started: how long until the first byte of the answer.
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Score } from './harness.ts';
import { loopback } from './http.ts';

/** Tries again at once while nobody listens yet. */
export function untilFirstByte({ port, host, agent }: { port: number; host?: string; agent?: Agent }): Promise<void> {
  return new Promise((resolve, reject) => {
    const attempt = (): void => {
      const sent = request({ host: '127.0.0.1', port, agent, headers: host === undefined ? {} : { host } }, (response) => {
        if (response.statusCode === 200) {
          resolve();
          response.resume();
        } else {
          void text(response).then((body) => reject(new Error(`a first request is answered with ${response.statusCode}: ${body.slice(0, 300)}`)), reject);
        }
      });
      sent.on('error', (error: NodeJS.ErrnoException) => { if (error.code === 'ECONNREFUSED') setImmediate(attempt); else reject(error); }).end();
    };
    attempt();
  });
}

export interface Pace {
  pauseMs: number;
  /** Others arrive whether or not those before them have their answer. */
  isOpen?: boolean;
}

/** One request to each address, on connections that stay. @returns milliseconds */
export async function firstRequests(urls: readonly string[], { pauseMs, isOpen }: Pace): Promise<number[]> {
  const agent = new Agent({ keepAlive: true });
  const times: Promise<number>[] = [];
  for (const address of urls) {
    await sleep(pauseMs);
    const time = timed(address, agent);
    times.push(time);
    if (!isOpen) await time;
  }
  return Promise.all(times).finally(() => agent.destroy());
}

async function timed(address: string, agent: Agent): Promise<number> {
  const { url, host } = loopback(address);
  const start = performance.now();
  await untilFirstByte({ port: Number(new URL(url).port), host, agent });
  return performance.now() - start;
}

/** The score is the median. */
export function scoreOfTimes(times: readonly number[]): Score {
  const sorted = times.toSorted((left, right) => left - right);
  const at = (part: number): number => sorted[Math.min(Math.floor(sorted.length * part), sorted.length - 1)] ?? Number.NaN;
  return { value: at(0.5), p50Ms: at(0.5), p99Ms: at(0.99), rounds: [...times] };
}
