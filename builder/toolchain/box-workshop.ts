// Owns how a program of a build runs in a box: what of this machine it sees, where it may write, which registries it reaches,
// and which limit ended it. Knows not which programs there are.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import type { Box, Boxes, BoxSpec } from '../../sandbox/box.ts';
import type { BoxLimits } from '../../sandbox/box-command.ts';
import { showToAll } from '../../sandbox/box-user.ts';
import { openEgressProxy } from '../../sandbox/egress-proxy.ts';
import { isSpaceError } from '../../core/errors.ts';
import { reportLines } from './command.ts';
import { watchDisk } from './disk-watch.ts';
import type { DiskLimits } from './disk-watch.ts';
import type { PackageTools } from './package-tools.ts';
import { registriesOf } from './registries.ts';
import { assertSound } from './source-file.ts';
import type { ToolchainJob } from './toolchain.ts';
import { environment, MAX_OUTPUT_BYTES } from './workshop.ts';
import type { Places, Program, ProgramEnd, Workshop } from './workshop.ts';

export interface BuildLimits extends BoxLimits, DiskLimits {
  outputMaxBytes: number;
  /** Of one program, whatever it may take itself. */
  maxMs: number;
}

const MIB = 1024 * 1024;
const BUILD_LIMITS: BuildLimits = {
  memoryMb: 3072, processes: 512, openFiles: 8192, tmpMb: 512, tmpFiles: 50_000, fileMb: 1024, isBackground: true,
  maxBytes: 4096 * MIB, maxFiles: 400_000, keepFreeBytes: 512 * MIB, outputMaxBytes: 64 * MIB, maxMs: 15 * 60_000,
};

const SOURCE = '/app';
const INSIDE: Places = { folder: SOURCE, scratch: '/build', cache: '/cache', given: '/given' };
const NPM = '/npm';
const PROXY_PORT = 3128;
const PROXY = `http://127.0.0.1:${PROXY_PORT}`;
/** Each program has a name of its own for it. */
const PROXY_ENV = Object.fromEntries(['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'npm_config_proxy', 'npm_config_https_proxy', 'YARN_HTTP_PROXY', 'YARN_HTTPS_PROXY', 'CARGO_HTTP_PROXY'].map((name) => [name, PROXY]));
/** Variables that name a file of this machine. */
const CERTIFICATE_VARIABLES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'PIP_CERT', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'];
/** What a shell says of a program that ended by SIGXFSZ. */
const FILE_TOO_LARGE = 128 + constants.signals.SIGXFSZ;
/** A program may end with 127 for reasons of its own: that it is not there has another number. */
const MISSING = 213;
const STARTER = `command -v "$1" >/dev/null || exit ${MISSING}; exec "$@"`;
/** Whom this machine trusts, a build does: companies have authorities of their own. */
const SYSTEM_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
const TRUST_ENV = existsSync(SYSTEM_BUNDLE) ? Object.fromEntries(CERTIFICATE_VARIABLES.map((name) => [name, SYSTEM_BUNDLE])) : {};
/** @source unix(7) */
const SOCKET_PATH_MAX_BYTES = 107;
const REFUSALS_TOLD = 10;
const LOOK_MS = 500;
/** Looks in a row that find as many processes as there may be. */
const CROWDED_LOOKS = 8;

export function boxWorkshop(job: ToolchainJob, tools: PackageTools, { outside, boxes }: { outside: Places; boxes: Boxes }): Workshop {
  const places = { ...INSIDE, folder: posix.join(SOURCE, job.micro.src) };
  const { npm, show } = npmInside(tools);
  return {
    places, npm,
    toolPath: INSIDE_TOOLS,
    async run(program) {
      const end = await inBox(job, tools, { outside, boxes, program, places, show });
      await assertSound(job);
      return end;
    },
  };
}

/** Of the box itself comes first what runs this host; Go lies where nobody looks. */
const INSIDE_TOOLS = '/run/host/bin:/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin';

interface Plan { outside: Places; places: Places; boxes: Boxes; program: Program; show: Record<string, string> }

async function inBox(job: ToolchainJob, tools: PackageTools, plan: Plan): Promise<ProgramEnd> {
  job.signal.throwIfAborted();
  const limits = { ...BUILD_LIMITS, ...tools.buildLimits };
  await showToAll(plan.outside.given);
  const door = await openDoor(job, tools);
  try {
    const box = await plan.boxes.start(specOf(job, tools, { ...plan, limits, socket: door.path }));
    return await ended(job, box, { limits, timeoutMs: Math.min(plan.program.timeoutMs, limits.maxMs), folders: writable(job, plan.outside) });
  } finally {
    await door.close();
  }
}

function specOf(job: ToolchainJob, tools: PackageTools, { program, outside, places, show, limits, socket }: Plan & { limits: BuildLimits; socket: string }): BoxSpec {
  const certificates = certificatesInside(tools);
  const [source, scratch, cache] = writable(job, outside);
  const { memoryMb, processes, openFiles, tmpMb, tmpFiles, fileMb, isBackground } = limits;
  return {
    command: ['/bin/sh', '-c', STARTER, 'sh', ...program.argv],
    env: { ...TRUST_ENV, ...tools.toolEnv, ...certificates.env, ...environment(places, INSIDE_TOOLS), ...PROXY_ENV, NO_PROXY: '', no_proxy: '', ...program.env },
    show: { [INSIDE.given]: outside.given, ...show, ...certificates.show },
    lend: { [SOURCE]: source, [INSIDE.scratch]: scratch, [INSIDE.cache]: cache },
    forwards: { [PROXY_PORT]: socket },
    cwd: places.folder,
    limits: { memoryMb, processes, openFiles, tmpMb, tmpFiles, ...(fileMb === undefined ? {} : { fileMb }), ...(isBackground === undefined ? {} : { isBackground }) },
    user: userOf(job.spaceId),
  };
}

/** As this host sees it. */
const writable = (job: ToolchainJob, { scratch, cache }: Places): [string, string, string] => [job.sourceFolder, scratch, cache];

/** npm is a folder of files, of which a box sees nothing unless they lie below /usr. */
function npmInside({ npmCommand: [, script] }: PackageTools): { npm: [string, ...string[]]; show: Record<string, string> } {
  if (script === undefined) return { npm: ['npm'], show: {} };
  if (script.startsWith('/usr/')) return { npm: ['node', script], show: {} };
  const folder = dirname(dirname(script));
  return { npm: ['node', posix.join(NPM, script.slice(folder.length))], show: { [NPM]: folder } };
}

function certificatesInside({ toolEnv }: PackageTools): { env: Record<string, string>; show: Record<string, string> } {
  const env: Record<string, string> = {};
  const show: Record<string, string> = {};
  for (const name of CERTIFICATE_VARIABLES) {
    const path = toolEnv[name];
    if (path === undefined || /^\/(etc\/ssl|usr)\//.test(path)) continue;
    env[name] = `/certificates/${name}.pem`;
    show[env[name]] = path;
  }
  return { env, show };
}

/** The same for all builds of a Space, since these share a cache; far from those of systems and of other boxes. */
function userOf(spaceId: string): number {
  return 1_910_000_000 + createHash('sha256').update(spaceId).digest().readUInt32LE() % 10_000_000;
}

/** A way out that leads to registries. What it refuses is told in the build's log. */
async function openDoor(job: ToolchainJob, tools: PackageTools): Promise<{ path: string; close(): Promise<void> }> {
  const registries = registriesOf(tools.toolEnv, tools.buildHosts ?? []);
  // Where a host that was killed finds it again, unless the name is too long for a socket.
  const isShort = Buffer.byteLength(job.scratchFolder) < SOCKET_PATH_MAX_BYTES - '/door-123456/out.sock'.length;
  const folder = await mkdtemp(join(isShort ? job.scratchFolder : tmpdir(), isShort ? 'door-' : 'ownspace-build-'));
  await chmod(folder, 0o700);
  const path = join(folder, 'out.sock');
  const told = new Set<string>();
  const upstream = tools.toolEnv['HTTPS_PROXY'] ?? tools.toolEnv['https_proxy'];
  const proxy = await openEgressProxy({
    path,
    ...(upstream !== undefined && URL.canParse(upstream) && { upstream: new URL(upstream) }),
    resolve: (hostname, port) => registries.resolve(hostname, port).catch((error: unknown) => {
      const line = isSpaceError(error) ? error.message : String(error);
      if (!told.has(line) && told.size < REFUSALS_TOLD) job.report(`[${job.micro.name}] ${line}`);
      told.add(line);
      throw error;
    }),
  });
  return {
    path,
    async close() {
      await proxy.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Watch it to its end, and say what ended it. */
async function ended(job: ToolchainJob, box: Box, { limits, timeoutMs, folders }: { limits: BuildLimits; timeoutMs: number; folders: string[] }): Promise<ProgramEnd> {
  let reason: string | undefined;
  const stop = (why: string): void => {
    reason ??= why;
    void box.kill();
  };
  const cancel = (): void => stop('was cancelled');
  job.signal.addEventListener('abort', cancel, { once: true });
  const timer = setTimeout(() => stop(`took longer than ${timeoutMs / 1000} seconds`), timeoutMs);
  const endDisk = watchDisk(folders, limits, stop);
  const endCrowd = watchCrowd(box, limits, stop);
  const output = reportLines([box.stdout, box.stderr], {
    maxOutputBytes: MAX_OUTPUT_BYTES, endAtBytes: limits.outputMaxBytes,
    report: (line) => job.report(`[${job.micro.name}] ${line}`), onFlood: () => stop(`printed more than ${limits.outputMaxBytes / MIB} MB`),
  });
  if (job.signal.aborted) cancel();
  const { code, hit } = await box.ended;
  await output;
  for (const end of [() => clearTimeout(timer), endDisk, endCrowd, () => job.signal.removeEventListener('abort', cancel)]) end();
  job.signal.throwIfAborted();
  if (reason !== undefined) return { ok: false, reason };
  if (code === 0) return { ok: true };
  if (hit.includes('memory')) return { ok: false, reason: `needed more than ${limits.memoryMb} MB of memory` };
  if (hit.includes('processes')) return { ok: false, reason: `failed: it started more than ${limits.processes} processes at once` };
  if (code === FILE_TOO_LARGE) return { ok: false, reason: `wrote a file of more than ${limits.fileMb} MB` };
  return { ok: false, reason: code === MISSING ? 'is not installed here' : 'failed; the lines above say why' };
}

/** A program that forks without end is stopped by no error that it gets. */
function watchCrowd(box: Box, { processes }: BuildLimits, stop: (why: string) => void): () => void {
  let crowded = 0;
  const timer = setInterval(() => {
    void box.usage().then((usage) => {
      crowded = usage.processes >= processes * 0.95 ? crowded + 1 : 0;
      if (crowded >= CROWDED_LOOKS) stop(`started more than ${processes} processes at once`);
    }, () => {});
  }, LOOK_MS);
  return () => clearInterval(timer);
}
