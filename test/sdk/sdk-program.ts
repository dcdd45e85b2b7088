// Owns how the programs of other languages and packages are made ready and run: results come back as JSON.
import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { provideDeta } from '../../builder/toolchain/python-deta.ts';
import { CHECKOUT, removeFolder } from '../support/host-process.ts';
import type { SdkHost } from './sdk-host.ts';

/** Case -> what went wrong; null when nothing did. */
export type Results = Record<string, string | null>;

export const PROGRAMS = fileURLToPath(new URL('programs/', import.meta.url));
const CACHE = join(CHECKOUT, 'node_modules', '.cache', 'deta-sdk');
const PROGRAM_MS = 120_000;

/** All cases, or those that run with every other test. */
export const EXTENT: 'all' | 'short' = process.env['SDK_CASES'] === 'all' ? 'all' : 'short';

/** Run a program where the host is, with the data key that a Micro would have. */
export async function runProgram(host: SdkHost, line: string[], env: Record<string, string> = {}): Promise<Results> {
  const [file = '', ...args] = host.command(line, PROGRAMS);
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(DETA_|NODE_OPTIONS$|PYTHONPATH$|VITEST)/.test(name)));
  const all = { ...own, ...host.env, DETA_PROJECT_KEY: host.dataKey, ...env };
  const { stdout } = await execa(file, args, { cwd: PROGRAMS, env: all, extendEnv: false, timeout: PROGRAM_MS });
  return JSON.parse(stdout) as Results;
}

export function runNodeSdk(host: SdkHost, [name, major]: readonly [string, number], { env = {}, credential = 'key' }: { env?: Record<string, string>; credential?: 'key' | 'token' } = {}): Promise<Results> {
  return runProgram(host, [process.execPath, 'run-node.mjs', name, String(major), EXTENT, credential], env);
}

/** The failures alone, for a readable diff. @throws when fewer cases ran than there should be */
export function failuresOf(results: Results, least: number): Results {
  const count = Object.keys(results).length;
  if (count < least) throw new Error(`only ${count} cases ran`);
  return Object.fromEntries(Object.entries(results).filter(([, failure]) => failure !== null));
}

/** Where Python's SDK comes from: PyPI has given its name to a program of somebody else. DETA_PYTHON_GIT names its
 *  repository, or a copy of it; nothing is fetched that nobody asked for. */
const PYTHON_SOURCE = process.env['DETA_PYTHON_GIT'];
/** The commits of the releases. */
const PYTHON_RELEASES = { '1.2.0': '7f0a01e0539c578d3768dfeea04a540ceb7961ce', '0.9': '49a0bda91677fa2987ec77d83e352ea451132b8e' };
const PYTHON_ASYNC = ['aiohttp==3.14.5'];

export type Unavailable = { missing: 'program' | 'source'; reason: string };

/** The SDK in a folder of its own, made once. @returns what PYTHONPATH has to be */
export async function pythonSdk(version: keyof typeof PYTHON_RELEASES): Promise<string | Unavailable> {
  const python = await execa('python3', ['-c', 'import sys, pip; print("%d.%d" % sys.version_info[:2])'], { reject: false });
  if (python.failed) return { missing: 'program', reason: 'there is no python3 with pip' };
  const made = join(CACHE, `python-${python.stdout}-${version}`);
  if (existsSync(made)) return made;
  if (PYTHON_SOURCE === undefined) return { missing: 'source', reason: 'DETA_PYTHON_GIT is not set' };
  await mkdir(CACHE, { recursive: true });
  const making = await mkdtemp(`${made}-`);
  const packages = [`git+${PYTHON_SOURCE}@${PYTHON_RELEASES[version]}`, ...(version === '1.2.0' ? PYTHON_ASYNC : [])];
  const pip = await execa('python3', ['-m', 'pip', 'install', '--quiet', '--no-compile', '--target', making, ...packages], { reject: false, timeout: PROGRAM_MS });
  if (pip.failed) {
    await removeFolder(making);
    return { missing: 'source', reason: `pip cannot install ${packages.join(' and ')}: ${pip.stderr}` };
  }
  // Programs in a box run as another user.
  await chmod(making, 0o755);
  // Another run may have been faster; its folder is as good.
  await rename(making, made).catch(() => removeFolder(making));
  return made;
}

/** The packages that a build of ours finds under the SDK's name; Python reads them as they are. */
export async function ownPythonSdk(): Promise<string | Unavailable> {
  if ((await execa('python3', ['--version'], { reject: false })).failed) return { missing: 'program', reason: 'there is no python3' };
  const folder = join(CACHE, 'own-python');
  await provideDeta(folder);
  return folder;
}

/** The Go program, built. The module comes through the Go proxy. */
export async function goProgram(): Promise<string | Unavailable> {
  if ((await execa('go', ['version'], { reject: false })).failed) return { missing: 'program', reason: 'there is no go' };
  await mkdir(CACHE, { recursive: true });
  const program = join(CACHE, 'go-cases');
  const build = await execa('go', ['build', '-o', program, '.'], { cwd: join(PROGRAMS, 'go'), reject: false, timeout: PROGRAM_MS });
  return build.failed ? { missing: 'source', reason: `go cannot build: ${build.stderr}` } : program;
}
