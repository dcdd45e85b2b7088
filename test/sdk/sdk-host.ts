// Owns the hosts that SDKs talk to: real ones with TLS and a data key. One is found by DETA_BASE_HOST and DETA_DRIVE_HOST,
// the other lives in a network of its own, where database.deta.sh is this machine.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CHECKOUT, removeFolder, startHostProcess, type HostProcess } from '../support/host-process.ts';
import { send } from '../support/http.ts';

export interface SdkHost extends AsyncDisposable {
  dataKey: string;
  dataFolder: string;
  /** For programs that find it by variables, all but the key. */
  env: Record<string, string>;
  /** The same command, run where the host is. */
  command(line: string[], cwd: string): string[];
}

export const SDK_PASSWORD = 'correct horse battery';
/** DOMAIN of the host that has a network of its own. */
export const OWN_DOMAIN = 'cloud.test';
const OWN_HOSTS = `127.0.0.1 localhost ${OWN_DOMAIN} database.${OWN_DOMAIN} drive.${OWN_DOMAIN} database.deta.sh drive.deta.sh\n`;

/** What a program needs to trust this authority, and nothing else. */
export const trust = (pem: string): Record<string, string> => ({ NODE_EXTRA_CA_CERTS: pem, SSL_CERT_FILE: pem });

/** Set the host up. @returns an access token of its owner, and a data key of a new Collection */
export async function settle(host: Pick<HostProcess, 'url' | 'setupUrl'>): Promise<{ token: string; dataKey: string }> {
  const api = async (path: string, body: object, token = ''): Promise<any> => {
    const answer = await send(`${host.url}/api/v0${path}`, { method: 'POST', body, headers: { authorization: `Bearer ${token}` } });
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return answer.json();
  };
  const secret = new URL(host.setupUrl ?? '').searchParams.get('secret');
  const { access_token: token } = await api('/setup', { secret, username: 'ada', password: SDK_PASSWORD });
  const { id } = await api('/collections', { name: 'sdk' }, token);
  const { value: dataKey } = await api(`/collections/${id}/keys`, { name: 'sdk' }, token);
  return { token, dataKey };
}

/** A host at a free port of this machine, found by DETA_BASE_HOST and DETA_DRIVE_HOST. */
export async function startByVariable(): Promise<SdkHost & { host: HostProcess; token: string }> {
  const host = await startHostProcess();
  const settled = await settle(host).catch(async (error) => {
    await host.kill();
    throw error;
  });
  const { host: at } = new URL(host.tlsUrl ?? '');
  return {
    ...settled, host, dataFolder: host.dataFolder, command: (line) => line,
    env: { DETA_BASE_HOST: at, DETA_DRIVE_HOST: at, ...trust(join(host.dataFolder, 'tls', 'ca.pem')) },
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

const UNSHARE = ['--map-root-user', '--net', '--mount', '--kill-child', '--fork'];

/** Whether this system lets us make a network of our own. */
export function canHaveOwnNetwork(): boolean {
  try {
    execFileSync('unshare', [...UNSHARE, 'sh', '-c', 'ip link set lo up && command -v nsenter'], { stdio: 'ignore', timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

/** A host at port 443 under Deta's names, and under those of OWN_DOMAIN, in a network where nobody else is. */
export async function startByOriginalName(): Promise<SdkHost> {
  const folder = await mkdtemp(join(tmpdir(), 'own-network-'));
  const hosts = join(folder, 'hosts');
  await writeFile(hosts, OWN_HOSTS);
  const script = 'ip link set lo up && mount --bind "$1" /etc/hosts && exec "$2" "$3"';
  const child = spawn('unshare', [...UNSHARE, 'sh', '-c', script, 'sh', hosts, process.execPath, join(CHECKOUT, 'test/sdk/own-network.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const { pid, dataKey, dataFolder } = await firstLine(child, exited);
  return {
    dataKey, dataFolder, env: trust(join(dataFolder, 'tls', 'deta-ca.pem')),
    // The pid is one of this machine's: only network and mounts are the host's own.
    command: (line, cwd) => ['nsenter', `--target=${pid}`, '--user', '--net', '--mount', '--preserve-credentials', `--wd=${cwd}`, ...line],
    async [Symbol.asyncDispose]() {
      child.stdin?.end();
      await exited;
      await removeFolder(folder);
    },
  };
}

interface OwnNetworkFacts { pid: number; dataKey: string; dataFolder: string }

async function firstLine(child: ChildProcess, exited: Promise<void>): Promise<OwnNetworkFacts> {
  const lines = createInterface({ input: child.stdout! });
  const line = await Promise.race([new Promise<string>((resolve) => lines.once('line', resolve)), exited]);
  if (line === undefined) throw new Error('the host in its own network did not start');
  return JSON.parse(line) as OwnNetworkFacts;
}
