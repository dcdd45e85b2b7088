// The rows of fifty pushes at once by eleven people, of whom one makes twenty: what others feel at the front door meanwhile, and
// whether everybody's first push is there early.
import { join } from 'node:path';
import { applyClosedLoad } from './closed-loop.ts';
import { goalOf, median, PRODUCT, scoreOf } from './harness.ts';
import type { Effort, RowResult } from './harness.ts';
import type { LoadResult } from './load.ts';
import { ROOT } from './machine.ts';
import { runProgram } from './process.ts';
import { startProduct } from './product.ts';
import type { Product } from './product.ts';

const BENCH = 'many-pushes';
const CONNECTIONS = 4;
const OTHERS = 10;
const PUSHES_OF_ONE = 20;
const PUSHES_OF_OTHERS = 3;

interface Pusher { token: string; projectId: string; pushes: number }

export async function measureManyPushes(effort: Effort): Promise<RowResult[]> {
  if (!effort.withProduct) return [];
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct(), (host) => host.stop());
  const { url } = await product.push(await product.createProject('benchhello'), join(ROOT, 'bench/apps/hello'));
  const hello = await product.signedIn(url);
  const people = await createPeople(product);
  const alone: LoadResult[] = [];
  const burdened: LoadResult[] = [];
  const lasts: number[] = [];
  const firsts: number[] = [];
  await applyClosedLoad({ connections: CONNECTIONS, next: () => hello, seconds: effort.warmUpSeconds });
  for (let round = 0; round < effort.rounds; round += 1) {
    alone.push(await applyClosedLoad({ connections: CONNECTIONS, next: () => hello, seconds: effort.seconds }));
    let isDone = false;
    const pushing = runProgram([process.execPath, join(ROOT, 'bench/peers/pushes.ts'), String(product.port), JSON.stringify(people)]).finally(() => { isDone = true; });
    burdened.push(await applyClosedLoad({ connections: CONNECTIONS, next: () => (isDone ? undefined : hello) }));
    const times = JSON.parse(await pushing) as number[][];
    const last = Math.max(...times.flat());
    lasts.push(last);
    firsts.push(Math.max(...times.slice(1).map(([first]) => first ?? Number.NaN)) / last);
  }
  const ratio = median(burdened.map(({ p99Ms }, at) => p99Ms / alone[at]!.p99Ms));
  const part = median(firsts);
  return [
    {
      bench: BENCH, row: 'hello, during fifty pushes', unit: 'requests/s', connections: CONNECTIONS, scores: { [PRODUCT]: scoreOf(burdened), alone: scoreOf(alone) }, ratios: { alone: ratio },
      goals: [goalOf('at most 2 x the p99 of alone', ratio, ratio <= 2)],
    },
    {
      bench: BENCH, row: 'fifty pushes, until the last is built', unit: 's', scores: { [PRODUCT]: { value: median(lasts), rounds: lasts } }, ratios: {},
      goals: [goalOf('the first push of each who has few is built within 40 % of it', part, part <= 0.4)],
    },
  ];
}

/** The one with many comes first. */
async function createPeople(product: Product): Promise<Pusher[]> {
  const people: Pusher[] = [];
  for (let index = 0; index <= OTHERS; index += 1) {
    const call = await product.signUp(`pusher${index}`);
    const { id } = await call<{ id: string }>('POST', '/apps', { name: `pushed${index}`, alias: '' });
    const { access_token: token } = await call<{ access_token: string }>('POST', '/tokens', { name: 'pushes' });
    people.push({ token, projectId: id, pushes: index === 0 ? PUSHES_OF_ONE : PUSHES_OF_OTHERS });
  }
  return people;
}
