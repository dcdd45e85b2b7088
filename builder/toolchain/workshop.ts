// Owns where programs of a build run and what these see of this machine: in a box, or bare where the owner of the host
// said so in words. Knows not which programs there are.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import type { PackageTools } from './package-tools.ts';
import { assertSound } from './source-file.ts';
import type { ToolchainJob } from './toolchain.ts';

export interface Program {
  argv: readonly [string, ...string[]];
  /** Beside what every program of a build sees. */
  env?: Readonly<Record<string, string>>;
  timeoutMs: number;
}

export type ProgramEnd = { ok: true } | { ok: false; reason: string };

export interface Workshop {
  /** Folders as programs see them: the Micro's own, one for whatever the build needs and nobody keeps, one that the builds
   *  of this Space share, and what the host gives (GIVEN), which is not to be written. */
  places: { folder: string; scratch: string; cache: string; given: string };
  /** PATH of the host's own tools, without those of the source. */
  toolPath: string;
  /** How npm is started there. */
  npm: readonly [string, ...string[]];
  /** Run to its end, in the Micro's folder; its output goes to the build's log. Rejects when the build is cancelled, or
   *  when what it left cannot be packaged. @throws BUILD_FAILED */
  run(program: Program): Promise<ProgramEnd>;
}

const MAX_OUTPUT_BYTES = 256 * 1024;

/** Folder below the scratch folder that only the host writes: nothing there can be a trap for it. */
export const GIVEN = 'given';

/** Undefined where nothing that a source says may be run. */
export async function openWorkshop(job: ToolchainJob, tools: PackageTools): Promise<Workshop | undefined> {
  if (!tools.allowsCommands) return undefined;
  const places = { folder: job.folder, scratch: join(job.scratchFolder, 'workshop'), cache: join(tools.cacheFolder, 'programs', job.spaceId), given: join(job.scratchFolder, GIVEN) };
  await Promise.all([places.cache, places.given].map((folder) => mkdir(folder, { recursive: true })));
  // Once: later, links of the build's own making may lie there.
  const isFirst = await mkdir(places.scratch, { recursive: true });
  if (isFirst !== undefined) await Promise.all(['home', 'tmp'].map((name) => mkdir(join(places.scratch, name))));
  return bareWorkshop(job, tools, places);
}

function bareWorkshop(job: ToolchainJob, tools: PackageTools, places: Workshop['places']): Workshop {
  return {
    places,
    toolPath: tools.toolPath,
    npm: tools.npmCommand,
    async run({ argv, env, timeoutMs }) {
      const end = await runCommand({
        argv, timeoutMs, folder: job.folder, maxOutputBytes: MAX_OUTPUT_BYTES, signal: job.signal,
        env: { ...tools.toolEnv, ...environment(places, tools.toolPath), ...env },
        report: (line) => job.report(`[${job.micro.name}] ${line}`),
      });
      await assertSound(job);
      if (end === 'ok') return { ok: true };
      return { ok: false, reason: end === 'timeout' ? `took longer than ${timeoutMs / 1000} seconds` : end === 'missing' ? 'is not installed here' : 'failed; the lines above say why' };
    },
  };
}

/** What every program of a build sees. Programs of the source's own packages come first, as in `npm run`. */
function environment({ folder, scratch, cache }: Workshop['places'], toolPath: string): Record<string, string> {
  return {
    PATH: [join(folder, '.venv', 'bin'), join(folder, 'node_modules', '.bin'), toolPath].join(':'),
    HOME: join(scratch, 'home'), TMPDIR: join(scratch, 'tmp'), CI: '1', LANG: 'C.UTF-8',
    npm_config_cache: join(cache, 'npm'), npm_config_update_notifier: 'false', npm_config_fund: 'false', npm_config_audit: 'false',
    // For pip, go, yarn and whoever else keeps to the standard; the others have names of their own.
    XDG_CACHE_HOME: cache, GOMODCACHE: join(cache, 'go'), CARGO_HOME: join(cache, 'cargo'),
  };
}
