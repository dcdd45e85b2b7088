// Owns large bodies that must be proven before anybody acts on them: they wait in a file, and take only so much of the disk. Knows no route and no proof.
import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import { createRoom } from '../../core/room.ts';
import { writeFileFrom } from '../../core/write-file.ts';
import { diskError } from '../../sandbox-data/disk-error.ts';

export interface Spooled {
  stream(): AsyncIterable<Uint8Array>;
  remove(): Promise<void>;
}

export interface Spool {
  /** Read `source` to its end. Where that fails, nothing is left.
   *  @param owner who says that it is theirs: nothing is proven yet
   *  @throws PAYLOAD_TOO_LARGE, UPLOAD_ROOM_FULL, STORE_FULL, and whatever `source` throws */
  keep(source: AsyncIterable<Uint8Array>, upload: { owner: string; limitBytes: number }): Promise<Spooled>;
}

/** Of everything that arrives and is not proven: four of the greatest size in the name of one person. */
const OWNER_MAX_BYTES = 1024 ** 3;
const ALL_MAX_BYTES = 4 * 1024 ** 3;
const RETRY_AFTER_SECONDS = 30;

export function createSpool(folder: string, { each, all } = { each: OWNER_MAX_BYTES, all: ALL_MAX_BYTES }): Spool {
  const room = createRoom({ each, all, refuse: () => new SpaceError('UPLOAD_ROOM_FULL', { retryAfterSeconds: RETRY_AFTER_SECONDS }) });
  return {
    async keep(source, { owner, limitBytes }) {
      const id = newId('blob');
      const path = join(folder, id);
      const remove = async (): Promise<void> => {
        await rm(path, { force: true });
        room.free(id);
      };
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await writeFileFrom(room.counted(id, owner, limited(source, limitBytes), 0), path, { flags: 'wx', mode: 0o600 });
      } catch (error) {
        await remove();
        throw diskError(error);
      }
      return { stream: () => createReadStream(path), remove };
    },
  };
}

async function* limited(source: AsyncIterable<Uint8Array>, limitBytes: number): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  for await (const chunk of source) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw new SpaceError('PAYLOAD_TOO_LARGE', { limitBytes });
    yield chunk;
  }
}
