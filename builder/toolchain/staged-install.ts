// Owns fetching npm packages where nothing of a source may run: no script of any package runs, only packages of the
// registry are taken, and no configuration file of the source is ever read, since each of them can name a program to run.
// That is why it happens in a folder of its own.
import { access, cp, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpaceError } from '../../core/errors.ts';
import { runCommand } from './command.ts';
import { buildFailed, toolMissing } from './failure.ts';
import type { Manifest } from './manifest.ts';
import type { PackageTools } from './package-tools.ts';
import type { ToolchainJob } from './toolchain.ts';

interface PackageManager { name: string; lockFiles: string[]; withoutDev: string; argv: (tools: PackageTools, cache: string) => [string, ...string[]] }

const INSTALL_TIMEOUT_MS = 5 * 60_000;
const MAX_OUTPUT_BYTES = 256 * 1024;
const LOCK_MAX_BYTES = 20 * 1024 * 1024;

const REGISTRIES = new Set(['registry.npmjs.org', 'registry.yarnpkg.com', 'npm.jsr.io']);

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

/** @throws BUILD_FAILED, BUILD_TOOL_MISSING */
export async function installStaged(job: ToolchainJob, tools: PackageTools, plan: { manifest: Manifest; dev: boolean; staging: string; installed: string }): Promise<void> {
  const { manifest, dev, staging, installed } = plan;
  assertFromRegistry(job, manifest);
  const manager = await managerFor(job.folder);
  job.report(`[${job.micro.name}] Installing dependencies with ${manager.name}`);
  await stage(job, manifest, { staging, manager });
  await fetchPackages(job, manager, { staging, tools, dev });
  await rename(join(staging, 'node_modules'), installed).catch(ignoreMissing);
}

function assertFromRegistry(job: ToolchainJob, manifest: Manifest): void {
  for (const field of ['dependencies', 'optionalDependencies', 'devDependencies', 'peerDependencies', 'overrides', 'resolutions']) {
    for (const [name, spec] of specsIn(manifest[field])) {
      if (isRegistrySpec(spec)) continue;
      throw buildFailed(job, `the dependency \`${name}\` of package.json comes from ${JSON.stringify(spec)}; only packages of the registry can be installed. Copy it into the source instead`);
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
  if (text.length > LOCK_MAX_BYTES) throw buildFailed(job, `${lockFile} is larger than ${LOCK_MAX_BYTES} bytes`);
  const local = /(?:["'\s@:])((?:file|link|portal|git|git\+[a-z]+|ssh):[^\s"',}]*)/.exec(text)?.[1];
  const foreign = [...text.matchAll(/(?:resolved|version|tarball)["']?:?\s*["']?(https?:[^\s"',}#]+)/g)].find(([, address]) => !isRegistryAddress(address))?.[1];
  const found = local ?? foreign;
  if (found) throw buildFailed(job, `${lockFile} takes a package from ${JSON.stringify(found)}; only packages of the registry can be installed`);
}

function isRegistryAddress(address: string | undefined): boolean {
  if (address === undefined || !URL.canParse(address)) return false;
  const { protocol, hostname, username } = new URL(address);
  return protocol === 'https:' && REGISTRIES.has(hostname) && username === '';
}

async function fetchPackages(job: ToolchainJob, manager: PackageManager, to: { staging: string; tools: PackageTools; dev: boolean }): Promise<void> {
  const home = join(job.scratchFolder, 'home');
  const cache = join(to.tools.cacheFolder, job.spaceId, manager.name);
  await Promise.all([mkdir(home, { recursive: true }), mkdir(cache, { recursive: true })]);
  const end = await runCommand({
    argv: [...manager.argv(to.tools, cache), ...(to.dev ? [] : [manager.withoutDev])],
    folder: to.staging,
    env: { ...to.tools.toolEnv, PATH: to.tools.toolPath, HOME: home, TMPDIR: home, CI: '1', LANG: 'C.UTF-8', npm_config_globalconfig: join(home, 'none'), npm_config_userconfig: join(home, '.npmrc') },
    timeoutMs: INSTALL_TIMEOUT_MS,
    maxOutputBytes: MAX_OUTPUT_BYTES,
    report: (line) => job.report(`[${job.micro.name}] ${line}`),
    signal: job.signal,
  });
  if (end === 'missing') throw missingTool(job, manager.name);
  if (end === 'timeout') throw buildFailed(job, `${manager.name} took longer than ${INSTALL_TIMEOUT_MS / 1000} seconds`);
  if (end === 'failed') throw buildFailed(job, `${manager.name} could not install the dependencies; the lines above say why`);
}

function missingTool(job: ToolchainJob, tool: string): SpaceError {
  const remedy = tool === 'npm' ? 'install Node.js with npm' : `run npm install --global ${tool}, or push with a package-lock.json instead`;
  return toolMissing(job, `the source needs ${tool}, which is not installed here: ${remedy}`);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
