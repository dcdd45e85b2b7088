// Owns the server of one Micro that is developed: its command, what the command finds around itself, and its port's file.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import type { Io } from '../io.ts';
import { startChild } from './child.ts';
import type { Child } from './child.ts';
import { isListening } from './free-port.ts';
import type { DevHost } from './host.ts';
import type { Leash } from './leash.ts';

/** What a program needs to find its data. */
export interface DataAccess { projectKey: string; env: Readonly<Record<string, string>> }

export interface OwnServerOptions {
  dir: string;
  micro: SpacefileMicro;
  command: string;
  port: number;
  /** What calls between Micros carry, and where they go. */
  calls: { key: string; hostname: string } | undefined;
  data: DataAccess;
  shellEnv: Io['env'];
  leash: Leash;
  onLine(line: string): void;
}

/** @source Deta Space `space` CLI, `<micro>.port` */
function portFile(dir: string, micro: string): string {
  return join(dir, '.space', 'micros', `${micro}.port`);
}

/** The port where the server of this Micro already runs, started by `space dev up`. */
export async function runningPort(dir: string, micro: string): Promise<number | undefined> {
  const port = Number(await readFile(portFile(dir, micro), 'utf8').catch(() => ''));
  return Number.isInteger(port) && port > 0 && (await isListening(port)) ? port : undefined;
}

export interface OwnServer extends Child { port: number }

export async function startOwnServer({ dir, micro, command, port, calls, data, shellEnv, leash, onLine }: OwnServerOptions): Promise<OwnServer> {
  const env = { ...shellEnv, ...presetValues(micro, shellEnv), ...data.env, ...ownVariables(micro, { port, calls }), DETA_PROJECT_KEY: data.projectKey };
  await mkdir(join(dir, '.space', 'micros'), { recursive: true });
  await writeFile(portFile(dir, micro.name), String(port));
  const child = startChild({ command: 'sh', args: ['-c', command], cwd: join(dir, micro.src), env, leash, onLine });
  const forget = (): Promise<void> => rm(portFile(dir, micro.name), { force: true });
  void child.ended.then(forget);
  return { ...child, port, stop: async (graceMs) => { await child.stop(graceMs); await forget(); } };
}

/** As the shell has them; a default counts where it has none. @source Deta Space `space` CLI */
export function presetValues(micro: SpacefileMicro, shellEnv: Io['env']): Record<string, string> {
  return Object.fromEntries(micro.presets.env.flatMap(({ name, default: value }) => {
    const chosen = shellEnv[name] || value;
    return chosen ? [[name, chosen] as const] : [];
  }));
}

function ownVariables(micro: SpacefileMicro, { port, calls }: Pick<OwnServerOptions, 'port' | 'calls'>): Record<string, string> {
  return {
    PORT: String(port),
    ...(micro.engine.startsWith('python') && { UVICORN_PORT: String(port) }),
    DETA_SPACE_APP: 'true',
    DETA_SPACE_APP_VERSION: 'dev',
    DETA_SPACE_APP_HOSTNAME: calls?.hostname ?? `localhost:${port}`,
    DETA_SPACE_APP_MICRO_NAME: micro.name,
    DETA_SPACE_APP_MICRO_TYPE: micro.primary ? 'primary' : 'normal',
    ...(calls && { DETA_API_KEY: calls.key }),
  };
}

/** The data of the host of `space dev`, for Deta's SDKs in any language. They always use TLS. */
export async function dataOfHost({ port, tlsPort, folder }: DevHost, projectKey: string): Promise<DataAccess> {
  const authority = join(folder, 'data', 'tls', 'ca.pem');
  const bundle = join(folder, 'bundle.pem');
  await writeFile(bundle, [...rootCertificates, await readFile(authority, 'utf8')].join('\n'));
  const host = `localhost:${tlsPort}`;
  const root = `http://localhost:${port}/v1`;
  return {
    projectKey,
    env: {
      DETA_BASE_HOST: host, DETA_DRIVE_HOST: host, DETA_BASE_ROOT_ENDPOINT: root, DETA_DRIVE_ROOT_ENDPOINT: root,
      NODE_EXTRA_CA_CERTS: authority, SSL_CERT_FILE: bundle, REQUESTS_CA_BUNDLE: bundle,
    },
  };
}
