// Owns the proof that bodies whose signature is not proven yet do not fill the disk, in whoever's name they come.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SpaceError } from '../../../core/errors.ts';
import { errorHeaders } from '../../../runtime/http/reply.ts';
import { createSpool, type Spool } from '../../../runtime/http/spool.ts';
import { chunks } from '../../builder/archive.ts';
import { codeOf } from '../../support/identity.ts';

let folder: string;
let spool: Spool;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ownspace-'));
  spool = createSpool(folder, { each: 1000, all: 1500 });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const keep = (owner: string, size: number, limitBytes = 5000) => spool.keep(chunks(Buffer.alloc(size)), { owner, limitBytes });

test('in the name of one person so much waits, and of all so much; what was proven or refused makes room', async () => {
  const first = await keep('ada', 700);
  expect([await codeOf(keep('ada', 400)), await codeOf(keep('ada', 300)), await codeOf(keep('bob', 600)), await codeOf(keep('bob', 400))]).toEqual(['UPLOAD_ROOM_FULL', undefined, 'UPLOAD_ROOM_FULL', undefined]);
  expect(await readdir(folder)).toHaveLength(3);
  await first.remove();
  expect([await codeOf(keep('ada', 5)), (await readdir(folder)).length]).toEqual([undefined, 3]);
  expect(await codeOf(keep('ada', 4000, 100))).toBe('PAYLOAD_TOO_LARGE');
  expect(await codeOf(keep('ada', 600))).toBeUndefined();
});

test('whoever is refused learns when to come again', () => {
  expect(errorHeaders(new SpaceError('UPLOAD_ROOM_FULL', { retryAfterSeconds: 30 }))).toEqual({ 'retry-after': '30' });
});
