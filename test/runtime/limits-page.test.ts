// Owns the proof that docs/limits.md has the numbers that hold.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { renderLimitsPage } from '../../docs/generate-limits.ts';
import { LIMIT_NAMES } from '../../runtime/engine/cell/limits.ts';

const PAGE = new URL('../../docs/limits.md', import.meta.url);

test('docs/limits.md is up to date: else run `npm run docs`', async () => {
  const page = await readFile(PAGE, 'utf8');
  expect(page).toBe(await renderLimitsPage());
  for (const name of LIMIT_NAMES) expect(page).toContain(`\`${name}\``);
});
