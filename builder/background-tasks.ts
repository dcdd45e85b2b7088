// Owns what can be done on the thread of a Build: what takes long, or reads what strangers have made.
import type { MessagePort } from 'node:worker_threads';
import { errorRecord, isSpaceError } from '../core/errors.ts';
import type { ErrorRecord } from '../core/errors.ts';
import { identifyFile } from './artifact.ts';
import type { Compression } from './compress.ts';
import { unpackSource } from './source.ts';
import type { SourceLimits } from './source-entries.ts';
import type { ArchiveOrder } from './toolchain/archive.ts';
import type { BundleOrder } from './toolchain/bundle.ts';

/** What not every Build needs is read when it is needed: most pushes change little. */
const TASKS = {
  unpack: ({ path, folder, limits }: { path: string; folder: string; limits?: SourceLimits }, signal: AbortSignal) => unpackSource(path, folder, { limits, signal }),
  identify: (path: string) => identifyFile(path),
  compress: async (order: Compression) => (await import('./compress.ts')).compressed(order),
  bundle: async (order: BundleOrder, signal: AbortSignal) => (await import('./toolchain/bundle.ts')).bundleMicro(order, signal),
  archive: async (order: ArchiveOrder, signal: AbortSignal) => (await import('./toolchain/archive.ts')).writeArchive(order, signal),
};

export type Tasks = typeof TASKS;
/** What is asked of the thread: a task, or the end of one. */
export type Order = { id: number; task: keyof Tasks; input: unknown } | { id: number; task: 'abort' };
/** What became of it. `failure` is what no developer can mend. */
export type Outcome = { id: number; output: unknown } | { id: number; error: ErrorRecord } | { id: number; failure: Error };

const running = new Map<number, AbortController>();

/** Do what comes through the port, and say what became of it. */
export function serve(port: MessagePort): void {
  port.on('message', (order: Order) => {
    if (order.task === 'abort') running.get(order.id)?.abort();
    else void perform(order).then((outcome) => port.postMessage(outcome)).finally(() => running.delete(order.id));
  });
}

async function perform({ id, task, input }: Exclude<Order, { task: 'abort' }>): Promise<Outcome> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    return { id, output: await TASKS[task](input as never, controller.signal) };
  } catch (error) {
    return isSpaceError(error) ? { id, error: errorRecord(error) } : { id, failure: error instanceof Error ? Object.assign(new Error(error.message), { stack: error.stack }) : new Error(String(error)) };
  }
}
