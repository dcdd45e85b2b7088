import MarkdownIt from 'markdown-it';
import { describe, expect, test } from 'vitest';
import { prose, PROSE_MAX_CHARACTERS } from '../../dashboard/prose.ts';
import { readPage } from './elements.ts';

const shown = (text: string): string => String(prose(text, { headingsFrom: 2 }));

/** What of a text would act: elements beyond the list, attributes beyond the list, links that are no plain links elsewhere. */
function harmIn(markup: string): string[] {
  const KEPT = /^(html|head|body|div|h[2-6]|p|ul|ol|li|blockquote|pre|hr|br|table|thead|tbody|tr|th|td|a|em|strong|s|code)$/;
  return readPage(`<!doctype html>${markup}`).elements.flatMap(({ tag, attributes }) => [
    ...(KEPT.test(tag) ? [] : [`<${tag}>`]),
    ...Object.entries(attributes).flatMap(([name, value]) => {
      if (tag === 'div' && `${name}=${value}`.match(/^(class=prose|dir=auto)$/)) return [];
      if (tag === 'a' && name === 'href' && /^(https?:\/\/|mailto:)/.test(value)) return [];
      if (tag === 'a' && name === 'rel' && value === 'noopener noreferrer nofollow') return [];
      if (tag === 'ol' && name === 'start' && /^\d+$/.test(value)) return [];
      return [`${tag} ${name}=${value}`];
    }),
  ]);
}

/** Each does harm where a page takes it as HTML, or as Markdown of a library that trusts its author. */
const ATTACKS = [
  ['a script', '<script>alert(1)</script>'],
  ['a script in pieces', '<scr<script>ipt>alert(1)</scr</script>ipt>'],
  ['a picture that fails', '<img src=x onerror=alert(1)>'],
  ['a picture of elsewhere', '<img src="https://evil.example/pixel.png">'],
  ['a frame', '<iframe srcdoc="<script>alert(1)</script>"></iframe>'],
  ['a drawing', '<svg onload=alert(1)><use href="data:image/svg+xml,x#y"/></svg>'],
  ['foreign content that is read twice', '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">'],
  ['a form', '<form action="/apps/x/uninstall" method="post"><button>Claim your prize</button></form>'],
  ['a style', '<style>main{display:none}</style>'],
  ['an inline style', '<p style="position:fixed;inset:0">Sign in again</p>'],
  ['a base', '<base href="https://evil.example/">'],
  ['a redirect', '<meta http-equiv="refresh" content="0;url=https://evil.example/">'],
  ['an object', '<object data="data:text/html,<script>alert(1)</script>"></object>'],
  ['a template', '<template><script>alert(1)</script></template><noscript><p title="</noscript><img src=x onerror=alert(1)>">'],
  ['markup in a title', '[x](https://a.example "onmouseover=alert(1) x=\\"")<b onmouseover="alert(1)">x</b>'],
  ['an address that runs', '<a href="javascript:alert(1)">x</a>'],
  ['an address that is a document', '<a href="data:text/html,<script>alert(1)</script>">x</a>'],
  ['a link to a page of ours', '<a href="/logout">x</a> [y](/apps/x/uninstall)'],
] as const;

describe('no text becomes more than text', () => {
  test.each(ATTACKS)('%s', (_, text) => {
    expect(harmIn(shown(text))).toEqual([]);
    expect(harmIn(shown(`# a\n\n- ${text}\n\n| ${text} |\n|---|\n| ${text} |\n\n> ${text}`))).toEqual([]);
  });

  test.each(ATTACKS)('the check objects to %s where HTML is let through', (_, text) => {
    expect(harmIn(new MarkdownIt({ html: true }).render(text))).not.toEqual([]);
  });

  test.each([
    'javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java&#10;script:alert(1)', '&#106;avascript:alert(1)', 'java%0ascript:alert(1)', 'vbscript:x', 'data:text/html;base64,PHNjcmlwdD4=', 'file:///etc/passwd', '//evil.example/x',
    '/\\evil.example', '\\\\evil.example', '/logout', '#main', '?q', 'blob:https://x/y', 'view-source:https://x', 'https&colon;//x',
  ])('a link to %s leads nowhere', (address) => {
    for (const text of [`[x](${address})`, `[x](<${address}>)`, `![x](${address})`, `[x]\n\n[x]: ${address}`, `<${address}>`]) expect({ text, harm: harmIn(shown(text)) }).toEqual({ text, harm: [] });
  });
});

describe('what is Markdown is shown', () => {
  test('headings below those of the page, lists, tables, code, links with their warning to search engines', () => {
    const text = '# One\n\n## Two\n\n###### Six\n\n- a\n- **b**\n\n3. c\n\n| x |\n|---|\n| y |\n\n`code`\n\n```js\n<b>\n```\n\n[site](https://a.example/?b=1&c=2) and https://b.example/ and ![picture](https://c.example/p.png) and <me@d.example>';
    const { elements } = readPage(`<!doctype html>${shown(text)}`);
    expect(elements.map(({ tag }) => tag)).toEqual(expect.arrayContaining(['h2', 'h3', 'h6', 'ul', 'ol', 'strong', 'table', 'td', 'pre', 'code']));
    expect(elements.filter(({ tag }) => tag === 'a').map(({ attributes: { href }, text: label }) => `${label} ${href}`)).toEqual([
      'site https://a.example/?b=1&c=2', 'https://b.example/ https://b.example/', 'picture https://c.example/p.png', 'me@d.example mailto:me@d.example',
    ]);
    expect(elements.find(({ tag }) => tag === 'ol')?.attributes).toEqual({ start: '3' });
    expect(elements.some(({ text: inner }) => inner.includes('<b>'))).toBe(true);
  });

  test.each([['https:settings', 'https://settings/'], ['http:logout', 'http://logout/']])('a link to %s, which on a page of ours would be one of ours, leads to %s', (address, at) => {
    expect(shown(`[x](${address})`)).toContain(`href="${at}"`);
  });

  test('line breaks of notes are kept, those of files are not', () => {
    expect(String(prose('a\nb', { headingsFrom: 3, keepsBreaks: true }))).toContain('<br');
    expect(shown('a\nb')).not.toContain('<br');
  });

  test('what is too long is cut, and says so', () => {
    const long = shown(`${'word '.repeat(PROSE_MAX_CHARACTERS)}END`);
    expect(long).toContain('The rest is longer than what is shown here.');
    expect(long).not.toContain('END');
  });

  test.each([['brackets', '['], ['quotes', '>'], ['emphasis', '*_'], ['links', '[a](b'], ['a wide table', 'a|'], ['lists', '- '], ['entities', '&#x']])('%s without end are text too', (_, piece) => {
    const text = `${piece.repeat(20_000)}\n${'-|'.repeat(3_000)}`;
    expect(harmIn(shown(text))).toEqual([]);
  });
});

describe('no text costs much more than another of its length', () => {
  const full = (piece: string): string => piece.repeat(Math.ceil(PROSE_MAX_CHARACTERS / piece.length)).slice(0, PROSE_MAX_CHARACTERS);
  const half = (open: string, close: string): string => (full(open).slice(0, PROSE_MAX_CHARACTERS / 2) + full(close)).slice(0, PROSE_MAX_CHARACTERS);
  const lines = (line: (index: number) => string): string => Array.from({ length: 2_000 }, (_, index) => line(index)).join('\n').slice(0, PROSE_MAX_CHARACTERS);
  const TYPICAL = full('# Title\n\nSome **words** and [a link](https://a.example).\n\n- one\n- two\n\n');
  const TABLE = `|${'a|'.repeat(600)}\n|${'-|'.repeat(600)}\n${full('|\n')}`;
  const COSTLY: readonly (readonly [string, string])[] = [
    ['a wide table with many short rows', TABLE], ['the same with old line breaks', TABLE.replaceAll('\n', '\r')], ['the same in a quote', lines((index) => `> ${TABLE.split('\n')[index] ?? '|'}`)],
    ['a long table', `|a|b|\n|-|-|\n${full('|\n')}`], ['many tables', full('|a|b|c|\n|-|-|-|\n|d\n\n')], ['a list in a list in a list', lines((index) => `${'  '.repeat(index % 60)}- a`)],
    ['lists on one line', full('- ')], ['items with nothing', full('-\n')], ['loose items', full('- a\n\n')], ['a quote in a quote in a quote', lines((index) => `${'>'.repeat(index % 100)} a`)], ['quotes on one line', full('> ')],
    ['open brackets', full('[')], ['brackets that close', half('[', ']')], ['links that do not end', full('[a](b')], ['pictures that do not end', full('![')], ['pictures in pictures', half('![', '](x)')],
    ['footnotes', full('[a][b]')], ['many targets', lines((index) => `[${index}]: x`)], ['many targets and brackets', half(lines((index) => `[${index}]: x`), '[')], ['emphasis', full('*_')], ['emphasis that closes', half('*a', 'a*')],
    ['underlines', half('_a', 'a_')], ['strokes', full('~~a')], ['code that does not end', lines((index) => `${'`'.repeat(1 + (index % 300))}a`)], ['code', half('`a', 'a``')], ['HTML', full('<a href="x">')], ['HTML that does not end', full('<a ')],
    ['comments', full('<!--')], ['declarations', full('<![CDATA[')], ['entities', full('&#x')], ['entities that are none', full('&amp')], ['backslashes', full('\\[')], ['headings', full('# a\n')], ['lines below', full('a\n-\n')],
    ['addresses', full('https://a.example ')], ['beginnings of addresses', full('http://')], ['mail', full('a@b.example ')], ['quotation marks', full('"a ')], ['tabs', full('\ta\n')], ['empty lines', full('\n')], ['stars', full('* * *\n')],
  ];
  let turn = 0;
  /** Of the processor, in microseconds; never a text that is remembered. */
  function costOf(text: string, render: (text: string) => unknown = shown): number {
    const before = process.cpuUsage();
    render(`${String(turn += 1)} \n${text}`.slice(0, PROSE_MAX_CHARACTERS));
    const { user, system } = process.cpuUsage(before);
    return user + system;
  }
  /** The least of a few turns, each beside one of a typical text: whatever else this machine does hits both. */
  function ratioOf(text: string, { turns, render }: { turns: number; render?: (text: string) => unknown }): number {
    const ratios = Array.from({ length: turns }, () => costOf(text, render) / Math.max(costOf(TYPICAL, render), 500));
    return Math.min(...ratios);
  }

  test.each(COSTLY)('%s', (_, text) => {
    const once = ratioOf(text, { turns: 1 });
    expect(once < 8 ? once : ratioOf(text, { turns: 8 })).toBeLessThan(8);
  });

  test('the measure sees what a table costs that is drawn', () => {
    const render = (text: string): unknown => new MarkdownIt().render(text);
    for (let warm = 0; warm < 5; warm += 1) render(TYPICAL);
    expect(Math.max(...Array.from({ length: 3 }, () => ratioOf(TABLE, { turns: 1, render })))).toBeGreaterThan(8);
  });

  test('tables of people are drawn', () => {
    const table = `| name | a | b | c | d | e | f | g |\n|---|---|---|---|---|---|---|---|\n${'| x | 1 | 2 | 3 | 4 | 5 | 6 | 7 |\n'.repeat(150)}`;
    expect(shown(table.slice(0, PROSE_MAX_CHARACTERS)).match(/<td>/g)?.length).toBeGreaterThan(1000);
    expect(shown(TABLE)).not.toContain('<td>');
  });
});
