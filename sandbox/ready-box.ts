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
};

export interface ReadyBox {
  readonly box: Box;
  /** Once. @throws Error when it cannot be that: then it is of no use any more */
  become(program: ReadyFor): Promise<void>;
}

const PROGRAM = '/run/host/ready.cjs';
/** Room for the name under which it will be listed. */
const TITLE_ROOM = ' '.repeat(250);
const GRAFT_MAX_MS = 5_000;
/** What is the same for every program of this host, and read by Node.js when it starts. Anything else would tell of others. */
const READ_AT_START = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_DIR', 'SSL_CERT_FILE'];
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
  await Promise.race([new Promise<void>((resolve) => { program.once('data', () => resolve()); }), box.ended.then(() => { throw new Error('a ready box ended while it was made'); })]);
  let isTaken = false;
  return {
    box,
    async become({ folder: app, command, env: all, hosts, forwards }) {
      if (isTaken) throw new TypeError('a ready box is given once');
      isTaken = true;
      await Promise.all([
        writeFile(places.hosts, hostsFile(hosts)),
        ...Object.entries(forwards).map(([port, path]) => link(path, join(places.doors, `${port}.sock`))),
        grafted(graft, app, box),
      ]);
      const order = Buffer.from(JSON.stringify({ command, env: wholeEnv(all), cwd: '/app', forwarder: FORWARDER }));
      const length = Buffer.alloc(4);
      length.writeUInt32LE(order.length);
      program.end(Buffer.concat([length, order]));
    },
  };
}

async function makePlaces(own: string, { hosts, doors, program }: { hosts: string; doors: string; program: string }): Promise<void> {
  await rm(own, { recursive: true, force: true });
  await mkdir(doors, { recursive: true });
  await writeFile(hosts, hostsFile([]));
  await copyFile(fileURLToPath(new URL('ready-program.cjs', import.meta.url)), program);
  // Whatever this host hides from others by habit.
  await Promise.all([chmod(own, 0o755), chmod(doors, 0o755), chmod(hosts, 0o644), chmod(program, 0o644)]);
}

/** The folder is at /app when this is done. */
async function grafted(wire: Wires['graft'], folder: string, box: Box): Promise<void> {
  const answer = new Promise<string>((resolve) => {
    wire.on('data', (chunk: Buffer) => {
      const said = /[+!]/.exec(chunk.toString('latin1'));
      if (said) resolve(said[0]);
    });
    void box.ended.then(() => resolve('it ended'));
    setTimeout(() => resolve('no answer'), GRAFT_MAX_MS).unref();
  });
  wire.write(`${folder}\0`);
  const said = await answer;
  if (said !== '+') throw new Error(`a ready box could not be given its app: ${said}`);
}
