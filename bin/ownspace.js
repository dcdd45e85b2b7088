#!/usr/bin/env node
// Starts the host, on Node 24 whichever Node this is.
import { runOnNode24 } from './node24.js';

await runOnNode24('runtime/main.ts');
