// Owns reading a package.json, and what of it is missing in a folder.
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { buildFailed } from './failure.ts';
import { readInside } from './source-file.ts';
import type { ToolchainJob } from './toolchain.ts';

export interface Manifest { dependencies?: Record<string, string>; devDependencies?: Record<string, string>; packageManager?: unknown; [field: string]: unknown }

/** Undefined when there is none. @throws BUILD_FAILED */
export async function readManifest(job: ToolchainJob): Promise<Manifest | undefined> {
  const text = (await readInside(job.folder, 'package.json'))?.toString();
  if (text === undefined) return undefined;
  try {
    const manifest = JSON.parse(text.replace(/^\uFEFF/, '')) as unknown;
    if (typeof manifest === 'object' && manifest !== null) return manifest as Manifest;
  } catch (error) {
    throw buildFailed(job, `package.json is not valid JSON (${(error as Error).message})`);
  }
  throw buildFailed(job, 'package.json is not a JSON object');
}

/** True when every package came with the source, or there are none. */
export async function isVendored(job: ToolchainJob, manifest: Manifest, which: { dev: boolean; provided: ReadonlySet<string> }): Promise<boolean> {
  const names = Object.keys({ ...manifest.dependencies, ...(which.dev && manifest.devDependencies) }).filter((name) => !which.provided.has(name));
  const found = await Promise.all(names.map((name) => access(join(job.folder, 'node_modules', name, 'package.json')).then(() => true, () => false)));
  return found.every(Boolean);
}
