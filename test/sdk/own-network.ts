// Owns the host inside its own network: starts it at port 443, prints what its clients need, and ends with its input.
import { startHostProcess } from '../support/host-process.ts';
import { OWN_DOMAIN, settle } from './sdk-host.ts';

await using host = await startHostProcess({ args: ['--tls-port', '443', '--domain', OWN_DOMAIN] });
const { dataKey } = await settle(host);
process.stdout.write(`${JSON.stringify({ pid: process.pid, dataKey, dataFolder: host.dataFolder })}\n`);
await new Promise((resolve) => process.stdin.once('close', resolve).resume());
