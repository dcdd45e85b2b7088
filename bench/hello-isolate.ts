// The row of the warm isolate Micro: signed in, through the front door, beside bare node:http and workerd.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { measureRow, PRODUCT } from './harness.ts';
import type { Contender, Effort, RowResult } from './harness.ts';
import { ROOT } from './machine.ts';
import { startPeer } from './process.ts';
import { startProduct } from './product.ts';
import { startWorkerd } from './peers/workerd.ts';

const APP = join(ROOT, 'bench/apps/hello');
const BODY = 'Hello, world!';
const EXPECT = /^Hello, world!$/;

export async function measureHelloIsolate(effort: Effort): Promise<RowResult[]> {
  await using started = new AsyncDisposableStack();
  const bare = started.adopt(await startPeer(join(ROOT, 'bench/peers/node-http.ts'), [BODY]), (peer) => peer.stop());
  const workerd = started.adopt(await startWorkerd(await readFile(join(APP, 'index.js'), 'utf8')), (peer) => peer.stop());
  const contenders: Contender[] = [
    { name: 'node:http', pid: bare.pid, target: { url: `http://127.0.0.1:${bare.port}/` }, expect: EXPECT },
    { name: 'workerd', pid: workerd.pid, target: { url: `http://127.0.0.1:${workerd.port}/` }, expect: EXPECT },
  ];
  if (effort.withProduct) {
    const product = started.adopt(await startProduct(), (host) => host.stop());
    const { url } = await product.push(await product.createProject('benchhello'), APP);
    contenders.unshift({ name: PRODUCT, pid: product.pid, target: await product.signedIn(url), expect: EXPECT });
  }
  const goals = [{ against: 'node:http', atLeast: 0.6 }, { against: 'workerd', atLeast: 2, p99AtMost: 0.1 }];
  return [
    await measureRow({ bench: 'hello-isolate', row: 'warm hello, signed in', connections: 32, contenders, goals }, effort),
    await measureRow({ bench: 'hello-isolate', row: 'warm hello, signed in', connections: 1, contenders, goals: [] }, effort),
  ];
}
