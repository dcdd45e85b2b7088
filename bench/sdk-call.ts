// The row of a call that an SDK makes: an Item read by a program in its box through TLS, by the name that is built into the SDK,
// beside the same program outside that reads it by plain HTTP from the same host.
import { join } from 'node:path';
import { scoreOfTimes } from './first-request.ts';
import { goalOf, PRODUCT } from './harness.ts';
import type { Effort, RowResult } from './harness.ts';
import { ask, loopback } from './http.ts';
import { ROOT } from './machine.ts';
import { startPeer } from './process.ts';
import { startProduct } from './product.ts';

const PLAIN = 'plain HTTP, no box';
const AT_MOST = 2;
const CALLS = 1_000;

export async function measureSdkCall({ rounds, withProduct }: Effort): Promise<RowResult[]> {
  if (!withProduct) return [];
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct(), (host) => host.stop());
  const app = await product.push(await product.createProject('sdkcall'), join(ROOT, 'bench/apps/sdk-call'));
  const { url, host } = loopback(app.url);
  const inside = async (path: string): Promise<unknown> => answerOf(await ask({ url: new URL(path, url).href, headers: { host } }));
  const { key } = await inside('/key') as { key: string };
  const env = { DETA_PROJECT_KEY: key, BASE: `http://localhost:${product.port}`, PORT: '0' };
  const peer = started.adopt(await startPeer(join(ROOT, 'bench/apps/sdk-call/index.cjs'), [], env), (program) => program.stop());
  const contenders: Record<string, () => Promise<unknown>> = {
    [PRODUCT]: () => inside(`/?count=${CALLS}`),
    [PLAIN]: async () => answerOf(await ask({ url: `http://127.0.0.1:${peer.port}/?count=${CALLS}` })),
  };
  const times: Record<string, number[]> = { [PRODUCT]: [], [PLAIN]: [] };
  // The first round warms up.
  for (let round = 0; round <= rounds; round += 1) {
    const names = Object.keys(contenders);
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const measured = await contenders[name]!() as number[];
      if (round > 0) times[name]!.push(...measured);
    }
  }
  const scores = Object.fromEntries(Object.entries(times).map(([name, all]) => [name, { ...scoreOfTimes(all), rounds: [] }]));
  const ratio = scores[PRODUCT]!.value / scores[PLAIN]!.value;
  return [{
    bench: 'sdk-call', row: 'an Item through transparent TLS, in a box', unit: 'ms', scores, ratios: { [PLAIN]: ratio },
    goals: [goalOf(`p50 at most ${AT_MOST} x ${PLAIN}`, ratio, ratio <= AT_MOST)],
  }];
}

function answerOf({ status, body }: { status: number; body: string }): unknown {
  if (status !== 200) throw new Error(`the caller answers ${status}: ${body.slice(0, 200)}`);
  return JSON.parse(body);
}
