// Owns the proof that the bench compares fairly: it measures what answers rightly, and fails on what does not.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { measureRow, median, PRODUCT } from '../../bench/harness.ts';
import type { Contender, Effort, LoadRow } from '../../bench/harness.ts';
import { createJar, visit } from '../../bench/http.ts';
import { renderJsonLines, renderMarkdown, renderTable } from '../../bench/report.ts';

const EFFORT: Effort = { rounds: 1, seconds: 1, warmUpSeconds: 1, withProduct: true };
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => { server.closeAllConnections(); server.close(); });
  return (server.address() as AddressInfo).port;
}

async function contender(name: string, listener: RequestListener): Promise<Contender> {
  return { name, target: { url: `http://127.0.0.1:${await serve(listener)}/` }, expect: /^hello$/ };
}

const row = (...contenders: Contender[]): LoadRow => ({ bench: 'b', row: 'r', connections: 2, contenders, goals: [{ against: 'peer', atLeast: 1000 }] });
const hello: RequestListener = (_request, response) => response.end('hello');

describe('a row', () => {
  test('has a score for each contender, the ratio to the peer, and says when a goal is missed', async () => {
    const result = await measureRow(row(await contender(PRODUCT, hello), await contender('peer', hello)), EFFORT);
    expect(Object.keys(result.scores)).toEqual([PRODUCT, 'peer']);
    for (const score of Object.values(result.scores)) {
      expect(score.value).toBeGreaterThan(100);
      expect(score.p99Ms).toBeGreaterThanOrEqual(score.p50Ms ?? Number.NaN);
    }
    expect(result.ratios.peer).toBeCloseTo((result.scores[PRODUCT]?.value ?? 0) / (result.scores.peer?.value ?? 0), 5);
    expect(result.goals).toMatchObject([{ isReached: false }]);
    expect(renderTable([result])).toMatch(/peer.*MISSED: at least 1000 x peer/);
  });

  test('fails when a contender answers something else', async () => {
    const wrong = await contender(PRODUCT, (_request, response) => response.end('<h1>Sign in</h1>'));
    await expect(measureRow(row(wrong), EFFORT)).rejects.toThrow(/ownspace answers 200 with "<h1>Sign in/);
  });

  test('fails when a contender breaks down under load', async () => {
    let count = 0;
    const tired = await contender(PRODUCT, (_request, response) => { count += 1; response.statusCode = count > 20 ? 503 : 200; response.end('hello'); });
    await expect(measureRow(row(tired), EFFORT)).rejects.toThrow(/ownspace: \d+ requests failed/);
  });
});

test.each([[[3], 3], [[3, 1, 2], 2], [[4, 1, 3, 2], 2.5]])('the median of %j is %d', (values, expected) => {
  expect(median(values)).toBe(expected);
});

test('every line of JSON is complete in itself, and a cell of Markdown stays one cell', () => {
  const result = { bench: 'b', row: 'a | b', unit: 's' as const, scores: { [PRODUCT]: { value: 1.5, rounds: [1.5] } }, ratios: {}, goals: [] };
  const machine = { date: '2030-01-01T00:00:00.000Z', cpu: 'x', cores: 2, memoryGb: 1, system: 's', loadAverage: 0, versions: { node: '24' }, load: 'wrk' };
  expect(renderJsonLines([result, result], machine).split('\n').map((line) => JSON.parse(line).machine.cpu)).toEqual(['x', 'x']);
  expect(renderMarkdown([result], machine)).toContain('a \\| b | ownspace | 1.50 s |');
});

test('a visitor follows redirects and keeps each cookie with its host', async () => {
  const seen: [string | undefined, string | undefined][] = [];
  const port = await serve((request, response) => {
    seen.push([request.headers.host, request.headers.cookie]);
    if (request.url === '/start') response.writeHead(302, { location: `http://b.localhost:${port}/next`, 'set-cookie': 'a=1; HttpOnly' });
    else if (request.url === '/next') response.writeHead(303, { location: `http://a.localhost:${port}/end`, 'set-cookie': 'b=2' });
    response.end('done');
  });
  expect(await visit(createJar(), { url: `http://a.localhost:${port}/start` })).toMatchObject({ status: 200, body: 'done' });
  expect(seen).toEqual([[`a.localhost:${port}`, undefined], [`b.localhost:${port}`, undefined], [`a.localhost:${port}`, 'a=1']]);
});
