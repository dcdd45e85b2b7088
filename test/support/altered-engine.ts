// Owns an isolate Engine whose source was altered: a guard taken out, so that a test can show what happens without it.
// The copy lives in a temporary folder; nothing of the product knows of it.
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type IsolateBench, openIsolateBench } from './isolate-instance.ts';

const CHECKOUT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const PARTS = ['core', 'sandbox', 'runtime'];

/** Path from the checkout's root -> text to look for and what stands there instead. */
export type Alterations = Record<string, readonly [string | RegExp, string]>;

/** @param limits of the Engine */
export async function openAlteredBench(alterations: Alterations, limits: object = {}): Promise<IsolateBench> {
  const folder = await mkdtemp(join(tmpdir(), 'ownspace-altered-'));
  for (const part of PARTS) {
    await mkdir(dirname(join(folder, part)), { recursive: true });
    await cp(join(CHECKOUT, part), join(folder, part), { recursive: true });
  }
  await symlink(join(CHECKOUT, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  for (const [path, [found, instead]] of Object.entries(alterations)) await alter(join(folder, path), found, instead);
  const { createIsolateEngine } = (await import(/* @vite-ignore */ pathToFileURL(join(folder, 'runtime/engine/isolate.ts')).href)) as typeof import('../../runtime/engine/isolate.ts');
  const bench = await openIsolateBench({ limits }, createIsolateEngine);
  return { ...bench, close: async () => { await bench.close(); await rm(folder, { recursive: true, force: true }); } };
}

async function alter(path: string, found: string | RegExp, instead: string): Promise<void> {
  const text = await readFile(path, 'utf8');
  const altered = text.replace(found, instead);
  if (altered === text) throw new Error(`${path} has no ${found} any more: the guard moved`);
  await writeFile(path, altered);
}
