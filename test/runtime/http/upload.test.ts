import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { readUpload } from '../../../runtime/http/upload.ts';

const TYPE = 'multipart/form-data; boundary=xyz';
const part = (head: string, content: string): string => `--xyz\r\nContent-Disposition: form-data; ${head}\r\n\r\n${content}\r\n`;
const FIELD = part('name="dry_run"', 'true');
const file = (content: string): string => part('name="file"; filename="a.zip"', content);
const END = '--xyz--\r\n';

/** In pieces, as a network does. */
async function* pieces(text: string, size = 7): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size));
}

const contentOf = async (source: AsyncIterable<Uint8Array>): Promise<string> => (await buffer(source)).toString();

describe('a form with a file', () => {
  test('gives the fields before the file, and the file', async () => {
    const { fields, file: content } = await readUpload(pieces(`${FIELD}${file('PK\r\n--xy\r\n')}${part('name="late"', 'x')}${END}`), TYPE);
    expect({ ...fields }).toEqual({ dry_run: 'true' });
    expect(await contentOf(content)).toBe('PK\r\n--xy\r\n');
  });

  test('a file of any size is read as fast as it is wanted', async () => {
    let sent = 0;
    async function* large(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(file('').slice(0, -2));
      for (let index = 0; index < 256; index += 1) {
        sent += 1;
        yield Buffer.alloc(64 * 1024, 1);
      }
      yield Buffer.from(`\r\n${END}`);
    }
    const { file: content } = await readUpload(large(), TYPE);
    // Nobody reads: whatever was going to come is there by now.
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toBeLessThan(16);
    expect((await buffer(content)).length).toBe(256 * 64 * 1024);
  });

  test.each([['in the file', file('half').slice(0, -2)], ['after it', file('whole')]])('that breaks off %s is not taken for a whole one', async (_, text) => {
    const { file: content } = await readUpload(pieces(text), TYPE);
    await expect(contentOf(content)).rejects.toThrow();
  });

  test('whose sender goes away fails for its reader', async () => {
    async function* gone(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(file('half').slice(0, -2));
      throw new Error('gone');
    }
    const { file: content } = await readUpload(gone(), TYPE);
    await expect(contentOf(content)).rejects.toMatchObject({ code: 'INVALID_FIELD', cause: { message: 'gone' } });
  });

  test.each([
    ['no file', `${FIELD}${END}`, TYPE, 'INVALID_FIELD'], ['nothing', '', TYPE, 'INVALID_FIELD'], ['another type', '{}', 'application/json', 'UNSUPPORTED_MEDIA_TYPE'],
    ['no boundary', file('x') + END, 'multipart/form-data;', 'UNSUPPORTED_MEDIA_TYPE'], ['no parts', 'garbage', TYPE, 'INVALID_FIELD'],
  ])('with %s is refused', async (_, text, type, code) => {
    const error = await readUpload(Readable.from(pieces(text)), type).then(() => undefined, (reason: unknown) => reason);
    expect(error).toMatchObject({ code });
  });

  test('a file that nobody reads, and that breaks off, disturbs nobody', async () => {
    await readUpload(pieces(file('half').slice(0, -2)), TYPE);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  });

  test.each([['many fields', part('name="a"', 'x').repeat(50)], ['a long field', part('name="a"', 'x'.repeat(100_000))], ['a field of a builtin name', part('name="__proto__"', 'x')]])('%s before the file cost nothing', async (_, before) => {
    const { fields, file: content } = await readUpload(pieces(`${before}${file('x')}${END}`, 4096), TYPE).catch(() => ({ fields: {}, file: undefined }));
    expect(JSON.stringify(fields).length).toBeLessThan(3000);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    if (content) expect(await contentOf(content)).toBe('x');
  });
});
