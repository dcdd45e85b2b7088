// Owns the proof that docs/spacefile.md has every field that there is, and none that is not, and that its example is valid.
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { renderSpacefilePage } from '../../docs/generate-spacefile.ts';
import { parseSpacefile } from '../../spacefile-schema/parse.ts';
import schema from '../../spacefile-schema/spacefile.schema.json' with { type: 'json' };

interface Section { properties: Record<string, { type?: string; maxLength?: number; default?: unknown }>; required?: string[] }

const PAGE = await readFile(new URL('../../docs/spacefile.md', import.meta.url), 'utf8');
const SECTIONS: [string, Section][] = [['spacefile', schema as Section], ...Object.entries(schema.definitions as Record<string, Section>)];

test('docs/spacefile.md is up to date: else run `npm run docs`', async () => {
  expect(PAGE).toBe(await renderSpacefilePage());
});

test('its example is valid', () => {
  const examples = [...PAGE.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);
  expect(examples.length).toBeGreaterThan(0);
  for (const example of examples) expect(parseSpacefile(example).issues).toEqual([]);
});

describe.each(SECTIONS)('%s', (name, { properties, required = [] }) => {
  const [, table = ''] = new RegExp(`<!-- fields of ${name} -->\\n([^]*?)<!-- end -->`).exec(PAGE) ?? [];
  const rows = [...table.matchAll(/^\| `(\w+)` \| ([^|]*) \|/gm)].map(([, field = '', type = '']) => ({ field, type }));

  test('has its fields, each once', () => {
    expect(rows.map(({ field }) => field).toSorted()).toEqual(Object.keys(properties).toSorted());
  });

  test('says which are required, of which type, and how long they may be', () => {
    expect(rows.filter(({ type }) => type.includes('required')).map(({ field }) => field).toSorted()).toEqual(required.toSorted());
    for (const { field, type } of rows) {
      const { type: known, maxLength, default: fallback } = properties[field] ?? {};
      if (known === 'boolean') expect(type, field).toContain('true or false');
      if (known === 'array') expect(type, field).toContain('list');
      if (known === 'string') expect(type, field).toMatch(/^text/);
      if (maxLength !== undefined && maxLength < 200) expect(table, field).toContain(String(maxLength));
      if (fallback !== undefined && field !== 'public') expect(type, field).toContain(`default ${String(fallback)}`);
    }
  });
});
