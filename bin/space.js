#!/usr/bin/env node
// Starts the `space` command on Node 24, from any Node that npm runs on.
import { runOnNode24 } from './node24.js';

await runOnNode24('cli/main.ts');
