// Owns the table of engines in docs/spacefile.md: it is what spacefile-schema/engines.ts says. The rest of the page is written by hand.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ENGINE_NAMES, ENGINES, type EngineEntry } from '../spacefile-schema/engines.ts';

const FILE = join(import.meta.dirname, 'spacefile.md');
const BLOCK = /(<!-- engines -->\n)[\s\S]*?(<!-- end -->)/;

const RUNS: Record<EngineEntry['runs'], string> = { isolate: 'in an isolate', static: 'as files', process: 'as a program in a box' };

/** The page with the table as it should be. */
export async function renderSpacefilePage(): Promise<string> {
  const page = await readFile(FILE, 'utf8');
  if (!BLOCK.test(page)) throw new TypeError('docs/spacefile.md has lost the place of its table of engines');
  const code = (text: string | undefined): string => (text === undefined ? '' : `\`${text}\``);
  const rows = ENGINE_NAMES.map((name) => {
    const { runs, buildCommand, defaultRun, defaultServe, devCommand, takes }: EngineEntry = ENGINES[name];
    return `| \`${name}\` | ${RUNS[runs]} | ${code(buildCommand)} | ${code(defaultRun ?? defaultServe)} | ${code(devCommand)} | \`${takes}\` |\n`;
  });
  return page.replace(BLOCK, (_all, begin: string, end: string) => `${begin}| engine | runs | build, before \`commands\` | \`run\` or \`serve\` unless given | \`dev\` unless given | takes |\n|---|---|---|---|---|---|\n${rows.join('')}${end}`);
}

if (import.meta.main) await writeFile(FILE, await renderSpacefilePage());
