// Owns the list of flags in docs/configuration.md: it is what `npm start -- --help` prints. The rest of the page is written by hand.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { helpText } from '../runtime/config.ts';

const FILE = join(import.meta.dirname, 'configuration.md');
const BLOCK = /(<!-- npm start -- --help -->\n)[\s\S]*?(<!-- end -->)/;

/** The page with the list as it should be. */
export async function renderConfigurationPage(): Promise<string> {
  const page = await readFile(FILE, 'utf8');
  if (!BLOCK.test(page)) throw new TypeError('docs/configuration.md has lost the place of its list');
  return page.replace(BLOCK, (_all, begin: string, end: string) => `${begin}\`\`\`\n${helpText()}\`\`\`\n${end}`);
}

if (import.meta.main) await writeFile(FILE, await renderConfigurationPage());
