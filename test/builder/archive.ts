// Owns archives for tests: honest ones by yazl, and hostile ones byte by byte.
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { crc32, deflateRawSync } from 'node:zlib';
import { ZipFile } from 'yazl';

/** An honest zip of path -> content; a path that ends with `/` is a folder. */
export async function zipOf(files: Record<string, string | Buffer>): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [path, content] of Object.entries(files)) {
    if (path.endsWith('/')) zip.addEmptyDirectory(path, { mtime: new Date(0) });
    else zip.addBuffer(Buffer.from(content), path, { mtime: new Date(0) });
  }
  zip.end();
  return buffer(zip.outputStream as Readable);
}

export interface RawEntry {
  name: string | Buffer;
  content?: string | Buffer;
  /** Unix mode with its type bits. */
  mode?: number;
  flags?: number;
  method?: number;
  /** What the archive says about the unpacked size, in place of the truth. */
  saysBytes?: number;
  saysCrc?: number;
  /** Content that was packed already. */
  packed?: Buffer;
  /** Let the central entry point at the local header of this earlier entry. */
  sameAs?: number;
}

/** A zip that may be anything: names, modes, sizes and offsets are written as told. */
export function rawZip(entries: RawEntry[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const content = Buffer.from(entry.content ?? '');
    const method = entry.method ?? 8;
    const packed = entry.packed ?? (method === 8 ? deflateRawSync(content) : content);
    const header = Buffer.alloc(26);
    header.writeUInt16LE(20, 0);
    header.writeUInt16LE(0x800 | (entry.flags ?? 0), 2);
    header.writeUInt16LE(method, 4);
    header.writeUInt32LE(entry.saysCrc ?? crc32(content), 10);
    header.writeUInt32LE(packed.length, 14);
    header.writeUInt32LE(entry.saysBytes ?? content.length, 18);
    header.writeUInt16LE(name.length, 22);
    const at = entry.sameAs === undefined ? offset : (offsets[entry.sameAs] ?? 0);
    offsets.push(at);
    if (entry.sameAs === undefined) {
      const local = Buffer.concat([Buffer.from('PK\x03\x04'), header, name, packed]);
      locals.push(local);
      offset += local.length;
    }
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((entry.mode ?? 0) << 16) >>> 0, 6);
    tail.writeUInt32LE(at, 10);
    central.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 3]), header, tail, name]));
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

export async function* chunks(content: Buffer, sizeBytes = 64 * 1024): AsyncIterable<Buffer> {
  for (let start = 0; start < content.length; start += sizeBytes) yield content.subarray(start, start + sizeBytes);
}

export async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
