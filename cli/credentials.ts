// Owns which host the command talks to and as whom: the variables, and what `space login` has stored.
// The file is the one of the original `space` command, with `root` added.
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from './failure.ts';
import type { Io } from './io.ts';

export const DEFAULT_ROOT = 'http://localhost:4400/api';

export interface StoredLogin {
  access_token: string;
  /** Absent when the original command wrote the file. */
  root?: string;
}

export interface Login { root: string; accessToken: string }

/** Variables win over what is stored. A stored token goes to the host that it was stored for, and to no other.
 *  @throws Failure NOT_LOGGED_IN */
export async function findLogin(io: Io): Promise<Login> {
  const stored = await readStoredLogin(io);
  const root = await findRoot(io, stored);
  const fromEnv = io.env.SPACE_ACCESS_TOKEN?.trim();
  if (fromEnv) return { root, accessToken: fromEnv };
  if (stored === undefined) throw notLoggedIn(`You are not signed in to ${root}.`);
  if (stored.root !== undefined && stored.root !== root) {
    throw notLoggedIn(`You are signed in to ${stored.root}, but not to ${root}.`);
  }
  return { root, accessToken: stored.access_token };
}

/** The control plane to talk to: SPACE_ROOT, else where the person is signed in, else this machine. */
export async function findRoot(io: Io, stored?: StoredLogin): Promise<string> {
  if (io.env.SPACE_ROOT) return normalizeRoot(io.env.SPACE_ROOT);
  return (stored ?? (await readStoredLogin(io)))?.root ?? DEFAULT_ROOT;
}

/** A URL without a path means the control plane of that host. @throws Failure ROOT_INVALID */
export function normalizeRoot(text: string): string {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new Failure({ code: 'ROOT_INVALID', what: `\`${text}\` is not the address of a host.`, remedy: `Give one like ${DEFAULT_ROOT}.` });
  }
  const path = url.pathname.replace(/\/+$/, '');
  return `${url.origin}${path === '' ? '/api' : path}`;
}

/** Where people look at this host: the dashboard's address. */
export function dashboardUrl(root: string): string {
  return root.replace(/\/api$/, '');
}

export async function storeLogin(io: Io, login: Login): Promise<void> {
  const file = loginFile(io);
  await mkdir(join(io.homeDir, '.detaspace'), { recursive: true, mode: 0o700 });
  const stored: StoredLogin = { access_token: login.accessToken, root: login.root };
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(stored)}\n`, { mode: 0o600 });
  await chmod(draft, 0o600);
  await rename(draft, file);
}

/** `<key id>_<secret>`, exactly one underscore. */
export function isAccessToken(text: string): boolean {
  return /^[^_\s]+_[^_\s]+$/.test(text);
}

async function readStoredLogin(io: Io): Promise<StoredLogin | undefined> {
  for (const file of [loginFile(io), join(io.homeDir, '.deta', 'space_tokens')]) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text !== undefined) return parseStoredLogin(text, file);
  }
  return undefined;
}

function parseStoredLogin(text: string, file: string): StoredLogin {
  try {
    const { access_token, root } = JSON.parse(text) as Partial<StoredLogin>;
    if (typeof access_token === 'string') return { access_token, ...(typeof root === 'string' && { root }) };
  } catch {
    // Said below, together with a file that is JSON of another shape.
  }
  throw notLoggedIn(`${file} is damaged.`);
}

function loginFile(io: Io): string {
  return join(io.homeDir, '.detaspace', 'space_tokens');
}

function notLoggedIn(what: string): Failure {
  return new Failure({ code: 'NOT_LOGGED_IN', what, remedy: 'Run `space login`, or set SPACE_ACCESS_TOKEN (and SPACE_ROOT for another host).' });
}
