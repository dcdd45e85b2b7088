// Owns what a workshop is: where programs of a build run, and what each of them sees. Knows neither boxes nor programs.
import { join } from 'node:path';

export interface Program {
  argv: readonly [string, ...string[]];
  /** Beside what every program of a build sees. */
  env?: Readonly<Record<string, string>>;
  timeoutMs: number;
}

export type ProgramEnd = { ok: true } | { ok: false; reason: string };

export interface Places { folder: string; scratch: string; cache: string; given: string }

export interface Workshop {
  /** Folders as programs see them: the Micro's own, one for whatever the build needs and nobody keeps, one that the builds
   *  of this Space share, and what the host gives (GIVEN), which is not to be written. */
  places: Places;
  /** PATH of the host's own tools, without those of the source. */
  toolPath: string;
  /** How npm is started there. */
  npm: readonly [string, ...string[]];
  /** Run to its end, in the Micro's folder; its output goes to the build's log. Rejects when the build is cancelled, or
   *  when what it left cannot be packaged. @throws BUILD_FAILED */
  run(program: Program): Promise<ProgramEnd>;
}

/** Of each program, in the log. */
export const MAX_OUTPUT_BYTES = 256 * 1024;

/** Folder below the scratch folder that only the host writes: nothing there can be a trap for it. */
export const GIVEN = 'given';

/** What every program of a build sees. Programs of the source's own packages come first, as in `npm run`. */
export function environment({ folder, scratch, cache, given }: Places, toolPath: string): Record<string, string> {
  return {
    PATH: [join(folder, '.venv', 'bin'), join(folder, 'node_modules', '.bin'), join(given, 'bin'), toolPath].join(':'),
    HOME: join(scratch, 'home'), TMPDIR: join(scratch, 'tmp'), CI: '1', NO_COLOR: '1', LANG: 'C.UTF-8',
    npm_config_cache: join(cache, 'npm'), npm_config_update_notifier: 'false', npm_config_fund: 'false', npm_config_audit: 'false',
    // For pip, go, yarn and whoever else keeps to the standard; the others have names of their own.
    XDG_CACHE_HOME: cache, GOMODCACHE: join(cache, 'go'), CARGO_HOME: join(cache, 'cargo'),
  };
}
