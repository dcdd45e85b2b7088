import { beforeEach, describe, expect, test } from 'vitest';
import { createArtifacts } from '../../builder/artifact.ts';
import type { Project } from '../../builder/project.ts';
import { createReleases } from '../../builder/release.ts';
import type { Releases } from '../../builder/release.ts';
import type { Revision } from '../../builder/revision.ts';
import { createMemoryBlobStore } from '../support/memory-blob-store.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { collected } from './archive.ts';

const project: Project = { id: 'project1', spaceId: 'space1', name: 'Guestbook', alias: 'guestbook', createdAt: '' };
const revision = { id: 'revision1', contentHash: 'one', projectId: 'project1', spaceId: 'space1', tag: 'crow-qznb', appName: 'Guests', micros: [], developmentReleaseId: 'development1' } as unknown as Revision;

let releases: Releases;
beforeEach(() => {
  let count = 0;
  releases = createReleases(createMemoryStore(), createArtifacts(createMemoryBlobStore()), () => new Date((count += 1)).toISOString());
});

const linesOf = (id: string): Promise<string[]> => collected(releases.logs(id));

describe('a Release', () => {
  test('has a version of its own when none is given, and the texts of the Spacefile', async () => {
    const release = await releases.create({ revision, project });
    expect(release).toMatchObject({
      projectId: 'project1', spaceId: 'space1', revisionId: 'revision1', tag: 'crow-qznb', channel: 'experimental', status: 'complete', listed: false,
      notes: '', version: expect.stringMatching(/^exp-[A-Za-z0-9]{4}$/), discovery: { appName: 'Guests', title: 'Guests', contentRaw: '' }, hasOwnTexts: false,
    });
    expect(release.id).toMatch(/^[a-z][a-z0-9]{15}$/);
  });

  test('that is listed without texts says so in its log, and no longer once they are there', async () => {
    const { id } = await releases.create({ revision, project, listed: true, version: '1.0' });
    expect(await linesOf(id)).toEqual([
      'creating release...', expect.stringContaining('no Discovery.md was sent: the listing shows the name `Guests`'),
      'publishing release, listed in Discovery...', 'released: 1.0 (crow-qznb)',
    ]);
    await releases.putDiscovery(id, { tagline: 'Sign here', contentRaw: '# Hi' });
    expect(await linesOf(id)).toHaveLength(3);
    expect((await releases.get(id)).discovery).toMatchObject({ appName: 'Guests', tagline: 'Sign here', contentRaw: '# Hi', media: [] });
    await releases.putDiscovery(id, { appName: '', title: '', tagline: '', contentRaw: '', media: [] });
    expect(await linesOf(id)).toHaveLength(4);
    expect((await releases.get(id)).discovery).toMatchObject({ appName: 'Guests', title: 'Guests' });
    const quiet = await releases.create({ revision, project });
    expect((await linesOf(quiet.id)).join()).not.toContain('Discovery.md');
  });

  test.each([
    ['notes', { notes: 'x'.repeat(4251) }, 'RELEASE_NOTES_INVALID'], ['a version', { version: 'x'.repeat(65) }, 'INVALID_FIELD'],
    ['a version with a line break', { version: 'a\nb' }, 'INVALID_FIELD'], ['a long tagline', { discovery: { tagline: 'x'.repeat(300) } }, 'INVALID_FIELD'],
    ['a script as homepage', { discovery: { homepage: 'javascript:alert(1)' } }, 'INVALID_FIELD'], ['many media', { discovery: { media: Array(21).fill('x') } }, 'INVALID_FIELD'],
  ] as const)('with %s beyond the limits is refused', async (_, more, code) => {
    await expect(releases.create({ revision, project, ...more })).rejects.toMatchObject({ code });
    expect(await releases.listByProject('project1')).toEqual([]);
  });

  test('takes notes of 4,250 characters, whatever their script', async () => {
    expect((await releases.create({ revision, project, notes: '😀'.repeat(4250) })).notes).toHaveLength(8500);
  });
});

describe('finding', () => {
  test('the latest, listed or not, and only on channel experimental', async () => {
    expect(await releases.latest('project1')).toBeUndefined();
    const first = await releases.create({ revision, project, listed: true });
    const second = await releases.create({ revision, project, listed: false });
    expect((await releases.latest('project1'))?.id).toBe(second.id);
    expect((await releases.latest('project1', { listed: true }))?.id).toBe(first.id);
    await releases.unlist(first.id);
    expect(await releases.latest('project1', { listed: true })).toBeUndefined();
    expect((await releases.latest('project1'))?.id).toBe(second.id);
  });

  test('all of a Project newest first, and all that are listed', async () => {
    const made = [];
    for (const listed of [true, false, true]) made.push(await releases.create({ revision, project, listed }));
    const elsewhere = await releases.create({ revision, project: { ...project, id: 'project2' }, listed: true });
    expect((await releases.listByProject('project1')).map(({ id }) => id)).toEqual(made.map(({ id }) => id).reverse());
    expect((await releases.listByProject('project1', { after: made[2]?.id, limit: 1 })).map(({ id }) => id)).toEqual([made[1]?.id]);
    expect((await releases.listListed()).map(({ id }) => id)).toEqual([elsewhere.id, made[2]?.id, made[0]?.id]);
    await releases.unlistProject('project1');
    expect((await releases.listListed()).map(({ id }) => id)).toEqual([elsewhere.id]);
  });

  test('of another Space finds nothing where a Space is named', async () => {
    const { id } = await releases.create({ revision, project });
    await expect(releases.get(id, 'space2')).rejects.toMatchObject({ code: 'RELEASE_NOT_FOUND' });
    expect((await releases.get(id, 'space1')).id).toBe(id);
    await expect(releases.unlist('nothing')).rejects.toMatchObject({ code: 'RELEASE_NOT_FOUND' });
  });
});

test('screenshots are pictures or web addresses, at five places', async () => {
  const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==', 'base64');
  const { id } = await releases.create({ revision, project });
  await Promise.all([releases.putScreenshot(id, 0, png), releases.putScreenshot(id, 4, { url: 'https://example.com/v' })]);
  expect((await releases.get(id)).screenshots).toMatchObject({ 0: { contentType: 'image/png', hash: expect.any(String) }, 4: { url: 'https://example.com/v' } });
  await expect(releases.putScreenshot(id, 5, png)).rejects.toMatchObject({ code: 'INVALID_FIELD' });
  await expect(releases.putScreenshot(id, 1, Buffer.from('<script>'))).rejects.toMatchObject({ code: 'ICON_INVALID' });
  await expect(releases.putScreenshot(id, 1, { url: 'javascript:1' })).rejects.toMatchObject({ code: 'INVALID_FIELD' });
});

describe('a version', () => {
  const other = { ...revision, id: 'revision2', contentHash: 'two' };

  test('stands for the same bytes for ever, also after its Release was deleted', async () => {
    const { id } = await releases.create({ revision, project, version: '1.0' });
    await expect(releases.create({ revision: other, project, version: '1.0' })).rejects.toMatchObject({ code: 'VERSION_TAKEN' });
    await releases.delete(id);
    await expect(releases.create({ revision: other, project, version: ' 1.0 ' })).rejects.toMatchObject({ code: 'VERSION_TAKEN' });
    expect(await releases.listByProject('project1')).toEqual([]);
  });

  test('may be released again with the same bytes, to change its texts, and by another Project with any', async () => {
    await releases.create({ revision, project, version: '1.0' });
    expect((await releases.create({ revision, project, version: '1.0', notes: 'Better words.' })).version).toBe('1.0');
    expect((await releases.create({ revision: other, project: { ...project, id: 'project2' }, version: '1.0' })).version).toBe('1.0');
  });

  test('of two at once with other bytes goes to one of them', async () => {
    const results = await Promise.allSettled([revision, other].map((each) => releases.create({ revision: each, project, version: '2.0' })));
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await releases.listByProject('project1')).toHaveLength(1);
  });
});
