// Owns the proof that every error code is complete and documented, and that errors cross borders unharmed.
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { errorFromRecord, errorRecord, ERRORS, isSpaceError, SpaceError, toSpaceError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/errors.ts';
import { renderErrorsPage } from '../../docs/generate-errors.ts';

const CODES = Object.keys(ERRORS) as ErrorCode[];

test('docs/errors.md is up to date: else run `npm run docs`', async () => {
  const page = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  expect(page).toBe(renderErrorsPage());
  for (const code of CODES) expect(page).toContain(`| \`${code}\` |`);
});

describe('every code', () => {
  test('has the status of an error', () => {
    const wrong = CODES.filter((code) => !(Number.isInteger(ERRORS[code].status) && ERRORS[code].status >= 400 && ERRORS[code].status < 600));
    expect(wrong).toEqual([]);
  });

  test('that blames the caller has a 4xx status, or who asked would try again in vain', () => {
    expect(CODES.filter((code) => ERRORS[code].blame === 'caller' && ERRORS[code].status >= 500)).toEqual([]);
  });

  test('has a message even without details', () => {
    for (const code of CODES) expect(new SpaceError(code).message.length, code).toBeGreaterThan(3);
  });
});

describe('SpaceError', () => {
  test('carries message, status, blame and cause', () => {
    const cause = new Error('disk on fire');
    const error = new SpaceError('PAYLOAD_TOO_LARGE', { limitBytes: 10 }, { cause });
    expect(error).toMatchObject({ name: 'SpaceError', status: 413, blame: 'caller', message: 'The body is larger than 10 bytes.', cause });
  });

  test('is told from others, and one code from another', () => {
    const error: unknown = new SpaceError('NOT_FOUND');
    expect(isSpaceError(error)).toBe(true);
    expect(isSpaceError(error, 'NOT_FOUND')).toBe(true);
    expect(isSpaceError(error, 'CONFLICT')).toBe(false);
    expect(isSpaceError(new Error('NOT_FOUND'))).toBe(false);
    expect(isSpaceError({ code: 'NOT_FOUND' })).toBe(false);
  });

  test('an unknown error becomes INTERNAL, keeps its cause and tells nothing of it', () => {
    const cause = new Error('password=hunter2');
    const error = toSpaceError(cause);
    expect(error).toMatchObject({ code: 'INTERNAL', cause });
    expect(error.message).not.toContain('hunter2');
  });

  test('crosses a border as plain data', () => {
    const record = structuredClone(errorRecord(new SpaceError('ITEM_TOO_LARGE', { limitBytes: 400 })));
    expect(errorFromRecord(record)).toMatchObject({ code: 'ITEM_TOO_LARGE', message: 'An item may have 400 bytes at most' });
  });

  test('takes no foreign error across a border', () => {
    expect(JSON.stringify(errorRecord(new Error('secret')))).not.toContain('secret');
  });
});
