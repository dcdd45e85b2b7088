// Owns ready boxes: made, with a program in them that waits, before it is known for whom. What a start takes is then over but for
// a folder, some sockets and one message. Each becomes one program's box and never another's; until then there is nobody's code
// and nobody's secret in it.
import { chmod, copyFile, link, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Box, BoxSpec, Wires } from './box.ts';
import { DOORS, FORWARDER, NODE, wholeEnv } from './box-command.ts';
import { hostsFile } from './box-etc.ts';

/** All that has to be known before. */
export type ReadySpec = Pick<BoxSpec, 'env' | 'authority' | 'ingress' | 'limits' | 'user'> & {
  /** Ports of the box's loopback that will lead somewhere. */
  ports: readonly number[];
};

/** What it becomes. `forwards` has the ports that were asked for. */
export type ReadyFor = Required<Pick<BoxSpec, 'command' | 'env' | 'hosts' | 'forwards'>> & {
  /** Shown at /app. */
  folder: string;
  /** What `compile` gave for the same folder, in one. */
  compiled?: string | undefined;
};

/** By name, as `folder/file`. Made by whatever ran: good for nobody but the same program. */
export type Compiled = Map<string, Buffer>;

export interface ReadyBox {
  readonly box: Box;
  /** Once. @throws Error when it cannot be that: then it is of no use any more */
  become(program: ReadyFor): Promise<void>;
  /** Be that program for a moment, with nothing around it, and end. @returns what Node.js made of its sources meanwhile; nothing when it
   *  is no program of JavaScript, and then it does not run either */
  compile(program: Pick<ReadyFor, 'folder' | 'command' | 'env'>): Promise<Compiled>;
}

const PROGRAM = '/run/host/ready.cjs';
/** Room for the name under which it will be listed. */
const TITLE_ROOM = ' '.repeat(250);
const LENGTH_BYTES = 4;
const GRAFT_MAX_MS = 5_000;
const UP_MAX_MS = 30_000;
const COMPILE_MAX_MS = 15_000;
const COMPILED_MAX_BYTES = 16 * 1024 ** 2;
const COMPILED_MAX_FILES = 20_000;
const NAME_MAX_BYTES = 210;
const COMPILED_NAME = /^v[\w.-]{1,100}\/\w[\w.-]{0,100}$/;
/** What is the same for every program of this host, and read by Node.js when it starts. Anything else would tell of others. */
export const READ_AT_START = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_DIR', 'SSL_CERT_FILE'];
let last = 0;

/** @param folder of this host alone  @throws Error when its program does not come up */
export async function openReady(folder: string, start: (spec: BoxSpec) => Promise<Box>, { ports, env, ...spec }: ReadySpec): Promise<ReadyBox> {
  const own = join(folder, `ready-${last += 1}`);
  const places = { hosts: join(own, 'hosts'), doors: join(own, 'doors'), program: join(own, 'program.cjs') };
  await makePlaces(own, places);
  const free = (): Promise<void> => rm(own, { recursive: true, force: true });
  let wires: Wires | undefined;
  let box: Box;
  try {
    box = await start({
      ...spec, env: Object.fromEntries(READ_AT_START.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]))), command: [NODE, PROGRAM, TITLE_ROOM, ...(env['NODE_USE_ENV_PROXY'] === undefined ? [] : ['proxy'])],
      show: { '/etc/hosts': places.hosts, [DOORS]: places.doors, [PROGRAM]: places.program }, waiting: { ports, onWires: (given) => { wires = given; } },
    });
  } catch (error) {
    await free();
    throw error;
  }
  void box.ended.then(free);
  const { program, graft } = wires!;
  for (const wire of [program, graft]) wire.on('error', () => {});
  const late = setTimeout(() => void box.kill(), UP_MAX_MS);
  await Promise.race([new Promise<void>((resolve) => { program.once('data', () => resolve()); }), box.ended.then(() => { throw new Error('a ready box ended while it was made'); })]).finally(() => clearTimeout(late));
  let isTaken = false;
  const tell = async ({ folder: app, compiled = '', command, env: all, hosts, forwards }: ReadyFor, isTrial: boolean): Promise<void> => {
    if (isTaken) throw new TypeError('a ready box is given once');
    isTaken = true;
    await Promise.all([
      writeFile(places.hosts, hostsFile(hosts)),
      ...Object.entries(forwards).map(([port, path]) => link(path, join(places.doors, `${port}.sock`))),
      grafted(graft, [app, compiled], box),
    ]);
    const order = Buffer.from(JSON.stringify({ command, env: wholeEnv(all), cwd: '/app', forwarder: FORWARDER, isTrial }));
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(order.length);
    program.write(Buffer.concat([length, order]));
  };
  return {
    box,
    async become(given) {
      await tell(given, false);
      program.end();
    },
    async compile(given) {
      const late = setTimeout(() => void box.kill(), COMPILE_MAX_MS);
      // What it prints is for nobody; unread it would hold up the program, and then its pipes would stay open.
      for (const output of [box.stdout, box.stderr]) output.resume();
      try {
        const heard = hear(program);
        await tell({ ...given, hosts: [], forwards: {} }, true);
        return readCompiled(await heard);
      } finally {
        clearTimeout(late);
        await box.kill();
      }
    },
  };
}

/** One message, its length before it; nothing when it ends before, or would say too much. */
async function hear(wire: Wires['program']): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isWhole = false;
  await new Promise<void>((resolve) => {
    wire.once('close', resolve);
    wire.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes < LENGTH_BYTES) return;
      const wanted = Buffer.concat(chunks.slice(0, LENGTH_BYTES)).readUInt32LE(0) + LENGTH_BYTES;
      isWhole = bytes >= wanted;
      if (isWhole || bytes > COMPILED_MAX_BYTES) resolve();
    });
  });
  return isWhole ? Buffer.concat(chunks).subarray(LENGTH_BYTES) : Buffer.alloc(0);
}

/** Nothing of it is believed: the program could have said anything. */
function readCompiled(said: Buffer): Compiled {
  const compiled: Compiled = new Map();
  for (let at = 0; at + 8 <= said.length && compiled.size < COMPILED_MAX_FILES;) {
    const [nameAt, bytesAt] = [at + 8, at + 8 + said.readUInt32LE(at)];
    const end = bytesAt + said.readUInt32LE(at + 4);
    const name = said.toString('latin1', nameAt, Math.min(bytesAt, nameAt + NAME_MAX_BYTES));
    if (end > said.length || !COMPILED_NAME.test(name)) break;
    compiled.set(name, said.subarray(bytesAt, end));
    at = end;
  }
  return compiled;
}

async function makePlaces(own: string, { hosts, doors, program }: { hosts: string; doors: string; program: string }): Promise<void> {
  await rm(own, { recursive: true, force: true });
  await mkdir(doors, { recursive: true });
  await writeFile(hosts, hostsFile([]));
  await copyFile(fileURLToPath(new URL('ready-program.cjs', import.meta.url)), program);
  // Whatever this host hides from others by habit.
  await Promise.all([chmod(own, 0o755), chmod(doors, 0o755), chmod(hosts, 0o644), chmod(program, 0o644)]);
}

/** The folders are at their places when this is done. */
async function grafted(wire: Wires['graft'], folders: readonly string[], box: Box): Promise<void> {
  const answer = new Promise<string>((resolve) => {
    wire.on('data', (chunk: Buffer) => {
      const said = /[+!]/.exec(chunk.toString('latin1'));
      if (said) resolve(said[0]);
    });
    void box.ended.then(() => resolve('it ended'));
    setTimeout(() => resolve('no answer'), GRAFT_MAX_MS).unref();
  });
  wire.write(folders.map((folder) => `${folder}\0`).join(''));
  const said = await answer;
  if (said !== '+') throw new Error(`a ready box could not be given its app: ${said}`);
}
