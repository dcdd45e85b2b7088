// Writes Items from several lanes and follows the changes after a sequence, and says on stdout what was acknowledged and
// what arrived, until somebody kills it.
import { silentLog } from '../../core/log.ts';
import { createData } from '../../sandbox-data/open.ts';

/** As in open-data.ts, which belongs to the test runner. */
const REF = { spaceId: 'space1', collectionId: 'collection1' };

const [folder = '', round = '', after = '0'] = process.argv.slice(2);
const data = await createData({ folder, log: silentLog });
const collection = data.collection(REF);

async function write(lane: number): Promise<void> {
  for (let n = 0; ; n += 1) {
    const key = `${round}-${lane}-${n}`;
    await collection.base('b').put(JSON.stringify({ items: [{ key }] }));
    process.stdout.write(`wrote ${key}\n`);
  }
}

async function follow(): Promise<void> {
  for await (const change of collection.changes({ after: Number(after) })) {
    process.stdout.write(`saw ${'key' in change ? change.key : change.kind} ${change.sequence};\n`);
  }
}

await Promise.all([follow(), ...Array.from({ length: 4 }, (_, lane) => write(lane))]);
