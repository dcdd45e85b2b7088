// Owns a real host in this process: port 0, a folder of its own, two people. Its time runs as the test says.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createLog, type Log } from '../../core/log.ts';
import type { Clock } from '../../core/clock.ts';
import type { WireInstallation, WireInstance } from '../../core/wire.ts';
import { loadConfig, type Config } from '../../runtime/config.ts';
import { startHost, type Host } from '../../runtime/server.ts';
import { zipOf } from '../builder/archive.ts';
import { send, Visitor, type TestRequest, type TestResponse } from './http.ts';

/** A clock that starts now, moves with the real one, and can be moved ahead. */
export interface LeapingClock extends Clock {
  advance(ms: number): void;
}

export interface Person {
  name: string;
  spaceId: string;
  accessToken: string;
  /** A browser that is signed in at the dashboard. */
  visitor: Visitor;
  /** Call the control plane with the access token; the path is below `/api/v0`. */
  call(address: string, body?: string | Buffer | object, headers?: Record<string, string>): Promise<TestResponse>;
}

export interface TestHost {
  host: Host;
  url: string;
  /** What follows a label in the address of an Instance: `localhost:41234`. */
  authority: string;
  port: number;
  dataFolder: string;
  clock: LeapingClock;
  owner: Person;
  member: Person;
  /** Lines of the host's log so far. */
  logged(): string;
  /** Stop it; the folder goes too, unless it was given. */
  close(): Promise<void>;
}

export const PASSWORD = 'correct horse';
export const SETUP_SECRET = 'the set-up secret';

export interface StartOptions { dataFolder?: string; args?: string[]; env?: Record<string, string>; clock?: LeapingClock }

/** Where this machine has its packages from. */
const REGISTRIES = Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|PIP_CERT|npm_config_registry|PIP_INDEX_URL)$/.test(name)));

export function testConfig(dataFolder: string, args: string[] = [], env: Record<string, string> = {}): Config {
  const config = loadConfig({ ...REGISTRIES, OWNSPACE_SETUP_SECRET: SETUP_SECRET, ...env }, ['--data', dataFolder, '--port', '0', '--tls-port', 'off', ...args]);
  if (config === 'help') throw new TypeError('no help was asked for');
  return config;
}

export function createLeapingClock(): LeapingClock {
  let aheadMs = 0;
  let waiting: { atMs: number; run: () => void }[] = [];
  const clock: LeapingClock = {
    now: () => Date.now() + aheadMs,
    after(delayMs, run) {
      const one = { atMs: clock.now() + delayMs, run: () => { cancel(); run(); } };
      const timer = setTimeout(() => one.run(), Math.min(delayMs, 2 ** 31 - 1)).unref();
      const cancel = (): void => {
        clearTimeout(timer);
        waiting = waiting.filter((other) => other !== one);
      };
      waiting.push(one);
      return cancel;
    },
    advance(ms) {
      aheadMs += ms;
      for (const one of waiting.filter(({ atMs }) => atMs <= clock.now())) one.run();
    },
  };
  return clock;
}

/** A host with its owner `ada` and a member `bob`; on a folder that was used before, they sign in again. */
export async function startTestHost({ dataFolder, args, env, clock = createLeapingClock() }: StartOptions = {}): Promise<TestHost> {
  const folder = dataFolder ?? (await mkdtemp(join(tmpdir(), 'ownspace-')));
  const lines: string[] = [];
  const log: Log = createLog('debug', (line) => lines.push(line));
  const removeFolder = async (): Promise<void> => (dataFolder === undefined ? rm(folder, { recursive: true, force: true }) : undefined);
  const host = await startHost(testConfig(folder, args, env), { log, clock, version: '0.0.0-test' }).catch(async (error) => {
    await removeFolder();
    throw error;
  });
  const { host: authority, port } = new URL(host.url);
  const people = host.setupUrl === undefined ? await signInBoth(host.url) : await createBoth(host.url);
  return {
    host, authority, port: Number(port), url: host.url, dataFolder: folder, clock, ...people,
    logged: () => lines.join(''),
    async close() {
      await host.close();
      await removeFolder();
    },
  };
}

type Both = Pick<TestHost, 'owner' | 'member'>;

async function createBoth(url: string): Promise<Both> {
  const setup = await send(`${url}/api/v0/setup`, { method: 'POST', body: { secret: SETUP_SECRET, username: 'ada', password: PASSWORD } });
  const owner = await person(url, 'ada', setup.json());
  const { invite } = (await owner.call('POST /invites', {})).json();
  const signup = await send(`${url}/api/v0/signup`, { method: 'POST', body: { invite, username: 'bob', password: PASSWORD } });
  return { owner, member: await person(url, 'bob', signup.json()) };
}

async function signInBoth(url: string): Promise<Both> {
  const [owner, member] = await Promise.all(['ada', 'bob'].map(async (name) => {
    const visitor = new Visitor();
    await visitor.submit(`${url}/login`, { username: name, password: PASSWORD });
    const token = await visitor.visit(`${url}/api/v0/tokens`, { method: 'POST', body: { name: 'again' }, headers: { origin: url } });
    const space = await visitor.visit(`${url}/api/v0/space`);
    return person(url, name, { access_token: token.json().access_token, space: space.json() }, visitor);
  }));
  return { owner: owner as Person, member: member as Person };
}

async function person(url: string, name: string, { access_token: accessToken, space }: { access_token: string; space: { id: string } }, known?: Visitor): Promise<Person> {
  const visitor = known ?? new Visitor();
  if (!known) await visitor.submit(`${url}/login`, { username: name, password: PASSWORD });
  return {
    name, accessToken, spaceId: space.id, visitor,
    call(address, body, headers = {}) {
      const [method = 'GET', path = '/'] = address.split(' ');
      const request: TestRequest = { method, headers: { authorization: `Bearer ${accessToken}`, ...headers }, ...(body === undefined ? {} : { body }) };
      return send(`${url}/api/v0${path}`, request);
    },
  };
}

/** An app without code: quick to build, and enough for whoever may reach it. */
export const STATIC_FILES: Record<string, string> = {
  Spacefile: [
    'v: 0', 'micros:',
    '  - name: web', '    src: .', '    engine: static', '    primary: true', '    serve: ./site', '    public_routes:', '      - /public/*',
    '    presets:', '      api_keys: true',
    '  - name: closed', '    src: .', '    engine: static', '    serve: ./site', '    path: closed', '',
  ].join('\n'),
  'site/index.html': '<!doctype html><title>Home</title>',
  'site/public/open.txt': 'open to all',
  'site/private.txt': 'for the owner',
};

export interface PushedApp { projectId: string; buildId: string; revisionId: string; builder: WireInstance }

/** Push files as `space push` does, and wait until the Builder Instance is ready. */
export async function pushApp(person: Person, { name = 'fixture', projectId, files = STATIC_FILES }: { name?: string; projectId?: string; files?: Record<string, string | Buffer> } = {}): Promise<PushedApp> {
  const project = projectId ?? created(await person.call('POST /apps', { name })).id;
  const build = created(await person.call('POST /builds', { app_id: project })).id;
  created(await person.call(`POST /builds/${build}/manifest`, files.Spacefile ?? '', { 'content-type': 'text/plain' }));
  created(await person.call(`POST /builds/${build}/code`, await zipOf(files), { 'content-type': 'application/zip' }));
  await person.call(`GET /builds/${build}/logs?follow=true`);
  const done = (await person.call(`GET /builds/${build}`)).json();
  if (done.status !== 'complete') throw new Error(`the build is ${done.status}: ${done.error}\n${(await person.call(`GET /builds/${build}/logs`)).text}`);
  const { revisions } = (await person.call(`GET /apps/${project}/revisions`)).json();
  const builder = await until(async () => {
    const { instances } = (await person.call(`GET /instances?app_id=${project}&channel=development`)).json<{ instances: WireInstance[] }>();
    return instances.find(({ status }) => status === 'ready');
  });
  return { projectId: project, buildId: build, revisionId: revisions[0].id, builder };
}

/** @returns the id of the Release */
export async function releaseApp(person: Person, { projectId, revisionId }: Pick<PushedApp, 'projectId' | 'revisionId'>, more: object = {}): Promise<string> {
  return created(await person.call('POST /promotions', { app_id: projectId, revision_id: revisionId, ...more })).id;
}

export async function installApp(person: Person, releaseId: string): Promise<{ instance: WireInstance; installationId: string }> {
  const job = created(await person.call('POST /installations', { release_id: releaseId }));
  const ended = await installationEnd(person, job.id);
  if (ended.status !== 'complete') throw new Error(`the installation failed: ${ended.error}`);
  return { installationId: job.id, instance: (await person.call(`GET /instances/${job.instance_id}`)).json() };
}

export function installationEnd(person: Person, id: string): Promise<WireInstallation> {
  return until(async () => {
    const job = (await person.call(`GET /installations/${id}`)).json<WireInstallation>();
    return job.status === 'complete' || job.status === 'failed' ? job : undefined;
  });
}

/** Wait for a state, never for a time. */
export async function until<T>(look: () => Promise<T | undefined>, limitMs = 20_000): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error('it did not come to pass');
    await wait(20);
  }
}

function created(response: TestResponse): any {
  if (response.status < 200 || response.status > 299) throw new Error(`${response.status}: ${response.text}`);
  return response.json();
}

