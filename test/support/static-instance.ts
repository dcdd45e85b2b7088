// Owns an Instance of one static Micro for tests: files given as text, with their codings, and a record of what was read.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { InstanceServices, InstanceSpec, MicroResponse, StoredFile } from '../../runtime/engine/engine.ts';
import { createStaticEngine } from '../../runtime/engine/static.ts';

export type StaticInstance = InstanceSpec & { /** Paths and codings that were read, `stream` before those that were streamed. */ reads: string[] };
export interface StaticOptions { codings?: readonly ('br' | 'gzip')[]; /** Size that is told instead of the true one. */ sizeBytes?: number }
export interface StaticAnswer { status: number; text: string; bytes: Buffer; headers: Record<string, string>; answer: MicroResponse }

export function staticInstance(files: Record<string, string | Buffer>, { codings = [], sizeBytes }: StaticOptions = {}): StaticInstance {
  const contents = new Map<string, { name: string; bytes: Buffer }>();
  const reads: string[] = [];
  const keep = (name: string, bytes: Buffer): { hash: string; sizeBytes: number } => {
    const hash = createHash('sha256').update(bytes).digest('hex');
    contents.set(hash, { name, bytes });
    return { hash, sizeBytes: sizeBytes ?? bytes.length };
  };
  const coded = { br: brotliCompressSync, gzip: gzipSync };
  const stored = Object.entries(files).map(([path, content]): [string, StoredFile] => {
    const bytes = Buffer.from(content);
    const encodings = Object.fromEntries(codings.map((coding) => [coding, keep(`${path}.${coding}`, coded[coding](bytes))]));
    return [path, { ...keep(path, bytes), ...(codings.length > 0 && { encodings }) }];
  });
  const known = (hash: string): { name: string; bytes: Buffer } => contents.get(hash) ?? (() => { throw new Error(`no content ${hash}`); })();
  return {
    reads, instanceId: 'instance-a', spaceId: 'space-a', collectionId: 'collection-a', hostname: 'a.localhost', generation: '1', services: {} as InstanceServices,
    micros: [{
      name: 'web', env: {}, entry: '', files: Object.fromEntries(stored),
      readFile: async (path) => Buffer.from(files[path] ?? ''),
      async readContent(hash) {
        reads.push(known(hash).name);
        return known(hash).bytes;
      },
      async openContent(hash, range) {
        const { name, bytes } = known(hash);
        reads.push(`stream ${name}`);
        return Readable.from([range ? bytes.subarray(range.start, range.end + 1) : bytes]);
      },
    }],
  };
}

export interface StaticAsk { method?: string; headers?: Record<string, string>; instance: InstanceSpec; engine?: ReturnType<typeof createStaticEngine>; pageMarkup?: string }

export async function askStatic(path: string, { method = 'GET', headers = {}, instance, engine = createStaticEngine(), pageMarkup }: StaticAsk): Promise<StaticAnswer> {
  const answer = await engine.fetch(instance, 'web', { id: 'request-1', method, url: `http://a.localhost${path}`, headers: Object.entries(headers).flat(), body: null, hops: 0, ...(pageMarkup && { pageMarkup }) });
  const pairs = Array.from({ length: answer.headers.length / 2 }, (_, index) => answer.headers.slice(index * 2, index * 2 + 2) as [string, string]);
  const bytes = answer.body === null ? Buffer.alloc(0) : answer.body instanceof Uint8Array ? Buffer.from(answer.body) : await buffer(answer.body);
  return { status: answer.status, bytes, text: bytes.toString(), headers: Object.fromEntries(pairs), answer };
}
