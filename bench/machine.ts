// Owns the facts without which a result cannot be read later: when, on what, with which versions.
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { LOAD_PROGRAM } from './load.ts';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

export interface Machine {
  date: string;
  cpu: string;
  cores: number;
  memoryGb: number;
  system: string;
  /** One-minute load when the run began: above 1 something else was at work. */
  loadAverage: number;
  versions: Record<string, string>;
  load: string;
}

export async function describeMachine(): Promise<Machine> {
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    loadAverage: Number((loadavg()[0] ?? 0).toFixed(2)),
    versions: {
      ownspace: await versionOf('package.json'),
      node: process.versions.node,
      workerd: await versionOf('node_modules/workerd/package.json'),
      'classic-level': await versionOf('node_modules/classic-level/package.json'),
    },
    load: LOAD_PROGRAM,
  };
}

async function versionOf(manifest: string): Promise<string> {
  const text = await readFile(`${ROOT}/${manifest}`, 'utf8').catch(() => '{}');
  return (JSON.parse(text) as { version?: string }).version ?? 'not installed';
}
