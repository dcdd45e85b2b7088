// Owns the proof of Discovery over HTTP: found, presented, counted, taken back; and that what a developer writes does nothing
// to whoever looks at it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireRelease } from '../../../core/wire.ts';
import { PNG } from '../../builder/test-builder.ts';
import { readPage } from '../../dashboard/elements.ts';
import { send } from '../../support/http.ts';
import { installApp, pushApp, releaseApp, startTestHost, type PushedApp, type TestHost } from '../../support/start-host.ts';

const EVIL = '"><script>window.pwned=1</script><img src=x onerror=window.pwned=1>';

let space: TestHost;
let guests: PushedApp;
let photos: PushedApp;
let guestsRelease: string;
let photosRelease: string;

async function present(id: string, more: object): Promise<void> {
  expect((await space.owner.call(`POST /promotions/${id}/discovery`, { app_name: '', title: '', tagline: '', theme_color: '', git: '', homepage: '', media: null, ported_from: '', open_code: false, works_with: null, content_raw: '', ...more })).status).toBe(202);
}

beforeAll(async () => {
  space = await startTestHost();
  guests = await pushApp(space.owner, { name: 'guests' });
  photos = await pushApp(space.owner, { name: 'photos' });
  guestsRelease = await releaseApp(space.owner, guests, { version: '1.0', discovery_list: true });
  await present(guestsRelease, { app_name: 'Gästebuch', tagline: 'Leave a line.', content_raw: '# Why\n\nFor [friends](https://example.org/).', homepage: 'https://example.org/', git: 'https://git.example/guests', theme_color: '#a1b2c3', works_with: ['Photos'] });
  photosRelease = await releaseApp(space.owner, photos, { version: '2.0', discovery_list: true });
}, 60_000);
afterAll(() => space.close());

const found = async (query: string): Promise<string[]> => {
  const answer = await space.member.call(`GET /discovery/apps?${query}`);
  expect(answer.status).toBe(200);
  return answer.json<{ releases: WireRelease[] }>().releases.map(({ app_name }) => app_name);
};
const pageAt = async (path: string): Promise<string> => (await space.member.visitor.visit(space.url + path)).text;

describe('Discovery', () => {
  test('has the newest listed Release of each app, the newest first', async () => {
    expect(await found('')).toEqual(['photos', 'Gästebuch']);
    const newer = await releaseApp(space.owner, photos, { version: '2.0', discovery_list: true, release_notes: 'Again.' });
    expect(await found('sort=recent')).toEqual(['photos', 'Gästebuch']);
    await releaseApp(space.owner, photos, { version: '2.0' });
    const { releases } = (await space.member.call('GET /discovery/apps')).json<{ releases: WireRelease[] }>();
    expect(releases[0]?.id).toBe(newer);
  });

  test('is searched by words of name, tagline and author, without case and accents', async () => {
    expect(await found('search=GASTE')).toEqual(['Gästebuch']);
    expect(await found('search=ada%20line')).toEqual(['Gästebuch']);
    expect(await found('search=nothing')).toEqual([]);
    expect(await found(`search=${encodeURIComponent(EVIL)}`)).toEqual([]);
    expect(await pageAt('/discover?q=LEAVE')).toMatch(/Gästebuch(?![^]*photos<)/);
  });

  test('has pages', async () => {
    expect(await found('per_page=1&page=2')).toEqual(['Gästebuch']);
    expect(await found('per_page=1&page=9')).toEqual([]);
    expect(await pageAt('/discover?page=99')).toContain('Gästebuch');
    expect((await space.member.call('GET /discovery/apps?sort=best')).json()).toMatchObject({ code: 'INVALID_FIELD' });
  });

  test('orders by how many people have an app, once each, and says so', async () => {
    expect(await found('sort=popular')).toEqual(['photos', 'Gästebuch']);
    await installApp(space.member, guestsRelease);
    await installApp(space.member, guestsRelease);
    space.clock.advance(61_000);
    expect(await found('sort=popular')).toEqual(['Gästebuch', 'photos']);
    const release = (await space.member.call(`GET /releases/${guestsRelease}`)).json<WireRelease>();
    expect(release.discovery.stats).toEqual({ total_installs: 1, release_installs: 1 });
    expect(await pageAt(`/r/${guestsRelease}`)).toContain('1 person has it');
  });
});

describe('the page of a Release', () => {
  test('presents it: text, links, pictures, other versions', async () => {
    await space.owner.call(`POST /promotions/${guestsRelease}/discovery/screenshots/0`, PNG, { 'content-type': 'image/png' });
    await space.owner.call(`POST /promotions/${guestsRelease}/discovery/screenshots/1`, 'https://films.example/x', { 'content-type': 'text/plain' });
    const { elements } = readPage(await pageAt(`/r/${guestsRelease}`));
    expect(elements.find(({ tag, text }) => tag === 'h2' && text === 'Why')).toBeDefined();
    const links = elements.filter(({ tag }) => tag === 'a').map(({ attributes: { href, rel } }) => `${href} ${rel ?? ''}`);
    expect(links).toEqual(expect.arrayContaining(['https://example.org/ noopener noreferrer nofollow', 'https://git.example/guests noopener noreferrer nofollow', 'https://films.example/x noopener noreferrer nofollow']));
    const picture = elements.find(({ tag, attributes }) => tag === 'img' && attributes.src?.includes('screenshots'))?.attributes.src ?? '';
    const answer = await send(space.url + picture);
    expect([answer.status, answer.headers['content-type'], answer.headers['x-content-type-options']]).toEqual([200, 'image/png', 'nosniff']);
    for (const wrong of ['1', '4', 'constructor', '__proto__', '-1']) expect((await send(`${space.url}/r/${guestsRelease}/screenshots/${wrong}`)).status).toBe(404);
    expect(await pageAt(`/r/${photosRelease}`)).toContain('Other versions');
  });

  test('runs nothing of what its developer wrote, in any field', async () => {
    const id = await releaseApp(space.owner, guests, { version: `9 ${EVIL}`.slice(0, 64), release_notes: EVIL, discovery_list: false });
    await present(id, { app_name: EVIL.slice(0, 64), title: EVIL, tagline: EVIL, content_raw: `${EVIL}\n\n[x](javascript:alert(1))`, theme_color: '"><script>', works_with: [EVIL] });
    await space.owner.call(`POST /promotions/${id}/discovery/screenshots/0`, `https://x.example/"><script>window.pwned=1</script>`, { 'content-type': 'text/plain' });
    const harm = (html: string): string[] => readPage(html).elements.flatMap(({ tag, attributes }) => [
      ...(['script', 'style', 'iframe', 'base'].includes(tag) ? [tag] : []), ...Object.keys(attributes).filter((name) => name.startsWith('on')),
      ...(/^\s*javascript:/i.test(attributes.href ?? '') ? ['href'] : []),
    ]);
    const answer = await space.member.visitor.visit(`${space.url}/r/${id}`);
    expect(answer.text).toContain('window.pwned');
    expect(harm(answer.text)).toEqual([]);
    expect(answer.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'self'; img-src 'self'/);
    expect(harm(`${EVIL}<a href="javascript:1">`)).toEqual(['script', 'onerror', 'href']);
  });

  test('lets its developer, and nobody else, take it off Discovery', async () => {
    expect(await pageAt(`/r/${guestsRelease}`)).not.toContain('Take it off Discover');
    expect((await space.member.visitor.submit(`${space.url}/releases/${guestsRelease}/unlist`, {})).status).toBe(404);
    expect((await space.owner.visitor.visit(`${space.url}/r/${guestsRelease}`)).text).toContain('Take it off Discover');
    expect(await found('search=gaste')).toHaveLength(1);
    await space.owner.visitor.submit(`${space.url}/releases/${guestsRelease}/unlist`, {});
    expect(await found('search=gaste')).toEqual([]);
  });
});

describe('taking back', () => {
  test('a Release that somebody has stays; another goes', async () => {
    expect((await space.owner.call(`DELETE /releases/${guestsRelease}`)).json()).toMatchObject({ code: 'RELEASE_IN_USE' });
    const id = await releaseApp(space.owner, photos, { version: '2.0' });
    expect((await space.owner.call(`DELETE /releases/${id}`)).status).toBe(200);
    expect((await space.owner.call(`GET /releases/${id}`)).status).toBe(404);
    const { promotions } = (await space.owner.call(`GET /promotions?revision_id=${photos.revisionId}&per_page=1`)).json();
    expect((await space.owner.call(`DELETE /releases/${promotions[0].id}`)).status).toBe(409);
  });

  test('a deleted Revision is neither released nor installed nor taken as an update, and copies run on', async () => {
    const { instance } = await installApp(space.member, photosRelease);
    expect((await space.owner.call(`DELETE /revisions/${photos.revisionId}`)).status).toBe(200);
    const refusals = [
      await space.owner.call('POST /promotions', { app_id: photos.projectId, revision_id: photos.revisionId }),
      await space.member.call('POST /installations', { release_id: photosRelease }),
      await space.member.call('POST /installations', { release_id: photosRelease, instance_id: instance.id }),
      await space.owner.call(`GET /apps/${photos.projectId}/revisions/tag/${(await space.owner.call(`GET /builds/${photos.buildId}`)).json().tag}`),
    ];
    for (const refusal of refusals) expect(refusal.json()).toMatchObject({ code: 'REVISION_DELETED' });
    expect(await found('')).toEqual([]);
    const page = await pageAt(`/r/${photosRelease}`);
    expect([page.includes('took this version back'), page.includes('/install"')]).toEqual([true, false]);
    expect((await space.member.visitor.visit(instance.url)).text).toContain('<title>Home</title>');
  });

  test('other bytes under a version that was released are refused, and the host\'s log says so', async () => {
    const changed = await pushApp(space.owner, { projectId: guests.projectId, files: { Spacefile: 'v: 0\nmicros:\n  - name: web\n    src: site\n    engine: static\n    serve: .\n    primary: true\n', 'site/index.html': 'other' } });
    expect((await space.owner.call('POST /promotions', { app_id: guests.projectId, revision_id: changed.revisionId, version: '1.0' })).json()).toMatchObject({ code: 'VERSION_TAKEN' });
    expect(space.logged()).toContain('release.refused');
  });
});
