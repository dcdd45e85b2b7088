// Starts a host from flags and environment, tells people where it is, and ends it on a signal.
import { readFileSync } from 'node:fs';
import { systemClock } from '../core/clock.ts';
import { isSpaceError } from '../core/errors.ts';
import { stderrLog } from '../core/log.ts';
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
  endOnSignal(host);
  process.on('unhandledRejection', (error) => log.error('host.unhandled-rejection', { error }));
}

function banner(host: Host, config: Config): string {
  const setup = host.setupUrl === undefined ? '' : `\n  Set it up      ${host.setupUrl}\n`;
  const secure = host.tlsUrl === undefined ? '' : `  HTTPS          ${host.tlsUrl}   (certificate authority: ${config.dataFolder}/tls/ca.pem)\n`;
  return `\nOwnspace ${version} is running.\n${setup}\n  Dashboard      ${host.url}\n${secure}  Data           ${config.dataFolder}\n\n  Ctrl-C stops it.\n\n`;
}

function endOnSignal(host: Host): void {
  let isEnding = false;
  const end = (): void => {
    // A second signal means "now".
    if (isEnding) process.exit(1);
    isEnding = true;
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
