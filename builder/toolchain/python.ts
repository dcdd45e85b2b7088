// Owns how a Micro in Python is built and packaged: what requirements.txt names goes into a virtual environment that moves
// with the package, and everything is compiled once.
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needWorkshop, runBuildCommands } from './build-commands.ts';
import { buildFailed, toolMissing } from './failure.ts';
import type { PackageTools } from './package-tools.ts';
import { packageProcess } from './process-package.ts';
import { provideDeta } from './python-deta.ts';
import { writeHeld } from './python-held.ts';
import { isInPlace, kindOf, readInside } from './source-file.ts';
import type { Package, Toolchain, ToolchainJob } from './toolchain.ts';
import { GIVEN } from './workshop.ts';
import type { Workshop } from './workshop.ts';

const VENV = '.venv';
const INSTALL_TIMEOUT_MS = 10 * 60_000;
const REQUIREMENTS = 'requirements.txt';
/** Serves an app that names no start command. */
const SERVE = fileURLToPath(new URL('python/serve.py', import.meta.url));
const SERVERS = ['uvicorn', 'gunicorn'];
/** Equal sources shall give equal files; and output is to be seen when it is written. */
const START = 'export PYTHONUNBUFFERED=1 UVICORN_PORT="$PORT" FLASK_RUN_PORT="$PORT"; ';
/** Runs where the environment is, since whatever that holds is as hostile as the source. */
const MOVABLE = fileURLToPath(new URL('python/movable.py', import.meta.url));

export function createPythonToolchain(tools: PackageTools): Toolchain {
  return {
    async detect(job) {
      await needWorkshop(job, tools);
      if (job.micro.run === undefined && job.micro.commands.length === 0) await assertMain(job);
      if (job.micro.run?.trim() === '') throw buildFailed(job, '`run` is empty: name the start command, such as `run: uvicorn main:app`, or leave it out');
    },
    install: async (job) => installRequirements(job, await needWorkshop(job, tools)),
    async build(job) {
      try {
        await runBuildCommands(job, tools);
        return await packagePython(job, await needWorkshop(job, tools));
      } finally {
        await removeEnvironment(job);
      }
    },
  };
}

/** @source reference 2.6, old Python standard */
async function assertMain(job: ToolchainJob): Promise<void> {
  if ((await kindOf(job, 'main.py')) === 'file') return;
  throw buildFailed(job, `there is no main.py in \`${job.micro.src}\`. Add one that defines \`app\`, or name the start command with \`run\`, such as \`run: uvicorn main:app\``);
}

async function installRequirements(job: ToolchainJob, workshop: Workshop): Promise<void> {
  const text = (await readInside(job.folder, REQUIREMENTS))?.toString();
  const servers = job.micro.run === undefined ? SERVERS : [];
  if (text === undefined && servers.length === 0) return;
  await mkdir(marker(job), { recursive: true });
  await rename(join(job.folder, VENV), uploadedAt(job)).catch(() => undefined);
  job.report(`[${job.micro.name}] Installing requirements with pip`);
  await step(job, workshop, ['python3', '-m', 'venv', '--without-pip', '--copies', VENV], 'making a virtual environment');
  await step(job, workshop, ['python3', '-c', 'import pip'], 'looking for pip');
  const constraints = await provideDeta(join(job.scratchFolder, GIVEN));
  const held = await writeHeld(join(job.scratchFolder, GIVEN), text ?? '');
  for (const line of held.lines) job.report(`[${job.micro.name}] Keeping ${line}, as programs of Deta Space's time need it; name a version of it in ${REQUIREMENTS} to have another`);
  const given = workshop.places.given;
  await step(job, workshop, [
    'python3', '-m', 'pip', '--python', `${VENV}/bin/python3`, 'install', '--no-compile', '--no-input', '--disable-pip-version-check', '--progress-bar=off', '--root-user-action=ignore',
    '--find-links', given, '-c', `${given}/${constraints}`, '-c', `${given}/${held.file}`, ...(text === undefined ? [] : ['-r', REQUIREMENTS]), ...servers,
  ], `installing ${text === undefined ? servers.join(' and ') : REQUIREMENTS} with pip`);
  await step(job, workshop, ['python3', '-c', await readFile(MOVABLE, 'utf8'), servers.length > 0 ? await readFile(SERVE, 'utf8') : ''], 'making the virtual environment movable');
}

/** The host's own Python does it: the one of the source may be there already, and has no pip. */
async function step(job: ToolchainJob, workshop: Workshop, argv: [string, ...string[]], what: string): Promise<void> {
  const end = await workshop.run({ argv, env: { PATH: workshop.toolPath }, timeoutMs: INSTALL_TIMEOUT_MS });
  if (end.ok) return;
  if (end.reason.startsWith('is not installed') || what === 'looking for pip') {
    throw toolMissing(job, `Micro \`${job.micro.name}\` needs python3 with pip, which is not installed here: run apt-get install python3 python3-pip, or what your system has in its place`);
  }
  throw buildFailed(job, `${what} ${end.reason}`);
}

async function packagePython(job: ToolchainJob, workshop: Workshop): Promise<Package> {
  const { run } = job.micro;
  if (run === undefined) await assertMain(job);
  // Compiled files that count without a look at the source's time: archives keep none.
  const compile = ['python3', '-m', 'compileall', '-q', '--invalidation-mode', 'unchecked-hash', '-s', workshop.places.folder, '-p', '/app', '.'] as [string, ...string[]];
  const end = await workshop.run({ argv: compile, env: { PATH: workshop.toolPath, PYTHONHASHSEED: '0' }, timeoutMs: INSTALL_TIMEOUT_MS });
  // Packages ship files for other versions of Python: what does not compile is for them, or fails at its start.
  if (!end.ok) job.report(`[${job.micro.name}] Not every file could be compiled`);
  return packageProcess(job, { run: `${START}${run ?? `python3 ${VENV}/serve.py`}` });
}

/** Not through what a build that failed put in the place of its folder. */
async function removeEnvironment(job: ToolchainJob): Promise<void> {
  if (!(await access(marker(job)).then(() => true, () => false)) || !(await isInPlace(job))) return;
  await rm(join(job.folder, VENV), { recursive: true, force: true });
  await rename(uploadedAt(job), join(job.folder, VENV)).catch(() => undefined);
}

const marker = (job: ToolchainJob): string => join(job.scratchFolder, 'environment');
const uploadedAt = (job: ToolchainJob): string => join(job.scratchFolder, 'uploaded-venv');
