// Owns what holds for every page, whatever is put into its view: each check meets a page that breaks it, too.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { raw } from 'hono/html';
import { describe, expect, test } from 'vitest';
import { layout } from '../../dashboard/layout.ts';
import { html } from '../../dashboard/markup.ts';
import { readPage, type PageElement } from './elements.ts';
import { CASES, mapStrings, stringPaths } from './views.ts';

const HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\'<!--';
const LINKING = ['href', 'src', 'action', 'formaction', 'poster', 'data', 'srcset', 'xlink:href'];
const AWAY = 'noopener noreferrer nofollow';
const BAD_ADDRESSES = [
  'javascript:alert(1)', ' javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java\tscript:alert(1)', 'data:text/html,<script>1</script>',
  'vbscript:x', '//evil.example/x', '/\\evil.example', '/\t/evil.example', '\\\\evil.example', 'file:///etc/passwd', 'blob:http://x/y',
];

const shape = (document: string) => readPage(document).elements.map((each) => `${each.tag}[${Object.keys(each.attributes).sort().join(' ')}]`);
const addressesOf = (elements: PageElement[]) => elements.flatMap((each) => LINKING.flatMap((name) => each.attributes[name] ?? []));

/** What a page that lets markup through would look like; each check below must object to it. */
const brokenPage = layout({ title: 'x', body: html`${raw(`<h1>a</h1><h1>b</h1><p style="color:red" onclick="x()">b</p><input name=a><img src="https://cdn.example/x.png"><p title="${HOSTILE}`)}` });

function syntaxProblems(document: string): string[] {
  return readPage(document).problems;
}

/** What forbids a page to be shown under the strict content policy. */
function policyProblems(document: string): string[] {
  return readPage(document).elements.flatMap(({ tag, attributes, around }) => [
    ...(['script', 'style', 'iframe', 'object', 'embed', 'base'].includes(tag) ? [`<${tag}>`] : []),
    ...Object.keys(attributes).filter((name) => name === 'style' || name.startsWith('on')).map((name) => `${tag} ${name}`),
    ...(tag === 'svg' || around.includes('svg') ? Object.values(attributes).filter((value) => /url\((?!#)/.test(value)).map((value) => `${tag} ${value}`) : []),
  ]);
}

/** What would be loaded from elsewhere. */
function foreignAssets(document: string): string[] {
  return readPage(document).elements
    .filter((each) => ['img', 'link', 'source', 'video', 'audio', 'image', 'use'].includes(each.tag))
    .flatMap((each) => ['src', 'href', 'srcset', 'xlink:href'].flatMap((name) => each.attributes[name] ?? []))
    .filter((address) => !/^(\/(?!\/)|#)/.test(address));
}

/** What keeps a page from people who do not see it, or who use no mouse. */
function accessProblems(document: string): string[] {
  const { elements } = readPage(document);
  const ids = elements.flatMap((each) => each.attributes.id ?? []).filter((id) => !id.startsWith('sky-'));
  const labelled = new Set(elements.filter((each) => each.tag === 'label').flatMap((each) => each.attributes.for ?? []));
  const inputs = elements.filter((each) => ['input', 'select', 'textarea'].includes(each.tag) && each.attributes.type !== 'hidden');
  const only = (tag: string) => elements.filter((each) => each.tag === tag);
  return [
    ...(only('h1').length === 1 && only('h1')[0]?.text.trim() ? [] : [`${only('h1').length} h1`]),
    ...(only('main').length === 1 ? [] : [`${only('main').length} main`]),
    ...(only('html')[0]?.attributes.lang === 'en' ? [] : ['no lang']),
    ...(only('title')[0]?.text.trim() ? [] : ['no title']),
    ...(only('meta').some((each) => each.attributes.name === 'viewport') ? [] : ['no viewport']),
    ...(elements.find((each) => each.tag === 'a')?.attributes.href === '#main' ? [] : ['no skip link']),
    ...inputs.filter((each) => !each.around.includes('label') && !labelled.has(each.attributes.id ?? '')).map((each) => `input ${each.attributes.name} without a label`),
    ...elements.filter((each) => ['a', 'button', 'summary'].includes(each.tag) && !each.text.trim() && !each.attributes['aria-label']).map((each) => `${each.tag} without a name`),
    ...only('img').filter((each) => each.attributes.alt === undefined).map(() => 'img without alt'),
    ...elements.flatMap((each) => each.attributes['aria-describedby'] ?? []).filter((id) => !ids.includes(id)).map((id) => `nothing has the id ${id}`),
    ...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `id ${id} twice`),
  ];
}

describe.each(CASES)('$name', ({ view, render }) => {
  test('is a well-formed document that the strict content policy allows', () => {
    const document = render(view);
    expect(document.startsWith('<!doctype html>')).toBe(true);
    expect(syntaxProblems(document)).toEqual([]);
    expect(policyProblems(document)).toEqual([]);
    expect(foreignAssets(document)).toEqual([]);
  });

  test('shows every value as data: no object, undefined or promise leaks into the text', () => {
    expect(render(view)).not.toMatch(/\[object |undefined|NaN|=>/);
  });

  test('is usable by keyboard and screen reader', () => {
    expect(accessProblems(render(view))).toEqual([]);
  });

  test('takes hostile text in each field without a new element or attribute', () => {
    for (const path of stringPaths(view)) {
      const benign = render(mapStrings(view, (text, at) => (at === path ? 'x-y' : text)) as object);
      const hostile = render(mapStrings(view, (text, at) => (at === path ? HOSTILE : text)) as object);
      expect({ path, problems: policyProblems(hostile), shape: shape(hostile) }).toEqual({ path, problems: [], shape: shape(benign) });
    }
  });

  test('drops addresses that would run code or lead elsewhere unseen', () => {
    for (const address of BAD_ADDRESSES) {
      const { elements } = readPage(render(mapStrings(view, () => address) as object));
      // Texts of strangers may link elsewhere, and say so.
      const away = elements.filter((each) => each.attributes.rel === AWAY);
      for (const written of addressesOf(away)) expect(written).toMatch(/^(https?:\/\/|mailto:)/);
      for (const written of addressesOf(elements.filter((each) => !away.includes(each)))) expect(written).toMatch(/^(\/(?![/\\])[^\s\\]*|#[\w-]+)$/);
    }
  });

  test('has only forms and links of the dashboard, and plain form posts', () => {
    for (const form of readPage(render(view)).elements.filter((each) => each.tag === 'form')) {
      expect(form.attributes.action).toMatch(/^\/[\w/-]*$/);
      const isUpload = (form.attributes.action ?? '').endsWith('/import');
      expect(form.attributes.enctype).toBe(isUpload ? 'multipart/form-data' : undefined);
      expect(form.attributes.method).toBe(/^\/(?:r|discover|apps\/[^/]+\/logs)$/.test(form.attributes.action ?? '') ? 'get' : 'post');
    }
  });
});

test('the checks object to a page that lets markup through', () => {
  expect(policyProblems(brokenPage)).toEqual(expect.arrayContaining(['<script>', 'p style', 'p onclick', 'img onerror']));
  expect(foreignAssets(brokenPage)).toContain('https://cdn.example/x.png');
  expect(accessProblems(brokenPage)).toEqual(expect.arrayContaining(['2 h1', 'input a without a label', 'img without alt']));
});

test('every page file has a case here', () => {
  const named = readFileSync(new URL('./views.ts', import.meta.url), 'utf8');
  const files = readdirSync(new URL('../../dashboard/pages/', import.meta.url)).filter((file) => file.endsWith('.ts'));
  expect(files.filter((file) => !named.includes(`/pages/${file}'`))).toEqual([]);
});

test('every asset that a page names exists', () => {
  const named = new Set(CASES.flatMap(({ view, render }) => [...render(view).matchAll(/"(?:\/__space)?\/assets\/([^"]+)"/g)].map((match) => match[1])));
  expect(named.size).toBeGreaterThan(1);
  const missing = [...named].filter((name) => !existsSync(new URL(`../../dashboard/assets/${name}`, import.meta.url)));
  expect(missing).toEqual([]);
});

test('the style sheet loads nothing', () => {
  expect(readFileSync(new URL('../../dashboard/assets/style.css', import.meta.url), 'utf8')).not.toMatch(/url\(|@import|https?:/);
});
