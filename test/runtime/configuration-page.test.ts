// Owns the proof that docs/configuration.md lists the flags that there are, in the words of `--help`.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { renderConfigurationPage } from '../../docs/generate-configuration.ts';
import { helpText } from '../../runtime/config.ts';

const PAGE = new URL('../../docs/configuration.md', import.meta.url);

test('docs/configuration.md is up to date: else run `npm run docs`', async () => {
  const page = await readFile(PAGE, 'utf8');
  expect(page).toBe(await renderConfigurationPage());
  expect(page).toContain(helpText());
});
