// The rows of a static Micro: a file of 10 KB, signed in, through the front door, beside bare node:http that has it in memory, and nginx.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measureRow, PRODUCT } from './harness.ts';
import type { Contender, Effort, RowResult } from './harness.ts';
import { ROOT } from './machine.ts';
import { startNginx } from './peers/nginx.ts';
import { startPeer } from './process.ts';
import { startProduct } from './product.ts';

const FILE_BYTES = 10 * 1024;
const TEXT = 'What is served ten thousand times a second. '.repeat(FILE_BYTES).slice(0, FILE_BYTES);
const EXPECT = /^What is served/;
const SPACEFILE = 'v: 0\nmicros:\n  - name: web\n    src: .\n    engine: static\n    serve: site\n    primary: true\n';

export async function measureStatic(effort: Effort): Promise<RowResult[]> {
  await using started = new AsyncDisposableStack();
  const folder = started.adopt(await mkdtemp(join(tmpdir(), 'bench-static-')), (made) => rm(made, { recursive: true }));
  await mkdir(join(folder, 'site'));
  await writeFile(join(folder, 'Spacefile'), SPACEFILE);
  await writeFile(join(folder, 'site/file.txt'), TEXT);
  const bare = started.adopt(await startPeer(join(ROOT, 'bench/peers/node-http.ts'), [TEXT]), (peer) => peer.stop());
  const contenders: Contender[] = [{ name: 'node:http', pid: bare.pid, target: { url: `http://127.0.0.1:${bare.port}/` }, expect: EXPECT }];
  const nginx = started.adopt(await startNginx(join(folder, 'site')), (peer) => peer?.stop());
  if (nginx) contenders.push({ name: 'nginx', pid: nginx.pid, target: { url: `http://127.0.0.1:${nginx.port}/file.txt` }, expect: EXPECT });
  if (effort.withProduct) {
    const product = started.adopt(await startProduct(), (host) => host.stop());
    const { url } = await product.push(await product.createProject('benchstatic'), folder);
    contenders.unshift({ name: PRODUCT, pid: product.pid, target: await product.signedIn(new URL('file.txt', url).href), expect: EXPECT });
  }
  const goals = [{ against: 'node:http', atLeast: 0.6 }];
  return [
    await measureRow({ bench: 'static', row: 'file of 10 KB, signed in', connections: 32, contenders, goals }, effort),
    await measureRow({ bench: 'static', row: 'file of 10 KB, signed in', connections: 1, contenders, goals: [] }, effort),
  ];
}
