// A peer: Redis that syncs every write (`appendfsync always`), with nothing but node:http in front.
// `node redis-http.ts REDIS_SERVER FOLDER KEY VALUE` prints its port. GET reads KEY; PUT stores the body under a new key.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [program = '', folder = '', key = '', value = ''] = process.argv.slice(2);
const path = join(folder, 'redis.sock');
const options = ['--port', '0', '--unixsocket', path, '--dir', folder, '--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
const redis = spawn(program, options, { stdio: 'ignore' });

type Waiting = (answer: string) => void;
const waiting: Waiting[] = [];
let received: Buffer = Buffer.alloc(0);

async function open(): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    const isOpen = await new Promise<boolean>((resolve) => { socket.once('connect', () => resolve(true)).once('error', () => resolve(false)); });
    if (isOpen) return socket;
    await sleep(20);
  }
}

const socket = await open();
socket.on('data', (chunk: Buffer) => {
  received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
  for (let answer = take(); answer !== undefined; answer = take()) waiting.shift()?.(answer);
});

/** One whole answer of the two kinds that occur: `+OK` and `$<length>`. */
function take(): string | undefined {
  const end = received.indexOf('\r\n');
  if (end === -1) return undefined;
  const line = received.toString('latin1', 0, end);
  const length = line.startsWith('$') ? Number(line.slice(1)) : -1;
  if (length >= 0 && received.length < end + 4 + length) return undefined;
  const answer = length >= 0 ? received.toString('utf8', end + 2, end + 2 + length) : line;
  received = received.subarray(length >= 0 ? end + 4 + length : end + 2);
  return answer;
}

function send(...parts: string[]): Promise<string> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    socket.write(`*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`);
  });
}

async function put(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { items } = JSON.parse(Buffer.concat(chunks).toString()) as { items: unknown[] };
  if ((await send('SET', randomUUID(), JSON.stringify(items[0]))) !== '+OK') throw new Error('not stored');
  answer(response, JSON.stringify({ processed: { items } }));
}

function answer(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

await send('SET', key, value);
const server = createServer((request, response) => {
  const done = request.method === 'PUT' ? put(request, response) : send('GET', key).then((body) => answer(response, body));
  done.catch(() => response.destroy());
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.on('SIGTERM', () => {
  redis.once('exit', () => process.exit(0));
  redis.kill();
});
