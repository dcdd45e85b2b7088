// Fills a Base, starts building an index, and says so while it builds, until somebody kills it.
import { putItems } from '../../sandbox-data/base.ts';
import { indexesOf } from '../../sandbox-data/index-records.ts';
import { createIndex } from '../../sandbox-data/index-work.ts';
import { openRecords } from '../../sandbox-data/records.ts';
import { openLevelStore } from '../../sandbox-data/store/level.ts';

const ITEMS = 20_000;
const records = await openRecords(await openLevelStore(process.argv[2] ?? ''));
const call = { records, base: 'b', nowMs: 0 };
const item = (n: number): object => ({ key: String(n).padStart(6, '0'), n, text: 'x'.repeat(100) });
for (let lane = 0; lane < ITEMS; lane += 5000) {
  await Promise.all(Array.from({ length: 200 }, (_, at) => putItems(call, JSON.stringify({ items: Array.from({ length: 25 }, (_item, n) => item(lane + at * 25 + n)) }))));
}
createIndex(records, { base: 'b', field: 'n', nowMs: 0 });
setInterval(() => { if (indexesOf(records.indexes, 'b')[0]?.builtTo !== undefined) console.log('building'); }, 1);
