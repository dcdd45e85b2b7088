// Owns the tables in docs/limits.md: they are what runtime/engine/cell/limits.ts says. The rest of the page is written by hand.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LIMIT_NAMES, LIMITS, type LimitRow } from '../runtime/engine/cell/limits.ts';

const FILE = join(import.meta.dirname, 'limits.md');

/** The page with its tables as they should be. */
export async function renderLimitsPage(): Promise<string> {
  const page = await readFile(FILE, 'utf8');
  return (['instance', 'host'] as const).reduce((text, of) => {
    const block = new RegExp(`(<!-- limits of the ${of} -->\\n)[\\s\\S]*?(<!-- end -->)`);
    if (!block.test(text)) throw new TypeError(`docs/limits.md has lost the place of its table of the ${of}`);
    return text.replace(block, (_all, begin: string, end: string) => `${begin}${table(of)}${end}`);
  }, page);
}

function table(of: LimitRow['of']): string {
  const rows = LIMIT_NAMES.filter((name) => LIMITS[name].of === of).map((name) => {
    const { fallback, min, max, unit, meaning }: LimitRow = LIMITS[name];
    return `| \`${name}\` | ${amount(fallback, unit)} | ${amount(min, unit)} to ${amount(max, unit)} | ${meaning} |\n`;
  });
  return `| number | default | may be | what it limits |\n|---|---|---|---|\n${rows.join('')}`;
}

function amount(value: number, unit: string): string {
  return `${value.toLocaleString('en-US')}${unit === '' ? '' : ` ${unit}`}`;
}

if (import.meta.main) await writeFile(FILE, await renderLimitsPage());
