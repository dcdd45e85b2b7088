// Owns the proof that a disk counts as full a little before it is, and no longer than it is.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RoomGuard } from '../../../sandbox-data/store/room.ts';
import { MAY_MOUNT, smallDisk } from '../../support/small-disk.ts';

const MB = 1024 * 1024;

describe.skipIf(!MAY_MOUNT)('on a small disk', () => {
  test('there is room again the moment that there is', async () => {
    const disk = await smallDisk('size=20m');
    const room = new RoomGuard(disk);
    await room.assertRoom(MB);
    const ballast = join(disk, 'ballast');
    await writeFile(ballast, Buffer.alloc(19 * MB));
    await expect.poll(() => room.assertRoom(1).catch((error: { code: string }) => error.code)).toBe('STORE_FULL');
    await rm(ballast);
    await room.assertRoom(MB);
  });

  test('writes that are on their way count, also between two looks at the disk', async () => {
    const room = new RoomGuard(await smallDisk('size=20m'));
    const asked = await Promise.allSettled(Array.from({ length: 30 }, () => room.assertRoom(MB)));
    expect(asked.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(30);
  });
});
