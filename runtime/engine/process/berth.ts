// Owns how a program gets its box, with the way of connections into it and what it finds around itself: one that was kept ready
// where there is one of its kind, else one that is made for it.
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { Box, Boxes, BoxSpec } from '../../../sandbox/box.ts';
import { type BoxLimits, COMPILED } from '../../../sandbox/box-command.ts';
import type { Log } from '../../../core/log.ts';
import type { InstanceSpec, MicroSpec } from '../engine.ts';
import { type Ingress, openIngress } from './ingress.ts';
import { type Kind, keyOf, kindOf, type ReadyBoxes, type Waiting } from './ready.ts';
import type { Surroundings, SurroundingsOf } from './surroundings.ts';

export interface Berth { box: Box; ingress: Ingress; surroundings: Surroundings; port: number }

export interface BerthsOptions {
  ready: ReadyBoxes;
  surroundingsOf: SurroundingsOf;
  /** For its sockets; short. */
  socketFolder: string;
  log: Log;
}

export interface Passenger {
  instance: InstanceSpec;
  spec: MicroSpec;
  folder: string;
  /** Where there is any. */
  compiled: string | undefined;
  limits: BoxLimits;
}

const PORT = 8080;
let lastProgram = 0;

export class Berths {
  #options: BerthsOptions;
  /** What each needed the last time: an owner may change what an app reaches. */
  #kinds = new LRUCache<string, string>({ max: 10_000 });

  constructor(options: BerthsOptions) {
    this.#options = options;
  }

  /** @param boxes where one is made  @throws whatever keeps it from being made; then nothing of it is left */
  async open(passenger: Passenger, boxes: Boxes): Promise<Berth> {
    const who = `${passenger.instance.instanceId}/${passenger.spec.name}`;
    const guess = this.#kinds.get(who);
    const limits = JSON.stringify(passenger.limits);
    const waiting = this.#options.ready.take((kind) => (guess === undefined ? JSON.stringify(kind.limits) === limits : keyOf(kind) === guess));
    const { berth, kind } = (waiting && (await this.#enter(passenger, waiting))) ?? (await this.#make(passenger, boxes));
    this.#kinds.set(who, keyOf(kind));
    this.#options.ready.want(kind, boxes);
    return berth;
  }

  /** @returns undefined when that box is not what is needed, or ended: then another is made */
  async #enter({ instance, spec, folder, compiled, limits }: Passenger, waiting: Waiting): Promise<{ berth: Berth; kind: Kind } | undefined> {
    const { surroundingsOf, log } = this.#options;
    const { ready, ingress, socketPath, user, kind } = waiting;
    let surroundings: Surroundings | undefined;
    try {
      surroundings = await surroundingsOf({ instance, micro: spec.name, socketPath, user });
      if (keyOf(kindOf(surroundings, portBeside(surroundings), limits)) === keyOf(kind)) {
        const { forwards, hosts } = surroundings;
        await ready.become({ folder, compiled, forwards, hosts, ...programOf(spec, surroundings, { port: kind.port, compiled }) });
        return { kind, berth: { box: ready.box, ingress, surroundings, port: kind.port } };
      }
    } catch (error) {
      log.warn('ready.failed', { error: String(error) });
    }
    await waiting.discard();
    await surroundings?.close();
    return undefined;
  }

  async #make({ instance, spec, folder, compiled, limits }: Passenger, boxes: Boxes): Promise<{ berth: Berth; kind: Kind }> {
    const opened: (() => unknown)[] = [];
    try {
      // Kept: others start meanwhile, and one who took this number would take the connections too.
      const socketPath = join(this.#options.socketFolder, String(lastProgram += 1));
      const user = boxes.nextUser();
      const surroundings = await this.#options.surroundingsOf({ instance, micro: spec.name, socketPath, user });
      opened.push(surroundings.close);
      const ingress = await openIngress(`${socketPath}.in`);
      opened.push(ingress.close);
      const { forwards, hosts, authority } = surroundings;
      const port = await boxes.freePort(portBeside(surroundings));
      const box = await boxes.start({
        ...programOf(spec, surroundings, { port, compiled }), show: { '/app': folder, ...(compiled === undefined ? {} : { [COMPILED]: compiled }) }, ingress: { handle: ingress.handle, port }, user, forwards, hosts, limits,
        ...(authority === undefined ? {} : { authority }),
      });
      opened.push(box.kill);
      await ingress.handOver();
      return { berth: { box, ingress, surroundings, port }, kind: kindOf(surroundings, port, limits) };
    } catch (error) {
      for (const close of opened.toReversed()) await close();
      throw error;
    }
  }
}

const portBeside = ({ forwards }: Surroundings): number => (Object.hasOwn(forwards, PORT) ? PORT + 1 : PORT);

function programOf({ entry, env }: MicroSpec, surroundings: Surroundings, { port, compiled }: { port: number; compiled: string | undefined }): Pick<BoxSpec, 'command' | 'env'> {
  const found: Record<string, string> = compiled === undefined ? {} : { NODE_COMPILE_CACHE: COMPILED };
  return { command: ['/bin/sh', '-c', entry], env: { ...found, ...env, ...surroundings.env, PORT: String(port) } };
}
