// The rows of a developer's loop: from `space push` until the new version answers its owner.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, PRODUCT } from './harness.ts';
import type { Effort, RowResult } from './harness.ts';
import { ask } from './http.ts';
import type { Target } from './http.ts';
import { ROOT } from './machine.ts';
import { waitFor } from './process.ts';
import { startProduct } from './product.ts';
import type { Product } from './product.ts';

const GIVE_UP_MS = 120_000;

interface Pushed { product: Product; projectId: string; folder: string; target: Target }

/** One push: what it changes, and what its answer says when it is live. */
interface Row { row: string; goalSeconds: number; change?(round: number): Promise<string> }

export async function measurePushLive(effort: Effort): Promise<RowResult[]> {
  if (!effort.withProduct) return [];
  await using started = new AsyncDisposableStack();
  const product = started.adopt(await startProduct(), (host) => host.stop());
  const folderOf = async (app: string): Promise<string> => {
    const folder = started.adopt(await mkdtemp(join(tmpdir(), 'bench-push-')), (path) => rm(path, { recursive: true }));
    await cp(join(ROOT, app), folder, { recursive: true });
    return folder;
  };
  const guestbook = await pushed(product, 'benchguest', await folderOf('examples/guestbook'));
  const hello = await pushed(product, 'benchhello', await folderOf('bench/apps/hello'));
  const page = await findPage(guestbook.folder);
  const original = await readFile(page, 'utf8');
  const code = join(hello.folder, 'index.js');
  const lines = await readFile(code, 'utf8');
  return [
    await measureRow(guestbook, effort, { row: 'guestbook, one line of its page changed, `space push` until the new version answers', goalSeconds: 5, change: (round) => write(page, original.replace('</body>', `<!-- version ${round} --></body>`), `<!-- version ${round} -->`) }),
    await measureRow(guestbook, effort, { row: 'guestbook, nothing changed, `space push` to its end', goalSeconds: 1 }),
    await measureRow(hello, effort, { row: 'one line of an isolate changed, `space push` until the new version answers', goalSeconds: 2, change: (round) => write(code, lines.replace('Hello, world!', `Hello, ${round}!`), `Hello, ${round}!`) }),
  ];
}

async function pushed(product: Product, name: string, folder: string): Promise<Pushed> {
  const projectId = await product.createProject(name);
  const { url } = await product.push(projectId, folder);
  return { product, projectId, folder, target: await product.signedIn(url) };
}

async function write(path: string, text: string, mark: string): Promise<string> {
  await writeFile(path, text);
  return mark;
}

async function measureRow({ product, projectId, folder, target }: Pushed, effort: Effort, { row, goalSeconds, change }: Row): Promise<RowResult> {
  const seconds: number[] = [];
  for (let round = 0; round < effort.rounds; round += 1) {
    const mark = await change?.(round);
    const startMs = performance.now();
    await product.space(['push', '--id', projectId, '--dir', folder]);
    if (mark !== undefined) await waitFor(async () => (await ask(target)).body.includes(mark), GIVE_UP_MS);
    seconds.push((performance.now() - startMs) / 1000);
  }
  const value = median(seconds);
  return {
    bench: 'push-live', row, unit: 's',
    scores: { [PRODUCT]: { value, rounds: seconds } },
    ratios: {},
    goals: [{ text: `at most ${goalSeconds} s, as ${PRODUCT}`, value, isReached: value <= goalSeconds }],
  };
}

/** The front page of the example, wherever its Micro keeps it. */
async function findPage(folder: string): Promise<string> {
  const files = await readdir(folder, { recursive: true });
  const page = files.filter((file) => file.endsWith('index.html') && !file.includes('node_modules')).toSorted((a, b) => a.length - b.length)[0];
  if (page === undefined) throw new Error(`no index.html in ${folder}`);
  return join(folder, page);
}
