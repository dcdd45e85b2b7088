// The rows of Base over the Deta HTTP API: get beside the same bytes from bare node:http and beside raw classic-level, put
// beside classic-level with a synced write for each request; both beside Redis that syncs every write, where it is installed:
// what somebody would use instead.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measureRow, PRODUCT } from './harness.ts';
import type { Contender, Effort, RowResult } from './harness.ts';
import { ask } from './http.ts';
import type { Target } from './http.ts';
import { ROOT } from './machine.ts';
import { findProgram, startPeer } from './process.ts';
import { startProduct } from './product.ts';

const KEY = 'one';
/** About the size of a guestbook entry. */
const FIELDS = { name: 'Ada Lovelace', text: 'That brain of mine is something more than merely mortal. '.repeat(3), likes: 42, at: '2030-01-01T00:00:00.000Z' };
const STORED = JSON.stringify({ ...FIELDS, key: KEY });
const PUT_BODY = JSON.stringify({ items: [FIELDS] });
const EXPECT_ITEM = /"Ada Lovelace"/;
const EXPECT_STORED = /"processed"/;
const CONNECTIONS = 32;
const WRITERS = 64;

export async function measureBaseHttp(effort: Effort): Promise<RowResult[]> {
  await using started = new AsyncDisposableStack();
  const folder = started.adopt(await mkdtemp(join(tmpdir(), 'bench-level-')), (path) => rm(path, { recursive: true }));
  const bare = started.adopt(await startPeer(join(ROOT, 'bench/peers/node-http.ts'), [STORED, 'application/json']), (peer) => peer.stop());
  const level = started.adopt(await startPeer(join(ROOT, 'bench/peers/level-http.ts'), [folder, KEY, STORED]), (peer) => peer.stop());
  const levelUrl = `http://127.0.0.1:${level.port}/`;
  const gets: Contender[] = [
    { name: 'node:http', target: { url: `http://127.0.0.1:${bare.port}/` }, expect: EXPECT_ITEM },
    { name: 'classic-level', target: { url: levelUrl }, expect: EXPECT_ITEM },
  ];
  const puts: Contender[] = [
    { name: 'classic-level', target: { url: levelUrl, method: 'PUT', body: PUT_BODY, headers: { 'content-type': 'application/json' } }, expect: EXPECT_STORED },
  ];
  const redisUrl = await startRedis(started);
  if (redisUrl !== undefined) {
    gets.push({ name: 'redis', target: { url: redisUrl }, expect: EXPECT_ITEM });
    puts.push({ name: 'redis', target: { url: redisUrl, method: 'PUT', body: PUT_BODY, headers: { 'content-type': 'application/json' } }, expect: EXPECT_STORED });
  }
  if (effort.withProduct) {
    const { get, put } = await startBase(started);
    gets.unshift({ name: PRODUCT, target: get, expect: EXPECT_ITEM });
    puts.unshift({ name: PRODUCT, target: put, expect: EXPECT_STORED });
  }
  return [
    await measureRow({ bench: 'base-http', row: 'get', connections: CONNECTIONS, contenders: gets, goals: [{ against: 'node:http', atLeast: 0.3 }, { against: 'classic-level', atLeast: 0.5 }] }, effort),
    await measureRow({ bench: 'base-http', row: 'put, on the disk', connections: WRITERS, contenders: puts, goals: [{ against: 'classic-level', atLeast: 0.5 }] }, effort),
  ];
}

/** Its address; `undefined`, and a word about it, where Redis is not installed. */
async function startRedis(started: AsyncDisposableStack): Promise<string | undefined> {
  const program = findProgram('redis-server');
  if (program === undefined) {
    console.error('redis-server is not installed, so nothing is measured beside it.');
    return undefined;
  }
  const folder = started.adopt(await mkdtemp(join(tmpdir(), 'bench-redis-')), (path) => rm(path, { recursive: true }));
  const redis = started.adopt(await startPeer(join(ROOT, 'bench/peers/redis-http.ts'), [program, folder, KEY, STORED]), (peer) => peer.stop());
  return `http://127.0.0.1:${redis.port}/`;
}

/** A Collection on a host of its own, with the one Item in it. */
async function startBase(started: AsyncDisposableStack): Promise<{ get: Target; put: Target }> {
  const product = started.adopt(await startProduct(), (host) => host.stop());
  const { id } = await product.call<{ id: string }>('POST', '/collections', { name: 'bench' });
  const { value } = await product.call<{ value: string }>('POST', `/collections/${id}/keys`, { name: 'bench' });
  const url = `http://127.0.0.1:${product.port}/base/v1/${id}/entries/items`;
  const headers = { host: `localhost:${product.port}`, 'x-api-key': value, 'content-type': 'application/json' };
  const stored = await ask({ url, method: 'PUT', headers, body: JSON.stringify({ items: [{ ...FIELDS, key: KEY }] }) });
  if (!EXPECT_STORED.test(stored.body)) throw new Error(`put answers ${stored.status}: ${stored.body}`);
  return { get: { url: `${url}/${KEY}`, headers }, put: { url, method: 'PUT', headers, body: PUT_BODY } };
}
