// Owns the command `npm run bench`: which benches run, with how much effort, and where their results go.
import { appendFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { measureBaseHttp } from './base-http.ts';
import { measureCellMemory } from './cell-memory.ts';
import { measureColdStart } from './cold-start.ts';
import { measureDataScale, measureNeighboursAlone } from './data-scale.ts';
import { measureDrive } from './drive.ts';
import type { Effort, RowResult } from './harness.ts';
import { measureHelloIsolate } from './hello-isolate.ts';
import { measureHostCalls } from './host-calls.ts';
import { measureHotInstances } from './hot-instances.ts';
import { measureInstalls } from './installs.ts';
import { describeMachine } from './machine.ts';
import { measureManyInstances } from './many-instances.ts';
import { measureManyPushes } from './many-pushes.ts';
import { measureOrders } from './orders.ts';
import { measureProgramKills } from './program-kills.ts';
import { measureProgramStarts } from './program-starts.ts';
import { measureProgramSwap } from './program-swap.ts';
import { measurePrograms } from './programs.ts';
import { measurePushLive } from './push-live.ts';
import { measureSdkCall } from './sdk-call.ts';
import { measureStatic } from './static.ts';
import { measureStreams } from './streams.ts';
import { renderJsonLines, renderMarkdown, renderTable } from './report.ts';

const BENCHES: Record<string, (effort: Effort) => Promise<RowResult[]>> = {
  'hello-isolate': measureHelloIsolate,
  'orders': measureOrders,
  'host-calls': measureHostCalls,
  'hot-instances': measureHotInstances,
  'cold-start': measureColdStart,
  'cell-memory': measureCellMemory,
  'many-instances': measureManyInstances,
  'static': measureStatic,
  'streams': (effort) => measureStreams({ ...effort, streamMb: Number(values['stream-mb']) }),
  'base-http': measureBaseHttp,
  'data-scale': measureDataScale,
  'neighbours': measureNeighboursAlone,
  'drive': (effort) => measureDrive({ ...effort, driveMb: Number(values['drive-mb']) }),
  'push-live': measurePushLive,
  'many-pushes': measureManyPushes,
  'installs': measureInstalls,
  'programs': measurePrograms,
  'program-starts': measureProgramStarts,
  'program-kills': measureProgramKills,
  'program-swap': measureProgramSwap,
  'sdk-call': measureSdkCall,
};

const USAGE = `npm run bench [-- NAME... [options]]

Names: ${Object.keys(BENCHES).join(', ')}; all of them unless given.
  --rounds N       rounds of each contender (default 5)
  --seconds N      length of a round (default 5)
  --warm-up N      seconds of load before the first round (default 3)
  --drive-mb N     size of the File of \`drive\` (default 256; 1024 is what the goal means)
  --stream-mb N    length of the streams of \`streams\` (default 256; 1024 is what the goal means)
  --peers          only the peers, without a host of ours
  --markdown FILE  also append the results to this file
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    'warm-up': { type: 'string', default: '3' },
    'drive-mb': { type: 'string', default: '256' },
    'stream-mb': { type: 'string', default: '256' },
    peers: { type: 'boolean', default: false },
    markdown: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

async function runBenches(): Promise<number> {
  const unknown = positionals.filter((name) => !(name in BENCHES));
  if (values.help || unknown.length > 0) {
    console.error(unknown.length > 0 ? `There is no bench called ${unknown.join(', ')}.\n\n${USAGE}` : USAGE);
    return unknown.length > 0 ? 2 : 0;
  }
  const effort: Effort = { rounds: Number(values.rounds), seconds: Number(values.seconds), warmUpSeconds: Number(values['warm-up']), withProduct: !values.peers };
  const machine = await describeMachine();
  const results: RowResult[] = [];
  let failures = 0;
  for (const name of positionals.length > 0 ? positionals : Object.keys(BENCHES)) {
    console.error(`${name} ...`);
    try {
      results.push(...((await BENCHES[name]?.(effort)) ?? []));
    } catch (error) {
      failures += 1;
      console.error(`${name} failed: ${(error as Error).message}`);
    }
  }
  console.log(`${renderTable(results)}\n`);
  console.log(renderJsonLines(results, machine));
  if (values.markdown !== undefined) await appendFile(values.markdown, renderMarkdown(results, machine));
  return failures > 0 ? 1 : 0;
}

process.exitCode = await runBenches();
