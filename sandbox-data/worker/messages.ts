// Owns what travels between the front door's thread and a data worker. Types only.
// All calls of a tick go in one message, and so do all replies of a tick: a message costs more than most calls.
import type { ErrorRecord } from '../../core/errors.ts';
import type { LogFields, LogLevel } from '../../core/log.ts';
import type { Damage } from '../store/damage.ts';

/** Which Store: the host's own, `<space id>/<collection id>`, or a snapshot, `<space id>/<collection id>/<snapshot id>`. */
export type Address = string;
export const HOST_ADDRESS: Address = 'host';

export type Call = [id: number, address: Address, operation: string, ...parameters: unknown[]];

export interface CallBatch {
  /** The caller's clock: a worker has none of its own. */
  nowMs: number;
  calls: Call[];
}

export type Reply = [id: number, result: unknown] | [id: number, result: undefined, error: ErrorRecord];

export interface ReplyBatch {
  replies: Reply[];
  /** Watched Collections whose log has grown. */
  grown?: Address[];
  log?: [level: LogLevel, event: string, fields: LogFields][];
  damage?: [address: Address, damage: Damage][];
}

/** What a worker is started with. */
export interface WorkerSettings {
  folder: string;
  maxOpenStores: number;
  idleMs: number;
}

/** What the thread is given: besides the settings a counter of batches sent, which long work looks at. */
export interface WorkerStart { settings: WorkerSettings; sent: Int32Array }
