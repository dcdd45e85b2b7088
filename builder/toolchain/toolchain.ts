// Owns the Toolchain seam: how the source of one Micro becomes the files of its package.
// Knows no Build, no Revision and no store.
import type { SpacefileMicro } from '../../spacefile-schema/types.ts';
import type { ArtifactSource } from '../artifact.ts';
import type { Workbench } from '../background.ts';

export interface ToolchainJob {
  micro: SpacefileMicro;
  /** The whole source, which the Micro's folder is a part of. */
  sourceFolder: string;
  /** The Micro's own source; nothing outside it may become part of the package. */
  folder: string;
  /** Empty, and deleted after the build. */
  scratchFolder: string;
  /** Whose build this is: caches are shared between builds, never between Spaces. */
  spaceId: string;
  report(line: string): void;
  /** For what takes long and is not asked of another program. */
  bench: Workbench;
  signal: AbortSignal;
}

export interface Package {
  /** What is started: for an isolate its path in `files`, for a process a shell line; `''` when nothing is. */
  entry: string;
  /** Line and column in it at which the handler is declared, `812:5`, where that is known. */
  handlerAt?: string;
  /** Path in the package -> content. Equal sources give equal files. */
  files: Map<string, ArtifactSource>;
}

export interface Toolchain {
  /** Look before anything is run. @throws BUILD_TOOL_MISSING, BUILD_FAILED */
  detect(job: ToolchainJob): Promise<void>;
  /** Fetch what the source depends on. @throws BUILD_TOOL_MISSING, BUILD_FAILED */
  install(job: ToolchainJob): Promise<void>;
  /** @throws BUILD_FAILED, BUNDLE_TOO_LARGE */
  build(job: ToolchainJob): Promise<Package>;
}
