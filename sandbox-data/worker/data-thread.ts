// Owns one data worker as the front door's thread sees it: calls go out in batches, a worker that dies is replaced.
// Must not import what runs inside, except its types.
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../core/clock.ts';
import { errorFromRecord, SpaceError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { SnapshotRecord } from '../snapshot-files.ts';
import type { Damage } from '../store/damage.ts';
import type { Address, Call, CallBatch, ReplyBatch, WorkerSettings, WorkerStart } from './messages.ts';
import type { OperationName, Operations } from './operations.ts';

type ParametersOf<N extends OperationName> = Operations[N] extends (context: never, ...rest: infer P) => unknown ? P : never;
type ResultOf<N extends OperationName> = Awaited<ReturnType<Operations[N]>>;

interface Waiting { resolve: (result: any) => void; reject: (error: unknown) => void }

export interface DataThreadOptions { settings: WorkerSettings; clock: Clock; log: Log; onDamage?: (address: Address, damage: Damage) => void }

const HEAP_MAX_MB = 1024;
/** What a call leaves behind is garbage soon; with more room it is collected later, not faster. */
const YOUNG_MAX_MB = 24;
/** Calls that wait for the worker; those beyond are refused. */
const WAITING_MAX = 20_000;

export class DataThread {
  readonly #options: DataThreadOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watchers = new Map<Address, Set<() => void>>();
  #worker: Worker | undefined;
  #calls: Call[] = [];
  /** Of the running worker. */
  #sent: Int32Array = new Int32Array(1);
  #transfers: ArrayBuffer[] = [];
  #nextId = 1;
  #isClosed = false;

  constructor(options: DataThreadOptions) {
    this.#options = options;
  }

  /** @throws what the operation throws, STORE_UNAVAILABLE when the worker died meanwhile: a write may or may not have happened */
  call<N extends OperationName>(address: Address, operation: N, ...parameters: ParametersOf<N>): Promise<ResultOf<N>> {
    return this.#send(address, operation, parameters) as Promise<ResultOf<N>>;
  }

  /** Close the Store at this address, when the calls on it have ended. */
  async closeStore(address: Address): Promise<void> {
    await this.#send(address, 'close', []);
  }

  /** Finish a restore of it that was cut off, so that the list of its snapshots is true. */
  async settleSnapshots(address: Address): Promise<void> {
    await this.#send(address, 'snapshotSettle', []);
  }

  /** Take a snapshot of the Collection at this address: calls on it wait meanwhile. */
  async takeSnapshot(address: Address, record: SnapshotRecord): Promise<void> {
    await this.#send(address, 'snapshotTake', [record]);
  }

  /** What is there becomes the snapshot \`replaced\`. @throws SNAPSHOT_NOT_FOUND */
  async restoreSnapshot(address: Address, id: string, replaced: SnapshotRecord): Promise<void> {
    await this.#send(address, 'snapshotRestore', [id, replaced]);
  }

  /** Call `wake` whenever the log at this address may have grown. @returns an end to it */
  watch(address: Address, wake: () => void): () => void {
    const watchers = this.#watchers.get(address) ?? new Set();
    this.#watchers.set(address, watchers.add(wake));
    if (watchers.size === 1) this.#send(address, 'watch', []).catch(wake);
    return () => {
      if (!watchers.delete(wake) || watchers.size > 0) return;
      this.#watchers.delete(address);
      this.#send(address, 'unwatch', []).catch(() => {});
    };
  }

  async openAddresses(): Promise<Address[]> {
    return this.#worker ? ((await this.#send('', 'addresses', [])) as Address[]) : [];
  }

  /** Give a buffer away with the calls of this tick. */
  transfer(buffer: ArrayBuffer): void {
    this.#transfers.push(buffer);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#worker) await this.#send('', 'closeAll', []).catch(() => {});
    this.#isClosed = true;
    const worker = this.#worker;
    await worker?.terminate();
    if (worker) this.#abandon(worker);
  }

  /** The running worker, so that tests can kill it. */
  get worker(): Worker | undefined {
    return this.#worker;
  }

  #send(address: Address, operation: string, parameters: readonly unknown[]): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new SpaceError('STORE_UNAVAILABLE'));
    if (this.#waiting.size >= WAITING_MAX) return Promise.reject(new SpaceError('STORE_BUSY'));
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      if (this.#waiting.size === 1) this.#worker?.ref();
      if (this.#calls.push([id, address, operation, ...parameters]) === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const batch: CallBatch = { nowMs: this.#options.clock.now(), calls: this.#calls };
    const transfers = this.#transfers;
    this.#calls = [];
    this.#transfers = [];
    if (this.#isClosed) return;
    this.#worker ??= this.#start();
    Atomics.add(this.#sent, 0, 1);
    this.#worker.postMessage(batch, transfers);
  }

  #start(): Worker {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#sent = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(new URL(`./data-worker.${extension}`, import.meta.url), {
      workerData: { settings: this.#options.settings, sent: this.#sent } satisfies WorkerStart,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MB, maxYoungGenerationSizeMb: YOUNG_MAX_MB },
      name: 'data',
    });
    worker.on('message', (batch: ReplyBatch) => this.#receive(batch));
    worker.on('error', (error) => this.#options.log.error('data-worker.failed', { error }));
    worker.on('exit', () => this.#abandon(worker));
    return worker;
  }

  #receive({ replies, grown = [], log = [], damage = [] }: ReplyBatch): void {
    for (const [address, one] of damage) this.#options.onDamage?.(address, one);
    for (const address of grown) this.#wake(address);
    for (const [level, event, fields] of log) this.#options.log[level](event, fields);
    for (const [id, result, error] of replies) {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(errorFromRecord(error));
      else waiting?.resolve(result);
    }
    if (this.#waiting.size === 0) this.#worker?.unref(); // only a call keeps the process alive
  }

  #wake(address: Address): void {
    for (const wake of this.#watchers.get(address) ?? []) wake();
  }

  /** The next call starts a fresh worker. */
  #abandon(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const lost = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of lost) reject(new SpaceError('STORE_UNAVAILABLE'));
    for (const address of this.#watchers.keys()) {
      // The fresh one knows nothing of who watches, and what the old one wrote last was not told.
      if (!this.#isClosed) this.#send(address, 'watch', []).catch(() => {});
      this.#wake(address);
    }
    if (!this.#isClosed) this.#options.log.error('data-worker.replaced', { lostCalls: lost.length });
  }
}
