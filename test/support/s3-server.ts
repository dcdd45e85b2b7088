// Owns a real S3 server for tests: found, or built once by running this file (`node test/support/s3-server.ts`, with Go),
// and started on a folder of its own. MinIO and the Versity gateway are known; the smaller one is built.
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

const PACKAGE = 'github.com/versity/versitygw/cmd/versitygw';
const VERSION = 'v1.8.0';
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ownspace-tests');
const BUILT = join(CACHE, VERSION, 'versitygw');
const START_MS = 20_000;

/** Part of every secret here, so that a search for it finds each place that lets one out. */
export const CANARY = 'canary7secret';
const ACCESS_KEY = 'OWNSPACETESTKEY';
/** With each character that has to be written otherwise in a URL. */
const SECRET_KEY = `${CANARY}/+%@:end`;

export interface S3Server extends AsyncDisposable {
  port: number;
  accessKey: string;
  secretKey: string;
  /** As `--blobs` takes it. */
  url(bucket: string): string;
  /** End it, as a machine that loses its network. `start` brings it back with what it had. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** The program: S3_SERVER, else on the PATH, else built before; undefined when there is none. */
export function findS3Server(): string | undefined {
  const named = process.env['S3_SERVER'];
  if (named) return named;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return [BUILT, ...folders.flatMap((folder) => [join(folder, 'minio'), join(folder, 'versitygw')])].find(existsSync);
}

export async function startS3Server(program: string): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), 'ownspace-s3-'));
  const port = await freePort();
  await mkdir(join(folder, 'data'));
  await mkdir(join(folder, 'meta'));
  let end = async (): Promise<void> => {};
  const server: S3Server = {
    port, accessKey: ACCESS_KEY, secretKey: SECRET_KEY,
    url: (bucket) => `s3://${ACCESS_KEY}:${encodeURIComponent(SECRET_KEY)}@127.0.0.1:${port}/${bucket}?tls=0`,
    start: async () => { end = await run(program, folder, port); },
    stop: () => end(),
    async [Symbol.asyncDispose]() {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

/** @returns what ends it */
async function run(program: string, folder: string, port: number): Promise<() => Promise<void>> {
  const address = `127.0.0.1:${port}`;
  const isMinio = basename(program).startsWith('minio');
  const args = isMinio
    ? ['server', join(folder, 'data'), '--quiet', '--address', address, '--console-address', '127.0.0.1:0']
    : ['--port', address, '--keep-alive', '--quiet', 'posix', '--sidecar', join(folder, 'meta'), join(folder, 'data')];
  const env = isMinio
    ? { MINIO_ROOT_USER: ACCESS_KEY, MINIO_ROOT_PASSWORD: SECRET_KEY, MINIO_BROWSER: 'off', MINIO_UPDATE: 'off', HOME: folder }
    : { ROOT_ACCESS_KEY_ID: ACCESS_KEY, ROOT_SECRET_ACCESS_KEY: SECRET_KEY, HOME: folder };
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => (said += chunk));
  const exited = new Promise<void>((resolve) => child.on('close', () => resolve()).on('error', (error) => { said += error.message; resolve(); }));
  const isOver = exited.then(() => { throw new Error(`${program} ended:\n${said}`); });
  await Promise.race([answers(`http://${address}/`), isOver]);
  isOver.catch(() => {});
  return async () => {
    child.kill('SIGKILL');
    await exited;
  };
}

async function answers(url: string): Promise<void> {
  for (const deadline = Date.now() + START_MS; Date.now() < deadline; await wait(50)) {
    const answer = await fetch(url).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer && answer.status < 500) return;
  }
  throw new Error(`nothing answers at ${url}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().on('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

/** Build it with Go, unless there is one. @returns where it is */
async function buildS3Server(): Promise<string> {
  const found = findS3Server();
  if (found) return found;
  const folder = join(CACHE, `${VERSION}.${process.pid}`);
  await mkdir(folder, { recursive: true });
  const env = { ...process.env, GOBIN: folder, CGO_ENABLED: '0' };
  try {
    await promisify(execFile)('go', ['install', '-ldflags=-s -w', `${PACKAGE}@${VERSION}`], { env, maxBuffer: 64 * 1024 * 1024 });
    await mkdir(join(CACHE, VERSION), { recursive: true });
    await rename(join(folder, 'versitygw'), BUILT);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return BUILT;
}

if (import.meta.main) {
  await buildS3Server().then((path) => console.log(path), (error: Error) => {
    console.error(`no S3 server could be built; its tests are skipped: ${error.message.split('\n')[0]}`);
    process.exitCode = 1;
  });
}
