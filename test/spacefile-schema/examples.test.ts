// Owns the proof that the examples say what they are in a valid way.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseSpacefile } from '../../spacefile-schema/parse.ts';

const folder = join(import.meta.dirname, '../../examples');
const examples = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);

it('finds the examples', () => {
  expect(examples).toEqual(expect.arrayContaining(['guestbook', 'pair']));
});

it.each(examples)('%s has a valid Spacefile, and what it names is there', (name) => {
  const root = join(folder, name);
  const { spacefile, issues } = parseSpacefile(readFileSync(join(root, 'Spacefile'), 'utf8'));
  expect(issues).toEqual([]);
  const named = [spacefile?.icon, ...(spacefile?.micros ?? []).map(({ src, serve, run }) => join(src, serve ?? run ?? '.'))];
  // A start module that is not named may be TypeScript.
  for (const path of named) expect([path, path?.replace(/index\.js$/, 'index.ts')].some((one) => one !== undefined && existsSync(join(root, one))), path).toBe(true);
});

it.each(examples)('%s has an icon of 512 x 512 pixels', (name) => {
  const header = readFileSync(join(folder, name, 'icon.png')).subarray(0, 24);
  expect(header.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
  expect([header.readUInt32BE(16), header.readUInt32BE(20)]).toEqual([512, 512]);
});
