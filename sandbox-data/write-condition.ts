// Owns conditions of a write: which version of an Item it asks for. Pure.
import { SpaceError } from '../core/errors.ts';
import type { WriteCondition } from './data.ts';

/** Whether `condition` allows a write. @param version of the Item as it is; `undefined` when there is none */
export function isAllowed({ is, isNot }: WriteCondition, version: string | undefined): boolean {
  return (is === undefined || names(is, version)) && (isNot === undefined || !names(isNot, version));
}

/** @throws BASE_CONDITION_FAILED */
export function assertAllowed(condition: WriteCondition | undefined, version: string | undefined): void {
  if (condition && !isAllowed(condition, version)) throw new SpaceError('BASE_CONDITION_FAILED');
}

function names(versions: NonNullable<WriteCondition['is']>, version: string | undefined): boolean {
  return version !== undefined && (versions === 'any' || versions.includes(version));
}
