// Owns one round of load on one address: by wrk, or by autocannon where wrk is not installed. Knows no peers.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import type { Target } from './http.ts';
import { findProgram, runProgram } from './process.ts';

export interface Load { connections: number; seconds: number }

export interface LoadResult {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Answers that were no 2xx, and connections that broke. A row with any is worth nothing. */
  failures: number;
  /** CPU time of a request, where somebody looked. */
  cpuUs?: number;
}

const wrk = findProgram('wrk');

/** The program that makes the load, for the record. */
export const LOAD_PROGRAM = wrk ? 'wrk' : 'autocannon';

/** @param target several: each request is for the next one, round and round. They differ in path and headers only. */
export function applyLoad(target: Target | readonly [Target, ...Target[]], load: Load): Promise<LoadResult> {
  if (wrk) return applyWrk(wrk, isSeveral(target) ? target : [target], load);
  if (isSeveral(target)) throw new Error('load on several addresses needs wrk');
  return applyAutocannon(target, load);
}

function isSeveral(target: Target | readonly [Target, ...Target[]]): target is readonly [Target, ...Target[]] {
  return Array.isArray(target);
}

async function applyWrk(program: string, targets: readonly [Target, ...Target[]], { connections, seconds }: Load): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-load-'));
  try {
    const script = join(folder, 'request.lua');
    await writeFile(script, wrkScript(targets));
    return parseWrk(await runProgram([program, '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', script, targets[0].url]));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const text = (value: string): string => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
const fieldsOf = ({ headers = {} }: Target): [name: string, value: string][] => Object.entries(headers).map(([name, value]) => [text(spelled(name)), text(value)]);

function wrkScript(targets: readonly [Target, ...Target[]]): string {
  return new Set(targets).size > 1 ? scriptOfTurns(targets) : scriptOfOne(targets[0]);
}

/** Runs no Lua under load. */
function scriptOfOne(target: Target): string {
  const { method = 'GET', body } = target;
  const lines = [`wrk.method = ${text(method)}`, ...fieldsOf(target).map(([name, value]) => `wrk.headers[${name}] = ${value}`)];
  if (body !== undefined) lines.push(`wrk.body = ${text(body)}`);
  return `${lines.join('\n')}\n`;
}

/** Requests are put together before the load begins, each once, however often its turn comes. */
function scriptOfTurns(targets: readonly Target[]): string {
  const requestOf = (target: Target): string => {
    const { pathname, search } = new URL(target.url);
    const fields = fieldsOf(target).map(([name, value]) => `[${name}] = ${value}`).join(', ');
    return `wrk.format(${text(target.method ?? 'GET')}, ${text(pathname + search)}, {${fields}}, ${target.body === undefined ? 'nil' : text(target.body)})`;
  };
  const different = [...new Set(targets)];
  const numbers = new Map(different.map((target, at) => [target, at + 1]));
  return [
    'local requests, at = {}, 0', `local turns = {${targets.map((target) => numbers.get(target)).join(',')}}`,
    'function init()', ...different.map((target, at) => `  requests[${at + 1}] = ${requestOf(target)}`), 'end',
    `function request() at = at % ${targets.length} + 1; return requests[turns[at]] end`, '',
  ].join('\n');
}

/** wrk adds a Host of its own unless it finds one spelled like this, and two of them are refused. */
function spelled(name: string): string {
  return name.toLowerCase() === 'host' ? 'Host' : name;
}

/** @param report what wrk prints with --latency */
function parseWrk(report: string): LoadResult {
  const number = (pattern: RegExp): number => Number(pattern.exec(report)?.[1] ?? 0);
  const latencyMs = (percent: number): number => {
    const [, value, unit = 'ms'] = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s)`, 'm').exec(report) ?? [];
    return Number(value) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? Number.NaN);
  };
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(report)?.slice(1).map(Number) ?? [];
  return {
    requestsPerSecond: number(/^Requests\/sec:\s+([\d.]+)/m),
    p50Ms: latencyMs(50),
    p99Ms: latencyMs(99),
    failures: number(/Non-2xx or 3xx responses: (\d+)/) + socketErrors.reduce((sum, one) => sum + one, 0),
  };
}

async function applyAutocannon(target: Target, { connections, seconds }: Load): Promise<LoadResult> {
  const headers = Object.entries(target.headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const body = target.body === undefined ? [] : ['-b', target.body];
  const program = [process.execPath, createRequire(import.meta.url).resolve('autocannon')];
  const out = await runProgram([...program, '-j', '-c', String(connections), '-d', String(seconds), '-m', target.method ?? 'GET', ...headers, ...body, target.url]);
  const report = JSON.parse(out) as { requests: { average: number }; latency: { p50: number; p99: number }; errors: number; timeouts: number; non2xx: number };
  return {
    requestsPerSecond: report.requests.average, p50Ms: report.latency.p50, p99Ms: report.latency.p99,
    failures: report.errors + report.timeouts + report.non2xx,
  };
}
