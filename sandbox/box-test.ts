// Owns the question whether this machine can hold any program at all: a box as a Micro would get it is started, and what runs in
// it says what it could do. Without namespaces and a filter there are no boxes, unless the owner of the host wants none.
import { createServer, type AddressInfo } from 'node:net';
import { SpaceError } from '../core/errors.ts';
import { type Box, boxTools, type Boxes, openBoxes } from './box.ts';
import type { BoxLimits } from './box-command.ts';
import { openGroups } from './cgroup.ts';
import { keepTail } from './launch.ts';
import { hasSeccomp, programFilter } from './seccomp.ts';
import type { SandboxFinding } from './self-test.ts';

/** full: everything, and limits over all processes of a box together. soft: limits for each process only. unsafe: no box, since
 *  the owner of the host says so. refused: no box can be made, so nothing runs. */
export type BoxLevel = 'full' | 'soft' | 'unsafe' | 'refused';

export interface BoxReport { level: BoxLevel; findings: SandboxFinding[] }

export interface BoxGround {
  report: BoxReport;
  /** @throws SANDBOX_MISSING */
  boxes(): Boxes;
  close(): Promise<void>;
}

const PATIENCE_MS = 20_000;
const LIMITS: BoxLimits = { memoryMb: 256, processes: 64, openFiles: 256, tmpMb: 8, tmpFiles: 100 };

/** @param folder of this host alone; it is emptied */
export async function prepareBoxes({ folder, isUnsafe }: { folder: string; isUnsafe: boolean }): Promise<BoxGround> {
  const { boxes, report } = isUnsafe ? await prepareBare(folder) : await prepare(folder);
  const reason = report.findings.find(({ holds }) => !holds)?.detail;
  return {
    report,
    boxes() {
      if (!boxes) throw new SpaceError('SANDBOX_MISSING', { reason });
      return boxes;
    },
    close: async () => boxes?.close(),
  };
}

interface Prepared { report: BoxReport; boxes?: Boxes }

async function prepareBare(folder: string): Promise<Prepared> {
  const missing = boxTools(true);
  if (typeof missing === 'string') return refused(missing);
  const boxes = await openBoxes({ folder, filter: undefined, nests: true, groups: undefined, isBare: true });
  return { boxes, report: { level: 'unsafe', findings: [{ what: 'a sandbox', holds: false, detail: 'this host was started with --unsafe-no-sandbox' }] } };
}

async function prepare(folder: string): Promise<Prepared> {
  const missing = boxTools();
  if (typeof missing === 'string') return refused(missing);
  if (!hasSeccomp(process.arch)) return refused(`no filter of system calls is known for the processor ${process.arch}`);
  const filter = programFilter(process.arch);
  const groups = await openGroups();
  let failure = '';
  for (const nests of [false, true]) {
    const boxes = await openBoxes({ folder, filter, nests, groups });
    const said = await tryBox(boxes).catch((error: Error) => error.message);
    if (typeof said !== 'string') {
      const findings = [...findingsOf(said, nests), { what: 'memory and processes are limited over the whole box', holds: groups !== undefined, detail: groups?.kind ?? 'this host may not make control groups: each process has its own limit' }];
      const isTight = findings.every(({ holds, what }) => holds || what.startsWith('memory and'));
      if (isTight) return { boxes, report: { level: groups ? 'full' : 'soft', findings } };
      await boxes.close();
      return { report: { level: 'refused', findings } };
    }
    failure ||= said;
  }
  await groups?.close();
  return refused(failure);
}

function refused(detail: string): Prepared {
  return { report: { level: 'refused', findings: [{ what: 'a box can be made', holds: false, detail }] } };
}

interface Said { user: number; root: string[]; variables: string[]; wrote: string; connected: string; processes: number; seccomp: string; unshared: string }

/** Runs inside: tries what hostile code would, and says how each went. */
const PROBE = `
const fs = require('node:fs'), net = require('node:net'), child = require('node:child_process');
const how = (act) => { try { act(); return 'worked'; } catch (error) { return error.code || String(error); } };
const said = {
  user: process.getuid(), root: fs.readdirSync('/'), variables: Object.keys(process.env), wrote: how(() => fs.writeFileSync('/usr/probe', '')),
  processes: fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length,
  seccomp: /^Seccomp:\\s+(\\d)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1],
  unshared: child.spawnSync('/usr/bin/unshare', ['--user', '/bin/true']).status === 0 ? 'worked' : 'refused',
};
const tell = (how) => { console.log(JSON.stringify({ ...said, connected: how })); process.exit(); };
net.connect(+process.argv[1], '127.0.0.1').on('error', (error) => tell(error.code)).on('connect', () => tell('worked'));
`;

/** @returns what the probe said, or why it could not run */
async function tryBox(boxes: Boxes): Promise<Said | string> {
  const bait = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => bait.on('error', reject).listen(0, '127.0.0.1', resolve));
  try {
    const { port } = bait.address() as AddressInfo;
    const box = await boxes.start({ command: ['/run/host/bin/node', '-e', PROBE, String(port)], env: {}, cwd: '/', limits: LIMITS });
    return await hear(box);
  } finally {
    bait.close();
  }
}

async function hear(box: Box): Promise<Said | string> {
  const [output, errors] = [keepTail(box.stdout), keepTail(box.stderr)];
  const timer = setTimeout(() => void box.kill(), PATIENCE_MS);
  const { code, signal } = await box.ended;
  clearTimeout(timer);
  // What it said last may still be on its way.
  await Promise.race([new Promise((resolve) => setTimeout(resolve, 1_000)), box.stdout.readableEnded ? undefined : new Promise((resolve) => box.stdout.once('close', resolve))]);
  try {
    return JSON.parse(output()) as Said;
  } catch {
    return errors().trim().slice(0, 300) || `it ended with ${code ?? signal}`;
  }
}

function findingsOf(said: Said, nests: boolean): SandboxFinding[] {
  const hostUser = process.getuid?.() === 0 ? 'a user of its own, which owns nothing' : 'the user that runs this host';
  return [
    { what: 'files of this machine are out of sight, but for /usr', holds: said.root.every((name) => /^(bin|dev|etc|lib\w*|proc|run|sbin|tmp|usr|var)$/.test(name)), detail: `sees /${said.root.join(', /')}` },
    { what: 'writes nothing outside its own folders', holds: said.wrote !== 'worked', detail: said.wrote },
    { what: 'sees no process of this machine', holds: said.processes <= 5, detail: `sees ${said.processes}` },
    { what: 'reaches no port of this machine', holds: said.connected !== 'worked', detail: said.connected },
    { what: 'inherits no variable', holds: said.variables.every((name) => /^(PATH|HOME|TMPDIR|LANG|PWD)$/.test(name)), detail: said.variables.join(', ') },
    { what: 'is not root', holds: said.user !== 0, detail: `outside it is ${hostUser}` },
    { what: 'system calls are filtered', holds: said.seccomp === '2', detail: said.seccomp === '2' ? 'by seccomp' : 'no filter is active' },
    { what: 'makes no namespaces of its own', holds: said.unshared !== 'worked', detail: nests ? 'by the filter only' : 'by the kernel and the filter' },
  ];
}
