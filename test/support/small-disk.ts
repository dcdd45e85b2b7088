// Owns small disks to fill: a tmpfs of a given size, gone when the test is over. Only root may mount one; elsewhere such
// tests are skipped, visibly.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export const MAY_MOUNT = process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/bin/mount');

/** @param options of tmpfs, like `size=96m,nr_inodes=3000`  @returns the folder that the disk is mounted on */
export async function smallDisk(options: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ownspace-disk-'));
  execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
  onTestFinished(async () => {
    execFileSync('/bin/umount', ['--lazy', folder]);
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}
