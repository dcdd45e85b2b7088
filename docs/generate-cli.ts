// Owns the list of commands in docs/cli.md: it is what `space --help` knows. The rest of the page is written by hand.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandFacts } from '../cli/command-facts.ts';
import { commandFacts } from '../cli/program.ts';
import { createTerminal } from '../cli/terminal.ts';

const FILE = join(import.meta.dirname, 'cli.md');
const BLOCK = /(<!-- space --help -->\n)[\s\S]*?(<!-- end -->)/;

/** The page with the list as it should be. */
export async function renderCliPage(): Promise<string> {
  const page = await readFile(FILE, 'utf8');
  if (!BLOCK.test(page)) throw new TypeError('docs/cli.md has lost the place of its list');
  const facts = await commandFacts(createTerminal({ env: {}, cwd: '/', homeDir: '/', signal: new AbortController().signal }));
  const commands = facts.filter(({ name, args, options, children }) => name !== '' && (children.length === 0 || args.length > 0 || options.length > 0));
  return page.replace(BLOCK, (_all, begin: string, end: string) => `${begin}${overview(commands)}\n${commands.map(section).join('\n')}${end}`);
}

function overview(commands: readonly CommandFacts[]): string {
  const rows = commands.map(({ name, summary }) => `| [\`space ${name}\`](#space-${name.replaceAll(' ', '-')}) | ${cell(summary)} |\n`);
  return `| command | what it does |\n|---|---|\n${rows.join('')}`;
}

function section({ name, summary, args, options }: CommandFacts): string {
  const usage = args.map(({ name: arg, isRequired, isVariadic }) => ` ${isRequired ? '<' : '['}${arg}${isVariadic ? '...' : ''}${isRequired ? '>' : ']'}`);
  const rows = [
    ...args.map(({ name: arg, description }) => `| \`${arg}\` | ${cell(description)} |\n`),
    ...options.map(({ flags, description, choices }) => `| \`${flags}\` | ${cell(description)}${choices.length === 0 ? '' : `: ${choices.join(', ')}`} |\n`),
  ];
  return `### space ${name}\n\n${summary.charAt(0).toUpperCase()}${summary.slice(1)}.\n\n\`\`\`\nspace ${name}${options.length > 0 ? ' [options]' : ''}${usage.join('')}\n\`\`\`\n\n|  |  |\n|---|---|\n${rows.join('')}`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|');

if (import.meta.main) await writeFile(FILE, await renderCliPage());
