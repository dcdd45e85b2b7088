// Owns the start of a thread on which a Build works. Its code is read from the cache that the host has, which no thread has by itself.
import { enableCompileCache, flushCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

const { compileCache } = workerData as { compileCache: string | undefined };
if (compileCache !== undefined) enableCompileCache(compileCache);
const { giveWay } = await import('./give-way.ts');
giveWay();
const { serve } = await import('./background-tasks.ts');
if (parentPort) serve(parentPort);
// A thread that is ended writes nothing any more.
flushCompileCache();
