// Owns where the sources of Builds lie until they are built, and how much of the disk they take together: what waits is
// bounded by its size, not by its number alone. Knows no Build record and nothing of what is in a source.
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SpaceError } from '../core/errors.ts';
import { createRoom } from '../core/room.ts';
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
  const path = (id: string): string => join(folder, `${id}.zip`);
  const details = { retryAfterSeconds: RETRY_AFTER_SECONDS };
  const room = createRoom({
    each: spaceBytes, all: hostBytes,
    refuse: (whose) => (whose === 'each' ? new SpaceError('BUILD_ROOM_FULL', { ...details, limit: inMegabytes(spaceBytes) }) : new SpaceError('HOST_BUILD_ROOM_FULL', { ...details, limit: inMegabytes(hostBytes) })),
  });

  return {
    path,
    assertRoom: room.assert,
    async receive({ id, spaceId }, stream, announcedBytes) {
      try {
        room.take(id, spaceId, announcedBytes);
        await receiveSource(room.counted(id, spaceId, stream, announcedBytes), path(id));
      } catch (error) {
        room.free(id);
        throw error;
      }
    },
    async remove(id) {
      await rm(path(id), { force: true });
      room.free(id);
    },
    async keepOnly(builds) {
      const kept = new Map(builds.map((build) => [path(build.id), build]));
      for (const name of await readdir(folder)) {
        const build = kept.get(join(folder, name));
        if (build) room.count(build.id, build.spaceId, (await stat(path(build.id))).size);
        else await rm(join(folder, name), { recursive: true, force: true });
      }
    },
  };
}
