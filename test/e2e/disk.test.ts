// A host whose disk is full, has no file entries left, is read-only, slow, or gives no more descriptors: faults 19, 22, 23,
// 24, 25 and 32 through HTTP. What is refused says why, what can go on goes on, and all of it heals without a restart.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request, type ClientRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { WireCollection } from '../../core/wire.ts';
import { HAS_SHIM, faultyDisk } from '../sandbox-data/fault/shim.ts';
import { removeFolder, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { send, Visitor, type TestResponse } from '../support/http.ts';
import { MAY_MOUNT, smallDisk } from '../support/small-disk.ts';
import { PASSWORD, settleOwner, until } from './people.ts';

const LOOP_WATCH = new URL('../support/loop-watch.js', import.meta.url).href;

interface Setting {
  host: HostProcess;
  put(key: string, value?: unknown): Promise<TestResponse>;
  get(key: string): Promise<TestResponse>;
  upload(name: string, bytes: number): Promise<TestResponse>;
  download(name: string): Promise<TestResponse>;
  remove(names: string[]): Promise<TestResponse>;
  signIn(): Promise<number>;
  /** What a signed-in person sees who makes a token on the dashboard. */
  makeToken(): Promise<TestResponse>;
  damage(): Promise<unknown[]>;
  downloadRequest(name: string): { url: string; headers: Record<string, string> };
}

/** A host with a Collection that has an Item and a File. */
async function setUp(dataFolder: string, env: Record<string, string> = {}): Promise<Setting> {
  const host = await startHostProcess({ dataFolder, env });
  onTestFinished(() => host.kill());
  const ada = await settleOwner(host);
  onTestFinished(() => ada[Symbol.asyncDispose]());
  const { id } = (await ada.api('POST', '/collections', { name: 'data' })).json<WireCollection>();
  const { value: key } = (await ada.api('POST', `/collections/${id}/keys`, { name: 'key' })).json<{ value: string }>();
  const headers = { 'x-api-key': key };
  const signedIn = async (): Promise<Visitor> => {
    const browser = new Visitor();
    await browser.submit(`${host.url}/login`, { username: 'ada', password: PASSWORD });
    return browser;
  };
  const setting: Setting = {
    host,
    put: (itemKey, value = 1) => send(`${host.url}/base/v1/${id}/b/items`, { method: 'PUT', headers, body: { items: [{ key: itemKey, value }] } }),
    get: (itemKey) => send(`${host.url}/base/v1/${id}/b/items/${itemKey}`, { headers }),
    upload: (name, bytes) => send(`${host.url}/drive/v1/${id}/d/files?name=${name}`, { method: 'POST', headers, body: Buffer.alloc(bytes, 'x') }),
    download: (name) => send(`${host.url}/drive/v1/${id}/d/files/download?name=${name}`, { headers }),
    remove: (names) => send(`${host.url}/drive/v1/${id}/d/files`, { method: 'DELETE', headers, body: { names } }),
    signIn: async () => (await (await signedIn()).visit(`${host.url}/api/v0/space`)).status,
    makeToken: async () => (await signedIn()).submit(`${host.url}/tokens`, { name: 'made on a bad disk' }),
    downloadRequest: (name) => ({ url: `${host.url}/drive/v1/${id}/d/files/download?name=${name}`, headers }),
    damage: async () => (await ada.api('GET', `/collections/${id}/damage`)).json<{ damage: unknown[] }>().damage,
  };
  expect((await setting.put('kept')).status).toBe(207);
  expect((await setting.upload('kept', 5000)).status).toBe(201);
  return setting;
}

async function readsAndSignsIn({ get, download, signIn }: Setting): Promise<void> {
  expect((await get('kept')).status).toBe(200);
  expect((await download('kept')).bytes.length).toBe(5000);
  expect(await signIn(), 'somebody signs in').toBe(200);
}

async function tempData(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ownspace-'));
  onTestFinished(() => removeFolder(folder));
  return folder;
}

describe.skipIf(!MAY_MOUNT)('on a small disk', () => {
  test('fault 19: full, writes get 507 and say why; reads and signing in go on; with room again it goes on by itself', async () => {
    const disk = await smallDisk('size=96m');
    const setting = await setUp(join(disk, 'data'));
    let uploaded = 0;
    let answer: TestResponse;
    do answer = await setting.upload(`f${uploaded++}`, 4_000_000);
    while (answer.status === 201 && uploaded < 40);
    expect(answer.status).toBe(507);
    expect(answer.json()).toMatchObject({ code: 'STORE_FULL', errors: [expect.stringContaining('full')] });
    // The log comes through a pipe of its own, perhaps after the answer.
    await until(async () => (setting.host.stderr() + setting.host.stdout()).includes('STORE_FULL'), 'the log says so');
    await readsAndSignsIn(setting);
    // Deleting is how room is made.
    const names = Array.from({ length: uploaded - 1 }, (_, n) => `f${n}`);
    const removed = await setting.remove(names.slice(0, 5));
    expect(removed.status).toBe(200);
    await until(async () => (await setting.put('again')).status === 207, 'it heals after deleting');
    // Now for good: somebody else takes all of it.
    const ballast = join(disk, 'ballast');
    await writeFile(ballast, Buffer.alloc(100_000_000)).catch(() => {});
    await until(async () => (await setting.put('no')).status === 507, 'it is full again');
    expect((await setting.upload('no', 100)).status).toBe(507);
    await readsAndSignsIn(setting);
    await rm(ballast);
    await until(async () => (await setting.put('after')).status === 207, 'it heals');
    expect((await setting.upload('after', 1000)).status).toBe(201);
    expect((await setting.get('after')).status).toBe(200);
    await readsAndSignsIn(setting);
    expect(await setting.damage()).toEqual([]);
  });

  test('fault 23: without file entries left it is as with a full disk', async () => {
    const disk = await smallDisk('size=200m,nr_inodes=3000');
    const setting = await setUp(join(disk, 'data'));
    await mkdir(join(disk, 'ballast'));
    for (let made = 0; made < 3000; made += 1) {
      const isMade = await writeFile(join(disk, 'ballast', String(made)), '').then(() => true, () => false);
      if (!isMade) break;
    }
    await until(async () => (await setting.put('no')).status === 507, 'writes are refused');
    expect((await setting.upload('no', 1000)).status).toBe(507);
    await readsAndSignsIn(setting);
    await rm(join(disk, 'ballast'), { recursive: true });
    await until(async () => (await setting.put('after')).status === 207, 'it heals');
    expect((await setting.upload('after', 1000)).status).toBe(201);
    expect((await setting.get('after')).status).toBe(200);
  });
});

describe.skipIf(!HAS_SHIM)('above a disk that fails', () => {
  test('fault 24: read-only, writes get 503 with Retry-After, reads and signing in go on, the process stays', async () => {
    const dataFolder = await tempData();
    const disk = await faultyDisk(dataFolder);
    const setting = await setUp(dataFolder, disk.env);
    await disk.rules('write erofs 0', 'openwrite erofs 0', 'fsync erofs 0', 'rename erofs 0');
    for (let n = 0; n < 3; n += 1) {
      const refused = await setting.put('no');
      expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': expect.any(String) } });
      expect(refused.json().code).toBe('STORE_UNAVAILABLE');
      expect((await setting.upload('no', 10)).status).toBe(503);
      await readsAndSignsIn(setting);
    }
    const page = await setting.makeToken();
    expect(page.status).toBe(503);
    expect(page.text, 'a page says why').toContain('The data store does not answer');
    expect(setting.host.stderr() + setting.host.stdout(), 'and so does the log').toContain('STORE_UNAVAILABLE');
    await disk.rules();
    await until(async () => (await setting.put('after')).status === 207, 'it heals');
    expect((await setting.get('after')).status).toBe(200);
    expect((await setting.makeToken()).status, 'the control').toBe(200);
  });

  test('fault 25: with 2 s a sync and 100 ms a read, nothing else waits for them, and too much is refused', { timeout: 120_000 }, async () => {
    const dataFolder = await tempData();
    const disk = await faultyDisk(dataFolder);
    const setting = await setUp(dataFolder, disk.env);
    await disk.rules('fsync slow 2000', 'read slow 100');
    let isOver = false;
    const slowest = { item: 0, page: 0 };
    const probe = async (what: keyof typeof slowest, ask: () => Promise<TestResponse>): Promise<void> => {
      while (!isOver) {
        const start = performance.now();
        expect([200, 404]).toContain((await ask()).status);
        slowest[what] = Math.max(slowest[what], performance.now() - start);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const probes = [probe('item', () => setting.get('kept')), probe('page', () => send(`${setting.host.url}/api/v0/nothing`))];
    const answers = await Promise.all([
      ...Array.from({ length: 2500 }, (_, n) => setting.put(`k${n}`)),
      ...Array.from({ length: 20 }, (_, n) => setting.upload(`f${n}`, 1000)),
    ]);
    isOver = true;
    await Promise.all(probes);
    const count = (status: number): number => answers.filter((one) => one.status === status).length;
    console.log(`slow disk: ${count(207)} Items and ${count(201)} Files written, ${count(503)} refused; a get took ${slowest.item.toFixed(0)} ms at most, an answer without data ${slowest.page.toFixed(0)} ms`);
    expect(count(207) + count(201) + count(503)).toBe(answers.length);
    expect(count(503), 'too much').toBeGreaterThan(0);
    for (const refused of answers.filter(({ status }) => status === 503)) expect(refused.headers['retry-after']).toBeDefined();
    // 2,500 requests at once take their own time, here too; what waiting for the disk would add is many seconds.
    expect(slowest.page).toBeLessThan(5000);
    expect(slowest.item).toBeLessThan(5000);
  });

  test('fault 25: the loop of the front door is not held up by 300 writes that wait for the disk', { timeout: 90_000 }, async () => {
    const dataFolder = await tempData();
    const disk = await faultyDisk(dataFolder);
    const watch = join(await tempData(), 'loop');
    expect(watchedLoop(watch), 'the control: a loop that is held up').toBeGreaterThan(350);
    const setting = await setUp(dataFolder, { ...disk.env, NODE_OPTIONS: `--import=${LOOP_WATCH}`, LOOP_WATCH: watch });
    const heldUp = async (work: () => Promise<unknown>): Promise<number> => {
      process.kill(pidOf(setting.host), 'SIGUSR2');
      await until(() => readFile(watch).then(() => true, () => false), 'the watch answers');
      await rm(watch);
      await work();
      process.kill(pidOf(setting.host), 'SIGUSR2');
      return Number(await until(() => readFile(watch, 'utf8').catch(() => undefined), 'the watch answers'));
    };
    const write = async (name: string): Promise<void> => {
      const answers = await Promise.all([
        ...Array.from({ length: 280 }, (_, n) => setting.put(`${name}${n}`)),
        ...Array.from({ length: 20 }, (_, n) => setting.upload(`${name}${n}`, 50_000)),
      ]);
      expect(answers.filter(({ status }) => status >= 300)).toEqual([]);
    };
    await write('warm');
    const usual = await heldUp(() => write('fast'));
    await disk.rules('fsync slow 2000', 'read slow 100');
    const slow = await heldUp(() => write('slow'));
    console.log(`slow disk: the loop was held up for ${slow.toFixed(0)} ms at most, ${usual.toFixed(0)} ms on a good disk`);
    expect(slow).toBeLessThan(Math.max(200, 2 * usual));
  });
});

/** What the watch says of a loop that is busy for 400 ms. */
function watchedLoop(watch: string): number {
  const busy = 'setTimeout(() => { for (const end = Date.now() + 400; Date.now() < end;); setTimeout(() => process.kill(process.pid, "SIGUSR2"), 50); setTimeout(() => {}, 500); }, 50)';
  execFileSync(process.execPath, ['--import', LOOP_WATCH, '-e', busy, 'ownspace.js'], { env: { ...process.env, LOOP_WATCH: watch } });
  const heldUpMs = Number(readFileSync(watch, 'utf8'));
  rmSync(watch);
  return heldUpMs;
}

describe('fault 22: a host without descriptors', () => {
  test('refuses what is new, serves who is there, and recovers', async () => {
    const setting = await setUp(await tempData());
    // The host itself, not the npm above it: whoever listens.
    execFileSync('prlimit', ['--pid', String(pidOf(setting.host)), '--nofile=200:200']);
    const standing = new Keeper(setting.host.port);
    expect(await standing.ask()).toContain('HTTP/1.1 ');
    const crowd: Socket[] = [];
    for (let n = 0; n < 300; n += 1) crowd.push(connect(setting.host.port, '127.0.0.1').on('error', () => {}));
    const pid = pidOf(setting.host);
    await until(async () => measured(pid).descriptors >= 195, 'it has no descriptors left');
    const late: Keeper[] = [];
    await until(async () => {
      const one = new Keeper(setting.host.port);
      late.push(one);
      return await answerOf(one) === 'refused';
    }, 'the control: nobody else is served');
    for (const one of late) one.close();
    expect(await standing.ask(), 'who is there is served').toContain('HTTP/1.1 ');
    for (const socket of crowd) socket.destroy();
    await until(async () => (await setting.get('kept').catch(() => undefined))?.status === 200, 'it recovers');
    expect((await setting.put('after')).status).toBe(207);
    expect((await setting.upload('after', 100)).status).toBe(201);
    standing.close();
  });
});

describe('fault 32: clients that vanish in the middle of an answer', () => {
  const VANISH = Number(process.env['VANISH_ROUNDS'] ?? 1500);

  test(`${VANISH} times: descriptors and memory stay flat`, { timeout: 120_000 }, async () => {
    const setting = await setUp(await tempData());
    expect((await setting.upload('big', 8_000_000)).status).toBe(201);
    const pid = pidOf(setting.host);
    const idle = await settled(pid);
    // Enough for the heap to reach its working size: what grows from here on is kept by somebody.
    for (let done = 0; done < 400; done += 50) await vanish(setting, 50);
    await until(async () => measured(pid).descriptors <= idle + 5, 'the first ones are gone');
    const before = measured(pid);
    const stay = await holdOpen(setting, 30);
    expect(measured(pid).descriptors, 'the control: those who stay are seen').toBeGreaterThan(before.descriptors + 30);
    stay();
    for (let done = 0; done < VANISH; done += 50) await vanish(setting, 50);
    await until(async () => measured(pid).descriptors <= before.descriptors + 5, 'descriptors are given back');
    const after = measured(pid);
    console.log(`${VANISH} vanished: ${before.descriptors} -> ${after.descriptors} descriptors, ${before.residentMb} -> ${after.residentMb} MB`);
    // A fifth of a megabyte for each: fewer than what one connection's buffers hold, and room for V8 to be lazy.
    expect(after.residentMb).toBeLessThan(before.residentMb + 300);
    expect((await setting.download('big')).bytes.length).toBe(8_000_000);
  });

  /** A host that has just come up makes more ready, which holds descriptors for good. */
  async function settled(pid: number): Promise<number> {
    let [last, same] = [0, 0];
    await until(async () => {
      const now = measured(pid).descriptors;
      same = now === last ? same + 1 : 0;
      last = now;
      return same >= 40;
    }, 'descriptors stand still');
    return last;
  }

  /** Downloads that nobody reads on. @returns how they vanish */
  async function holdOpen(setting: Setting, count: number): Promise<() => void> {
    const { url, headers } = setting.downloadRequest('big');
    const all = await Promise.all(Array.from({ length: count }, () => new Promise<ClientRequest>((resolve) => {
      const outgoing = request(url, { headers, agent: false }, () => resolve(outgoing));
      outgoing.on('error', () => {}).end();
    })));
    return () => all.forEach((one) => one.destroy());
  }

  async function vanish(setting: Setting, count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => new Promise<void>((resolve) => {
      const { url, headers } = setting.downloadRequest('big');
      const outgoing = request(url, { headers, agent: false });
      outgoing.on('response', (incoming) => incoming.once('data', () => outgoing.destroy()));
      outgoing.on('error', () => {});
      outgoing.on('close', () => resolve());
      outgoing.end();
    })));
  }
});

async function answerOf(keeper: Keeper): Promise<string> {
  return Promise.race([keeper.ask().catch(() => 'refused'), new Promise<string>((resolve) => setTimeout(resolve, 500, 'refused'))]);
}

/** One connection that is kept open. */
class Keeper {
  readonly #socket: Socket;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
  }

  ask(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#socket.once('data', (bytes) => resolve(bytes.toString()));
      this.#socket.once('error', reject);
      this.#socket.write('GET /login HTTP/1.1\r\nhost: localhost\r\n\r\n');
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Of the process that listens. */
function pidOf({ port }: HostProcess): number {
  const inode = readFileSync('/proc/net/tcp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
    .find(([, local, , state]) => state === '0A' && Number.parseInt(local?.split(':')[1] ?? '', 16) === port)?.[9];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (linksOf(pid).includes(`socket:[${inode}]`)) return Number(pid);
  }
  throw new Error(`nobody listens on ${port}`);
}

function linksOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((name) => { try { return readlinkSync(`/proc/${pid}/fd/${name}`); } catch { return ''; } });
  } catch {
    return [];
  }
}

function measured(pid: number): { descriptors: number; residentMb: number } {
  const descriptors = readdirSync(`/proc/${pid}/fd`).length;
  const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { descriptors, residentMb: Math.round(Number(resident) / 1024) };
}
