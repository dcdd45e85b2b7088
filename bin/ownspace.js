#!/usr/bin/env node
// Starts the host, on Node 24 whichever Node this is.
import { runOnNode24 } from './node24.js';

// All file work of a process shares these threads, the Stores' too: with the usual four, four slow writes hold up every read.
process.env.UV_THREADPOOL_SIZE ??= '16';

await runOnNode24('runtime/main.ts');
