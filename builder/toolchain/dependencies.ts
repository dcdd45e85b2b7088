// Owns fetching the npm packages that a Micro depends on. No sandbox stands around builds, therefore: no script of any
// package runs, only packages of the registry are taken, and no configuration file of the source is ever read,
// since each of them can name a program to run. That is why it happens in a folder of its own.
import { access, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SpaceError } from '../../core/errors.ts';
import { commandsOf } from './build-commands.ts';
import { runCommand } from './command.ts';
import type { ToolchainJob } from './toolchain.ts';

export interface PackageTools {
  /** How npm is started, such as `['npm']` or `[node, npm-cli.js]`. */
  npmCommand: readonly [string, ...string[]];
  /** PATH of what a build starts. */
  toolPath: string;
  /** Variables that every build may see, such as the host's extra certificates or proxy. Never secrets. */
  toolEnv: Record<string, string>;
  /** Where downloaded packages are kept, one folder a Space. */
  cacheFolder: string;
  /** Whether what the source says may be run: no sandbox stands around builds. */
  allowsCommands: boolean;
}

interface Manifest { dependencies?: Record<string, string>; devDependencies?: Record<string, string>; [field: string]: unknown }

interface PackageManager { name: string; lockFiles: string[]; withoutDev: string; argv: (tools: PackageTools, cache: string) => [string, ...string[]] }

const STAGING = 'dependencies';
const INSTALL_TIMEOUT_MS = 5 * 60_000;
const MAX_OUTPUT_BYTES = 256 * 1024;
const LOCK_MAX_BYTES = 20 * 1024 * 1024;

const REGISTRIES = new Set(['registry.npmjs.org', 'registry.yarnpkg.com', 'npm.jsr.io']);

/** What is provided by the host and need not be fetched. */
const PROVIDED = new Set(['deta']);

/** The fields of a package.json that decide what is fetched; the others could only do harm. */
const KEPT_FIELDS = ['name', 'version', 'dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies', 'overrides', 'resolutions'];

/** `--git=false` names the program for git dependencies: the one that always fails. */
const NPM_FLAGS = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier', '--no-progress', '--no-workspaces', '--git=false',
  '--fetch-retries=1', '--fetch-retry-mintimeout=1000'];

/** The first whose lock file is there; npm when there is none (@source reference, Appendix B 20). */
const PACKAGE_MANAGERS: PackageManager[] = [
  { name: 'pnpm', lockFiles: ['pnpm-lock.yaml'], withoutDev: '--prod', argv: (_, cache) => ['pnpm', 'install', '--frozen-lockfile', '--ignore-scripts', '--ignore-pnpmfile', '--node-linker=hoisted', `--store-dir=${cache}`] },
  { name: 'yarn', lockFiles: ['yarn.lock'], withoutDev: '--production', argv: (_, cache) => ['yarn', 'install', '--frozen-lockfile', '--ignore-scripts', '--non-interactive', '--no-default-rc', `--cache-folder=${cache}`] },
  { name: 'npm', lockFiles: ['package-lock.json', 'npm-shrinkwrap.json'], withoutDev: '--omit=dev', argv: (tools, cache) => [...tools.npmCommand, 'ci', ...NPM_FLAGS, `--cache=${cache}`] },
];
const NPM_WITHOUT_LOCK: PackageManager = { name: 'npm', lockFiles: [], withoutDev: '--omit=dev', argv: (tools, cache) => [...tools.npmCommand, 'install', '--no-package-lock', ...NPM_FLAGS, `--cache=${cache}`] };

/** Put `node_modules` into the Micro's folder, unless nothing is needed or everything is there.
 *  @throws BUILD_FAILED, BUILD_TOOL_MISSING */
export async function installDependencies(job: ToolchainJob, tools: PackageTools): Promise<void> {
  const manifest = await readManifest(job);
  if (!manifest || (await isVendored(job, manifest))) return;
  assertFromRegistry(job, manifest);
  const manager = await managerFor(job.folder);
  job.report(`[${job.micro.name}] Installing dependencies with ${manager.name}`);
  const staging = join(job.scratchFolder, STAGING);
  await stage(job, manifest, { staging, manager });
  await fetchPackages(job, manager, { staging, tools });
  await rename(installedAt(job), uploadedAt(job)).catch(ignoreMissing);
  await rename(join(staging, 'node_modules'), installedAt(job)).catch(ignoreMissing);
}

/** Put the source back as it was uploaded: another Micro may have the same folder, or one around it. */
export async function removeDependencies(job: ToolchainJob): Promise<void> {
  if (!(await isThere(join(job.scratchFolder, STAGING)))) return;
  await rm(installedAt(job), { recursive: true, force: true });
  await rename(uploadedAt(job), installedAt(job)).catch(ignoreMissing);
}

const installedAt = (job: ToolchainJob): string => join(job.folder, 'node_modules');
const uploadedAt = (job: ToolchainJob): string => join(job.scratchFolder, 'uploaded-modules');

async function readManifest(job: ToolchainJob): Promise<Manifest | undefined> {
  const text = await readFile(join(job.folder, 'package.json'), 'utf8').catch(ignoreMissing);
  if (text === undefined) return undefined;
  try {
    const manifest = JSON.parse(text.replace(/^\uFEFF/, '')) as unknown;
    if (typeof manifest === 'object' && manifest !== null) return manifest as Manifest;
  } catch (error) {
    throw failed(job, `package.json is not valid JSON (${(error as Error).message})`);
  }
  throw failed(job, 'package.json is not a JSON object');
}

/** What builds is listed among them. */
const needsDev = (job: ToolchainJob): boolean => commandsOf(job.micro).length > 0;

/** True when the packages came with the source, or there are none. */
async function isVendored(job: ToolchainJob, manifest: Manifest): Promise<boolean> {
  const names = Object.keys({ ...manifest.dependencies, ...(needsDev(job) && manifest.devDependencies) }).filter((name) => !PROVIDED.has(name));
  const found = await Promise.all(names.map((name) => isThere(join(job.folder, 'node_modules', name, 'package.json'))));
  return found.every(Boolean);
}

function assertFromRegistry(job: ToolchainJob, manifest: Manifest): void {
  for (const field of ['dependencies', 'optionalDependencies', 'devDependencies', 'peerDependencies', 'overrides', 'resolutions']) {
    for (const [name, spec] of specsIn(manifest[field])) {
      if (isRegistrySpec(spec)) continue;
      throw failed(job, `the dependency \`${name}\` of package.json comes from ${JSON.stringify(spec)}; only packages of the registry can be installed. Copy it into the source instead`);
    }
  }
}

/** Names and what they ask for; overrides may lie in each other. */
function* specsIn(value: unknown): Generator<[name: string, spec: unknown]> {
  if (value === undefined) return;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    yield ['?', value];
    return;
  }
  for (const [name, spec] of Object.entries(value)) {
    if (typeof spec === 'object' && spec !== null) yield* specsIn(spec);
    else yield [name, spec];
  }
}

/** Version ranges, tags and aliases; no address, no path, no git. */
function isRegistrySpec(spec: unknown): boolean {
  return typeof spec === 'string' && /^(npm:(@[\w.-]+\/)?[\w.-]+(@|$))?\$?[\w\s.*^~<>=|+-]*$/.test(spec);
}

async function managerFor(folder: string): Promise<PackageManager> {
  for (const manager of PACKAGE_MANAGERS) {
    for (const lockFile of manager.lockFiles) if (await isThere(join(folder, lockFile))) return manager;
  }
  return NPM_WITHOUT_LOCK;
}

async function stage(job: ToolchainJob, manifest: Manifest, to: { staging: string; manager: PackageManager }): Promise<void> {
  await mkdir(to.staging, { recursive: true });
  const kept = Object.fromEntries(KEPT_FIELDS.flatMap((field) => (manifest[field] === undefined ? [] : [[field, manifest[field]]])));
  await writeFile(join(to.staging, 'package.json'), JSON.stringify(kept));
  for (const lockFile of to.manager.lockFiles) {
    const text = await readFile(join(job.folder, lockFile), 'utf8').catch(ignoreMissing);
    if (text === undefined) continue;
    assertLock(job, lockFile, text);
    await cp(join(job.folder, lockFile), join(to.staging, lockFile));
  }
}

/** A lock file may name sources too: only the registries, never a path of this machine, a git repository or an
 *  address of the host's own network. */
function assertLock(job: ToolchainJob, lockFile: string, text: string): void {
  if (text.length > LOCK_MAX_BYTES) throw failed(job, `${lockFile} is larger than ${LOCK_MAX_BYTES} bytes`);
  const local = /(?:["'\s@:])((?:file|link|portal|git|git\+[a-z]+|ssh):[^\s"',}]*)/.exec(text)?.[1];
  const foreign = [...text.matchAll(/(?:resolved|version|tarball)["']?:?\s*["']?(https?:[^\s"',}#]+)/g)].find(([, address]) => !isRegistryAddress(address))?.[1];
  const found = local ?? foreign;
  if (found) throw failed(job, `${lockFile} takes a package from ${JSON.stringify(found)}; only packages of the registry can be installed`);
}

function isRegistryAddress(address: string | undefined): boolean {
  if (address === undefined || !URL.canParse(address)) return false;
  const { protocol, hostname, username } = new URL(address);
  return protocol === 'https:' && REGISTRIES.has(hostname) && username === '';
}

async function fetchPackages(job: ToolchainJob, manager: PackageManager, to: { staging: string; tools: PackageTools }): Promise<void> {
  const home = join(job.scratchFolder, 'home');
  const cache = join(to.tools.cacheFolder, manager.name, job.spaceId);
  await Promise.all([mkdir(home, { recursive: true }), mkdir(cache, { recursive: true })]);
  const end = await runCommand({
    argv: [...manager.argv(to.tools, cache), ...(needsDev(job) ? [] : [manager.withoutDev])],
    folder: to.staging,
    env: { ...to.tools.toolEnv, PATH: to.tools.toolPath, HOME: home, TMPDIR: home, CI: '1', LANG: 'C.UTF-8', npm_config_globalconfig: join(home, 'none'), npm_config_userconfig: join(home, '.npmrc') },
    timeoutMs: INSTALL_TIMEOUT_MS,
    maxOutputBytes: MAX_OUTPUT_BYTES,
    report: (line) => job.report(`[${job.micro.name}] ${line}`),
    signal: job.signal,
  });
  if (end === 'missing') throw missingTool(job, manager.name);
  if (end === 'timeout') throw failed(job, `${manager.name} took longer than ${INSTALL_TIMEOUT_MS / 1000} seconds`);
  if (end === 'failed') throw failed(job, `${manager.name} could not install the dependencies; the lines above say why`);
}

function missingTool(job: ToolchainJob, tool: string): SpaceError {
  const remedy = tool === 'npm' ? 'install Node.js with npm' : `run npm install --global ${tool}, or push with a package-lock.json instead`;
  return new SpaceError('BUILD_TOOL_MISSING', { engine: job.micro.engine, reason: `the source needs ${tool}, which is not installed here: ${remedy}.` });
}

function failed(job: ToolchainJob, reason: string): SpaceError {
  return new SpaceError('BUILD_FAILED', { micro: job.micro.name, reason: `${reason}.` });
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
