// Owns running one web-platform-test inside a real isolate Micro: its scripts, its address, and the suite's files under that address.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import mime from 'mime';
import type { MicroRequest, MicroResponse } from '../../runtime/engine/engine.ts';
import { createTestInstance, type IsolateBench, openIsolateBench } from '../support/isolate-instance.ts';
import type { SuiteTest } from './suite.ts';

export interface Subtest { name: string; passed: boolean; message?: string }
/** `error` when the file as a whole went wrong: then subtests may be missing. */
export interface TestResult { subtests: Subtest[]; error?: string }

const HOST = 'web-platform.test:8443';
const [SHORT_MS, LONG_MS] = [20_000, 120_000];

/** Budgets as a browser would have: the suite measures the API, not the limits. */
export function openWptBench(): Promise<IsolateBench> {
  return openIsolateBench({ limits: { cpuMs: LONG_MS, startMs: LONG_MS, wallMs: LONG_MS + 30_000, graceMs: 30_000, heapMb: 512, cellMb: 2_048, bodyMaxBytes: 32 * 1024 * 1024, dataMaxBytes: 32 * 1024 * 1024, poolSize: 2 } });
}

/** In one indirect eval the scripts share their names, and are as sloppy as the suite wants them. */
const DRIVER = `
export default {
  async fetch(request) {
    const { address, harness, source, deadlineMs } = await request.json();
    const url = new URL(address);
    globalThis.location = { href: url.href, origin: url.origin, protocol: url.protocol, host: url.host, hostname: url.hostname, port: url.port, pathname: url.pathname, search: url.search, hash: '', toString: () => url.href };
    globalThis.GLOBAL = { isWindow: () => false, isWorker: () => true, isShadowRealm: () => false };
    const evaluate = eval;
    evaluate(harness);
    globalThis.DedicatedWorkerGlobalScope = class { static [Symbol.hasInstance](value) { return value === globalThis; } };
    const whenDone = new Promise((resolve) => add_completion_callback((tests, status) => resolve({ tests, status })));
    setTimeout(() => timeout(), deadlineMs);
    let thrown;
    try {
      evaluate(source);
    } catch (error) {
      thrown = error?.stack ?? String(error);
    }
    if (thrown !== undefined) done();
    const { tests, status } = await whenDone;
    const subtests = tests.map((test) => ({ name: test.name, passed: test.status === 0, message: test.message?.slice(0, 300) ?? undefined }));
    return Response.json({ subtests, error: thrown ?? (status.status === 0 ? undefined : status.status === 2 ? 'timeout' : String(status.message)) });
  },
};`;

export async function runTest(bench: IsolateBench, root: string, test: SuiteTest): Promise<TestResult> {
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const instance = createTestInstance(bench.engine, DRIVER, { services: { fetchUrl: async (request) => serveFile(root, request) } });
  const body = JSON.stringify({
    address: `https://${HOST}/${test.file.replace(/\.js$/, '.worker.html')}${test.variant}`,
    harness: read('resources/testharness.js'),
    source: [...test.scripts, test.file].map(read).join('\n;\n'),
    deadlineMs: test.isLong ? LONG_MS : SHORT_MS,
  });
  try {
    return (await instance.call('/', { method: 'POST', body })).json() as TestResult;
  } catch (error) {
    return { subtests: [], error: error instanceof Error ? error.message : String(error) };
  } finally {
    await bench.engine.stop(instance.spec.instanceId, 0);
  }
}

/** The suite's own server, as far as it only serves files. */
function serveFile(root: string, { url, method }: MicroRequest): MicroResponse {
  const { host, pathname } = new URL(url);
  const path = join(root, decodeURIComponent(pathname));
  if (host !== HOST || !existsSync(path) || !statSync(path).isFile()) return { status: 404, headers: ['content-type', 'text/plain'], body: Buffer.from('not found') };
  return { status: 200, headers: ['content-type', mime.getType(path) ?? 'application/octet-stream'], body: method === 'HEAD' ? null : readFileSync(path) };
}
