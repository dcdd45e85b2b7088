// Owns the question how well this machine can contain hostile code: a harmless process is jailed as a Cell would be, and says
// what it could do. What it finds decides how Cells are started, and is shown to the owner of the host.
import { createServer, type AddressInfo, type Server } from 'node:net';
import { cellFilter, hasSeccomp } from './seccomp.ts';
import { type Jail, ownLibraries } from './jail.ts';
import { keepTail, launch, launchSupport } from './launch.ts';

/** full: namespaces and seccomp. namespaces: without seccomp. limits: a plain process with limits. none: a plain process. */
export type SandboxLevel = 'full' | 'namespaces' | 'limits' | 'none';

/** One thing that was tried. */
export interface SandboxFinding { what: string; holds: boolean; detail: string }

export interface SandboxReport {
  level: SandboxLevel;
  findings: SandboxFinding[];
  /** What a jailed Node.js process is started in; undefined below `namespaces`. */
  jail: Jail | undefined;
}

/** Where Node.js and its native modules lie in a jail. */
export const INSIDE = { node: '/cell/node', module: '/cell/module.node' } as const;

const PATIENCE_MS = 10_000;

const known = new Map<string, Promise<SandboxReport>>();

/** Found out once. @param modulePath a native module that has to load in the jail */
export function testSandbox(modulePath: string): Promise<SandboxReport> {
  const before = known.get(modulePath);
  if (before) return before;
  const fresh = runTest(modulePath);
  known.set(modulePath, fresh);
  return fresh;
}

async function runTest(modulePath: string): Promise<SandboxReport> {
  if (!launchSupport.jail) return withoutJail([{ what: 'bubblewrap', holds: false, detail: 'bwrap or setpriv is not installed' }]);
  const filter = hasSeccomp(process.arch) ? cellFilter(process.arch) : undefined;
  const base: Jail = { show: shown(modulePath), copy: {}, filter };
  const ladder: Jail[] = [base, { ...base, nests: true }, { ...base, nests: true, filter: undefined }];
  const bait = await openBait();
  const failures: string[] = [];
  try {
    for (const jail of ladder) {
      const said = await tryJail(jail, (bait.address() as AddressInfo).port);
      if (typeof said !== 'string') return { level: jail.filter ? 'full' : 'namespaces', jail, findings: findingsOf(said, jail) };
      failures.push(said);
    }
  } finally {
    bait.close();
  }
  return withoutJail([{ what: 'bubblewrap', holds: false, detail: failures[0]! }]);
}

/** Something of this machine that a process with a network could reach. */
function openBait(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const bait = createServer((socket) => socket.destroy()).on('error', reject);
    bait.listen(0, '127.0.0.1', () => resolve(bait));
  });
}

function shown(modulePath: string): Jail['show'] {
  return { [INSIDE.node]: process.execPath, [INSIDE.module]: modulePath, ...Object.fromEntries(ownLibraries().map((path) => [path, path])) };
}

function withoutJail(findings: SandboxFinding[]): SandboxReport {
  const { limits, dieWithParent } = launchSupport;
  return {
    level: limits && dieWithParent ? 'limits' : 'none', jail: undefined,
    findings: [
      ...findings,
      { what: 'memory limit', holds: limits, detail: limits ? 'by prlimit' : 'prlimit is not installed' },
      { what: 'no new privileges, ends with the host', holds: dieWithParent, detail: dieWithParent ? 'by setpriv' : 'setpriv is not installed' },
    ],
  };
}

interface Said {
  user: number; root: string[]; variables: string[]; wrote: string; connected: string; spawned: string; saw: string;
}

/** Runs inside: tries what hostile code would, and says how each went. */
const PROBE = `
const fs = require('node:fs'), net = require('node:net'), child = require('node:child_process');
const how = (act) => { try { act(); return 'worked'; } catch (error) { return error.code || String(error); } };
require(process.argv[1]);
const said = {
  user: process.getuid(), root: fs.readdirSync('/'), 
  variables: Object.keys(process.env).filter((name) => name !== 'PWD'), wrote: how(() => fs.writeFileSync('/probe', '')), saw: how(() => fs.readdirSync('/proc/1')),
  spawned: child.spawnSync(process.execPath, ['--version']).error?.code ?? 'worked',
};
const tell = (how) => { console.log(JSON.stringify({ ...said, connected: how })); process.exit(); };
try { net.connect(+process.argv[2], '127.0.0.1').on('error', (error) => tell(error.code)).on('connect', () => tell('worked')); } catch (error) { tell(error.code); }
`;

/** @returns what the probe said, or why it could not run */
async function tryJail(jail: Jail, bait: number): Promise<Said | string> {
  try {
    const probe = await launch({ command: [INSIDE.node, '-e', PROBE, INSIDE.module, String(bait)], stdio: ['ignore', 'pipe', 'pipe'], jail });
    const [output, errors] = [keepTail(probe.stdio[1]), keepTail(probe.stdio[2])];
    const timer = setTimeout(() => probe.kill(), PATIENCE_MS);
    const { code, signal } = await probe.closed();
    clearTimeout(timer);
    return readSaid(output()) ?? (lastWords(errors()) || `it ended with ${code ?? signal}`);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Node.js puts the line that matters behind the place it comes from. */
function lastWords(text: string): string | undefined {
  const lines = text.trim().split('\n');
  return (lines.find((line) => /error|bwrap/i.test(line) && !line.startsWith('node:')) ?? lines[0])?.slice(0, 300);
}

function readSaid(text: string): Said | undefined {
  try {
    return JSON.parse(text) as Said;
  } catch {
    return undefined;
  }
}

function findingsOf(said: Said, { filter, nests }: Jail): SandboxFinding[] {
  const hostUser = process.getuid?.() === 0 ? 'a user of its own, which owns nothing' : 'the user that runs this host';
  return [
    { what: 'files of this machine are out of sight', holds: said.root.every((name) => /^(cell|lib\d*|usr)$/.test(name)), detail: `sees /${said.root.join(', /')}` },
    { what: 'writes no file', holds: said.wrote !== 'worked', detail: said.wrote },
    { what: 'sees no other process', holds: said.saw !== 'worked', detail: said.saw },
    { what: 'has no network', holds: said.connected !== 'worked', detail: said.connected },
    { what: 'inherits no variable', holds: said.variables.length === 0, detail: said.variables.join(', ') || 'none' },
    { what: 'is not root', holds: said.user !== 0, detail: `outside it is ${hostUser}` },
    { what: 'starts no other process', holds: said.spawned !== 'worked', detail: said.spawned },
    { what: 'system calls are filtered', holds: filter !== undefined, detail: filter ? `${filter.length / 8} instructions` : `seccomp does not work here, or is not known for ${process.arch}` },
    { what: 'makes no namespaces of its own', holds: !nests || filter !== undefined, detail: nests ? 'by the filter only' : 'by the kernel and the filter' },
  ];
}
