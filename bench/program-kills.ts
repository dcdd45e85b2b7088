// The row of an end: a box with a tree of processes in it, some of which ignore every signal that they can, until nothing of it
// is left. There is no way to see that moment through a host, so the sandbox is asked itself.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareBoxes } from '../sandbox/box-test.ts';
import { scoreOfTimes } from './first-request.ts';
import { goalOf, PRODUCT } from './harness.ts';
import type { Effort, RowResult } from './harness.ts';

const MARK = 'bench-of-kills';
const TREE = `trap '' TERM HUP INT; for i in 1 2 3 4 5 6 7 8; do sh -c "trap '' TERM HUP INT; sleep 1000 & setsid sleep 1000; : ${MARK}" & done; echo up; wait`;
const LIMITS = { memoryMb: 128, processes: 100, openFiles: 128, tmpMb: 16, tmpFiles: 100 };
const P99_MAX_MS = 15;

export async function measureProgramKills({ rounds, withProduct }: Effort): Promise<RowResult[]> {
  if (!withProduct) return [];
  const count = Number(process.env['BENCH_KILLS'] ?? rounds * 40);
  await using started = new AsyncDisposableStack();
  const folder = started.adopt(await mkdtemp(join(tmpdir(), 'bench-kills-')), (path) => rm(path, { recursive: true, force: true }));
  const ground = started.adopt(await prepareBoxes({ folder: join(folder, 'boxes'), isUnsafe: false }), (open) => open.close());
  const times: number[] = [];
  for (let round = 0; round < count; round += 1) {
    const box = await ground.boxes().start({ command: ['/bin/sh', '-c', TREE], env: {}, cwd: '/', limits: LIMITS });
    await new Promise((resolve) => box.stdout.once('data', resolve));
    const begin = performance.now();
    await box.kill();
    times.push(performance.now() - begin);
  }
  const survivors = await countSurvivors();
  const score = scoreOfTimes(times);
  const row = `kill of 25 processes, ${ground.report.level}, ${process.getuid?.() === 0 ? 'as root' : 'rootless'}, ${count} times`;
  return [{
    bench: 'program-kills', row, unit: 'ms', scores: { [PRODUCT]: score }, ratios: {},
    goals: [goalOf(`p99 at most ${P99_MAX_MS} ms by ${PRODUCT}`, score.p99Ms!, score.p99Ms! <= P99_MAX_MS), goalOf(`none survives ${PRODUCT}`, survivors, survivors === 0)],
  }];
}

async function countSurvivors(): Promise<number> {
  const commands = await Promise.all((await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')));
  return commands.filter((command) => command.includes(MARK)).length;
}
