// Covers the launcher: what is started by it loses nothing of what it says, and ends with it; the host goes on with another.
import { readFileSync, readlinkSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { keepTail, launch } from '../../sandbox/launch.ts';
import type { Launched } from '../../sandbox/launcher.ts';
import { readUsage } from '../../sandbox/watch.ts';
import { launchersOf } from '../support/started.ts';

const sh = (script: string): Promise<Launched> => launch({ command: ['/bin/sh', '-c', script], stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
const launchers = (): number[] => launchersOf(process.pid);

it('loses nothing of a process that said all it had to say and was gone at once', async () => {
  const all = await Promise.all(Array.from({ length: 40 }, async (_, at) => {
    const { stdio, closed } = await sh(`echo out ${at}; echo err ${at} >&2; echo more ${at} >&3; exit 3`);
    const said = [1, 2, 3].map((place) => keepTail(stdio[place]));
    return [(await closed()).code, ...said.map((tail) => tail())];
  }));
  expect(all).toEqual(all.map((_, at) => [3, `out ${at}\n`, `err ${at}\n`, `more ${at}\n`]));
});

it('waits with what nobody has read yet', async () => {
  const { stdio, exited, closed } = await sh('head -c 100000 /dev/zero; exit 0');
  await new Promise((resolve) => setTimeout(resolve, 100));
  let bytes = 0;
  stdio[1]!.on('data', (chunk: Buffer) => { bytes += chunk.length; });
  expect((await exited).code).toBe(0);
  await closed();
  expect(bytes).toBe(100_000);
});

it.each([['forwarder-x64', []], ['forwarder.ts', [process.execPath]]])('lets %s wait for what it is told late', async (name, before) => {
  const forwarder = fileURLToPath(new URL(`../../sandbox/forwarder/${name}`, import.meta.url));
  const { stdio, closed } = await launch({ command: [...before, forwarder, 'control:3', '--', '/bin/sh', '-c', 'echo $LATE'], stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  const [said, errors] = [keepTail(stdio[1]), keepTail(stdio[2])];
  await new Promise((resolve) => setTimeout(resolve, 300));
  stdio[3]!.write(Buffer.from('\x0c\0\0\0LATE=at all\0'));
  expect([(await closed()).code, said(), errors().replace(/.*ExperimentalWarning.*\n.*\n/, '')]).toEqual([0, 'at all\n', '']);
});

it('says why a process could not be started', async () => {
  await expect(launch({ command: ['/bin/true'], cwd: '/nowhere', isOnItsOwn: true, stdio: ['ignore', 'pipe'] })).rejects.toMatchObject({ code: 'ENOENT' });
});

it('takes all that it started along when it is killed, and the next is started by a new one', async () => {
  const [one, other] = await Promise.all([sh('exec sleep 1000'), sh('exec sleep 1000')]);
  const [first] = launchers();
  process.kill(first!, 'SIGKILL');
  expect(await one.exited).toEqual({ code: null, signal: 'SIGKILL' });
  await other.closed();
  await expect.poll(() => readUsage(one.pid)).toBeUndefined();
  const { stdio, closed } = await sh('echo again');
  const said = keepTail(stdio[1]);
  await closed();
  expect(said()).toBe('again\n');
  expect(launchers()).not.toContain(first);
});

it('starts the next by a new one when somebody has taken its door away, and what runs goes on', async () => {
  const one = await sh('exec sleep 1000');
  const [first] = launchers();
  const door = readFileSync(`/proc/${first}/cmdline`, 'latin1').split('\0').find((part) => part.endsWith('/door'))!;
  rmSync(door);
  const { stdio, closed } = await sh('echo again');
  const said = keepTail(stdio[1]);
  await closed();
  expect(said()).toBe('again\n');
  expect(readUsage(one.pid)).toBeDefined();
  one.kill();
  await one.closed();
});

it('is closed soon after its end, whoever still holds its pipes', async () => {
  const { stdio, closed } = await sh('setsid sleep 1003 & echo $!');
  const said = keepTail(stdio[1]);
  const begin = performance.now();
  expect((await closed()).code).toBe(0);
  expect(performance.now() - begin).toBeLessThan(15_000);
  process.kill(Number(said()), 'SIGKILL');
});

it('has nothing of this process: neither its variables nor its descriptors', async () => {
  await (await sh('true')).closed();
  const [pid] = launchers();
  expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).toMatch(/^(NODE_CHANNEL_\w+=\w+\0)*$/);
  expect(readlinkSync(`/proc/${pid}/fd/0`)).toBe('/dev/null');
});
