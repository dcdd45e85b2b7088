// Writes pairs of Items and a File, and takes, restores and drops snapshots in between, until somebody kills it.
// Each write changes all three to one number, so whoever finds two numbers has found a state that never was.
import { silentLog } from '../../core/log.ts';
import { createData } from '../../sandbox-data/open.ts';

const [folder = '', seed = '0'] = process.argv.slice(2);
const data = await createData({ folder, log: silentLog });
const collection = data.collection({ spaceId: 's', collectionId: 'c' });
let number = Number(seed) * 100_000;

async function writePairs(): Promise<void> {
  for (;;) {
    number += 1;
    await collection.base('x').put(JSON.stringify({ items: [{ key: 'a', number }, { key: 'b', number }] }));
    await collection.drive('f').put('file', (async function* () { yield Buffer.from('x'.repeat(5000)); })());
    process.stdout.write('write\n');
  }
}

async function useSnapshots(): Promise<void> {
  for (let n = 0; ; n += 1) {
    await collection.snapshots.create({ note: String(n) });
    const listed = await collection.snapshots.list();
    if (n % 3 === 1) await collection.snapshots.restore(listed[n % listed.length]!.id);
    if (listed.length > 6) await collection.snapshots.drop(listed[n % 5]!.id);
    process.stdout.write('snapshot\n');
  }
}

await Promise.all([writePairs(), useSnapshots()]);
