// Owns what is stored about a File or an upload, besides its bytes, and which names a File may have.
import { SpaceError } from '../core/errors.ts';
import type { FileInfo } from './data.ts';

export const FILE_NAME_MAX_BYTES = 1024;
export const LIST_MAX_NAMES = 1000;
export const DELETE_MAX_NAMES = 1000;
/** Enough for 1 TB in parts of 10 MiB. */
export const PART_MAX_NUMBER = 100_000;

/** A piece of a File: an immutable blob, never empty. */
/** `crc`: CRC-32 of its bytes; what was stored before there was one has none. */
export interface BlobPart { blob: string; sizeBytes: number; crc?: number }

/** The record of a File: its content is the concatenation of its blobs. */
export interface FileRecord extends Omit<FileInfo, 'name'> { parts: BlobPart[] }

/** An upload is open until it is complete; then its record stays for a while, so that completing it again is harmless. */
export interface UploadRecord {
  drive: string;
  name: string;
  contentType?: string;
  startedAtMs: number;
  /** Grows with each part, so that completing notices a part that came in between. */
  version: number;
  /** The File that it became. */
  completed?: FileRecord;
}

/** An upload as its caller names it. The name must be the one it was started with. */
export interface UploadRef { uploadId: string; name: string }

export interface ListOptions { limit?: number; prefix?: string; last?: string; recursive?: boolean }

export function infoOf(name: string, record: FileRecord): FileInfo {
  const { parts: _parts, ...info } = record;
  return { name, ...info };
}

/** Any text but a blank one or one that names a folder. It never becomes a path of the file system. */
export function isFileName(name: unknown): name is string {
  return typeof name === 'string' && name.trim() !== '' && !name.endsWith('/')
    && name.isWellFormed() && Buffer.byteLength(name) <= FILE_NAME_MAX_BYTES;
}

/** @throws NAME_INVALID */
export function assertFileName(name: unknown): asserts name is string {
  if (!isFileName(name)) throw new SpaceError('NAME_INVALID');
}

/** @throws INVALID_FIELD when the part's number is not one */
export function assertPartNumber(part: number): void {
  if (Number.isInteger(part) && part >= 1 && part <= PART_MAX_NUMBER) return;
  throw new SpaceError('INVALID_FIELD', { field: 'part', reason: `is a number from 1 to ${PART_MAX_NUMBER}` });
}
