// Owns a host process for tests that kill it: an Engine with one Cell that hangs. Prints a line when it does.
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { createIsolateEngine } from '../../runtime/engine/isolate.ts';
import { createTestInstance } from './isolate-instance.ts';

const engine = createIsolateEngine({ log: silentLog, clock: systemClock, cacheFolder: process.argv[2]!, limits: { cpuMs: 60_000 } });
const instance = createTestInstance(engine, 'export default { fetch(request) { if (request.url.endsWith("/hang")) for (;;); return new Response("x"); } };');
await instance.call('/');
instance.call('/hang').catch(() => {});
setTimeout(() => process.stdout.write('hanging\n'), 200);
