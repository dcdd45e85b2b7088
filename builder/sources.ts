// Owns where the sources of Builds lie until they are built, and how much of the disk they take together: what waits is
// bounded by its size, not by its number alone. Knows no Build record and nothing of what is in a source.
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SpaceError } from '../core/errors.ts';
import { inMegabytes } from './source-entries.ts';
import { receiveSource } from './source.ts';

interface Owner { id: string; spaceId: string }

export interface Sources {
  path(id: string): string;
  /** @param sizeBytes as announced  @throws BUILD_ROOM_FULL, HOST_BUILD_ROOM_FULL */
  assertRoom(spaceId: string, sizeBytes: number): void;
  /** Whole and durable, or not at all. @throws as `receiveSource`, and as `assertRoom` */
  receive(build: Owner, stream: AsyncIterable<Uint8Array>, announcedBytes: number): Promise<void>;
  /** It is built, or will not be. */
  remove(id: string): Promise<void>;
  /** After a restart: these wait still, and whatever else lies there goes. */
  keepOnly(builds: readonly Owner[]): Promise<void>;
}

/** Of everything that waits or is being built: four sources of the greatest size. */
const SPACE_MAX_BYTES = 1024 ** 3;
const HOST_MAX_BYTES = 8 * 1024 ** 3;
const RETRY_AFTER_SECONDS = 30;

export interface SourceRoom { spaceBytes: number; hostBytes: number }

export async function createSources(folder: string, { spaceBytes, hostBytes }: SourceRoom = { spaceBytes: SPACE_MAX_BYTES, hostBytes: HOST_MAX_BYTES }): Promise<Sources> {
  await mkdir(folder, { recursive: true });
  const taken = new Map<string, { spaceId: string; bytes: number }>();
  const path = (id: string): string => join(folder, `${id}.zip`);

  function assertRoom(spaceId: string, sizeBytes: number): void {
    const all = [...taken.values()];
    const sum = (of: typeof all): number => of.reduce((total, { bytes }) => total + bytes, sizeBytes);
    const details = { retryAfterSeconds: RETRY_AFTER_SECONDS };
    if (sum(all.filter((each) => each.spaceId === spaceId)) > spaceBytes) throw new SpaceError('BUILD_ROOM_FULL', { ...details, limit: inMegabytes(spaceBytes) });
    if (sum(all) > hostBytes) throw new SpaceError('HOST_BUILD_ROOM_FULL', { ...details, limit: inMegabytes(hostBytes) });
  }

  function take({ id, spaceId }: Owner, bytes: number): void {
    assertRoom(spaceId, bytes);
    taken.set(id, { spaceId, bytes: (taken.get(id)?.bytes ?? 0) + bytes });
  }

  async function* counted(build: Owner, stream: AsyncIterable<Uint8Array>, announcedBytes: number): AsyncIterable<Uint8Array> {
    let arrived = 0;
    for await (const chunk of stream) {
      arrived += chunk.length;
      const beyond = arrived - Math.max(announcedBytes, arrived - chunk.length);
      if (beyond > 0) take(build, beyond);
      yield chunk;
    }
  }

  return {
    path,
    assertRoom,
    async receive(build, stream, announcedBytes) {
      try {
        take(build, announcedBytes);
        await receiveSource(counted(build, stream, announcedBytes), path(build.id));
      } catch (error) {
        taken.delete(build.id);
        throw error;
      }
    },
    async remove(id) {
      await rm(path(id), { force: true });
      taken.delete(id);
    },
    async keepOnly(builds) {
      const kept = new Map(builds.map((build) => [path(build.id), build]));
      for (const name of await readdir(folder)) {
        const build = kept.get(join(folder, name));
        if (build) taken.set(build.id, { spaceId: build.spaceId, bytes: (await stat(path(build.id))).size });
        else await rm(join(folder, name), { recursive: true, force: true });
      }
    },
  };
}
