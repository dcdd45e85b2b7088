// Covers Cells that are started ahead on a machine that cannot start any right now: the host goes on, and tries again.
import { expect, test } from 'vitest';
import { CellPool } from '../../../runtime/engine/cell/pool.ts';
import type { CellProcess } from '../../../runtime/engine/cell/process.ts';

test('a pool whose Cells cannot be started tells so, harms nobody, and fills up later', async () => {
  const told: unknown[] = [];
  let tries = 0;
  const cell = { isDead: false, isReady: true, pid: 7, ready: Promise.resolve(), exited: Promise.resolve(), kill() {} } as unknown as CellProcess;
  const spawn = async (): Promise<CellProcess> => {
    tries += 1;
    if (tries === 1) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
    return cell;
  };
  const pool = new CellPool(1, spawn, (error) => told.push(error));
  pool.fill();
  await expect.poll(() => pool.pids).toEqual([7]);
  expect(told).toMatchObject([{ code: 'EMFILE' }]);
  await pool.close();
});
