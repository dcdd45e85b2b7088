// Owns a process that stands in for a Cell and sends whatever a test says: what a Cell could do once somebody took it over.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { systemClock } from '../../core/clock.ts';
import { createLog, type LogFields } from '../../core/log.ts';
import { CodeCache, findAddon } from '../../runtime/engine/cell/build.ts';
import { DEFAULT_LIMITS } from '../../runtime/engine/cell/limits.ts';
import { type CellEnd, CellProcess } from '../../runtime/engine/cell/process.ts';
import { FRAME } from '../../runtime/engine/cell/protocol.ts';
import { RunningCell } from '../../runtime/engine/cell/running-cell.ts';
import type { InstanceSpec, MicroResponse } from '../../runtime/engine/engine.ts';

/** How its one request ended, what was asked of the host, how the Cell ended, and what the host said in its own log. */
export interface FakeCellRun { outcome: string; asked: string[]; end: CellEnd | 'alive'; hostLog: LogFields[] }

/** @param script has `socket` and `frame(type, id, other, meta, body, micro, flags)` at hand; the load has id 1, the request id 2.
 *  A call whose arguments hold `never` is never answered. */
export async function runFakeCell(folder: string, script: string, limitMs = 10_000): Promise<FakeCellRun> {
  const programPath = join(folder, `${Math.random().toString(36).slice(2)}.cjs`);
  await writeFile(programPath, programOf(script));
  const [asked, hostLog]: [string[], LogFields[]] = [[], []];
  const log = createLog('warn', (line) => hostLog.push(JSON.parse(line) as LogFields));
  const cell = await CellProcess.start({ parts: { programPath, addonPath: findAddon() }, limits: DEFAULT_LIMITS, jail: undefined, isShared: false, log });
  let end: CellEnd | 'alive' = 'alive';
  const running = new RunningCell({ cell, limits: DEFAULT_LIMITS, clock: systemClock, log, codeCache: new CodeCache(folder), careful: false, onRetry: (flights, failure) => { for (const flight of flights) flight.reject(failure); }, onStrike: () => {}, onOverdue: () => {}, onEnd: () => {} });
  const settle = cell.onEnd;
  cell.onEnd = (reason, used) => { end = reason; settle(reason, used); };
  const answer = new Promise<MicroResponse>((resolve, reject) => {
    running.run({ instance: instanceThatNotes(asked), micro: 'm', request: { id: 'r', method: 'GET', url: 'http://a.test/', headers: [], body: null, hops: 3 }, head: 'GET\nhttp://a.test/', body: null, resolve, reject, deadline: Date.now() + 60_000, limits: { ...DEFAULT_LIMITS, subrequestsMax: 100_000 }, attempts: 3, isOver: false });
  });
  const late = new Promise<string>((resolve) => { setTimeout(() => resolve('nothing'), limitMs); });
  const outcome = await Promise.race([answer.then((response) => `${response.status}`, (error) => error.code as string), late]);
  cell.kill('retired');
  await cell.exited;
  return { outcome, asked, end, hostLog };
}

function programOf(script: string): string {
  return `
    const socket = new (require('net').Socket)({ fd: 3 });
    const frame = (type, id, other, meta = '', body, micro = 0, flags = 0) => {
      const head = Buffer.alloc(20); const text = Buffer.from(meta); const rest = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
      head.writeUInt32LE(20 + text.length + rest.length, 0); head[4] = type; head[5] = flags | (body === undefined ? 0 : 1); head.writeUInt16LE(micro, 6); head.writeUInt32LE(id, 8); head.writeUInt32LE(other, 12); head.writeUInt32LE(text.length, 16);
      socket.write(Buffer.concat([head, text, rest]));
    };
    socket.resume(); socket.on('end', () => process.exit()); socket.on('error', () => process.exit());
    frame(${FRAME.READY}, 0, 0);
    setTimeout(() => { ${script} }, 100);
    setTimeout(() => {}, 60000);`;
}

function instanceThatNotes(asked: string[]): InstanceSpec {
  const note = (name: string | symbol) => async (...args: unknown[]): Promise<object> => {
    asked.push(`${String(name)} ${JSON.stringify(args)}`);
    if (asked.at(-1)!.includes('never')) await new Promise(() => {});
    return { status: 200, headers: [], body: null };
  };
  const services = new Proxy({} as InstanceSpec['services'], { get: (_, name) => (name === 'log' ? () => {} : note(name)) });
  return { instanceId: 'i', spaceId: 's', collectionId: 'c', hostname: 'h.localhost', generation: '1', services, micros: [{ name: 'm', env: {}, entry: 'e', files: {}, readFile: async () => Buffer.from(''), readContent: async () => Buffer.from(''), openContent: async () => Readable.from([]) }] };
}
