// Loaded into a host by a test (`NODE_OPTIONS=--import`): on SIGUSR2 it writes the longest that the front door's loop was
// held up since the last time, in ms, to the file $LOOP_WATCH.
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.env.LOOP_WATCH && process.argv.some((part) => part.includes('ownspace.js'))) {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  process.on('SIGUSR2', () => {
    writeFileSync(process.env.LOOP_WATCH, String(delay.max / 1e6));
    delay.reset();
  });
}
