// Imports an archive and says on stdout how far it is, until it is done or somebody kills it.
import { createReadStream } from 'node:fs';
import { silentLog } from '../../core/log.ts';
import { createData } from '../../sandbox-data/open.ts';

const REF = { spaceId: 'space1', collectionId: 'collection1' };

const [folder = '', archive = ''] = process.argv.slice(2);
const data = await createData({ folder, log: silentLog });
const received = await data.collection(REF).receiveArchive(createReadStream(archive));
const report = await received.run({ onProgress: ({ step, bytes }) => process.stdout.write(`${step} ${bytes}\n`) });
process.stdout.write(`report ${JSON.stringify(report)}\n`);
await received.close();
await data.close();
