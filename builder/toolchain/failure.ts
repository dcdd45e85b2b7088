// Owns the words of a build that fails: which Micro, what is wrong, what to do.
import { SpaceError } from '../../core/errors.ts';
import type { ToolchainJob } from './toolchain.ts';

/** @param reason a sentence without its full stop */
export function buildFailed({ micro }: ToolchainJob, reason: string): SpaceError {
  return new SpaceError('BUILD_FAILED', { micro: micro.name, reason: `${reason}.` });
}

/** @param reason a sentence without its full stop */
export function toolMissing({ micro }: ToolchainJob, reason: string): SpaceError {
  return new SpaceError('BUILD_TOOL_MISSING', { engine: micro.engine, reason: `${reason}.` });
}
