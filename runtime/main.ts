// Starts a host from flags and environment, tells people where it is, and ends it on a signal.
import { readFileSync } from 'node:fs';
import { systemClock } from '../core/clock.ts';
import { isSpaceError } from '../core/errors.ts';
import { stderrLog, type Log } from '../core/log.ts';
import { helpText, loadConfig, type Config } from './config.ts';
import { startHost, type Host } from './server.ts';

const version = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;

async function main(): Promise<void> {
  const config = loadConfig(process.env, process.argv.slice(2));
  if (config === 'help') {
    process.stdout.write(helpText());
    return;
  }
  const log = stderrLog(config.logLevel);
  const host = await startHost(config, { log, clock: systemClock, version });
  process.stdout.write(banner(host, config));
  endOnSignal(host, log);
  process.on('unhandledRejection', (error) => log.error('host.unhandled-rejection', { error }));
}

function banner(host: Host, config: Config): string {
  const setup = host.setupUrl === undefined ? '' : `\n  Set it up      ${host.setupUrl}\n`;
  const secure = host.tlsUrl === undefined ? '' : `  HTTPS          ${host.tlsUrl}   (certificate authority: ${config.dataFolder}/tls/ca.pem)\n`;
  return `\nOwnspace ${version} is running.\n${setup}\n  Dashboard      ${host.url}\n${secure}  Data           ${config.dataFolder}\n\n  Ctrl-C stops it.\n\n`;
}

/** Npm passes on a signal that the terminal has sent us already, so a second one counts only after a moment. */
const REPEAT_MS = 1000;
/** Whatever hangs then is cut; what was acknowledged is on the disk. */
const END_MS = 20_000;

function endOnSignal(host: Host, log: Log): void {
  let beganAt: number | undefined;
  const cut = (): void => {
    log.warn('host.cut-off');
    process.kill(process.pid, 'SIGKILL');
  };
  const end = (): void => {
    if (beganAt !== undefined) {
      if (Date.now() - beganAt > REPEAT_MS) cut();
      return;
    }
    beganAt = Date.now();
    setTimeout(cut, END_MS).unref();
    host.close().then(() => process.exit(0), () => process.exit(1));
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

main().catch((error) => {
  const isKnown = isSpaceError(error);
  process.stderr.write(isKnown ? `${error.message}\n(${error.code})\n` : `${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
