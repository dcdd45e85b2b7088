// Owns large bodies that must be proven before anybody acts on them: they wait in a file. Knows no route and no proof.
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SpaceError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import { diskError } from '../../sandbox-data/disk-error.ts';

export interface Spooled {
  stream(): AsyncIterable<Uint8Array>;
  remove(): Promise<void>;
}

/** Read `source` to its end. Where that fails, nothing is left.
 *  @throws PAYLOAD_TOO_LARGE, STORE_FULL, and whatever `source` throws */
export async function spool(source: AsyncIterable<Uint8Array>, { folder, limitBytes }: { folder: string; limitBytes: number }): Promise<Spooled> {
  const path = join(folder, newId('blob'));
  const remove = (): Promise<void> => rm(path, { force: true });
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await pipeline(limited(source, limitBytes), createWriteStream(path, { flags: 'wx', mode: 0o600 }));
  } catch (error) {
    await remove();
    throw diskError(error);
  }
  return { stream: () => createReadStream(path), remove };
}

async function* limited(source: AsyncIterable<Uint8Array>, limitBytes: number): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  for await (const chunk of source) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw new SpaceError('PAYLOAD_TOO_LARGE', { limitBytes });
    yield chunk;
  }
}
