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
