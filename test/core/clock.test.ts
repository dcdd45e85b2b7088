// Owns the proof that the system's Clock waits, cancels and lets a process end, and that the fake one behaves alike.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { isoTime, systemClock } from '../../core/clock.ts';
import { createFakeClock } from '../support/fake-clock.ts';

test('the system clock tells the time of day', () => {
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
});

test('the system clock calls once, after the delay', async () => {
  const startMs = performance.now();
  await new Promise<void>((resolve) => { systemClock.after(30, resolve); });
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(28);
});

test('what was cancelled does not happen', async () => {
  let calls = 0;
  const cancel = systemClock.after(5, () => { calls += 1; });
  cancel();
  cancel();
  await new Promise<void>((resolve) => { systemClock.after(30, resolve); });
  expect(calls).toBe(0);
});

test('waiting keeps no process alive', async () => {
  const program = `import { systemClock } from ${JSON.stringify(new URL('../../core/clock.ts', import.meta.url).href)}; systemClock.after(60_000, () => {});`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 10_000 });
});

test('an instant is written as ISO text', () => {
  expect(isoTime(0)).toBe('1970-01-01T00:00:00.000Z');
});

describe('the fake clock', () => {
  test('stands still until it is moved', () => {
    const clock = createFakeClock(1000);
    let calls = 0;
    clock.after(10, () => { calls += 1; });
    clock.advance(9);
    expect([clock.now(), calls]).toEqual([1009, 0]);
    clock.advance(1);
    clock.advance(100);
    expect([clock.now(), calls]).toEqual([1110, 1]);
  });

  test('runs in order of time, also what is added on the way, and not what is cancelled', () => {
    const clock = createFakeClock(0);
    const seen: string[] = [];
    clock.after(20, () => seen.push(`b${clock.now()}`));
    clock.after(10, () => { seen.push(`a${clock.now()}`); clock.after(5, () => seen.push(`c${clock.now()}`)); });
    clock.after(12, () => seen.push('never'))();
    clock.advance(50);
    expect(seen).toEqual(['a10', 'c15', 'b20']);
  });
});
