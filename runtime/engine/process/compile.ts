// Owns what Node.js has compiled of packages, so that it is not compiled at each start. A package runs once for that, for nobody: in
// a box that leads nowhere, without the variables, the data or the network of anybody's Instance. So whoever wrote a package can
// only have compiled that package, and an Instance that is attacked can change nothing that another one starts with.
import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import type { Log } from '../../../core/log.ts';
import type { Box, Boxes } from '../../../sandbox/box.ts';
import type { BoxLimits } from '../../../sandbox/box-command.ts';
import type { Compiled } from '../../../sandbox/ready-box.ts';
import type { MicroSpec } from '../engine.ts';
import type { Package, Packages } from './packages.ts';

export interface CompilesOptions {
  isWanted: boolean;
  packages: Packages;
  clock: Clock;
  log: Log;
  isQuiet(): boolean;
}

const QUIET_MS = 1_000;
const WAITING_MAX = 200;
const PORT = '8080';

export class Compiles {
  #options: CompilesOptions;
  #waiting = new Map<string, { spec: MicroSpec; boxes: Boxes; limits: BoxLimits }>();
  #stopTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #box: Box | undefined;
  #isClosed = false;

  constructor(options: CompilesOptions) {
    this.#options = options;
  }

  /** @returns the folder, where there is one with something in it */
  of({ compiledFolder }: Package): string | undefined {
    return existsSync(join(compiledFolder, MADE)) ? compiledFolder : undefined;
  }

  /** It came up: it is compiled when nothing else happens, once. */
  want({ compiledFolder }: Package, spec: MicroSpec, how: { boxes: Boxes; limits: BoxLimits }): void {
    if (!this.#options.isWanted || this.#isClosed || existsSync(compiledFolder) || this.#waiting.size >= WAITING_MAX) return;
    this.#waiting.set(compiledFolder, { spec, ...how });
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer?.();
    await this.#box?.kill();
    await this.#running;
  }

  #schedule(): void {
    if (this.#isClosed || this.#waiting.size === 0) return;
    this.#stopTimer?.();
    this.#stopTimer = this.#options.clock.after(QUIET_MS, () => {
      if (!this.#options.isQuiet() || this.#running) return this.#schedule();
      this.#running = this.#next().finally(() => {
        this.#running = undefined;
        this.#schedule();
      });
    });
  }

  async #next(): Promise<void> {
    const { packages, log } = this.#options;
    const [place, { spec, boxes, limits }] = this.#waiting.entries().next().value!;
    this.#waiting.delete(place);
    const held = await packages.hold(spec).catch(() => undefined);
    if (!held) return;
    try {
      const ready = await boxes.ready({ env: {}, ports: [], user: boxes.nextUser(), limits: { ...limits, isBackground: true } });
      if (!ready) return;
      this.#box = ready.box;
      log.debug('program.compiling', { package: basename(held.folder) });
      if (this.#isClosed) await ready.box.kill();
      const compiled = await ready.compile({ folder: held.folder, command: ['/bin/sh', '-c', spec.entry], env: { PORT } });
      // Cut off, it says nothing about the package.
      if (this.#isClosed) return;
      await keep(place, compiled);
      log.info('program.compiled', { package: basename(held.folder), files: compiled.size, bytes: [...compiled.values()].reduce((sum, { length }) => sum + length, 0) });
    } catch (error) {
      log.warn('program.notCompiled', { error: String(error) });
    } finally {
      this.#box = undefined;
      held.release();
    }
  }
}

/** Says that there is something; not by a name that a program could have chosen. */
const MADE = '.made';

/** Also when there is nothing to keep: it was tried. */
async function keep(place: string, compiled: Compiled): Promise<void> {
  const draft = `${place}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true });
  for (const [name, bytes] of compiled) {
    await mkdir(dirname(join(draft, name)), { recursive: true });
    await writeFile(join(draft, name), bytes, { mode: 0o644 });
    await chmod(dirname(join(draft, name)), 0o755);
  }
  if (compiled.size > 0) await writeFile(join(draft, MADE), '', { mode: 0o644 });
  await chmod(draft, 0o755);
  await rm(place, { recursive: true, force: true });
  await rename(draft, place);
}
