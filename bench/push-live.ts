// The row of a developer's loop: from `space push` of the guestbook until the new version answers its owner.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, PRODUCT } from './harness.ts';
import type { Effort, RowResult } from './harness.ts';
import { ask } from './http.ts';
import { ROOT } from './machine.ts';
import { waitFor } from './process.ts';
import { startProduct } from './product.ts';

const GOAL_SECONDS = 5;
const GIVE_UP_MS = 120_000;

export async function measurePushLive(effort: Effort): Promise<RowResult[]> {
  if (!effort.withProduct) return [];
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct(), (host) => host.stop());
  const folder = started.adopt(await mkdtemp(join(tmpdir(), 'bench-guestbook-')), (path) => rm(path, { recursive: true }));
  await cp(join(ROOT, 'examples/guestbook'), folder, { recursive: true });
  const page = await findPage(folder);
  const original = await readFile(page, 'utf8');
  const projectId = await product.createProject('benchguest');
  const { url } = await product.push(projectId, folder);
  const target = await product.signedIn(url);

  const seconds: number[] = [];
  for (let round = 0; round < effort.rounds; round += 1) {
    const mark = `<!-- version ${round} -->`;
    await writeFile(page, original.replace('</body>', `${mark}</body>`));
    const startMs = performance.now();
    await product.space(['push', '--id', projectId, '--dir', folder]);
    await waitFor(async () => (await ask(target)).body.includes(mark), GIVE_UP_MS);
    seconds.push((performance.now() - startMs) / 1000);
  }
  const value = median(seconds);
  return [{
    bench: 'push-live', row: 'guestbook, `space push` until the new version answers', unit: 's',
    scores: { [PRODUCT]: { value, rounds: seconds } },
    ratios: {},
    goals: [{ text: `at most ${GOAL_SECONDS} s, as ${PRODUCT}`, value, isReached: value <= GOAL_SECONDS }],
  }];
}

/** The front page of the example, wherever its Micro keeps it. */
async function findPage(folder: string): Promise<string> {
  const files = await readdir(folder, { recursive: true });
  const page = files.filter((file) => file.endsWith('index.html') && !file.includes('node_modules')).toSorted((a, b) => a.length - b.length)[0];
  if (page === undefined) throw new Error(`no index.html in ${folder}`);
  return join(folder, page);
}
