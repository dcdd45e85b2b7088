// Owns the people of end-to-end tests: how each comes to a Space, and what they hold afterwards.
import { expect } from 'vitest';
import type { WireInstallation, WireInstance, WireSignedUp } from '../../core/wire.ts';
import type { HostProcess } from '../support/host-process.ts';
import { send, Visitor, type TestResponse } from '../support/http.ts';
import { openTerminal, type Ran, type RunOptions, type Terminal } from '../support/space-command.ts';

export const PASSWORD = 'correct horse battery';

/** Somebody with a Space: their browser, their terminal, their access token. */
export interface Resident extends AsyncDisposable {
  name: string;
  token: string;
  browser: Visitor;
  terminal: Terminal;
  /** A call to the control plane with the access token, below `/api/v0`. */
  api(method: string, path: string, body?: object): Promise<TestResponse>;
  /** `space` with the access token in the environment. */
  space(args: string[], options?: RunOptions): Promise<Ran>;
}

/** The owner of a fresh host, by the API. */
export async function settleOwner(host: HostProcess, name = 'ada'): Promise<Resident> {
  const secret = new URL(host.setupUrl ?? '').searchParams.get('secret');
  const answer = await send(`${host.url}/api/v0/setup`, { method: 'POST', body: { secret, username: name, password: PASSWORD } });
  expect(answer.status, answer.text).toBe(201);
  return resident(host, name, answer.json<WireSignedUp>().access_token);
}

/** Somebody whom the owner invites, by the API. */
export async function settleGuest(host: HostProcess, owner: Resident, name = 'bob'): Promise<Resident> {
  const { invite } = (await owner.api('POST', '/invites', {})).json<{ invite: string }>();
  const answer = await send(`${host.url}/api/v0/signup`, { method: 'POST', body: { invite, username: name, password: PASSWORD } });
  expect(answer.status, answer.text).toBe(201);
  return resident(host, name, answer.json<WireSignedUp>().access_token);
}

export async function resident(host: HostProcess, name: string, token: string, browser = new Visitor()): Promise<Resident> {
  const terminal = await openTerminal(host.root);
  return {
    name, token, browser, terminal,
    api: (method, path, body) => send(`${host.url}/api/v0${path}`, { method, body, headers: { authorization: `Bearer ${token}` } }),
    space: (args, options = {}) => terminal.space(args, { ...options, env: { SPACE_ACCESS_TOKEN: token, ...options.env } }),
    [Symbol.asyncDispose]: () => terminal[Symbol.asyncDispose](),
  };
}

/** Sign in at the dashboard, by its form. */
export async function signIn(host: HostProcess, { browser, name }: Resident): Promise<void> {
  const answer = await browser.submit(`${host.url}/login`, { username: name, password: PASSWORD });
  expect(answer.status, answer.text).toBe(200);
  expect(answer.url).toBe(`${host.url}/`);
}

/** A project of this folder, pushed. @returns its Builder Instance */
export async function pushNew(developer: Resident, folder: string, name: string): Promise<WireInstance> {
  expect(await developer.space(['new', '--name', name], { cwd: folder })).toMatchObject({ code: 0 });
  return push(developer, folder);
}

export async function push(developer: Resident, folder: string): Promise<WireInstance> {
  const pushed = await developer.space(['push', '--json'], { cwd: folder });
  expect(pushed.code, pushed.stdout + pushed.stderr).toBe(0);
  const { instance_id: id } = JSON.parse(pushed.stdout) as { instance_id: string };
  return (await developer.api('GET', `/instances/${id}`)).json();
}

/** @returns the id of the Release */
export async function release(developer: Resident, folder: string, notes = 'First'): Promise<string> {
  const released = await developer.space(['release', '--listed', '--confirm', '--notes', notes, '--json'], { cwd: folder });
  expect(released.code, released.stdout + released.stderr).toBe(0);
  return (JSON.parse(released.stdout) as { release_id: string }).release_id;
}

/** Install, or update where an Instance is named; waits for the end. */
export async function install(person: Resident, releaseId: string, instanceId?: string): Promise<WireInstance> {
  const started = await person.api('POST', '/installations', { release_id: releaseId, instance_id: instanceId });
  expect(started.status, started.text).toBe(202);
  const job = await ended(person, started.json<WireInstallation>().id);
  expect(job).toMatchObject({ status: 'complete' });
  return (await person.api('GET', `/instances/${job.instance_id}`)).json();
}

export async function ended(person: Resident, installationId: string): Promise<WireInstallation> {
  return until(async () => {
    const job = (await person.api('GET', `/installations/${installationId}`)).json<WireInstallation>();
    return job.status === 'complete' || job.status === 'failed' ? job : undefined;
  }, 'the installation ends');
}

export async function instancesOf(person: Resident): Promise<WireInstance[]> {
  return (await person.api('GET', '/instances')).json<{ instances: WireInstance[] }>().instances;
}

/** Wait for a state, never for a time. */
export async function until<T>(look: () => Promise<T | undefined | false>, what: string, limitMs = 20_000): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
