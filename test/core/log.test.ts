// Owns the proof that the log is one JSON object a line, whatever it is given.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createLog, silentLog } from '../../core/log.ts';
import type { Log, LogLevel } from '../../core/log.ts';

function collect(level: LogLevel): { log: Log; lines: () => Record<string, any>[]; raw: string[] } {
  const raw: string[] = [];
  return { log: createLog(level, (line) => raw.push(line)), lines: () => raw.map((line) => JSON.parse(line)), raw };
}

const LEVELS: LogLevel[] = ['debug', 'info', 'warn', 'error'];

test.each(LEVELS)('at level %s only what matters as much is written', (level) => {
  const { log, lines } = collect(level);
  for (const each of LEVELS) log[each]('host.started');
  expect(lines().map((line) => line.level)).toEqual(LEVELS.slice(LEVELS.indexOf(level)));
});

test('a line has time, level, event and fields', () => {
  const { log, lines } = collect('info');
  log.info('instance.started', { instanceId: 'i1', durationMs: 12 });
  expect(lines()).toEqual([{ time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), level: 'info', event: 'instance.started', instanceId: 'i1', durationMs: 12 }]);
});

test('text with newlines and quotes stays on one line', () => {
  const { log, raw, lines } = collect('info');
  log.info('app.said', { text: 'a\n"b"\r\n{"level":"error"}' });
  expect(raw).toHaveLength(1);
  expect(raw[0]?.indexOf('\n')).toBe((raw[0]?.length ?? 0) - 1);
  expect(lines()[0]?.text).toBe('a\n"b"\r\n{"level":"error"}');
});

describe('a child', () => {
  test('adds its fields and those of its parents, and leaves the parent alone', () => {
    const { log, lines } = collect('info');
    const child = log.with({ requestId: 'r1' }).with({ instanceId: 'i1' });
    child.warn('request.failed', { status: 502 });
    log.info('host.ready');
    expect(lines()[0]).toMatchObject({ requestId: 'r1', instanceId: 'i1', status: 502 });
    expect(lines()[1]).not.toHaveProperty('requestId');
  });
});

test('an error is told with its stack and its causes', () => {
  const { log, lines } = collect('info');
  log.error('request.failed', { error: new Error('outer', { cause: new TypeError('inner') }) });
  expect(lines()[0]?.error).toMatchObject({ name: 'Error', message: 'outer', cause: { name: 'TypeError', message: 'inner' } });
  expect(lines()[0]?.error.stack).toContain('log.test.ts');
});

test('the silent log says nothing, not even errors', async () => {
  const program = `import { silentLog } from ${JSON.stringify(new URL('../../core/log.ts', import.meta.url).href)}; silentLog.error('x.y');`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  expect(stdout + stderr).toBe('');
  expect(() => silentLog.with({ a: 1 }).error('x.y')).not.toThrow();
});

test('the host log goes to stderr, and stdout stays for people', async () => {
  const program = `import { stderrLog } from ${JSON.stringify(new URL('../../core/log.ts', import.meta.url).href)}; stderrLog('info').info('host.started');`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  expect(stdout).toBe('');
  expect(JSON.parse(stderr)).toMatchObject({ event: 'host.started' });
});
