// The command in a terminal of its own, which the program `script` provides. That terminal has no width, as those of many
// programs that drive others.
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TOKEN, startFakeHost } from '../client/fake-host.ts';
import { makeWorkplace } from './run-space.ts';

const hasScript = spawnSync('script', ['--version']).status === 0;

test.skipIf(!hasScript)('progress in a terminal without a width ends when the work does', { timeout: 20_000 }, async () => {
  await using host = await startFakeHost();
  await using place = await makeWorkplace({ Spacefile: 'v: 0\nmicros: [{name: api, src: ., engine: isolate}]\n', 'index.js': '', '.space/meta': '{"id":"proj1"}' });
  // Long enough that a spinner would be drawn.
  let delays = 0;
  host.intercept = (call) => (/promotions\/dev/.test(call.path) && (delays += 1) < 6 ? { json: { id: 'x', status: 'running' } } : undefined);
  const { CI: _, ...own } = process.env;
  const env = { ...own, HOME: place.homeDir, SPACE_ROOT: host.root, SPACE_ACCESS_TOKEN: TOKEN, TERM: 'xterm' };
  // A drawing that never ends hears no other signal.
  const command = `stty cols 0 rows 0; timeout --foreground -s KILL 12 "${process.execPath}" "${join(import.meta.dirname, '../../bin/space.js')}" push`;
  const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: place.dir, env, stdio: ['pipe', 'pipe', 'inherit'], timeout: 15_000, killSignal: 'SIGKILL' });
  const out = Buffer.concat(await child.stdout.toArray()).toString();
  expect(out).toContain('Builder Instance: http://guestbook-a1111111.localhost:4400/');
  expect(out.length).toBeLessThan(10_000);
});
