// The rows of a process Micro: warm beside a bare proxy to the same program, cold beside the same program started bare, and
// woken after it stood still beside the same when it is warm. The isolation is named in each row.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { firstRequests, scoreOfTimes, untilFirstByte } from './first-request.ts';
import { goalOf, measureRow, PRODUCT } from './harness.ts';
import type { Contender, Effort, RowResult, Score } from './harness.ts';
import { loopback } from './http.ts';
import { ROOT } from './machine.ts';
import { findFreePort, startPeer } from './process.ts';
import { type Product, startProduct } from './product.ts';

const BENCH = 'programs';
const FOLDER = join(ROOT, 'bench/apps/program');
const PROGRAM = join(FOLDER, 'index.cjs');
const EXPECT = /^Hello, world!$/;
export const BARE = 'started bare';
const PROXY = 'bare proxy';
const WARM = 'warm';
const STARTS = 30;
const PAUSE_MS = 300;
const FREEZE_MS = 200;

export async function measurePrograms(effort: Effort): Promise<RowResult[]> {
  await using started = new AsyncDisposableStack();
  const bare = started.adopt(await startPeer(PROGRAM, []), (peer) => peer.stop());
  const proxy = started.adopt(await startPeer(join(ROOT, 'bench/peers/node-proxy.ts'), [String(bare.port)]), (peer) => peer.stop());
  const contenders: Contender[] = [{ name: PROXY, pid: proxy.pid, target: { url: `http://127.0.0.1:${proxy.port}/` }, expect: EXPECT }];
  if (!effort.withProduct) return [await measureRow({ bench: BENCH, row: 'warm', connections: 32, contenders, goals: [] }, effort)];
  const product = started.adopt(await startProduct({ env: { OWNSPACE_LIMITS: `freezeMs=${FREEZE_MS}` } }), (host) => host.stop());
  const project = await product.createProject('benchprogram');
  const { id, url } = await product.push(project, FOLDER);
  // Node.js takes longer to start with a proxy, which the program beside it has not either.
  await product.call('PATCH', `/instances/${id}/egress`, { policy: 'none' });
  const level = await levelOf(product);
  contenders.unshift({ name: PRODUCT, pid: product.pid, target: await product.signedIn(url), expect: EXPECT });
  return [
    await measureRow({ bench: BENCH, row: `warm, ${level}`, connections: 32, contenders, goals: [{ against: PROXY, atLeast: 0.85 }] }, effort),
    await measureRow({ bench: BENCH, row: `warm, ${level}`, connections: 1, contenders, goals: [] }, effort),
    await cold(product, project, { row: `cold, from a ready box, ${level}`, effort }),
    await coldAlone(level, effort),
    await frozen(url, level),
  ];
}

/** How far a program is kept apart here: every row says so. */
export async function levelOf(product: Product): Promise<string> {
  const { boxes } = await product.call<{ boxes: { level: string } }>('GET', '/host');
  return `${boxes.level}, ${process.getuid?.() === 0 ? 'as root' : 'rootless'}`;
}

export const startsOf = ({ rounds }: Effort): number => Math.max(5, Math.round(STARTS * Math.min(1, rounds / 3)));

async function cold(product: Product, project: string, { row, effort }: { row: string; effort: Effort }): Promise<RowResult> {
  const count = startsOf(effort);
  const instances = await product.install(project, count + 1);
  for (const { id } of instances) await product.call('PATCH', `/instances/${id}/egress`, { policy: 'none' });
  const { own, bare } = await coldBesideBare(instances.map(({ url }) => url), PROGRAM);
  const added = own.value - bare.value;
  return {
    bench: BENCH, row, unit: 'ms', scores: { [PRODUCT]: own, [BARE]: bare }, ratios: { [BARE]: own.value / bare.value },
    goals: [goalOf(`p50 at most 20 ms over ${BARE}`, added, added <= 20)],
  };
}

/** As it is for whoever comes when all ready ones are taken. */
async function coldAlone(level: string, effort: Effort): Promise<RowResult> {
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct({ env: { OWNSPACE_LIMITS: 'readyBoxes=0' } }), (host) => host.stop());
  const project = await product.createProject('benchprogram');
  await product.push(project, FOLDER);
  return await cold(product, project, { row: `cold, from no ready box, ${level}`, effort });
}

/** First requests to Instances that sleep, each followed by a start of the same program without anything around it.
 *  @param urls the first one unpacks for all and does not count */
export async function coldBesideBare([first = '', ...urls]: string[], program: string): Promise<{ own: Score; bare: Score }> {
  const own: number[] = [];
  const bare: number[] = [];
  await firstRequests([first], { pauseMs: 0 });
  for (const url of urls) {
    own.push(...await firstRequests([url], { pauseMs: PAUSE_MS }));
    bare.push(await bareStart(program));
  }
  return { own: scoreOfTimes(own), bare: scoreOfTimes(bare) };
}

/** From the start of the process to the first byte of its first answer. */
async function bareStart(program: string): Promise<number> {
  const port = await findFreePort();
  const begin = performance.now();
  const child = spawn(process.execPath, [program], { env: { PORT: String(port) }, stdio: 'ignore' });
  await untilFirstByte({ port });
  const time = performance.now() - begin;
  child.kill('SIGKILL');
  return time;
}

async function frozen(address: string, level: string): Promise<RowResult> {
  const times: Record<string, number[]> = { [PRODUCT]: [], [WARM]: [] };
  const { url, host } = loopback(address);
  const one = async (): Promise<number> => {
    const begin = performance.now();
    await untilFirstByte({ port: Number(new URL(url).port), host });
    return performance.now() - begin;
  };
  await one();
  for (let n = 0; n < 15; n += 1) {
    // The host looks twice a second.
    await sleep(FREEZE_MS + 1_000);
    times[PRODUCT]!.push(await one());
    times[WARM]!.push(await one());
  }
  const [own, warm] = [scoreOfTimes(times[PRODUCT]!), scoreOfTimes(times[WARM]!)];
  const added = own.value - warm.value;
  return {
    bench: BENCH, row: `after it stood still, ${level}`, unit: 'ms', scores: { [PRODUCT]: own, [WARM]: warm }, ratios: { [WARM]: own.value / warm.value },
    goals: [goalOf(`p50 at most 2 ms over ${WARM}`, added, added <= 2)],
  };
}
