// Owns what the other commands may know of a `space dev` that runs in a folder: a file that is there while it runs.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface DevSession {
  pid: number;
  url: string;
  /** Control plane of its host, and who may use it. */
  root: string;
  accessToken: string;
  instanceId: string;
}

function file(dir: string): string {
  return join(dir, '.space', 'dev', 'session.json');
}

export async function writeSession(dir: string, session: DevSession): Promise<void> {
  await writeFile(file(dir), JSON.stringify(session), { mode: 0o600 });
}

/** Undefined also where the one that wrote the file was killed. */
export async function findSession(dir: string): Promise<DevSession | undefined> {
  try {
    const session = JSON.parse(await readFile(file(dir), 'utf8')) as DevSession;
    process.kill(session.pid, 0);
    return session;
  } catch {
    return undefined;
  }
}

export async function removeSession(dir: string): Promise<void> {
  await rm(file(dir), { force: true });
}
