// Owns the meaning of the host's flags and variables: text in, one frozen Config out. Reads nothing by itself.
import { parseArgs } from 'node:util';
import { delimiter, dirname, resolve } from 'node:path';
import { isIP } from 'node:net';
import { SpaceError } from '../core/errors.ts';
import type { LogLevel } from '../core/log.ts';
import { type IsolateLimits, limitProblem } from './engine/cell/limits.ts';
import { readS3Place, S3_URL_FORM, type S3Place } from '../sandbox-data/blob/s3-place.ts';

export interface Config {
  /** Everything that the host keeps. */
  readonly dataFolder: string;
  /** HTTP; 0 picks a free port. */
  readonly port: number;
  /** HTTPS, or undefined when off; 0 picks a free port. */
  readonly tlsPort: number | undefined;
  readonly listenAddress: string;
  /** Dashboard, control plane, data plane. */
  readonly domain: string;
  /** Instances live at `<label>.<appsDomain>`. */
  readonly appsDomain: string;
  /** The S3 server that keeps what Files and Revisions are made of; undefined: the data folder does. Holds a secret. */
  readonly blobs: S3Place | undefined;
  readonly unsafeNoSandbox: boolean;
  /** Numbers of isolate Micros that differ from the defaults. */
  readonly limits: Readonly<Partial<IsolateLimits>>;
  /** One-time secret of the first set-up; random when undefined. */
  readonly setupSecret: string | undefined;
  readonly logLevel: LogLevel;
  /** DNS server, `address` or `address:port`; undefined: this machine's. */
  readonly dnsServer: string | undefined;
  /** How long what apps print is kept. */
  readonly logDays: number;
  /** Stores of Collections that a data worker holds open. */
  readonly openStores: number;
  readonly buildTools: BuildTools;
}

/** What programs that a build starts may know of this machine. */
export interface BuildTools {
  /** How npm is started. */
  readonly npmCommand: readonly [string, ...string[]];
  /** Their PATH. */
  readonly path: string;
  /** The way to the registries, where a company has its own: proxy, certificate authority, mirror. */
  readonly env: Readonly<Record<string, string>>;
  /** What builds may reach beside package registries: `host` or `host:port`. */
  readonly hosts: readonly string[];
}

interface Setting {
  flag?: string;
  variable: string;
  /** Shown in --help behind the flag; none for a switch. */
  value?: string;
  fallback: string;
  meaning: string;
}

const SETTINGS = {
  data: { flag: 'data', variable: 'OWNSPACE_DATA', value: 'DIR', fallback: './data', meaning: 'everything the host keeps; copy this folder while stopped to move the host' },
  port: { flag: 'port', variable: 'OWNSPACE_PORT', value: 'N', fallback: '4400', meaning: 'HTTP port; 0 picks a free one' },
  tlsPort: { flag: 'tls-port', variable: 'OWNSPACE_TLS_PORT', value: 'N', fallback: '4443', meaning: 'HTTPS port; 0 picks a free one, off disables it' },
  host: { flag: 'host', variable: 'OWNSPACE_HOST', value: 'ADDR', fallback: '127.0.0.1', meaning: 'address to listen on' },
  domain: { flag: 'domain', variable: 'OWNSPACE_DOMAIN', value: 'D', fallback: 'localhost', meaning: 'dashboard, control plane and data plane' },
  appsDomain: { flag: 'apps-domain', variable: 'OWNSPACE_APPS_DOMAIN', value: 'D', fallback: '', meaning: 'apps live at <label>.D; the domain itself unless given' },
  store: { flag: 'store', variable: 'OWNSPACE_STORE', value: 'URL', fallback: 'level:', meaning: 'where records live; level: keeps them in the data folder' },
  blobs: { flag: 'blobs', variable: 'OWNSPACE_BLOBS', value: 'URL', fallback: 'file:', meaning: 'where file contents live; file: keeps them in the data folder, s3://KEY:SECRET@host:port/bucket?tls=0 in S3' },
  bus: { flag: 'bus', variable: 'OWNSPACE_BUS', value: 'URL', fallback: 'local:', meaning: 'how several hosts talk; local: is one host' },
  grpcPort: { flag: 'grpc-port', variable: 'OWNSPACE_GRPC_PORT', value: 'N', fallback: 'off', meaning: 'gRPC of the data plane' },
  unsafeNoSandbox: { flag: 'unsafe-no-sandbox', variable: 'OWNSPACE_UNSAFE_NO_SANDBOX', fallback: '', meaning: 'run process Micros and builds without a sandbox; every page says so' },
  buildHosts: { variable: 'OWNSPACE_BUILD_HOSTS', fallback: '', meaning: 'what builds may reach beside package registries, as mirror.example.org,files.example.org:8443' },
  limits: { flag: 'limits', variable: 'OWNSPACE_LIMITS', value: 'LIST', fallback: '', meaning: 'what apps may use, as cpuMs=5000,heapMb=256; docs/limits.md has all of them' },
  setupSecret: { variable: 'OWNSPACE_SETUP_SECRET', fallback: '', meaning: 'one-time secret of the first set-up; random unless given' },
  log: { variable: 'OWNSPACE_LOG', fallback: 'info', meaning: 'debug, info, warn or error; JSON lines on stderr' },
  dns: { variable: 'OWNSPACE_DNS', fallback: '', meaning: 'DNS server that is asked for the proofs of custom domains, as 9.9.9.9 or 127.0.0.1:5353; those of this machine unless given' },
  logDays: { variable: 'OWNSPACE_LOG_DAYS', fallback: '14', meaning: 'days for which what apps print is kept' },
  openStores: { variable: 'OWNSPACE_OPEN_STORES', fallback: '200', meaning: 'Stores of Collections that a data worker holds open' },
} as const satisfies Record<string, Setting>;

type SettingName = keyof typeof SETTINGS;

/** Drivers that this version has; other schemes of the contract are refused by name. */
const DRIVERS: Partial<Record<SettingName, string>> = { store: 'level:', bus: 'local:', grpcPort: 'off' };

const LOG_LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error'];
const DOMAIN = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** @param args flags without the program's name; a flag wins over its variable
 *  @returns 'help' when help was asked for  @throws CONFIG_INVALID with every problem at once */
export function loadConfig(env: Record<string, string | undefined>, args: readonly string[]): Config | 'help' {
  const problems: string[] = [];
  const flags = readFlags(args, problems);
  if (flags.help) return 'help';
  const text = (name: SettingName): string => {
    const setting: Setting = SETTINGS[name];
    const flag = setting.flag === undefined ? undefined : flags[setting.flag];
    return String(flag ?? env[setting.variable] ?? setting.fallback);
  };
  const where = (name: SettingName): string => {
    const setting: Setting = SETTINGS[name];
    return setting.flag && flags[setting.flag] !== undefined ? `--${setting.flag}` : setting.variable;
  };
  const port = (name: 'port' | 'tlsPort'): number => {
    const value = text(name);
    const number = Number(value);
    if (!/^\d{1,5}$/.test(value) || number > 65535) problems.push(`${where(name)} is "${value}": use a number from 0 to 65535`);
    return number;
  };
  const domainName = (name: 'domain' | 'appsDomain', value: string): string => {
    const lower = value.toLowerCase();
    if (!DOMAIN.test(lower) || isIP(lower)) problems.push(`${where(name)} is "${value}": use a host name such as example.org, without scheme and port`);
    return lower;
  };
  for (const [name, only] of Object.entries(DRIVERS)) {
    const value = text(name as SettingName);
    if (value !== only) problems.push(`${where(name as SettingName)} is ${shown(value)}: this version has "${only}" only`);
  }
  const blobs = readBlobs(text('blobs'), (problem) => problems.push(`${where('blobs')} is ${shown(text('blobs'))}: ${problem}`));
  const listenAddress = text('host');
  if (!isIP(listenAddress)) problems.push(`${where('host')} is "${listenAddress}": use an IP address, such as 127.0.0.1 or 0.0.0.0`);
  const openStores = text('openStores');
  if (!/^[1-9]\d{0,5}$/.test(openStores)) problems.push(`OWNSPACE_OPEN_STORES is ${shown(openStores)}: use a number from 1 to 999999`);
  const logDays = text('logDays');
  if (!/^[1-9]\d{0,3}$/.test(logDays)) problems.push(`OWNSPACE_LOG_DAYS is ${shown(logDays)}: use a number from 1 to 9999`);
  const level = text('log');
  if (!LOG_LEVELS.includes(level)) problems.push(`OWNSPACE_LOG is "${level}": use one of ${LOG_LEVELS.join(', ')}`);
  const dns = text('dns');
  if (dns !== '' && !isDnsServer(dns)) problems.push(`OWNSPACE_DNS is ${shown(dns)}: use an IP address, with a port where it is not 53`);
  const secret = text('setupSecret');
  if (secret !== '' && secret.length < 8) problems.push('OWNSPACE_SETUP_SECRET is too short: use 8 characters or more');
  const isOn = SWITCH[text('unsafeNoSandbox').toLowerCase()];
  if (isOn === undefined) problems.push(`${where('unsafeNoSandbox')} is not understood: use on or off`);
  const domain = domainName('domain', text('domain'));
  const config: Config = {
    dataFolder: resolve(text('data')),
    port: port('port'),
    tlsPort: text('tlsPort') === 'off' ? undefined : port('tlsPort'),
    listenAddress,
    domain,
    appsDomain: text('appsDomain') === '' ? domain : domainName('appsDomain', text('appsDomain')),
    blobs,
    unsafeNoSandbox: isOn ?? false,
    limits: readLimits(text('limits'), (problem) => problems.push(`${where('limits')}: ${problem}`)),
    setupSecret: secret === '' ? undefined : secret,
    logLevel: level as LogLevel,
    dnsServer: dns === '' ? undefined : dns,
    logDays: Number(logDays),
    openStores: Number(openStores),
    buildTools: readBuildTools(env, readHosts(text('buildHosts'), (problem) => problems.push(`${where('buildHosts')}: ${problem}`))),
  };
  if (config.port !== 0 && config.port === config.tlsPort) problems.push(`--port and --tls-port are both ${config.port}: use two ports`);
  if (problems.length > 0) throw new SpaceError('CONFIG_INVALID', { problems });
  return Object.freeze(config);
}

const PROXY_VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];
const BUILD_VARIABLES = [
  'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'PIP_CERT', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE',
  'npm_config_registry', 'YARN_NPM_REGISTRY_SERVER', 'PIP_INDEX_URL', 'PIP_EXTRA_INDEX_URL', 'GOPROXY', 'GOSUMDB', 'GONOSUMDB', 'GOFLAGS',
];
const WITH_CREDENTIALS = /:\/\/[^/\s]*@/;

/** `npm start` tells where the npm that ran it is; it may stand on no usual path. */
function readBuildTools(env: Record<string, string | undefined>, hosts: readonly string[]): BuildTools {
  const npm = env['npm_execpath'];
  // Builds run strangers' code: what they may know holds no password.
  const known = [...BUILD_VARIABLES.filter((name) => !WITH_CREDENTIALS.test(env[name] ?? '')), ...PROXY_VARIABLES].flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  return {
    npmCommand: npm !== undefined && /npm-cli\.c?js$/.test(npm) ? [process.execPath, npm] : ['npm'],
    path: [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter),
    env: Object.fromEntries(known),
    hosts,
  };
}

function readHosts(list: string, report: (problem: string) => void): readonly string[] {
  const hosts = list.split(',').map((host) => host.trim().toLowerCase()).filter(Boolean);
  for (const host of hosts) if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/.test(host)) report(`"${host.slice(0, 40)}" is no host: use mirror.example.org or mirror.example.org:8443`);
  return Object.freeze(hosts);
}

function readBlobs(value: string, report: (problem: string) => void): S3Place | undefined {
  if (value === 'file:') return undefined;
  const place = /^s3:/i.test(value) ? readS3Place(value) : [`use "file:" or ${S3_URL_FORM}`];
  if (!Array.isArray(place)) return Object.freeze(place);
  place.forEach(report);
  return undefined;
}

/** `name=number,name=number`. */
function readLimits(list: string, report: (problem: string) => void): Partial<IsolateLimits> {
  const limits: Record<string, number> = {};
  for (const part of list.split(',').map((piece) => piece.trim()).filter(Boolean)) {
    const [, name = '', value = ''] = /^(\w+)=(\d+)$/.exec(part) ?? [];
    const problem = name === '' ? 'use name=number, such as cpuMs=5000' : limitProblem(name, Number(value), 'host');
    if (problem === undefined) limits[name] = Number(value);
    else report(`"${part.slice(0, 40)}" ${name === '' ? 'is not understood: ' : ''}${problem}`);
  }
  return Object.freeze(limits);
}

/** A setting that may hold a secret: its scheme or a number, and never what follows. */
function shown(value: string): string {
  const known = /^(file|s3|https?|level|postgres(ql)?|mysql|mongodb|local|nats|tls):/i.exec(value)?.[0] ?? /^\d{0,5}$/.exec(value)?.[0];
  return known === undefined ? 'not understood' : `"${known}${known.length < value.length ? '...' : ''}"`;
}

type Flags = Record<string, string | boolean | undefined>;

function readFlags(args: readonly string[], problems: string[]): Flags {
  const options: Record<string, { type: 'string' | 'boolean' }> = { help: { type: 'boolean' } };
  for (const setting of Object.values<Setting>(SETTINGS)) {
    if (setting.flag) options[setting.flag] = { type: setting.value === undefined ? 'boolean' : 'string' };
  }
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true, strict: false });
  const see = '(npm start -- --help lists the flags)';
  const isKnown = Object.keys(values).every((flag) => Object.hasOwn(options, flag));
  // What stands behind an unknown flag was meant as its value.
  if (isKnown) for (const word of positionals) problems.push(`Unexpected argument${plainWord(word)}: only flags are taken ${see}`);
  for (const [flag, value] of Object.entries(values)) {
    const type = Object.hasOwn(options, flag) ? options[flag]?.type : undefined;
    if (type === undefined) problems.push(`Unknown flag${plainWord(`--${flag}`)} ${see}`);
    else if (typeof value !== type) problems.push(type === 'string' ? `--${flag} needs a value: --${flag} VALUE` : `--${flag} takes no value`);
  }
  return Object.fromEntries(Object.entries(values).filter(([flag, value]) => typeof value === options[flag]?.type));
}

/** What stands alone may be half of a setting with a secret, so only a plain word is repeated. */
function plainWord(word: string): string {
  return /^[a-z-]{1,20}$/.test(word) ? ` '${word}'` : '';
}

const SWITCH: Readonly<Record<string, boolean>> = { '': false, false: false, 0: false, off: false, no: false, true: true, 1: true, on: true, yes: true };

/** The text of `npm start -- --help`. */
export function helpText(): string {
  const lines = Object.values<Setting>(SETTINGS).map((setting) => {
    const flag = setting.flag ? `--${setting.flag}${setting.value ? ` ${setting.value}` : ''}` : '';
    const fallback = setting.fallback === '' ? '' : ` (${setting.fallback})`;
    return `  ${flag.padEnd(22)}${setting.variable.padEnd(28)}${setting.meaning}${fallback}`;
  });
  return `Start an Ownspace host.\n\n  npm start -- [flags]\n\nFlags, their environment variables, meaning (default); a flag wins:\n${lines.join('\n')}\n`;
}

/** An address, and a port after a colon; an IPv6 address has brackets then. */
function isDnsServer(text: string): boolean {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  if (isIP(text)) return true;
  return isIP(bracketed ?? plain ?? '') !== 0 && (port === undefined || (Number(port) > 0 && Number(port) <= 65_535));
}
