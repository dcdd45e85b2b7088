// Owns the proof that what was acknowledged survives kill -9, and that nothing is there by half.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { Collection } from '../../sandbox-data/data.ts';
import { collected, inValues, openData, tempFolder } from './open-data.ts';

const ROUNDS = 5;

test('every acknowledged Item and File is there after kill -9, and pairs are whole', { timeout: 60_000 }, async () => {
  const folder = await tempFolder();
  const acknowledged: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) acknowledged.push(...(await writeUntilKilled(folder, round)));
  expect(acknowledged.length).toBeGreaterThan(ROUNDS * 10);

  const { data } = await openData({ folder });
  const collection = data.collection({ spaceId: 's', collectionId: 'c' });
  const keys = new Set(await allKeys(collection));
  for (const key of acknowledged.filter((line) => line.startsWith('item ')).map((line) => line.slice(5))) {
    expect(keys.has(`${key}a`) && keys.has(`${key}b`), `acknowledged ${key}`).toBe(true);
  }
  for (const key of keys) expect(keys.has(`${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`), `the other half of ${key}`).toBe(true);
  for (const name of acknowledged.filter((line) => line.startsWith('file ')).map((line) => line.slice(5))) {
    const file = await collection.drive('f').get(name);
    expect((await collected(file!.stream)).equals(Buffer.alloc(20_000, name))).toBe(true);
  }
});

/** @returns the lines that the writer completed before it was killed */
async function writeUntilKilled(folder: string, round: number): Promise<string[]> {
  const writer = spawn(process.execPath, [fileURLToPath(new URL('./writer.ts', import.meta.url)), folder, `r${round}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => { writer.kill('SIGKILL'); });
  let output = '';
  const enough = 40 + round * 37; // another moment each time
  writer.stdout.on('data', (chunk: Buffer) => {
    output += String(chunk);
    if (output.split('\n').length > enough) writer.kill('SIGKILL');
  });
  await once(writer, 'close');
  expect(writer.signalCode).toBe('SIGKILL');
  return output.split('\n').slice(0, -1);
}

async function allKeys(collection: Collection): Promise<string[]> {
  const base = inValues(collection.base('x'));
  const keys: string[] = [];
  for (let last: string | undefined, more = true; more; more = last !== undefined) {
    const page = await base.query({ last });
    keys.push(...page.items.map((item: { key: string }) => item.key));
    last = page.paging.last;
  }
  return keys;
}
