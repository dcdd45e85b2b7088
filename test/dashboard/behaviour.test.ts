// Owns what single pages do: which link, form or word appears when.
import { describe, expect, test } from 'vitest';
import { generatedIcon } from '../../dashboard/icon.ts';
import { day, ownPath, path, second, webUrl } from '../../dashboard/markup.ts';
import { outputCard } from '../../dashboard/card.ts';
import { homePage, type HomeApp } from '../../dashboard/pages/home.ts';
import { installingPage, type InstallingView } from '../../dashboard/pages/installing.ts';
import { loginPage } from '../../dashboard/pages/login.ts';
import { releasePage, type ReleaseView } from '../../dashboard/pages/release.ts';
import { troublePage } from '../../dashboard/pages/error.ts';
import { invitesPage } from '../../dashboard/pages/invite.ts';
import { tokensPage } from '../../dashboard/pages/tokens.ts';
import { readPage } from './elements.ts';

const elementsOf = (document: string, tag: string) => readPage(document).elements.filter((each) => each.tag === tag);
const linksOf = (document: string) => elementsOf(document, 'a').map((each) => each.attributes.href);
const formsOf = (document: string) => elementsOf(document, 'form').map((each) => `${each.attributes.method} ${each.attributes.action}`);
const owner = { name: 'ada', isOwner: true };
const member = { name: 'bob', isOwner: false };
const url = 'http://guestbook-a1234567.localhost:4400/';

describe('addresses', () => {
  test.each(['/', '/r/abc?x=1', '/icons/a.svg'])('%j is a path of ours', (text) => expect(ownPath(text)).toBe(text));
  test.each(['', '//x', '/\\x', 'x', 'http://x/', '/a\nb', '/a b', '/\u0000'])('%j is none', (text) => expect(ownPath(text)).toBeUndefined());
  test('http and https may be linked', () => {
    expect(webUrl(url)).toBe(url);
    expect(webUrl('https://x.example/a b')).toBe('https://x.example/a%20b');
  });
  test('each value is one segment of a path', () => {
    expect(path`/apps/${'a/../b'}/keys/${'x?y#z'}`).toBe('/apps/a%2F..%2Fb/keys/x%3Fy%23z');
    expect(path`/apps/${'\ud800'}`).toBe('/apps/%EF%BF%BD');
  });
});

test('instants are read by people and by machines; other text stays text', () => {
  expect(String(day('2026-11-20T10:00:00Z'))).toBe('<time datetime="2026-11-20T10:00:00.000Z">20 Nov 2026</time>');
  expect(String(second('2026-11-20T10:00:07Z'))).toContain('20 Nov 2026, 10:00:07 UTC');
  expect(String(day('<soon>'))).toBe('&lt;soon&gt;');
});

describe('the generated icon', () => {
  test('is the same for the same name and differs between names', () => {
    expect(generatedIcon('Guestbook')).toBe(generatedIcon('Guestbook'));
    expect(new Set(['Guestbook', 'Photos', 'Ledger', 'Journal', 'Wiki'].map(generatedIcon)).size).toBe(5);
  });
  test.each([['guestbook', 'G'], ['  übersicht', 'Ü'], ['日記', '日'], ['"><script>', 'S'], ['', '·'], ['\u0000\u202e', '·'], ['🌍 atlas', '🌍'], ['👩‍🚀', '👩‍🚀']])(
    'of %j shows %s', (name, letter) => expect(generatedIcon(name)).toContain(`>${letter}</text>`));
  test('is a document of its own that loads nothing', () => {
    const icon = generatedIcon('x');
    expect(icon).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(icon.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script|<style|\son\w+=/);
  });
});

describe('my apps', () => {
  const tile = (more: Partial<HomeApp>): HomeApp => ({ id: 'i1', name: 'Guestbook', url, state: 'ready', builder: false, version: '1', ...more });
  const home = (more: Partial<HomeApp>) => homePage({ person: owner, apps: [tile(more)] });

  test('a ready app opens, another leads to what is going on', () => {
    // Not the plain address: a first page that is public would not know its owner.
    expect(linksOf(home({}))).toContain(`${url}__space/auth`);
    expect(linksOf(home({ state: 'installing', installationId: 'j1' }))).toContain('/installations/j1');
    expect(linksOf(home({ state: 'failed' })).filter((link) => link?.startsWith(url))).toEqual([]);
  });
  test('an update shows its notes and leads to its page', () => {
    const document = home({ update: { releaseId: 'r', version: '2', notes: 'Faster lists.' } });
    expect(document).toContain('Faster lists.');
    expect(linksOf(document)).toContain('/apps/i1/update');
    expect(linksOf(home({}))).not.toContain('/apps/i1/update');
  });
  test('an empty Space teaches the next step', () => {
    const document = homePage({ person: owner, apps: [] });
    for (const command of ['space login', 'space new', 'space push']) expect(document).toContain(command);
    expect(formsOf(document)).toContain('get /r');
  });
  test('and says what `space login` asks for, as the page of tokens does', () => {
    for (const document of [homePage({ person: owner, apps: [] }), tokensPage({ person: owner, tokens: [], spaceRoot: 'http://localhost:4400/api' })]) {
      expect(document).toContain('asks for your name and your password');
    }
  });
  test('only the owner is sent to invitations', () => {
    expect(linksOf(home({}))).toContain('/invites');
    expect(linksOf(homePage({ person: member, apps: [tile({})] }))).not.toContain('/invites');
    expect(linksOf(invitesPage({ person: member, invites: [] }))).not.toContain('/invites');
  });
  test('builder Instances stand apart', () => {
    expect(home({ builder: true })).toContain('You are building');
    expect(home({})).not.toContain('You are building');
  });
});

describe('a Release', () => {
  const release = { id: 'r1', name: 'G', tagline: '', version: '2', notes: '', author: 'ada', listed: true, releasedAt: '' };
  const view = (more: Partial<ReleaseView>) => releasePage({ release, installed: [], permissions: [], ...more });

  test('asks strangers to sign in and brings them back', () => {
    expect(formsOf(view({}))).toEqual([]);
    expect(linksOf(view({}))).toContain('/login?redirect_uri=%2Fr%2Fr1');
  });
  test('installs, updates what is behind, and leaves what is up to date', () => {
    expect(formsOf(view({ person: owner }))).toContain('post /r/r1/install');
    const installed = [{ id: 'i1', url, version: '1', upToDate: false }, { id: 'i2', url, version: '2', upToDate: true }];
    const document = view({ person: owner, installed });
    expect(formsOf(document)).toEqual(['post /logout', 'post /r/r1/install']);
    expect(linksOf(document)).toContain('/apps/i1/update?release=r1');
  });
  test('that is not listed says so', () => {
    expect(view({ release: { ...release, listed: false } })).toContain('not listed');
    expect(view({})).not.toContain('not listed');
  });
});

describe('an Installation', () => {
  const view = (status: InstallingView['installation']['status']) => installingPage({
    person: owner, installation: { id: 'j', status, step: 'Unpacking', error: status === 'failed' ? 'Disk full.' : null, kind: 'install' },
    app: { name: 'G' }, url, retryPath: '/r/r1/install',
  });
  const isRefreshed = (document: string) => elementsOf(document, 'meta').some((each) => each.attributes['http-equiv'] === 'refresh');

  test.each(['pending', 'running'] as const)('%s loads itself again and shows its step', (status) => {
    expect(isRefreshed(view(status))).toBe(true);
    expect(view(status)).toContain('Unpacking');
  });
  test('complete stays and opens', () => {
    expect(isRefreshed(view('complete'))).toBe(false);
    expect(linksOf(view('complete'))).toContain(url);
  });
  test('failed stays, says why and offers another try', () => {
    expect(isRefreshed(view('failed'))).toBe(false);
    expect(view('failed')).toContain('Disk full.');
    expect(formsOf(view('failed'))).toContain('post /r/r1/install');
  });
});

test('login carries where to go, and only what may be linked', () => {
  const hidden = (next: string) => elementsOf(loginPage({ next }), 'input').find((each) => each.attributes.name === 'redirect_uri')?.attributes.value;
  expect(hidden(url)).toBe(url);
  expect(hidden('javascript:alert(1)')).toBeUndefined();
});

test('pages on other hosts load from the reserved folder only, and name the dashboard', () => {
  const document = troublePage({ appName: 'G', trouble: 'installing', dashboardUrl: 'http://localhost:4400/' });
  expect(elementsOf(document, 'link').map((each) => each.attributes.href)).toEqual(['/__space/assets/favicon.svg', '/__space/assets/style.css']);
  expect(linksOf(document)).toContain('http://localhost:4400/');
});

describe('what an App Action answered', () => {
  const shown = (type: string, data: unknown) => readPage(`<!doctype html><title>x</title>${outputCard({ type, data })}`).elements;
  const addresses = (type: string, data: unknown) => shown(type, data).flatMap(({ tag, attributes }) => (tag === 'a' ? [attributes.href] : attributes.src ?? []));
  const item = (url: string) => ({ title: 'One', description: 'First', url });

  test.each([
    ['@deta/detail', { title: 'T', text: 'x', url: 'https://a.example/' }], ['@deta/detail', { image_url: 'https://a.example/' }],
    ['@deta/file', { url: 'https://a.example/', name: 'f' }], ['@deta/list', { items: [item('https://a.example/')] }],
  ])('%s %o links to the web, and says where to', (type, data) => {
    expect(addresses(type, data)).toEqual(['https://a.example/']);
    expect(shown(type, data).find(({ tag }) => tag === 'a')).toMatchObject({ attributes: { rel: 'noopener noreferrer nofollow' }, text: expect.stringContaining('a.example') });
  });

  test.each(['javascript:alert(1)', 'data:text/html,x', '/logout', '//evil.example', ' javascript:alert(1)', 'file:///etc/passwd', ''])('%j is no link', (url) => {
    for (const [type, data] of [['@deta/detail', { url, image_url: url }], ['@deta/file', { url }], ['@deta/list', { items: [item(url)] }]] as const) expect(addresses(type, data)).toEqual([]);
  });

  test('that is no card as it says is shown as it came, and never at any length', () => {
    for (const [type, data] of [['@deta/detail', 'text'], ['@deta/list', { items: 'none' }], ['@deta/list', [1]], ['own', { title: 'x' }], ['@deta/raw', '<b>bold']] as const) {
      expect(shown(type, data).filter(({ tag }) => tag === 'pre').map(({ text }) => text)).toEqual([typeof data === 'string' ? data : JSON.stringify(data, null, 2)]);
    }
    expect(shown('@deta/raw', null).some(({ text }) => text === 'Nothing.')).toBe(true);
    expect(String(outputCard({ type: '@deta/raw', data: 'x'.repeat(1e6) })).length).toBeLessThan(25_000);
    expect(String(outputCard({ type: '@deta/list', data: { items: Array.from({ length: 10_000 }, () => ({ title: 'x' })) } })).length).toBeLessThan(25_000);
    expect(String(outputCard({ type: '@deta/detail', data: { title: { toString: 'x' }, text: ['a'] } }))).not.toContain('object');
  });
});
