// Owns the forwarder for machines that have neither our binary nor a C compiler: the same as forwarder.c, at the price of a
// Node.js process for each box. A whole program: it imports nothing of ours, since it is shown alone in the box.
import { spawn } from 'node:child_process';
import { closeSync, readSync, writeSync } from 'node:fs';
import { connect, createServer, Socket } from 'node:net';

const RETRY_MS = 2;
const PAIRS_MAX = 1000;

interface Target { path?: string; port?: number }

const [flags, command] = split(process.argv.slice(2));
const control = Number(flags.find((flag) => flag.startsWith('control:'))?.slice('control:'.length));
let isUp = false;

function split(all: string[]): [string[], string[]] {
  const at = all.indexOf('--');
  return [all.slice(0, at), all.slice(at + 1)];
}

function readEnvironment(): Record<string, string> {
  const text = readExactly(readExactly(4).readUInt32LE(0)).toString('utf8');
  return Object.fromEntries(text.split('\0').filter((pair) => pair !== '').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

function readExactly(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const read = readWaiting(bytes, at);
    if (read === 0) process.exit(137);
    at += read;
  }
  return bytes;
}

/** Whoever made the socket may not have wanted to wait for it. */
function readWaiting(bytes: Buffer, at: number): number {
  for (;;) {
    try {
      return readSync(control, bytes, at, bytes.length - at, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}

function open(flag: string): void {
  const [from = '', to = ''] = flag.split('=');
  const target: Target = to.startsWith('unix:') ? { path: to.slice('unix:'.length) } : { port: Number(to.slice('tcp:'.length)) };
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => void join(client, target));
  server.maxConnections = PAIRS_MAX;
  const number = Number(from.slice(from.indexOf(':') + 1));
  if (from.startsWith('fd:')) server.listen({ fd: number });
  else server.listen(number, '127.0.0.1');
}

async function join(client: Socket, target: Target): Promise<void> {
  client.on('error', () => client.destroy());
  for (let attempt = 0; !client.destroyed; attempt += 1) {
    const host = attempt % 2 === 0 ? '127.0.0.1' : '::1';
    const inner = await reach(target.path === undefined ? { port: target.port!, host } : { path: target.path });
    if (inner) return carry(client, inner, target);
    if (target.path !== undefined) break;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  client.destroy();
}

function reach(where: { port: number; host: string } | { path: string }): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ ...where, allowHalfOpen: true }, () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}

function carry(client: Socket, inner: Socket, { port }: Target): void {
  if (!isUp && port !== undefined) writeSync(control, 'r');
  isUp ||= port !== undefined;
  for (const [from, to] of [[client, inner], [inner, client]] as const) {
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroySoon());
    from.pipe(to);
  }
}

const environment = readEnvironment();
for (const flag of flags) if (!flag.startsWith('control:')) open(flag);
const program = spawn(command[0]!, command.slice(1), { env: environment, stdio: 'inherit' });
program.on('error', (error) => {
  writeSync(2, `cannot be started: ${error.message}\n`);
  process.exit(127);
});
program.on('exit', (code, signal) => process.exit(code ?? (signal ? 137 : 0)));
// The host holds the other side open as long as it lives.
const life = new Socket({ fd: control, readable: true, writable: true });
for (const event of ['end', 'error', 'close'] as const) life.on(event, () => process.exit(137));
life.resume();
process.on('exit', () => closeSync(control));
