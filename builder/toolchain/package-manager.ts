// Owns which package manager a source means, by its `packageManager` or its lock file, and how that one is called.
// Those that npm is not are packages of the registry themselves: npm fetches the version that the source was made with.
import { buildFailed } from './failure.ts';
import type { Manifest } from './manifest.ts';
import { kindOf, readInside } from './source-file.ts';
import type { ToolchainJob } from './toolchain.ts';

export interface PackageManager {
  name: string;
  /** Arguments, in the order in which they are tried. */
  attempts: string[][];
  withoutDev: string[];
  /** Arguments that leave dev dependencies out afterwards. */
  prune?: string[];
  env: Record<string, string>;
  start(npm: readonly [string, ...string[]], args: string[]): [string, ...string[]];
}

/** @source pnpm's and yarn's own notes on which release writes which lock file */
const PNPM_OF_LOCK: [RegExp, string][] = [[/^lockfileVersion: '?9/m, '9.15.9'], [/^lockfileVersion: '?6/m, '8.15.9'], [/^lockfileVersion: '?5/m, '7.33.7']];
const PNPM = '9.15.9';
const YARN_CLASSIC = '1.22.22';
const YARN_BERRY = '4.9.2';

/** `packageManager` counts first, as with Corepack; then the lock file (@source reference, Appendix B 20).
 *  @throws BUILD_FAILED */
export async function managerOf(job: ToolchainJob, manifest: Manifest): Promise<PackageManager> {
  const [, named, version] = /^(npm|pnpm|yarn)@(\d+\.\d+\.\d+)/.exec(String(manifest.packageManager ?? '')) ?? [];
  const pnpmLock = await readInside(job.folder, 'pnpm-lock.yaml');
  const yarnLock = await readInside(job.folder, 'yarn.lock');
  if (named === 'pnpm' || (named === undefined && pnpmLock)) return pnpm(named === 'pnpm' ? version! : pnpmOfLock(pnpmLock?.toString()), pnpmLock !== undefined);
  if (named === 'yarn' || (named === undefined && yarnLock)) return yarn(named === 'yarn' ? version! : yarnLock?.includes('__metadata:') ? YARN_BERRY : YARN_CLASSIC, yarnLock !== undefined);
  if (named === undefined && manifest.packageManager !== undefined) {
    throw buildFailed(job, `\`packageManager: ${String(manifest.packageManager).slice(0, 60)}\` of package.json is not known here: npm, pnpm and yarn are, such as "pnpm@${PNPM}"`);
  }
  return npm((await kindOf(job, 'package-lock.json')) === 'file' || (await kindOf(job, 'npm-shrinkwrap.json')) === 'file');
}

function pnpmOfLock(lock: string | undefined): string {
  return PNPM_OF_LOCK.find(([sign]) => sign.test(lock ?? ''))?.[1] ?? PNPM;
}

/** Old sources were made with an npm that took no offence at what peers ask for. */
function npm(isLocked: boolean): PackageManager {
  const loose = ['install', '--no-package-lock', '--legacy-peer-deps'];
  return {
    name: 'npm', attempts: [isLocked ? ['ci'] : ['install', '--no-package-lock'], loose], withoutDev: ['--omit=dev'], prune: ['prune', '--omit=dev', '--no-package-lock', '--legacy-peer-deps'],
    env: { npm_config_progress: 'false', npm_config_fetch_retries: '1', npm_config_fetch_retry_mintimeout: '1000' },
    start: (command, args) => [...command, ...args],
  };
}

/** Other layouts are links between folders, of which a package could keep only some. */
const FLAT = '--config.node-linker=hoisted';

function pnpm(version: string, isLocked: boolean): PackageManager {
  return {
    name: `pnpm ${version}`, attempts: [...(isLocked ? [['install', '--frozen-lockfile', FLAT]] : []), ['install', '--no-frozen-lockfile', FLAT]], withoutDev: ['--prod'], prune: ['prune', '--prod', FLAT],
    env: {},
    start: (command, args) => fetched(command, `pnpm@${version}`, ['pnpm', ...args]),
  };
}

function yarn(version: string, isLocked: boolean): PackageManager {
  const isClassic = version.startsWith('1.');
  const [strict, free] = isClassic ? [['install', '--frozen-lockfile', '--non-interactive'], ['install', '--non-interactive']] : [['install', '--immutable'], ['install', '--no-immutable']];
  return {
    name: `yarn ${version}`, attempts: isLocked ? [strict, free] : [free], withoutDev: isClassic ? ['--production'] : [],
    ...(isClassic && { prune: ['install', '--production', '--ignore-scripts', '--prefer-offline', '--non-interactive'] }),
    env: { YARN_NODE_LINKER: 'node-modules', YARN_ENABLE_TELEMETRY: '0', YARN_IGNORE_PATH: '1', YARN_ENABLE_GLOBAL_CACHE: '1', YARN_INSTALL_STATE_PATH: '/tmp/yarn-install-state.gz' },
    start: (command, args) => fetched(command, isClassic ? `yarn@${version}` : `@yarnpkg/cli-dist@${version}`, ['yarn', ...args]),
  };
}

function fetched(npmCommand: readonly [string, ...string[]], specifier: string, argv: string[]): [string, ...string[]] {
  return [...npmCommand, 'exec', '--yes', '--ignore-scripts', `--package=${specifier}`, '--', ...argv];
}
