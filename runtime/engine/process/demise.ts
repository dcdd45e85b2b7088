// Owns what is said of a program that ended or did not come up: which limit, which code, which port. Pure, but for one look at
// the sockets of the box.
import { readFileSync } from 'node:fs';
import { SpaceError } from '../../../core/errors.ts';
import type { BoxEnd } from '../../../sandbox/box.ts';
import type { IsolateLimits } from '../cell/limits.ts';

/** Why this host ended a program. */
export type Killed = 'idle' | 'retired' | 'relieved' | 'memory' | 'stuck' | 'boot' | 'closed';

export interface Scene {
  end: BoxEnd;
  killed: Killed | undefined;
  /** It had taken a connection. */
  hasAnswered: boolean;
  port: number;
  limits: IsolateLimits;
  /** What it printed last. */
  tail: readonly string[];
  /** Ports on which it listened when its time to come up was over. */
  ports: readonly number[];
}

export interface Demise {
  /** For who waits for an answer. */
  error: SpaceError;
  /** For the Instance's log; undefined when there is nothing to tell. */
  text: string | undefined;
  /** It did not end because this host wanted its room. */
  isFault: boolean;
  /** Another start would most likely end the same way: it has to rest. */
  keepsFrom: boolean;
}

const OUT_OF_MEMORY = /JavaScript heap out of memory|^MemoryError|std::bad_alloc|cannot allocate memory|Array buffer allocation failed|fatal error: runtime: out of memory/im;
const SIGNALS: Readonly<Record<number, string>> = {
  132: 'an illegal instruction', 133: 'a trap', 134: 'an abort', 135: 'a bus error', 136: 'an arithmetic error', 137: 'SIGKILL', 139: 'a segmentation fault', 141: 'a broken pipe', 143: 'SIGTERM', 159: 'a system call that is not allowed',
};

export function judgeDemise(scene: Scene): Demise {
  const { killed, limits } = scene;
  switch (killed) {
    case 'idle': return quiet(`Ended after ${limits.programIdleMs / 1000} seconds without a request.`);
    case 'relieved': return quiet('Ended, since this host needed its memory for others.');
    case 'retired': case 'closed': return quiet(undefined);
    case 'stuck': return fault(new SpaceError('MICRO_TIMEOUT', { limitMs: limits.wallMs }), `Stopped: it was busy without an end and answered nobody for ${limits.wallMs / 1000} seconds.`);
    case 'memory': return outOfMemory(scene);
    case 'boot': return notUp(scene);
    case undefined: return byItself(scene);
  }
}

/** Nobody is to blame. */
export const quiet = (text: string | undefined): Demise => ({ error: new SpaceError('MICRO_CRASHED'), text, isFault: false, keepsFrom: false });
const fault = (error: SpaceError, text: string, keepsFrom = true): Demise => ({ error, text, isFault: true, keepsFrom });

function outOfMemory({ limits, end, hasAnswered }: Scene): Demise {
  return fault(new SpaceError('MICRO_OUT_OF_MEMORY', { limitMb: limits.memoryMb }), `Stopped: it used more than its ${limits.memoryMb} MB of memory (/tmp counts too).${processesText(end, limits)}`, !hasAnswered);
}

function notUp({ port, limits, ports }: Scene): Demise {
  const elsewhere = ports.filter((each) => each !== port);
  const where = elsewhere.length === 0 ? 'It never listened on a port' : `It listens on port ${elsewhere.join(' and ')} instead`;
  const reason = `it took no connection on the port in $PORT (${port}) within ${limits.bootMs / 1000} seconds. ${ports.includes(port) ? 'It listens there, but takes none' : where}`;
  return fault(new SpaceError('MICRO_START_FAILED', { reason: `${reason}.` }), `Stopped: ${reason}.`);
}

function byItself(scene: Scene): Demise {
  const { end, hasAnswered, tail, port, limits } = scene;
  if (end.hit.includes('memory') || (end.code !== 0 && OUT_OF_MEMORY.test(tail.join('\n')))) return outOfMemory(scene);
  const how = `${howText(end)}${processesText(end, limits)}`;
  if (hasAnswered) return fault(new SpaceError('MICRO_CRASHED'), `The program ${how}`, false);
  const last = tail.findLast((line) => line.trim() !== '');
  const said = last === undefined ? 'It said nothing.' : `It said last: ${last}`;
  const reason = end.code === 127 || end.code === 126 ? `its start command cannot be run. ${said}` : `it ${how} That was before it took a connection on the port in $PORT (${port}). ${said}`;
  return fault(new SpaceError('MICRO_START_FAILED', { reason }), `The start failed: ${reason}`);
}

function howText({ code, signal }: BoxEnd): string {
  const known = code === null ? undefined : SIGNALS[code];
  if (known !== undefined) return `was ended by ${known} (${code}).`;
  return signal === null ? `ended by itself with code ${code}.` : `was ended by ${signal}.`;
}

function processesText({ hit }: BoxEnd, { processesMax }: IsolateLimits): string {
  return hit.includes('processes') ? ` It reached its limit of ${processesMax} processes.` : '';
}

const LISTENING = '0A';

/** TCP ports that are listened on in the network of that process. Read once, when something is wrong. */
export function listeningPorts(pid: number): number[] {
  const found = new Set<number>();
  for (const table of ['tcp', 'tcp6']) {
    let text = '';
    try {
      text = readFileSync(`/proc/${pid}/net/${table}`, 'latin1');
    } catch {
      // It is gone.
    }
    for (const line of text.split('\n').slice(1)) {
      const [, local = '', , state] = line.trim().split(/\s+/);
      if (state === LISTENING) found.add(parseInt(local.split(':').at(-1) ?? '', 16));
    }
  }
  return [...found];
}
