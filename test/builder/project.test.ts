import { beforeEach, expect, test } from 'vitest';
import { createProjects, PROJECTS_MAX } from '../../builder/project.ts';
import type { Projects } from '../../builder/project.ts';
import { createMemoryStore } from '../support/memory-store.ts';

let projects: Projects;
beforeEach(() => {
  let count = 0;
  projects = createProjects(createMemoryStore(), () => new Date((count += 1)).toISOString());
});

test.each([
  ['Guestbook', 'guestbook'], ['My Äpp  2', 'my-app-2'], ['--x__y--', 'x-y'], ['日本語版', 'project'], ['O\u2019Neil', 'o-neil'],
])('the alias of %j is %j', async (name, alias) => {
  expect(await projects.create({ spaceId: 's1', name })).toMatchObject({ name, alias, spaceId: 's1', id: expect.stringMatching(/^[a-z][a-z0-9]{11}$/) });
});

test.each(['abc', '', '   abc   ', 'x'.repeat(17), 'new\nline', 'null\0byte'])('the name %j is refused', async (name) => {
  await expect(projects.create({ spaceId: 's1', name })).rejects.toMatchObject({ code: 'PROJECT_NAME_INVALID', status: 400 });
});

test('an alias is used once on the host, also when asked for at once', async () => {
  const made = await Promise.all(['s1', 's1', 's2', 's3'].map((spaceId) => projects.create({ spaceId, name: 'Guestbook' })));
  expect(made.map((project) => project.alias).sort()).toEqual(['guestbook', 'guestbook-1', 'guestbook-2', 'guestbook-3']);
  await projects.delete(made[0]?.id as string);
  expect(await projects.create({ spaceId: 's9', name: 'guestbook' })).toMatchObject({ alias: made[0]?.alias });
});

test('only its own Space gets it, in the order of creation', async () => {
  const names = ['Zebra', 'Apple', 'Mango'];
  for (const name of names) await projects.create({ spaceId: 's1', name });
  const other = await projects.create({ spaceId: 's2', name: 'Other' });
  expect((await projects.listBySpace('s1')).map((project) => project.name)).toEqual(names);
  expect(await projects.get(other.id, 's2')).toEqual(other);
  await expect(projects.get(other.id, 's1')).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' });
  await expect(projects.get('nothing')).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' });
});

test('a Space has a limited number of them', async () => {
  for (let count = 0; count < PROJECTS_MAX; count += 1) await projects.create({ spaceId: 's1', name: `app ${count}` });
  await expect(projects.create({ spaceId: 's1', name: 'too many' })).rejects.toMatchObject({ code: 'COUNT_LIMIT' });
  expect(await projects.create({ spaceId: 's2', name: 'of another' })).toMatchObject({ alias: 'of-another' });
});
