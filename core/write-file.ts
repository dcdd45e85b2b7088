// Owns writing a stream into a file so that, once it has failed, the file can be removed for good: a file that is being opened
// would come into being after that.
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';

/** Resolves or rejects when nothing more happens to the file. Removing it is its caller's. */
export async function writeFileFrom(source: AsyncIterable<Uint8Array>, path: string, options: { flags?: 'w' | 'wx'; mode?: number } = {}): Promise<void> {
  const file = createWriteStream(path, options);
  try {
    await pipeline(source, file);
  } catch (error) {
    if (!file.closed) await once(file, 'close');
    throw error;
  }
}
