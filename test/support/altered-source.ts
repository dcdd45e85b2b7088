// Owns a copy of the source in which something was altered: a guard taken out, so that a test can show what happens
// without it. The copy lives in a temporary folder; nothing of the product knows of it.
import { cp, mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CHECKOUT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Path from the checkout's root -> text to look for and what stands there instead. */
export type Alterations = Record<string, readonly [string | RegExp, string]>;

/** @param parts folders and files of the checkout that are needed  @returns the copy, for the caller to remove */
export async function copyAltered(parts: readonly string[], alterations: Alterations): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ownspace-altered-'));
  for (const part of parts) {
    await mkdir(dirname(join(folder, part)), { recursive: true });
    await cp(join(CHECKOUT, part), join(folder, part), { recursive: true });
  }
  await symlink(join(CHECKOUT, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  for (const [path, [found, instead]] of Object.entries(alterations)) await alter(join(folder, path), found, instead);
  return folder;
}

async function alter(path: string, found: string | RegExp, instead: string): Promise<void> {
  const text = await readFile(path, 'utf8');
  const altered = text.replace(found, instead);
  if (altered === text) throw new Error(`${path} has no ${found} any more: the guard moved`);
  await writeFile(path, altered);
}
