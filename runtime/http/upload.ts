// Owns reading a form with a file (multipart/form-data) as it arrives: the fields before the file, then the file as a stream,
// which never is in memory as a whole. Knows no route.
import { PassThrough, pipeline, Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import { isSpaceError, SpaceError } from '../../core/errors.ts';

export interface Upload {
  fields: Readonly<Record<string, string>>;
  /** Has to be read. Fails where the form breaks off: a part is never taken for the whole. */
  file: AsyncIterable<Uint8Array>;
}

/** @throws INVALID_FIELD, UNSUPPORTED_MEDIA_TYPE, and whatever `source` throws */
export async function readUpload(source: AsyncIterable<Uint8Array>, contentType: string): Promise<Upload> {
  const parser = parserFor(contentType);
  const fields: Record<string, string> = Object.create(null);
  const { promise, resolve, reject } = Promise.withResolvers<Upload>();
  const file = new PassThrough();
  // Its reader is told; without one nobody is.
  file.on('error', () => undefined);
  parser.on('field', (name, value) => { fields[name] = value; });
  parser.on('file', (_, content) => {
    pipeline(content, file, () => undefined);
    resolve({ fields, file });
  });
  parser.on('finish', () => reject(new SpaceError('INVALID_FIELD', { field: 'file', reason: 'is missing' })));
  pipeline(Readable.from(source, { objectMode: false }), parser, (error) => {
    if (!error) return;
    const known = isSpaceError(error) ? error : new SpaceError('INVALID_FIELD', { field: 'file', reason: 'did not come as a whole' }, { cause: error });
    reject(known);
    file.destroy(known);
  });
  return promise;
}

function parserFor(contentType: string): InstanceType<typeof Busboy> {
  const expected = 'a form with a file, with Content-Type: multipart/form-data';
  if (!/^multipart\/form-data\s*;/i.test(contentType)) throw new SpaceError('UNSUPPORTED_MEDIA_TYPE', { expected });
  try {
    return new Busboy({ headers: { 'content-type': contentType }, limits: { files: 1, fields: 8, fieldSize: 1024, parts: 10, headerPairs: 20, headerSize: 8 * 1024 } });
  } catch (error) {
    throw new SpaceError('UNSUPPORTED_MEDIA_TYPE', { expected }, { cause: error });
  }
}
