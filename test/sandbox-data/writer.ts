// Writes Items and Files as fast as it can, and says on stdout what was acknowledged, until somebody kills it.
import { silentLog } from '../../core/log.ts';
import { createData } from '../../sandbox-data/open.ts';

const [folder = '', round = ''] = process.argv.slice(2);
const data = await createData({ folder, log: silentLog });
const collection = data.collection({ spaceId: 's', collectionId: 'c' });

async function writeForever(lane: number): Promise<void> {
  for (let n = 0; ; n += 1) {
    const key = `${round}-${lane}-${n}`;
    await collection.base('x').put(JSON.stringify({ items: [{ key: `${key}a`, pair: n }, { key: `${key}b`, pair: n }] }));
    process.stdout.write(`item ${key}\n`);
    if (n % 5 !== 0) continue;
    await collection.drive('f').put(key, (async function* () { yield Buffer.alloc(20_000, key); })());
    process.stdout.write(`file ${key}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, (_, lane) => writeForever(lane)));
