// Covers lines for a descriptor that stands still or fails (fault 52): nobody waits, and what is lost is counted.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLineWriter } from '../../core/line-writer.ts';

const LOG = JSON.stringify(fileURLToPath(new URL('../../core/log.ts', import.meta.url)));
let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'ownspace-lines-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('goes on while nobody reads, and says how much was lost when somebody does again', async () => {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  // Both ways, so that it opens without the other side.
  const descriptor = openSync(path, constants.O_RDWR);
  const writer = createLineWriter(descriptor, (count) => `lost ${count}\n`);
  const total = 30_000;
  for (let n = 0; n < total; n += 1) writer.write(`line ${n} ${'x'.repeat(100)}\n`);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let text = '';
  const readOn = (): string => {
    const buffer = Buffer.alloc(65_536);
    try {
      for (;;) text += buffer.toString('latin1', 0, readSync(reader, buffer));
    } catch {
      return text;
    }
  };
  await expect.poll(() => readOn().includes(`line 0 `)).toBe(true);
  await expect.poll(() => {
    writer.write('after\n');
    return /lost \d+\n[^]*after\n/.test(readOn());
  }).toBe(true);
  const kept = text.split('\n').filter((line) => line.startsWith('line ')).length;
  expect(kept).toBeGreaterThan(1_000);
  expect(kept + Number(/lost (\d+)/.exec(text)![1])).toBe(total);
  closeSync(reader);
  closeSync(descriptor);
});

it('counts what a disk without room refuses', async () => {
  const full = openSync('/dev/full', 'w');
  const asked: number[] = [];
  const writer = createLineWriter(full, (count) => {
    asked.push(count);
    return `lost ${count}\n`;
  });
  writer.write('one\n');
  await expect.poll(() => {
    writer.write('more\n');
    return asked.length;
  }).toBeGreaterThan(1);
  expect(asked[0]).toBe(1);
  writer.flush();
  closeSync(full);
});

/** A program that logs where there is no room, and says elsewhere when it has outlived that. */
async function says(log: string): Promise<string> {
  const full = openSync('/dev/full', 'w');
  const program = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', `${log} write('one\\n'); write('two\\n'); setTimeout(() => process.stdout.write('alive'), 200)`], { stdio: ['ignore', 'pipe', full] });
  let said = '';
  program.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(program, 'close');
  closeSync(full);
  return said;
}

it('keeps a host alive whose log finds no room; the plain way would end it', async () => {
  expect(await says(`import { stderrLog } from ${LOG}; const log = stderrLog('info'); const write = (text) => log.info('said', { text });`)).toBe('alive');
  expect(await says('const write = (text) => process.stderr.write(text);')).toBe('');
});
