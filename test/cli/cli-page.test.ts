// Owns the proof that docs/cli.md has the commands that there are.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { renderCliPage } from '../../docs/generate-cli.ts';

const PAGE = new URL('../../docs/cli.md', import.meta.url);

test('docs/cli.md is up to date: else run `npm run docs`', async () => {
  const page = await readFile(PAGE, 'utf8');
  expect(page).toBe(await renderCliPage());
  expect(page).toContain('### space builder env');
});
