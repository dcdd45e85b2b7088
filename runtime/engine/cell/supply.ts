// Owns where Cells come from: what they are made of, the jail they start in, and those that stand ready.
// Knows no Instance. Snapshots are made in a Cell that runs nothing else.
import type { Log } from '../../../core/log.ts';
import type { Jail } from '../../../sandbox/jail.ts';
import { type SandboxReport, testSandbox } from '../../../sandbox/self-test.ts';
import { buildCell, type CellParts, findAddon } from './build.ts';
import { innerLimits, type IsolateLimits } from './limits.ts';
import { CellPool } from './pool.ts';
import { CellProcess } from './process.ts';
import { FRAME } from './protocol.ts';

export interface SupplyOptions {
  log: Log;
  /** For what is made once: written by the host alone. */
  cacheFolder: string;
  limits: IsolateLimits;
  /** `false`: without a jail, also where this machine could make one. */
  isJailed: boolean;
}

interface Built { parts: CellParts; jail: Jail | undefined; pool: CellPool }

export class CellSupply {
  #options: SupplyOptions;
  #addonPath = findAddon();
  #built: Promise<Built> | undefined;

  /** @throws ISOLATED_VM_MISSING */
  constructor(options: SupplyOptions) {
    this.#options = options;
    this.#build().catch((error) => options.log.error('isolate_engine.build_failed', { error }));
  }

  /** How well this machine contains a Cell. */
  sandbox(): Promise<SandboxReport> {
    return testSandbox(this.#addonPath);
  }

  /** A ready Cell where there is one. @param limits other than the host's own, and shared Cells, start afresh */
  async take(limits: IsolateLimits, isShared: boolean): Promise<CellProcess> {
    const { parts, jail, pool } = await this.#build();
    const isUsual = !isShared && limits.cellMb <= this.#options.limits.cellMb;
    return isUsual ? pool.take() : this.#spawn(parts, jail, { limits, isShared });
  }

  /** Memory that ready Cells take. */
  async readyPids(): Promise<number[]> {
    return (await this.#build()).pool.pids;
  }

  #build(): Promise<Built> {
    this.#built ??= this.#buildNow().catch((error) => {
      this.#built = undefined;
      throw error;
    });
    return this.#built;
  }

  async #buildNow(): Promise<Built> {
    const { cacheFolder, limits, isJailed } = this.#options;
    const jail = isJailed ? (await this.sandbox()).jail : undefined;
    const parts = await buildCell(cacheFolder, this.#addonPath, (base, source) => this.#makeSnapshot(base, source, jail));
    const pool = new CellPool(limits.poolSize, () => this.#spawn(parts, jail, { limits, isShared: false }), (error) => this.#options.log.warn('cell.spawn_failed', { error }));
    pool.fill();
    return { parts, jail, pool };
  }

  async #spawn(parts: CellParts, jail: Jail | undefined, { limits, isShared }: { limits: IsolateLimits; isShared: boolean }): Promise<CellProcess> {
    const cell = await CellProcess.start({ parts, jail, limits, isShared, log: this.#options.log });
    cell.begin({ mode: 'serve', ...innerLimits(this.#options.limits), careful: false }, parts.snapshot);
    return cell;
  }

  async #makeSnapshot(parts: Omit<CellParts, 'snapshot'>, source: string, jail: Jail | undefined): Promise<Buffer> {
    const { limits, log } = this.#options;
    const cell = await CellProcess.start({ parts, jail, limits, isShared: false, log });
    try {
      return await new Promise((resolve, reject) => {
        cell.onFrame = (frame) => { if (frame.type === FRAME.SNAPSHOT && frame.body) resolve(Buffer.from(frame.body)); };
        cell.onEnd = (end) => reject(new Error(`the snapshot was not made: ${end}`));
        cell.begin({ mode: 'snapshot', ...innerLimits(this.#options.limits), careful: false }, Buffer.from(source));
      });
    } finally {
      cell.onEnd = () => {};
      cell.kill('retired');
    }
  }

  async close(): Promise<void> {
    // What was not built has nothing to close; why not was logged.
    const built = await this.#built?.catch(() => undefined);
    await built?.pool.close();
  }
}
