// The `space` command as a process: environment, streams and Ctrl-C are taken here and nowhere else.
import { homedir } from 'node:os';
import { EXIT_INTERRUPTED } from './failure.ts';
import { main } from './program.ts';
import { createTerminal } from './terminal.ts';

const interruption = new AbortController();
process.on('SIGINT', () => {
  // Twice means at once.
  if (interruption.signal.aborted) process.exit(EXIT_INTERRUPTED);
  interruption.abort();
});
// The reader of a pipe went away (`space logs | head`): nobody is left to talk to.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const io = createTerminal({
  env: process.env,
  cwd: process.cwd(),
  homeDir: process.env.HOME ?? homedir(),
  signal: interruption.signal,
});
process.exitCode = await main(process.argv.slice(2), io);
