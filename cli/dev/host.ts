// Owns the host that `space dev` runs for one project: started, set up, and entered by a person of its own. Talks HTTP to it.
import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { createApi } from '../../client/api.ts';
import type { Api } from '../../client/api.ts';
import { ApiError } from '../../client/transport.ts';
import { clientName } from '../command.ts';
import { Failure } from '../failure.ts';
import type { Io } from '../io.ts';
import { startChild } from './child.ts';
import type { Child } from './child.ts';
import type { Leash } from './leash.ts';

export interface DevHost {
  api: Api;
  port: number;
  /** For programs that use Deta's SDKs. */
  tlsPort: number;
  folder: string;
  projectId: string;
  /** Resolves when it ends, which it should not by itself. */
  ended: Child['ended'];
  /** The value of an Instance's cookie for a browser that is signed in. */
  signIn(label: string): Promise<string>;
  stop(): Promise<void>;
}

interface Account { password: string; accessToken: string; projectId: string }

const USERNAME = 'developer';
const START_MS = 60_000;
/** It drains for 5 s by itself. */
const STOP_MS = 10_000;

export interface DevHostOptions { io: Io; dir: string; projectName: string; leash: Leash; args: readonly string[] }

/** @throws Failure DEV_HOST_FAILED */
export async function startDevHost({ io, dir, projectName, leash, args }: DevHostOptions): Promise<DevHost> {
  const folder = join(dir, '.space', 'dev');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const secret = randomBytes(16).toString('hex');
  const said: string[] = [];
  const banner = Promise.withResolvers<{ port: number; tlsPort: number }>();
  const child = startChild({
    command: process.execPath, args: [launcher(), '--data', join(folder, 'data'), '--port', '0', '--tls-port', '0', ...args], cwd: folder, leash,
    env: { ...withoutOurs(io.env), OWNSPACE_SETUP_SECRET: secret, OWNSPACE_LOG: 'warn' },
    onLine(line, stream) {
      said.push(line);
      if (stream === 'stderr') appendFile(join(folder, 'host.log'), `${line}\n`).catch(() => {});
      const found = portsIn(said);
      if (found !== undefined) banner.resolve(found);
    },
  });
  try {
    const ports = await Promise.race([banner.promise, failure(child, said), timeLimit(io.signal)]);
    const root = `http://127.0.0.1:${ports.port}/api`;
    const account = await enterHost({ root, folder, secret, projectName, signal: io.signal });
    return {
      ...ports, folder, projectId: account.projectId, ended: child.ended, stop: () => child.stop(STOP_MS),
      api: createApi({ root, accessToken: account.accessToken, clientName: clientName(), signal: io.signal }),
      signIn: (label) => signIn(ports.port, label, account.password),
    };
  } catch (error) {
    await child.stop(STOP_MS);
    throw error;
  }
}

function launcher(): string {
  return join(dirname(findPackageJSON('..', import.meta.url) ?? ''), 'bin', 'ownspace.js');
}

/** Settings of a real host are not for this one. */
function withoutOurs(env: Io['env']): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(OWNSPACE_|SPACE_|DETA_|NODE_OPTIONS$)/.test(name)));
}

/** From what it prints once it listens. */
function portsIn(lines: readonly string[]): { port: number; tlsPort: number } | undefined {
  const text = lines.join('\n');
  const port = /Dashboard\s+http:\/\/[^\s:]+:(\d+)/.exec(text)?.[1];
  const tlsPort = /HTTPS\s+https:\/\/[^\s:]+:(\d+)/.exec(text)?.[1];
  return port === undefined || tlsPort === undefined || !text.includes('Ctrl-C') ? undefined : { port: Number(port), tlsPort: Number(tlsPort) };
}

async function failure(child: Child, said: readonly string[]): Promise<never> {
  await child.ended;
  const why = said.filter((line) => line.trim() !== '' && !line.startsWith('{')).join('\n  ');
  throw new Failure({ code: 'DEV_HOST_FAILED', what: 'The host for development did not start.', why: why || 'it said nothing', remedy: 'If its data are damaged, remove the folder .space/dev: only what you tried with `space dev` is in it.' });
}

function timeLimit(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Failure({ code: 'DEV_HOST_FAILED', what: `The host for development did not start within ${START_MS / 1000} s.`, remedy: 'Try again; .space/dev/host.log has what it said.' })), START_MS);
    timer.unref();
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

interface Entry { root: string; folder: string; secret: string; projectName: string; signal: AbortSignal }

/** The first time a person and a project are made; the next time they are there. */
async function enterHost({ root, folder, secret, projectName, signal }: Entry): Promise<Account> {
  const file = join(folder, 'account.json');
  const known = await readFile(file, 'utf8').then((text) => JSON.parse(text) as Account, () => undefined);
  if (known !== undefined && (await isGood(root, known, signal))) return known;
  const password = randomBytes(16).toString('hex');
  const { access_token: accessToken } = await createApi({ root, signal }).setUp({ secret, username: USERNAME, password }).catch((error: unknown) => {
    if (!(error instanceof ApiError) || error.code !== 'SETUP_DONE') throw error;
    throw new Failure({ code: 'DEV_HOST_FAILED', what: 'The way into the host for development is lost: .space/dev/account.json is missing or damaged.', remedy: 'Remove the folder .space/dev: only what you tried with `space dev` is in it.' });
  });
  const project = await createApi({ root, accessToken, signal }).createProject(projectName);
  const account: Account = { password, accessToken, projectId: project.id };
  await writeFile(file, JSON.stringify(account), { mode: 0o600 });
  return account;
}

async function isGood(root: string, { accessToken, projectId }: Account, signal: AbortSignal): Promise<boolean> {
  return createApi({ root, accessToken, signal }).getProject(projectId).then(() => true, () => false);
}

/** As a browser signs in: at the dashboard, and from there at the app. */
async function signIn(port: number, label: string, password: string): Promise<string> {
  const host = `localhost:${port}`;
  const cookie = await createApi({ root: `http://127.0.0.1:${port}/api` }).logIn({ username: USERNAME, password });
  const redirectUri = encodeURIComponent(`http://${label}.localhost:${port}/`);
  const toApp = await look(port, `/login?redirect_uri=${redirectUri}`, { host, cookie });
  const code = URL.parse(toApp.location ?? '', 'http://localhost');
  if (code === null) throw new Failure({ code: 'DEV_SIGN_IN_FAILED', what: 'Signing in at the app failed: the host led nowhere.' });
  const entered = await look(port, code.pathname + code.search, { host: code.host });
  const token = entered.cookies.map((one) => /^space_instance=([^;]+)/.exec(one)?.[1]).find((value) => value !== undefined);
  if (token === undefined) throw new Failure({ code: 'DEV_SIGN_IN_FAILED', what: 'Signing in at the app failed: the host gave no session.' });
  return token;
}

/** Names below `localhost` do not resolve everywhere, so the name travels in the head alone. */
function look(port: number, path: string, headers: Record<string, string>): Promise<{ location: string | undefined; cookies: string[] }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, headers: { ...headers, accept: 'text/html' } }, (answer) => {
      answer.resume();
      resolve({ location: answer.headers.location, cookies: answer.headers['set-cookie'] ?? [] });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}
