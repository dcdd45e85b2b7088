// Covers callers that go before the answer: what changes something reaches the program all the same, and nothing else does.
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../support/start-host.ts';
import { createProcessInstance, openProcessBench, type ProcessBench, type ProcessInstance } from '../../support/process-instance.ts';

/** Takes its time to start. */
const DIARY = `
const http = require('node:http');
const entries = [];
setTimeout(() => http.createServer(async (request, response) => {
  if (request.url === '/entries') return response.end(JSON.stringify(entries));
  let text = '';
  try { for await (const chunk of request) text += chunk; } catch { text = 'cut off'; }
  entries.push(request.method + ' ' + text);
  if (request.url === '/wait') { response.on('close', () => entries.push('closed')); return response.write('first'); }
  response.end();
}).listen(process.env.PORT), 700);
`;

let bench: ProcessBench;
beforeAll(async () => { bench = await openProcessBench(); });
afterAll(() => bench.close());

const started = (): Promise<ProcessInstance> => createProcessInstance(bench.engine, { 'index.js': DIARY });
const entriesOf = async (app: ProcessInstance): Promise<string[]> => JSON.parse((await app.call('/entries')).text) as string[];

/** Send it, and go at once. */
async function sendAndGo(app: ProcessInstance, init: Parameters<ProcessInstance['send']>[1], then?: () => void): Promise<void> {
  const abort = new AbortController();
  const answer = app.send('/', { ...init, signal: abort.signal }).catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  abort.abort();
  then?.();
  await answer;
}

it('a change reaches a program that is starting, though its caller has gone', async () => {
  const app = await started();
  const body = new PassThrough();
  body.end('streamed');
  await Promise.all([sendAndGo(app, { method: 'POST', body: 'small' }), sendAndGo(app, { method: 'PUT', body, headers: ['content-length', '8'] }), sendAndGo(app, { method: 'DELETE' })]);
  expect((await entriesOf(app)).toSorted()).toEqual(['DELETE ', 'POST small', 'PUT streamed']);
});

it('and one that is up', async () => {
  const app = await started();
  await app.call('/entries');
  await Promise.all(Array.from({ length: 20 }, (_, index) => sendAndGo(app, { method: 'POST', body: String(index) })));
  expect(await entriesOf(app)).toHaveLength(20);
});

it('what reads, and what did not come whole, goes with its caller', async () => {
  const app = await started();
  const body = new PassThrough();
  body.write('half');
  await Promise.all([sendAndGo(app, {}), sendAndGo(app, { method: 'POST', body, headers: ['content-length', '8'] }, () => body.destroy())]);
  expect((await entriesOf(app)).filter((entry) => !entry.includes('cut off'))).toEqual([]);
});

it('an answer that has begun ends with its caller', async () => {
  const app = await started();
  const abort = new AbortController();
  const answer = await app.send('/wait', { method: 'POST', body: 'x', signal: abort.signal });
  expect(answer.status).toBe(200);
  abort.abort();
  await until(async () => ((await entriesOf(app)).includes('closed') ? true : undefined));
});
