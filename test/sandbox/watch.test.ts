// Covers looking at processes from outside.
import { expect, it } from 'vitest';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { childrenOf } from '../../sandbox/watch.ts';

it('a thread that ends while it is looked at hides no child of the others', async () => {
  const parent = spawn(process.execPath, ['-e', `
    const { spawn } = require('node:child_process');
    const { Worker } = require('node:worker_threads');
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    process.on('exit', () => child.kill());
    process.on('SIGTERM', () => process.exit());
    const again = () => new Worker('', { eval: true }).on('exit', again);
    for (let at = 0; at < 4; at += 1) again();
    console.log(child.pid);
  `], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await once(parent.stdout, 'data') as [Buffer];
  const child = Number(said.toString());
  const missed = Array.from({ length: 2000 }, () => childrenOf(parent.pid!)).filter((children) => !children.includes(child));
  parent.kill();
  await once(parent, 'exit');
  expect(missed).toEqual([]);
});
