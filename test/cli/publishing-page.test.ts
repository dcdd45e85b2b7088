// Owns the proof that docs/publishing.md says what is so: its Discovery.md is one, its numbers hold. Its commands are run by e2e/guides.test.ts.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readDiscovery, readScreenshots } from '../../cli/discovery.ts';
import { PROSE_MAX_CHARACTERS } from '../../dashboard/prose.ts';
import { PNG } from '../builder/test-builder.ts';

const PAGE = await readFile(new URL('../../docs/publishing.md', import.meta.url), 'utf8');

test('its Discovery.md is read without a warning, each field filled', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'publishing-'));
  try {
    const text = [...PAGE.matchAll(/^```\n(---\n[^]*?)^```$/gm)][0]?.[1] ?? '';
    await writeFile(join(dir, 'Discovery.md'), text);
    await mkdir(join(dir, 'pictures'));
    await writeFile(join(dir, 'pictures/first.png'), PNG);
    const { discovery, warnings } = (await readDiscovery(dir))!;
    expect(warnings).toEqual([]);
    expect(discovery).toMatchObject({ app_name: 'Guestbook', theme_color: '#3a4ec8', works_with: ['Photos'], ported_from: 'https://example.org/the-original' });
    expect(discovery.content_raw).toContain('# Why another one');
    expect((await readScreenshots(dir, discovery.media ?? [])).map(({ contentType }) => contentType)).toEqual(['image/png', 'text/plain']);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('its numbers are those that hold', () => {
  expect(PAGE).toContain(`the first ${PROSE_MAX_CHARACTERS.toLocaleString('en')} characters`);
});
