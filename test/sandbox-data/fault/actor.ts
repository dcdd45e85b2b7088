// A process with a data plane on the folder it is given, which does what each line of stdin asks and says on stdout what
// came of it. Tests start it above a disk that fails, and kill it.
import { createInterface } from 'node:readline';
import { isSpaceError } from '../../../core/errors.ts';
import { stderrLog } from '../../../core/log.ts';
import { createData } from '../../../sandbox-data/open.ts';

const data = await createData({ folder: process.argv[2]!, log: stderrLog('info'), workers: 1 });
const collection = (id = 'c') => data.collection({ spaceId: 's', collectionId: id });

interface Request { id: number; do: string; in?: string; key: string; value?: unknown; bytes?: number }

async function perform({ do: what, in: place, key, value, bytes = 0 }: Request): Promise<unknown> {
  const base = collection(place).base('x');
  const drive = collection(place).drive('f');
  switch (what) {
    case 'put': return void (await base.put(JSON.stringify({ items: [{ key, value }] })));
    case 'delete': return base.delete(key);
    case 'get': return JSON.parse((await base.get(key)) ?? 'null');
    case 'insert': return void (await base.insert(JSON.stringify({ item: { key, value } })));
    case 'file': return void (await drive.put(key, (async function* () { for (let left = bytes; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536), key); })()));
    case 'read': return contentOf((await drive.get(key))?.stream);
    case 'host': return data.hostStore.batch([{ type: 'put', key: `t/${key}`, value: '1' }]);
    case 'damage': return collection(place).damage();
    case 'verify': return collection(place).verify();
    default: throw new TypeError(`unknown request ${what}`);
  }
}

async function contentOf(stream: AsyncIterable<Uint8Array> | undefined): Promise<{ length: number; first: string } | null> {
  if (!stream) return null;
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const all = Buffer.concat(chunks);
  return { length: all.length, first: all.subarray(0, 4).toString() };
}

async function answer(request: Request): Promise<void> {
  const start = performance.now();
  const outcome = await perform(request).then((value) => ({ value }), (error: unknown) => {
    if (!isSpaceError(error)) console.error(error);
    return { code: isSpaceError(error) ? error.code : String(error) };
  });
  process.stdout.write(`${JSON.stringify({ id: request.id, ...outcome, ms: performance.now() - start })}\n`);
}

createInterface(process.stdin).on('line', (line) => void answer(JSON.parse(line) as Request));
