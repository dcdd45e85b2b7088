// Owns docs/errors.md: writes it from the table of errors, so that the page never says anything else than the code does.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ERRORS } from '../core/errors.ts';
import type { Blame, ErrorCode } from '../core/errors.ts';

const BLAME_TITLES: Record<Blame, string> = {
  caller: 'Who asked: change the request',
  micro: 'The app: its developer has to act',
  platform: 'The host: its owner has to act',
};

const INTRODUCTION = `# Errors

Every error has a stable code. The control plane answers \`{"errors": [message], "detail": message, "code": CODE,
"request_id": id}\`; the CLI and the pages show the message. Programs may rely on codes, which stay for ever, but not on
messages, which get better. Where a message depends on the case, {name} stands for the fact that is filled in.

This page is generated from \`core/errors.ts\` by \`docs/generate-errors.ts\`.
`;

/** The whole page. */
export function renderErrorsPage(): string {
  const sections = (Object.keys(BLAME_TITLES) as Blame[]).map(renderSection);
  return [INTRODUCTION, ...sections].join('\n');
}

/** The message with the names of its details in the place of their values. */
function templateOf(code: ErrorCode): string {
  const { message } = ERRORS[code];
  const details = new Proxy({}, { get: (_target, name) => (name === 'problems' ? ['{problem}'] : `{${String(name)}}`) });
  const template = message(details).replaceAll(/\bNaN\b/g, '{number}');
  // A message that is nothing but its reason says more by its default.
  return template === '{reason}' ? `${message({})} (or the reason itself)` : template;
}

function renderSection(blame: Blame): string {
  const codes = (Object.keys(ERRORS) as ErrorCode[]).filter((code) => ERRORS[code].blame === blame).sort();
  const rows = codes.map((code) => `| \`${code}\` | ${ERRORS[code].status} | ${escapeCell(templateOf(code))} |`);
  return `## ${BLAME_TITLES[blame]}\n\n| code | status | message |\n|---|---|---|\n${rows.join('\n')}\n`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ');
}

if (import.meta.main) await writeFile(join(import.meta.dirname, 'errors.md'), renderErrorsPage());
