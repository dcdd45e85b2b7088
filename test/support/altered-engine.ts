// Owns an isolate Engine whose source was altered, see altered-source.ts.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { copyAltered, type Alterations } from './altered-source.ts';
import { type IsolateBench, openIsolateBench } from './isolate-instance.ts';

const PARTS = ['core', 'sandbox', 'runtime'];

/** @param limits of the Engine */
export async function openAlteredBench(alterations: Alterations, limits: object = {}): Promise<IsolateBench> {
  const folder = await copyAltered(PARTS, alterations);
  const { createIsolateEngine } = (await import(/* @vite-ignore */ pathToFileURL(join(folder, 'runtime/engine/isolate.ts')).href)) as typeof import('../../runtime/engine/isolate.ts');
  const bench = await openIsolateBench({ limits }, createIsolateEngine);
  return { ...bench, close: async () => { await bench.close(); await rm(folder, { recursive: true, force: true }); } };
}
