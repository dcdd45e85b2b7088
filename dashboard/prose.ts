// Owns how Markdown of strangers becomes HTML that may stand on our pages: written by one library without HTML of its own, and
// whatever that lets through is taken out by another one, by a list of what may stay. Knows no page.
import { raw } from 'hono/html';
import { LRUCache } from 'lru-cache';
import MarkdownIt from 'markdown-it';
import sanitizeHtml from 'sanitize-html';
import { html, type Markup } from './markup.ts';

/** What is written longer is cut: some texts take the square of their length to read. */
export const PROSE_MAX_CHARACTERS = 6_000;

/** A short line of a wide table is filled up with cells: few characters can be many of them. Beyond these tables stay text. */
const CELLS_MAX = 4_000;

/** A text is shown to many, and written once. */
const remembered = new LRUCache<string, string>({ maxSize: 4 * 1024 * 1024, sizeCalculation: (shown, text) => shown.length + text.length + 1 });

const BLOCKS = ['h2', 'h3', 'h4', 'h5', 'h6', 'p', 'ul', 'ol', 'li', 'blockquote', 'pre', 'hr', 'br', 'table', 'thead', 'tbody', 'tr', 'th', 'td'];
const WORDS = ['a', 'em', 'strong', 's', 'code'];
const SCHEMES = ['http', 'https', 'mailto'];

const KEPT: sanitizeHtml.IOptions = {
  allowedTags: [...BLOCKS, ...WORDS],
  allowedAttributes: { a: ['href', 'rel'], ol: ['start'] },
  allowedSchemes: SCHEMES,
  allowProtocolRelative: false,
  parseStyleAttributes: false,
  nestingLimit: 100,
  transformTags: { a: (_, { href = '' }) => ({ tagName: 'a', attribs: linkAttributes(href) }) },
};

export interface ProseOptions {
  /** The level of a `#`: headings of the page stand above. */
  headingsFrom: 2 | 3;
  /** A line break is one: people write notes like that, and wrap the lines of files. */
  keepsBreaks?: boolean;
}

/** Headings, lists, tables, code and links, nothing else: no script, no style, no picture, no form, no link to a page of ours. */
export function prose(text: string, { headingsFrom, keepsBreaks = false }: ProseOptions): Markup {
  const key = `${headingsFrom} ${keepsBreaks} ${text}`;
  const shown = remembered.get(key) ?? sanitizeHtml(rendered(cut(text), { headingsFrom, keepsBreaks }), KEPT);
  remembered.set(key, shown);
  return html`<div class="prose" dir="auto">${raw(shown)}</div>`;
}

function cut(text: string): string {
  if (text.length <= PROSE_MAX_CHARACTERS) return text;
  const end = text.lastIndexOf('\n', PROSE_MAX_CHARACTERS);
  return `${text.slice(0, end > 0 ? end : PROSE_MAX_CHARACTERS)}\n\n*The rest is longer than what is shown here.*`;
}

function rendered(text: string, { headingsFrom, keepsBreaks = false }: ProseOptions): string {
  const markdown = new MarkdownIt({ html: false, linkify: true, breaks: keepsBreaks, maxNesting: 50 });
  if (cellsIn(text) > CELLS_MAX) markdown.disable('table');
  markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
  for (const [rule, slash] of [['heading_open', ''], ['heading_close', '/']] as const) {
    markdown.renderer.rules[rule] = (tokens, index) => `<${slash}h${Math.min(6, Number(tokens[index]!.tag.slice(1)) + headingsFrom - 1)}>`;
  }
  // Pictures would be fetched from elsewhere: they are links.
  markdown.renderer.rules['image'] = (tokens, index) => {
    const { escapeHtml } = markdown.utils;
    return `<a href="${escapeHtml(String(tokens[index]!.attrGet('src') ?? ''))}">${escapeHtml(tokens[index]!.content.trim() || 'picture')}</a>`;
  };
  return markdown.render(text);
}

/** At most: a table ends at an empty line, and none of its rows is wider than its widest line. */
function cellsIn(text: string): number {
  let [cells, rows, widest] = [0, 0, 1];
  for (const line of [...text.split(/\r\n?|\n/), '']) {
    rows += 1;
    widest = Math.max(widest, line.split('|').length);
    if (line.trim() !== '') continue;
    if (widest > 1) cells += rows * widest;
    [rows, widest] = [0, 1];
  }
  return cells;
}

/** Never to a path of ours, whatever that is called. */
function linkAttributes(href: string): sanitizeHtml.Attributes {
  // As it was understood here: `https:path` is an address alone, and a path of ours on a page of ours.
  const url = URL.parse(href);
  const isElsewhere = SCHEMES.includes(url?.protocol.slice(0, -1) ?? '');
  return url && isElsewhere ? { href: url.href, rel: 'noopener noreferrer nofollow' } : {};
}
