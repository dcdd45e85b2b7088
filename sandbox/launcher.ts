// Owns the launcher: the small process from which everything untrusted is started. To start a process the system copies the
// page tables of the one that asks; a host that holds much would stand still for a third of a second each time. It also keeps
// what is started from ever being a copy of the host.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface LaunchEnd { code: number | null; signal: NodeJS.Signals | null }

/** A process that runs, or did. */
export interface Launched {
  readonly pid: number;
  /** The other ends of what was asked for as `pipe`, each at its place. */
  readonly stdio: readonly (Socket | undefined)[];
  /** It ended. What it said last may still be on its way. */
  readonly exited: Promise<LaunchEnd>;
  /** @returns when it ended and its pipes are closed: by those who held them, or a little later by this side. What nobody reads by
   *  then is thrown away */
  readonly closed: () => Promise<LaunchEnd>;
  /** SIGKILL to the process and all of its group. Never throws. */
  kill(): void;
}

/** What a process finds open at one place: nothing, the other end of a socket pair, a file, bytes (base64), or what comes with
 *  the order. */
export type Place = 'ignore' | 'pipe' | { file: string } | { bytes: string } | 'handed';

export interface Launch {
  command: string[];
  env: Record<string, string>;
  cwd: string;
  stdio: Place[];
}

/** A handle of this process that the started one shall have too. */
export type Handle = { fd: number };
/** `pass`: what a pipe says first, with its place behind it. */
export type Order = Launch & { id: number; pass: string };
export type ToLauncher = Order | { kill: number };
export type FromLauncher = { id: number } & ({ pid: number } | { error: string } | LaunchEnd);

interface Job {
  id: number;
  pass: string;
  stdio: (Socket | undefined)[];
  /** Pipes that are not here yet. */
  missing: number;
  pid: number | undefined;
  resolve(launched: Launched): void;
  reject(error: Error): void;
  end: PromiseWithResolvers<LaunchEnd>;
  /** A start that hangs is none. */
  patience: NodeJS.Timeout;
}

/** What the launcher's own end did to all others. */
const LOST: LaunchEnd = { code: null, signal: 'SIGKILL' };
const PASS_BYTES = 16;
const PLACE_CHARS = 2;
const START_MAX_MS = 30_000;
const CLOSE_MAX_MS = 5_000;
let lastJob = 0;

export class Launcher {
  #process: ChildProcess;
  #jobs = new Map<number, Job>();
  #passes = new Map<string, Job>();
  /** Pipes arrive here. Nobody else can reach it. */
  #door: Server;
  #folder = mkdtempSync(join(tmpdir(), 'ownspace-launcher-'));
  #isOver = false;
  #isBroken = false;

  constructor() {
    const path = join(this.#folder, 'door');
    this.#door = createServer((socket) => this.#admit(socket)).listen(path);
    this.#door.on('error', () => this.#lose()).unref();
    process.once('exit', () => this.#lose());
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const program = fileURLToPath(new URL(`./launcher-process.${extension}`, import.meta.url));
    // A session of its own: what a terminal sends to end the host is the host's to decide about.
    this.#process = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--max-old-space-size=64', program, path], {
      env: {}, cwd: '/', stdio: ['ignore', 'ignore', 'inherit', 'ipc'], detached: true, windowsHide: true,
    });
    this.#process.on('message', (message: FromLauncher) => this.#hear(message));
    for (const event of ['exit', 'error', 'disconnect']) this.#process.on(event, () => this.#lose());
    this.#keepAwake(false);
  }

  /** It starts nothing more; what runs goes on, unless the launcher itself is gone. */
  get isOver(): boolean {
    return this.#isOver || this.#isBroken || !existsSync(join(this.#folder, 'door'));
  }

  /** @throws Error whose `code` is what the system says, when the process could not be started */
  start(launch: Launch, handle?: Handle): Promise<Launched> {
    return new Promise((resolve, reject) => {
      const id = lastJob += 1;
      const pass = randomBytes(PASS_BYTES).toString('hex');
      const patience = setTimeout(() => this.#giveUp(job), START_MAX_MS).unref();
      const job: Job = { id, pass, stdio: launch.stdio.map(() => undefined), missing: launch.stdio.filter((place) => place === 'pipe').length, pid: undefined, resolve, reject, end: Promise.withResolvers(), patience };
      if (this.#jobs.size === 0) this.#keepAwake(true);
      this.#jobs.set(id, job);
      this.#passes.set(pass, job);
      const order: Order = { ...launch, id, pass };
      this.#process.send(order, handle as Socket | undefined, (error) => { if (error) this.#fail(job, error); });
    });
  }

  #admit(socket: Socket): void {
    socket.on('error', () => {});
    const read = (): void => {
      const said = socket.read(PASS_BYTES * 2 + PLACE_CHARS) as Buffer | null;
      if (said === null) return;
      socket.off('readable', read);
      const job = this.#passes.get(said.toString('latin1', 0, PASS_BYTES * 2));
      if (!job) return void socket.destroy();
      job.stdio[Number(said.toString('latin1', PASS_BYTES * 2))] = socket;
      job.missing -= 1;
      this.#tellOf(job);
    };
    socket.on('readable', read);
  }

  /** The next one is tried by a new launcher. */
  #giveUp(job: Job): void {
    this.#process.send({ kill: job.id } satisfies ToLauncher, () => {});
    this.#fail(job, new Error('a process could not be started in time'));
    this.#isBroken = true;
  }

  #hear(message: FromLauncher): void {
    const { id } = message;
    const job = this.#jobs.get(id);
    if (!job) return;
    if ('pid' in message) {
      job.pid = message.pid;
      this.#tellOf(job);
    } else if ('error' in message) {
      this.#fail(job, Object.assign(new Error(`a process could not be started: ${message.error}`), { code: message.error }));
    } else {
      this.#settle(id, { code: message.code, signal: message.signal });
    }
  }

  /** Once it runs and all of its pipes are here; it may have ended meanwhile. */
  #tellOf({ id, pass, pid, stdio, missing, resolve, end, patience }: Job): void {
    if (pid === undefined || missing > 0) return;
    clearTimeout(patience);
    this.#passes.delete(pass);
    const exited = end.promise;
    // Something of it may have outlived it, or nobody reads on: then it would stay open, and whoever waits for the end would for ever.
    void exited.then(() => setTimeout(() => { for (const socket of stdio) socket?.destroy(); }, CLOSE_MAX_MS).unref());
    const close = async (): Promise<LaunchEnd> => {
      const how = await exited;
      await Promise.all(stdio.map(silence));
      return how;
    };
    resolve({ pid, stdio, exited, closed: close, kill: () => { if (this.#jobs.has(id)) this.#process.send({ kill: id } satisfies ToLauncher, () => {}); } });
  }

  /** Whoever runs already only ends. */
  #fail(job: Job, error: Error): void {
    clearTimeout(job.patience);
    if (this.#passes.delete(job.pass)) for (const socket of job.stdio) socket?.destroy();
    job.reject(error);
    this.#settle(job.id, LOST);
  }

  #settle(id: number, end: LaunchEnd): void {
    this.#jobs.get(id)?.end.resolve(end);
    this.#jobs.delete(id);
    if (this.#jobs.size === 0) this.#keepAwake(false);
  }

  /** All that it started ends with it. */
  #lose(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#process.kill('SIGKILL');
    this.#door.close();
    rmSync(this.#folder, { recursive: true, force: true });
    for (const job of [...this.#jobs.values(), ...this.#passes.values()]) this.#fail(job, new Error('the launcher ended'));
  }

  /** Only what runs is a reason for this process to go on. */
  #keepAwake(isWanted: boolean): void {
    const { channel } = this.#process;
    if (isWanted) channel?.ref();
    else channel?.unref();
    if (isWanted) this.#process.ref();
    else this.#process.unref();
  }
}

/** @returns when nothing more comes */
async function silence(socket: Socket | undefined): Promise<void> {
  if (!socket || socket.closed) return;
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    if (socket.listenerCount('data') === 0 && socket.listenerCount('readable') === 0) socket.resume();
  });
}
