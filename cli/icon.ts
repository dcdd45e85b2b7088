// Owns what can be told of a project's icon before it is sent: that it exists, what it is, and its size in pixels.
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from './failure.ts';

export interface Icon { content: Blob; contentType: string }
interface Picture { contentType: string; width: number; height: number }

/** @source Deta Space docs, icon */
const ICON_PIXELS = 512;
const HEAD_BYTES = 64 * 1024;

/** Undefined when the Spacefile names none. @throws Failure ICON_INVALID for a file that is missing or no picture */
export async function readIcon(dir: string, path: string | undefined): Promise<Icon | undefined> {
  if (path === undefined) return undefined;
  const picture = await readPicture(dir, path);
  if (typeof picture === 'string') throw new Failure({ code: 'ICON_INVALID', what: picture, remedy: 'Correct `icon` in the Spacefile, or remove the line.' });
  return { content: new Blob([await readFile(join(dir, path))]), contentType: picture.contentType };
}

/** What is wrong with it, stricter than the host, which scales other sizes. */
export async function iconProblems(dir: string, path: string | undefined): Promise<string[]> {
  if (path === undefined) return [];
  const picture = await readPicture(dir, path);
  if (typeof picture === 'string') return [picture];
  if (picture.width === ICON_PIXELS && picture.height === ICON_PIXELS) return [];
  return [`The icon \`${path}\` has ${picture.width} x ${picture.height} pixels; it should have ${ICON_PIXELS} x ${ICON_PIXELS}.`];
}

/** The picture, or a sentence on why it is none. */
async function readPicture(dir: string, path: string): Promise<Picture | string> {
  const file = await open(join(dir, path)).catch(() => undefined);
  if (file === undefined) return `The icon \`${path}\` was not found.`;
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0);
    return identify(head.subarray(0, bytesRead)) ?? `The icon \`${path}\` is no PNG, WebP, JPEG or GIF picture.`;
  } catch {
    return `The icon \`${path}\` cannot be read.`;
  } finally {
    await file.close();
  }
}

function identify(head: Buffer): Picture | undefined {
  if (head.length < 30) return undefined;
  if (head.readUInt32BE(0) === 0x89504e47) return { contentType: 'image/png', width: head.readUInt32BE(16), height: head.readUInt32BE(20) };
  if (head.toString('latin1', 0, 4) === 'GIF8') return { contentType: 'image/gif', width: head.readUInt16LE(6), height: head.readUInt16LE(8) };
  if (head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP') return identifyWebp(head);
  return head.readUInt16BE(0) === 0xffd8 ? identifyJpeg(head) : undefined;
}

/** @source RFC 9649, the three kinds of WebP */
function identifyWebp(head: Buffer): Picture | undefined {
  const contentType = 'image/webp';
  switch (head.toString('latin1', 12, 16)) {
    case 'VP8X': return { contentType, width: head.readUIntLE(24, 3) + 1, height: head.readUIntLE(27, 3) + 1 };
    case 'VP8L': return { contentType, width: (head.readUInt16LE(21) & 0x3fff) + 1, height: ((head.readUInt32LE(21) >> 14) & 0x3fff) + 1 };
    case 'VP8 ': return { contentType, width: head.readUInt16LE(26) & 0x3fff, height: head.readUInt16LE(28) & 0x3fff };
    default: return undefined;
  }
}

/** Walks the segments up to the frame header, which has the size. @source ITU-T T.81, annex B */
function identifyJpeg(head: Buffer): Picture | undefined {
  for (let at = 2; at + 9 < head.length; at += 2 + head.readUInt16BE(at + 2)) {
    const marker = head[at + 1] ?? 0;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { contentType: 'image/jpeg', width: head.readUInt16BE(at + 7), height: head.readUInt16BE(at + 5) };
  }
  return undefined;
}
