// A source as large as one may be, pushed by the command: it becomes a Revision in flat memory and leaves nothing behind, and so does
// one that is larger, which is refused. `npm run test:source` does it with all of the 250 MB.
import { randomFillSync } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHostProcess, type HostProcess } from '../support/host-process.ts';
import { send } from '../support/http.ts';
import { growthOf } from '../support/resident.ts';
import { pushNew, settleOwner, until, type Resident } from './people.ts';

const MB = 1_000_000;
const LIMIT = 250 * MB;
const LIMIT_OF_HOST = 250 * 1024 * 1024;
const SIZE = Number(process.env['SOURCE_MB'] ?? 80) * MB;
/** Less than the source, and than what part of it any step could hold. */
const GROWTH_MAX = 64 * MB;
const FILES = 8;
const PATIENCE_MS = SIZE >= LIMIT ? 600_000 : 120_000;
const SPACEFILE = 'v: 0\nmicros:\n  - name: main\n    src: web\n    engine: static\n    serve: .\n    primary: true\n    public: true\n';

let host: HostProcess;
let ada: Resident;
let folder: string;
let projectId: string;
let app: string;

beforeAll(async () => {
  host = await startHostProcess();
  ada = await settleOwner(host);
  folder = await mkdtemp(join(tmpdir(), 'large-source-'));
  await mkdir(join(folder, 'web'));
  await writeFile(join(folder, 'Spacefile'), SPACEFILE);
  await writeFile(join(folder, 'web', '0.bin'), 'small');
  ({ url: app, app_id: projectId } = await pushNew(ada, folder, 'large'));
}, 120_000);

afterAll(async () => {
  await ada?.[Symbol.asyncDispose]();
  await host?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What no compression makes smaller, of exactly this size with the Spacefile. */
async function fill(size: number): Promise<void> {
  const each = Math.floor((size - SPACEFILE.length) / FILES);
  for (let at = 0; at < FILES; at += 1) {
    const bytes = at === 0 ? size - SPACEFILE.length - (FILES - 1) * each : each;
    await writeFile(join(folder, 'web', `${at}.bin`), randomFillSync(Buffer.allocUnsafe(bytes)));
  }
}

async function expectNothingLeft(): Promise<void> {
  await until(async () => (await readdir(join(host.dataFolder, 'builder', 'sources'))).length === 0, 'no source waits');
  await until(async () => (await readdir(join(host.dataFolder, 'builder', 'jobs')).catch(() => [])).length === 0, 'no folder of a job is left');
  await until(async () => (await readdir(join(host.dataFolder, 'artifacts', 'tmp'))).length === 0, 'no file is half written');
}

/** Send this much of a source, with or without saying how much it will be. */
async function sendCode(bytes: number, isAnnounced: boolean): Promise<{ buildId: string; status: number; text: string }> {
  const { id: buildId } = (await ada.api('POST', '/builds', { app_id: projectId })).json<{ id: string }>();
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1', port: host.port, path: `/api/v0/builds/${buildId}/code`, method: 'POST', agent: false,
      headers: { host: new URL(host.url).host, authorization: `Bearer ${ada.token}`, ...(isAnnounced ? { 'content-length': bytes } : { 'transfer-encoding': 'chunked' }) },
    }, async (answer) => {
      let text = '';
      for await (const chunk of answer as AsyncIterable<Buffer>) text += chunk.toString();
      resolve({ buildId, status: answer.statusCode ?? 0, text });
      sent.destroy();
    });
    // It may close while the rest is on its way: what counts is the answer.
    sent.on('error', (error) => setTimeout(reject, 1_000, error));
    const piece = Buffer.alloc(256 * 1024);
    const write = (left: number): void => {
      if (left <= 0 || sent.destroyed) return void sent.end();
      if (sent.write(piece.subarray(0, Math.min(left, piece.length)))) setImmediate(write, left - piece.length);
      else sent.once('drain', () => write(left - piece.length));
    };
    write(isAnnounced ? piece.length : bytes);
  });
}

async function pushSource(): Promise<void> {
  const pushed = await ada.space(['push', '--json'], { cwd: folder });
  expect(pushed.code, pushed.stdout + pushed.stderr).toBe(0);
}

test('is built in flat memory and served as it is', async () => {
  await fill(SIZE);
  // Heaps grow to their working size once; that is no growth with the source.
  await pushSource();
  await fill(SIZE);
  const growth = await growthOf(host, pushSource);
  const answer = await send(`${app}7.bin`, { method: 'HEAD' });
  expect(answer.headers['content-length']).toBe(String(Math.floor((SIZE - SPACEFILE.length) / FILES)));
  await expectNothingLeft();
  console.log(JSON.stringify({ sourceMb: SIZE / MB, grewMb: Math.round(growth / MB) }));
  expect(growth).toBeLessThan(GROWTH_MAX);
}, PATIENCE_MS);

test('of one byte more than the limit is refused by the command, which says what takes the room', async () => {
  await fill(1 * MB);
  await truncate(join(folder, 'web', '7.bin'), LIMIT - MB + Math.floor((MB - SPACEFILE.length) / FILES) + 1);
  const pushed = await ada.space(['push'], { cwd: folder });
  expect(pushed).toMatchObject({ code: 1, stderr: expect.stringMatching(/a push takes 250 MB at most[\s\S]*web\/7\.bin \(249 MB\)[\s\S]*\.spaceignore/) });
}, PATIENCE_MS);

test('that says that it is larger is refused before it is sent, and not taken for another', async () => {
  const { buildId, status, text } = await sendCode(LIMIT_OF_HOST + 1, true);
  expect([status, JSON.parse(text)]).toEqual([413, expect.objectContaining({ code: 'SOURCE_TOO_LARGE', detail: expect.stringContaining('250 MB') })]);
  expect((await ada.api('GET', `/builds/${buildId}`)).json()).toMatchObject({ status: 'failed', error: expect.stringContaining('250 MB') });
  await expectNothingLeft();
}, PATIENCE_MS);

test.runIf(SIZE >= LIMIT)('that does not say it is refused where it passes the limit, in flat memory', async () => {
  const growth = await growthOf(host, async () => {
    const { status, text } = await sendCode(LIMIT_OF_HOST + 1, false);
    expect([status, JSON.parse(text)]).toEqual([413, expect.objectContaining({ code: 'SOURCE_TOO_LARGE' })]);
  });
  expect(growth).toBeLessThan(GROWTH_MAX);
  await expectNothingLeft();
}, PATIENCE_MS);
