// Reads and conditionally writes one Item from several lanes, and says on stdout when each call begins and ends, until
// somebody kills it.
import { isSpaceError } from '../../core/errors.ts';
import { silentLog } from '../../core/log.ts';
import { createData } from '../../sandbox-data/open.ts';

const [folder = '', round = ''] = process.argv.slice(2);
const data = await createData({ folder, log: silentLog });
const { versioned } = data.collection({ spaceId: 's', collectionId: 'c' }).base('b');
const say = (line: string): void => { process.stdout.write(`${line}\n`); };

async function write(lane: number): Promise<void> {
  for (let n = 0; ; n += 1) {
    const id = `${round}-${lane}-${n}`;
    say(`read r${id}`);
    const seen = await versioned.get('k');
    const from = seen ? (JSON.parse(seen.json) as { value: string }).value : 'none';
    say(`saw r${id} ${from}`);
    say(`write w${id} ${from} ${id}`);
    try {
      await versioned.put(JSON.stringify({ items: [{ key: 'k', value: id }] }), seen ? { is: [seen.version] } : { isNot: 'any' });
      say(`done w${id}`);
    } catch (error) {
      if (!isSpaceError(error, 'BASE_CONDITION_FAILED')) throw error;
      say(`refused w${id}`);
    }
  }
}

await Promise.all(Array.from({ length: 8 }, (_, lane) => write(lane)));
