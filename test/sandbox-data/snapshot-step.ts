// Takes, restores or drops a snapshot in the folder that it is given, and kills itself before the n-th step on the disk.
import { DISK, dropSnapshot, restoreSnapshot, takeSnapshot } from '../../sandbox-data/snapshot-files.ts';
import type { Disk } from '../../sandbox-data/snapshot-files.ts';

export type Operation = 'take' | 'restore' | 'drop';

/** The steps of the disk, of which the n-th does what `strike` says instead. */
export function strikingDisk(n: number, strike: () => void): Disk & { steps(): number } {
  let count = 0;
  const steps = Object.entries(DISK).map(([name, step]) => [name, async (...parameters: never[]) => {
    count += 1;
    if (count === n) strike();
    return (step as (...parameters: never[]) => unknown)(...parameters);
  }]);
  return { ...(Object.fromEntries(steps) as Disk), steps: () => count };
}

export async function perform(folder: string, operation: Operation, disk: Disk): Promise<void> {
  const record = { id: 'fresh', number: 2, note: '', createdAt: '2030-01-01T00:00:00.000Z' };
  switch (operation) {
    case 'take': return takeSnapshot(folder, { ...record, kind: 'manual' }, disk);
    case 'restore': return restoreSnapshot(folder, { id: 'first', replaced: { ...record, kind: 'replaced' }, adjust: async () => {} }, disk);
    case 'drop': return dropSnapshot(folder, 'first', disk);
  }
}

const [, program, folder, operation, n] = process.argv;
if (program?.endsWith('snapshot-step.ts')) {
  const disk = strikingDisk(Number(n), () => { process.kill(process.pid, 'SIGKILL'); });
  await perform(folder!, operation as Operation, disk);
  process.stdout.write(`done in ${disk.steps()} steps`);
}
