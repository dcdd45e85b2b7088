// Owns a real host under measurement: started in a temporary folder as people start it, set up, and used through the
// addresses and the command that the contract names. Imports none of its code.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { ask, cookieHeader, createJar, loopback, visit } from './http.ts';
import type { Target } from './http.ts';
import { ROOT } from './machine.ts';
import { findFreePort, runProgram, startProgram, waitFor } from './process.ts';
import type { Running } from './process.ts';

const SETUP_SECRET = 'bench-setup-secret';
const PERSON = { username: 'bench', password: 'a password of the bench' };

export interface Instance { id: string; url: string; collection_id: string }

/** Call the control plane as somebody; `path` follows `/api/v0`. @throws unless the answer is a 2xx */
export type Call = <Answer>(method: 'GET' | 'POST' | 'PATCH', path: string, body?: unknown) => Promise<Answer>;

export interface Product {
  port: number;
  /** Of the host that runs now. */
  readonly pid: number;
  /** As the owner of the host. */
  call: Call;
  /** A person with a Space of their own. */
  signUp(username: string): Promise<Call>;
  /** Stop the host and start it again on the same data. @returns the seconds from its start until it answers */
  restart(): Promise<number>;
  /** What identifies the owner, as headers. */
  owner: { host: string; authorization: string };
  /** Run the `space` command. @returns its stdout */
  space(args: readonly string[]): Promise<string>;
  /** Push a folder as a new Project. @returns its id */
  createProject(name: string): Promise<string>;
  push(projectId: string, folder: string): Promise<Instance>;
  /** Release what was pushed last. @returns the Release's id */
  release(projectId: string): Promise<string>;
  /** Release what was pushed last, and install it this many times. @returns when all are ready */
  install(projectId: string, count: number): Promise<Instance[]>;
  /** Put Items, at most 25, into a Base of a Collection. */
  fill(collectionId: string, base: string, items: readonly object[]): Promise<void>;
  /** What a browser that is signed in sends for this address. */
  signedIn(url: string): Promise<Target>;
  stop(): Promise<void>;
}

export interface ProductOptions { env?: Record<string, string> }

export async function startProduct({ env }: ProductOptions = {}): Promise<Product> {
  await using undo = new AsyncDisposableStack();
  const data = undo.adopt(await mkdtemp(join(tmpdir(), 'bench-host-')), (folder) => rm(folder, { recursive: true }));
  const port = await findFreePort();
  const health = { url: `http://127.0.0.1:${port}/api/v0/health`, headers: { host: `localhost:${port}` } };
  const isReady = (): Promise<boolean> => ask(health).then(({ status }) => status === 200, () => false);
  const command = ['sh', '-c', `${startCommand()} "$@"`, 'start', '--port', String(port), '--tls-port', 'off', '--data', data];
  const PATH = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`;
  const start = (): Promise<Running> => startProgram(command, { cwd: ROOT, env: { PATH, OWNSPACE_SETUP_SECRET: SETUP_SECRET, OWNSPACE_LOG: 'error', ...env }, isReady });
  let running = await start();
  undo.defer(() => running.stop());
  const product = await useProduct(port);
  // It stands: from here on it ends when its user says so.
  const ending = undo.move();
  return {
    ...product,
    get pid() { return running.pid; },
    async restart() {
      await running.stop();
      const began = performance.now();
      running = await start();
      return (performance.now() - began) / 1000;
    },
    stop: () => ending.disposeAsync(),
  };
}

/** What `npm start` runs, which puts itself in the place of its shell. */
function startCommand(): string {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } };
  return scripts.start;
}

async function useProduct(port: number): Promise<Omit<Product, 'pid' | 'restart' | 'stop'>> {
  const { access_token: token } = await callAs(port)<{ access_token: string }>('POST', '/setup', { secret: SETUP_SECRET, ...PERSON });
  const call = callAs(port, token);
  const env = { SPACE_ROOT: `http://localhost:${port}/api`, SPACE_ACCESS_TOKEN: token };
  const space: Product['space'] = (args) => runProgram([process.execPath, join(ROOT, 'bin/space.js'), ...args], { env });
  const keys = new Map<string, string>();
  return {
    port,
    call,
    owner: { host: `localhost:${port}`, authorization: `Bearer ${token}` },
    space,
    createProject: async (name) => (await call<{ id: string }>('POST', '/apps', { name, alias: '' })).id,
    async push(projectId, folder) {
      await space(['push', '--id', projectId, '--dir', folder]);
      const { instances } = await call<{ instances: Instance[] }>('GET', `/instances?app_id=${projectId}&channel=development`);
      if (!instances[0]) throw new Error('the push made no Builder Instance');
      return instances[0];
    },
    async signUp(username) {
      const { invite } = await call<{ invite: string }>('POST', '/invites');
      const { access_token: theirs } = await callAs(port)<{ access_token: string }>('POST', '/signup', { invite, username, password: PERSON.password });
      return callAs(port, theirs);
    },
    release: (projectId) => releaseLast(call, projectId),
    install: (projectId, count) => installMany(call, projectId, count),
    async fill(collectionId, base, items) {
      const value = keys.get(collectionId) ?? (await call<{ value: string }>('POST', `/collections/${collectionId}/keys`, { name: 'bench' })).value;
      keys.set(collectionId, value);
      const headers = { 'host': `localhost:${port}`, 'x-api-key': value, 'content-type': 'application/json' };
      const answer = await ask({ url: `http://127.0.0.1:${port}/base/v1/${collectionId}/${base}/items`, method: 'PUT', headers, body: JSON.stringify({ items }) });
      if (answer.status > 299) throw new Error(`putting Items answers ${answer.status}: ${answer.body}`);
    },
    signedIn: (address) => signIn(port, address),
  };
}

/** @param token without one, as nobody */
function callAs(port: number, token?: string): Call {
  return async (method, path, body) => {
    const { url, host } = loopback(`http://localhost:${port}/api/v0${path}`);
    const headers = { host, 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    const answer = await ask({ url, method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    if (answer.status < 200 || answer.status > 299) throw new Error(`${method} ${path} answers ${answer.status}: ${answer.body}`);
    return JSON.parse(answer.body || 'null');
  };
}

const INSTALLS_AT_ONCE = 8;
const INSTALL_TIMEOUT_MS = 120_000;

async function releaseLast(call: Call, projectId: string): Promise<string> {
  const { revisions } = await call<{ revisions: { id: string }[] }>('GET', `/apps/${projectId}/revisions`);
  return (await call<{ id: string }>('POST', '/promotions', { app_id: projectId, revision_id: revisions[0]?.id })).id;
}

async function installMany(call: Call, projectId: string, count: number): Promise<Instance[]> {
  const release = await releaseLast(call, projectId);
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await call('POST', '/installations', { release_id: release });
  };
  await Promise.all(Array.from({ length: INSTALLS_AT_ONCE }, lane));
  let ready: (Instance & { status: string })[] = [];
  await waitFor(async () => {
    ready = (await call<{ instances: typeof ready }>('GET', `/instances?app_id=${projectId}&channel=experimental&per_page=1000`)).instances.filter(({ status }) => status === 'ready');
    return ready.length >= count;
  }, INSTALL_TIMEOUT_MS);
  return ready;
}

async function signIn(port: number, address: string): Promise<Target> {
  const jar = createJar();
  const login = await visit(jar, {
    url: `http://localhost:${port}/api/v0/login`, method: 'POST', body: JSON.stringify(PERSON),
    headers: { 'content-type': 'application/json', origin: `http://localhost:${port}` },
  });
  if (login.status !== 200) throw new Error(`signing in answers ${login.status}: ${login.body}`);
  const page = await visit(jar, { url: address });
  if (page.status !== 200) throw new Error(`${address} answers ${page.status} to its owner: ${page.body.slice(0, 300)}`);
  const { url, host } = loopback(address);
  return { url, headers: { host, cookie: cookieHeader(jar, address) } };
}
