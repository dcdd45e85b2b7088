// Owns putting the Engines together: which one runs a Micro, what this machine can contain, and what a program finds around it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpaceError } from '../core/errors.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { Boxes } from '../sandbox/box.ts';
import { type BoxGround, prepareBoxes } from '../sandbox/box-test.ts';
import { openProgramProxy, PROXY_ENV, PROXY_PORT } from '../sandbox/program-proxy.ts';
import { newId } from '../core/ids.ts';
import type { Config } from './config.ts';
import type { Engine, InstanceSpec } from './engine/engine.ts';
import { type CellEngine, createIsolateEngine } from './engine/isolate.ts';
import { createProcessEngine, type ProcessEngine } from './engine/process.ts';
import type { Place, Surroundings, SurroundingsOf } from './engine/process/surroundings.ts';
import { createStaticEngine } from './engine/static.ts';
import type { RevisionMicro } from './instance/live.ts';
import type { Settings } from './instance/settings.ts';

export interface EnginesParts {
  config: Config;
  log: Log;
  clock: Clock;
  settings: Settings;
  /** The door to Base, Drive and its own app, once the front door stands. */
  innerDoor: { open?: SurroundingsOf };
  onPause(instance: InstanceSpec, micro: string, reason: string): void;
}

export interface Engines {
  isolate: CellEngine;
  process: ProcessEngine;
  /** Found out when somebody needs a box or wants to know: it takes a moment. */
  ground(): Promise<BoxGround>;
  /** Undefined where builds may start no program. */
  boxesForBuilds(): Promise<Boxes | undefined>;
  for(micro: RevisionMicro): Engine;
  /** @throws SANDBOX_MISSING */
  assertRunnable(micros: readonly RevisionMicro[]): Promise<void>;
  stop(instanceId: string, graceMs: number): Promise<void>;
  close(): Promise<void>;
}

/** A socket's path has 107 bytes at most, and the data folder may lie deep. */
const SOCKET_FOLDER_MAX_CHARS = 80;

export async function openEngines({ config, log, clock, settings, innerDoor, onPause }: EnginesParts): Promise<Engines> {
  const cache = join(config.dataFolder, 'cache');
  const own = join(config.dataFolder, 'box');
  const boxFolder = own.length <= SOCKET_FOLDER_MAX_CHARS ? own : await mkdtemp(join(tmpdir(), 'ownspace-'));
  let found: Promise<BoxGround> | undefined;
  const ground = (): Promise<BoxGround> => (found ??= findGround(boxFolder, config.unsafeNoSandbox, log));
  const isolate = createIsolateEngine({ log, clock, cacheFolder: join(cache, 'isolate'), limits: config.limits, onPause });
  const programs = createProcessEngine({
    log, clock, limits: config.limits, onPause, packageFolder: join(cache, 'process'), socketFolder: boxFolder,
    boxes: async () => (await ground()).boxes(),
    async surroundingsOf(place) {
      const inwards = await ready(innerDoor.open)(place);
      // Without a box there is no port at which a proxy could be found, and nobody who would have to take it.
      return config.unsafeNoSandbox ? inwards : joined([inwards, await outwards(settings, place, inwards.calling)]);
    },
  });
  const all = { static: createStaticEngine(), isolate, process: programs };
  return {
    isolate, process: programs, ground,
    for: (micro) => all[micro.runs],
    async assertRunnable(micros) {
      if (micros.some(({ runs }) => runs === 'process')) (await ground()).boxes();
    },
    async boxesForBuilds() {
      const { report, boxes } = await ground();
      return report.level === 'refused' ? undefined : boxes();
    },
    async stop(instanceId, graceMs) {
      await Promise.all(Object.values(all).map((engine) => engine.stop(instanceId, graceMs)));
    },
    async close() {
      await Promise.all(Object.values(all).map((engine) => engine.close()));
      await (await found)?.close();
      await rm(boxFolder, { recursive: true, force: true });
    },
  };
}

async function findGround(folder: string, isUnsafe: boolean, log: Log): Promise<BoxGround> {
  const ground = await prepareBoxes({ folder, isUnsafe });
  const { level, findings } = ground.report;
  log.info('box.tested', { reached: level, failed: findings.filter(({ holds }) => !holds).map(({ what }) => what) });
  return ground;
}

function ready<T>(part: T | undefined): T {
  if (part === undefined) throw new SpaceError('INSTANCE_NOT_READY');
  return part;
}

/** The proxy, where its owner lets the app call anything at all: Node.js takes longer to start with it. */
async function outwards(settings: Settings, { instance, socketPath, user }: Place, calling: Surroundings['calling']): Promise<Surroundings> {
  const { reach } = await settings.of(instance.instanceId);
  if (reach.policy === 'none') return { env: {}, forwards: {}, hosts: [], close: async () => {} };
  const { services } = instance;
  const path = `${socketPath}.out`;
  const proxy = await openProgramProxy({
    socketPath: path, user,
    fetch(request) {
      // Other apps of this host are reached by this way, and may call back.
      const call = calling?.();
      if (call) request.signal.addEventListener('abort', call.end);
      return services.fetchUrl({ ...request, id: newId('request'), hops: call?.hops ?? 1, redirect: 'manual' });
    },
    connect: (host, port, signal) => services.openConnection({ host, port, signal }),
  });
  return { env: PROXY_ENV, forwards: { [PROXY_PORT]: path }, hosts: [], close: proxy.close };
}

function joined(all: Surroundings[]): Surroundings {
  const receivers = all.flatMap(({ received }) => received ?? []);
  return {
    env: Object.assign({}, ...all.map(({ env }) => env)) as Record<string, string>,
    forwards: Object.assign({}, ...all.map(({ forwards }) => forwards)) as Record<number, string>,
    hosts: all.flatMap(({ hosts }) => hosts), authority: all.flatMap(({ authority }) => authority ?? []).join('\n') || undefined,
    received(hops) {
      const ends = receivers.map((received) => received(hops));
      return () => { for (const end of ends) end(); };
    },
    async close() {
      await Promise.all(all.map(({ close }) => close()));
    },
  };
}
