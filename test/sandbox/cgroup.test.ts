// Covers what a control group limits, as the kernel says it: where this machine has no groups there is nothing to look at, and
// its level says so.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Groups, openGroups } from '../../sandbox/cgroup.ts';

const MEMORY = 64 * 1024 ** 2;
let groups: Groups | undefined;
beforeAll(async () => { groups = await openGroups(); });
afterAll(() => groups?.close());

/** File -> what stands in it, of those that this kernel has. */
async function limitsOf(names: readonly string[]): Promise<Record<string, string>> {
  const group = await groups?.make({ memoryBytes: MEMORY, processes: 10 });
  const files = (group?.joins ?? []).flatMap((file) => names.map((name) => [name, join(dirname(file), name)] as const)).filter(([, path]) => existsSync(path));
  const found = Object.fromEntries(files.map(([name, path]) => [name, readFileSync(path, 'utf8').trim()]));
  await group?.remove();
  return found;
}

it('who takes more memory than it may is ended and not swapped out: swap counts too, or is shut until it stands still', async () => {
  const expected: Record<string, string> = {
    'memory.limit_in_bytes': String(MEMORY), 'memory.memsw.limit_in_bytes': String(MEMORY), // version 1
    'memory.max': String(MEMORY), 'memory.swap.max': '0', 'memory.oom.group': '1', // version 2
    'pids.max': '10',
  };
  const found = await limitsOf(Object.keys(expected));
  expect(found).toEqual(Object.fromEntries(Object.keys(found).map((name) => [name, expected[name]])));
  expect(Object.keys(found).length).toBeGreaterThanOrEqual(groups ? 2 : 0);
});

it('opening them again finds the same place, not one inside of the other', async () => {
  const again = await openGroups();
  expect(again?.folders.map(dirname)).toEqual(groups?.folders.map(dirname));
  await again?.close();
});
