// Owns what the manifest of an archive says: what belongs where, and the checksum of everything.
import { isObject, ownValue } from './json-value.ts';
import { invalid, MANIFEST_PATH } from './archive-names.ts';

export const MANIFEST_FORMAT = 'ownspace-export';
export const MANIFEST_VERSION = 1;
/** A million Files have about 300 MB of it. */
export const MANIFEST_MAX_BYTES = 512 * 1024 * 1024;

export interface ManifestBase { path: string; name: string; items: number; bytes: number; sha256: string }
export interface ManifestFile { path: string; drive: string; name: string; bytes: number; sha256: string; content_type: string }
/** A File whose content was gone when it was exported. */
export interface ManifestLoss { drive: string; name: string }

export interface Manifest {
  format: typeof MANIFEST_FORMAT;
  version: number;
  created_at: string;
  collection: { id: string };
  bases: ManifestBase[];
  files: ManifestFile[];
  missing: ManifestLoss[];
}

/** By path. */
export type ManifestIndex = Map<string, { base: ManifestBase } | { file: ManifestFile }>;

/** @returns `undefined` when it is another program's manifest  @throws ARCHIVE_INVALID */
export function readManifest(text: string): ManifestIndex | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value) || ownValue(value, 'format') !== MANIFEST_FORMAT) return undefined;
  const version = ownValue(value, 'version');
  if (typeof version !== 'number' || version > MANIFEST_VERSION) throw invalid(`it was made by a newer version (${JSON.stringify(version)}; this one reads ${MANIFEST_VERSION})`);
  const index: ManifestIndex = new Map();
  for (const base of listOf(value, 'bases')) index.set(base.path, { base: entryOf(base, ['path', 'name', 'sha256']) as ManifestBase });
  for (const file of listOf(value, 'files')) index.set(file.path, { file: entryOf(file, ['path', 'drive', 'name', 'sha256', 'content_type']) as ManifestFile });
  return index;
}

function listOf(manifest: Record<string, unknown>, field: string): { path: string }[] {
  const list = ownValue(manifest, field);
  if (!Array.isArray(list) || !list.every((one) => isObject(one) && typeof ownValue(one, 'path') === 'string')) throw invalid(`${MANIFEST_PATH} has no list of ${field}`);
  return list;
}

function entryOf(entry: object, texts: readonly string[]): object {
  const isWhole = isObject(entry) && texts.every((field) => typeof ownValue(entry, field) === 'string') && Number.isSafeInteger(ownValue(entry, 'bytes'));
  if (!isWhole) throw invalid(`${MANIFEST_PATH} has an entry that lacks something`);
  return entry;
}
