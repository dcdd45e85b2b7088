// Owns the proof of faults 4, 5, 7, 40 and 41: a host that is killed at any step of an install, update, rollback or uninstall
// leaves exactly the old or exactly the new, code and data together; accepted jobs end as they would have.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Instance } from '../../../runtime/instance/instance.ts';
import { begin, giveKeys, install, note, only, openSmallHost, pairOf, recover, SPACE, type Found, type Scenario } from './small-host.ts';

/** `starts`: what is there before. `pairs`: code and data that may be seen at all. `ends`: what has to be there in the end;
 *  `snapshots` by their kind, `keys` and the like where the job decides about them. */
interface Case { starts: 'nothing' | 'installed' | 'updated' | 'trashed'; pairs: string[]; ends: string; state: 'complete' | 'failed'; snapshots: string[]; keys?: string }

const OLD = 'good-1 a=1 format=-';
const NEW = 'good-2 a=2 format=2';
const CASES: Record<Scenario, Case> = {
  install: { starts: 'nothing', pairs: ['good-1 a=- format=-'], ends: 'good-1 a=- format=-', state: 'complete', snapshots: [] },
  update: { starts: 'installed', pairs: [OLD, 'good-2 a=1 format=2'], ends: 'good-2 a=1 format=2', state: 'complete', snapshots: ['automatic'] },
  'bad update': { starts: 'installed', pairs: [OLD], ends: OLD, state: 'failed', snapshots: ['automatic', 'replaced'] },
  rollback: { starts: 'updated', pairs: [NEW, 'good-1 a=2 format=2'], ends: 'good-1 a=2 format=2', state: 'complete', snapshots: ['automatic', 'automatic'] },
  'rollback with data': { starts: 'updated', pairs: [NEW, OLD], ends: OLD, state: 'complete', snapshots: ['automatic', 'replaced'] },
  'uninstall, data kept': { starts: 'installed', pairs: [OLD], ends: 'kept a=1 format=-', state: 'complete', snapshots: [], keys: 'none' },
  'uninstall into the trash': { starts: 'installed', pairs: [OLD], ends: 'trashed a=1 format=-', state: 'complete', snapshots: [], keys: 'an app with its keys' },
  'restore as a Collection': { starts: 'trashed', pairs: [], ends: 'kept a=1 format=-', state: 'complete', snapshots: [], keys: 'none' },
};

const folders: string[] = [];
/** Folders to start from, and one for what Node.js keeps of the modules of the processes. */
let templates: Record<Case['starts'] | 'cache', string>;

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ownspace-kill-'));
  folders.push(folder);
  return folder;
}

beforeAll(async () => {
  const [nothing, installed, updated, trashed] = [await newFolder(), await newFolder(), await newFolder(), await newFolder()];
  const host = await openSmallHost(installed);
  await host.installations.ended((await install(host)).id);
  await note(host.data, (await only(host)) as Instance, { key: 'a', n: 1 });
  await giveKeys(host, (await only(host)) as Instance);
  await host.close();
  await cp(installed, updated, { recursive: true });
  await cp(installed, trashed, { recursive: true });
  const without = await openSmallHost(trashed);
  await without.installations.ended((await begin(without, 'uninstall into the trash')).id);
  await without.close();
  const later = await openSmallHost(updated);
  await later.installations.ended((await begin(later, 'update')).id);
  await note(later.data, (await only(later)) as Instance, { key: 'a', n: 2 });
  await later.close();
  templates = { nothing, installed, updated, trashed, cache: await newFolder() };
  await run(await newFolder()); // one that is not killed keeps its modules for the others
}, 60_000);
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

/** Look at what the last one left in `left`, then do the job in `folder` and be killed.
 *  @returns whether it was killed, else it had fewer steps than that; and what was found in `left` */
async function run(left: string, folder = '', scenario = '', step = 0): Promise<{ wasKilled: boolean; found: Found | undefined }> {
  const program = fileURLToPath(new URL('./small-host.ts', import.meta.url));
  const env = { ...process.env, NODE_COMPILE_CACHE: templates.cache };
  const child = spawn(process.execPath, [program, left, folder, scenario, String(step)], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  const printed = await text(child.stdout);
  const [code, signal] = await exited;
  expect(signal ?? code, scenario).toBe(signal === null ? 0 : 'SIGKILL');
  return { wasKilled: signal !== null, found: printed === '' ? undefined : JSON.parse(printed) as Found };
}

function check({ atStart, end, state, snapshots, keys }: Found, expected: Case): void {
  if (atStart !== undefined) expect(expected.pairs).toContain(atStart);
  expect({ end, state, snapshots }).toEqual({ end: expected.ends, state: expected.state, snapshots: expected.snapshots });
  if (expected.keys === undefined) return;
  expect(keys.atStart).not.toBe('an app without its keys');
  expect(keys.end).toBe(expected.keys);
}

/** Those that move data, or write nothing down before they begin, are killed at every step, the others only in their middle unless KILL_EVERY_STEP is set. */
const MOVES_DATA: readonly Scenario[] = ['update', 'bad update', 'rollback with data', 'restore as a Collection'];

test.concurrent.each(Object.entries(CASES) as [Scenario, Case][])('%s: killed at every step it ends as it would have, with code and data that belong together', { timeout: 120_000 }, async (scenario, expected) => {
  const isThorough = MOVES_DATA.includes(scenario) || process.env['KILL_EVERY_STEP'] !== undefined;
  const steps = isThorough ? Infinity : 3;
  let left = '';
  let step = isThorough ? 0 : 1;
  for (let isOver = false; !isOver && step < steps; step += 1) {
    const folder = await newFolder();
    await cp(templates[expected.starts], folder, { recursive: true });
    const { wasKilled, found } = await run(left, folder, scenario, step);
    if (found) checkAt(step - 1, found);
    isOver = !wasKilled;
    left = folder;
  }
  expect(step).toBeGreaterThan(2);
  checkAt(step - 1, (await run(left)).found!);

  function checkAt(at: number, found: Found): void {
    try {
      check(found, expected);
    } catch (error) {
      throw new Error(`killed at step ${at}: ${(error as Error).message}`, { cause: error });
    }
  }
});

test('what a rollback with data put aside comes back, and what is in the trash', async () => {
  const folder = await newFolder();
  await cp(templates.updated, folder, { recursive: true });
  const host = await openSmallHost(folder);
  const instance = (await only(host)) as Instance;
  const job = await host.installations.ended((await begin(host, 'rollback with data')).id);
  expect(await pairOf(host)).toBe(OLD);
  await host.snapshotsOf(instance).restore(job.replacedId ?? '');
  expect(await pairOf(host)).toBe('good-1 a=2 format=2');
  await host.installations.ended((await begin(host, 'uninstall into the trash')).id);
  const [trashed] = await host.trash.list(SPACE);
  await host.trash.restore(trashed!);
  expect(await pairOf(host)).toBe('good-1 a=2 format=2');
  await host.close();
});

test('the control: where the data do not go back, a bad update leaves a mix, and the check sees it', async () => {
  const folder = await newFolder();
  await cp(templates.installed, folder, { recursive: true });
  const host = await openSmallHost(folder, { isUnguarded: true });
  await host.installations.ended((await begin(host, 'bad update')).id);
  const found = await recover(host);
  await host.close();
  expect(found.end).toBe('good-1 a=1 format=2');
  expect(() => check(found, CASES['bad update'])).toThrow();
});
