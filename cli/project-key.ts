// Owns the data key of a project on this machine: what `space exec` and `space dev up` give to programs. Made once, then kept.
// The file is the one of the original `space` command.
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Api } from '../client/api.ts';
import type { Context } from './command.ts';
import type { Io } from './io.ts';

/** @source Deta Space `space` CLI */
const KEY_NAME = 'space cli';

/** What a program needs to work with the data of the project's Builder Instance. */
export async function projectDataEnv(context: Context, projectId: string): Promise<Record<string, string>> {
  const api = await context.api();
  return { DETA_PROJECT_KEY: await projectKey(context.io, api, projectId), ...sdkEnv(api.root) };
}

async function projectKey(io: Io, api: Api, projectId: string): Promise<string> {
  const file = join(io.homeDir, '.detaspace', 'space_project_keys');
  const known = await readKeys(file);
  // A key counts for as long as the host still lists one of ours: it may have been withdrawn.
  const names = (await api.listProjectKeys(projectId)).keys.map(({ name }) => name);
  const kept = known[projectId];
  if (kept !== undefined && names.some((name) => name.startsWith(KEY_NAME))) return kept;
  const { value } = await api.createProjectKey(projectId, freeName(names));
  await mkdir(join(io.homeDir, '.detaspace'), { recursive: true, mode: 0o700 });
  await writeFile(file, `${JSON.stringify({ ...known, [projectId]: value })}\n`, { mode: 0o600 });
  await chmod(file, 0o600);
  return value;
}

async function readKeys(file: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}

/** `space cli`, then `space cli (1)`, ... */
function freeName(taken: readonly string[]): string {
  for (let number = 0; ; number += 1) {
    const name = number === 0 ? KEY_NAME : `${KEY_NAME} (${number})`;
    if (!taken.includes(name)) return name;
  }
}

/** Where Deta's SDKs find the data. Those for Node and Python always use TLS; see docs/sdk.md for a host without a public name. */
function sdkEnv(root: string): Record<string, string> {
  const { host, origin } = new URL(root);
  return { DETA_BASE_HOST: host, DETA_DRIVE_HOST: host, DETA_BASE_ROOT_ENDPOINT: `${origin}/v1`, DETA_DRIVE_ROOT_ENDPOINT: `${origin}/v1` };
}
