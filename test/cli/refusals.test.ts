// Covers what our CLI says when a host refuses: wrong tokens, other people's projects, what is gone, what is taken. Each says
// what happened and what to do, and ends with 1.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestHost, STATIC_FILES, type Person, type TestHost } from '../support/start-host.ts';
import { makeWorkplace, runSpace, type Ran, type Workplace } from './run-space.ts';

let space: TestHost;
let place: Workplace;
let project: string;

beforeAll(async () => {
  space = await startTestHost();
  place = await makeWorkplace(STATIC_FILES);
  expect(await as(space.owner, ['new', '--name', 'refused'])).toMatchObject({ code: 0 });
  project = (await space.owner.call('GET /apps')).json<{ apps: { id: string }[] }>().apps[0]?.id as string;
  expect(await as(space.owner, ['push', '--tag', 'first'])).toMatchObject({ code: 0 });
}, 60_000);
afterAll(async () => {
  await place[Symbol.asyncDispose]();
  await space.close();
});

function withToken(token: string, argv: string[]): Promise<Ran> {
  return runSpace(place, argv, { env: { SPACE_ROOT: `${space.url}/api`, SPACE_ACCESS_TOKEN: token } });
}

function as(person: Person, argv: string[]): Promise<Ran> {
  return withToken(person.accessToken, argv);
}

describe('a token', () => {
  const invalid = /access token is not valid[^]*Create a new one[^]*space login/;

  test.each([['of nobody', `${'a'.repeat(8)}_${'b'.repeat(32)}`], ['without a secret', 'aaaaaaaa'], ['of three parts', 'a_b_c']])('%s', async (_, token) => {
    const ran = await withToken(token, ['push']);
    expect(ran.code).toBe(1);
    expect(ran.err).toMatch(invalid);
  });

  test('that was revoked, with the secret of another, and with half of its own', async () => {
    const { id, access_token: token } = (await space.owner.call('POST /tokens', { name: 'x' })).json<{ id: string; access_token: string }>();
    expect(await withToken(token, ['instances'])).toMatchObject({ code: 0 });
    expect((await withToken(token.slice(0, -1), ['instances'])).err).toMatch(invalid);
    expect((await withToken(`${id}_${space.member.accessToken.split('_')[1]}`, ['instances'])).err).toMatch(invalid);
    await space.owner.call(`DELETE /tokens/${id}`);
    expect((await withToken(token, ['instances'])).err).toMatch(invalid);
  });
});

describe('what is another person\'s, gone or taken', () => {
  test.each([
    ['a push of another person\'s project', ['push', '--id', 'PROJECT'], /project does not exist, or is not yours[^]*space link --id ID/],
    ['a release of another person\'s project', ['release', '--id', 'PROJECT', '--confirm'], /project does not exist, or is not yours/],
    ['a link to another person\'s project', ['link', '--id', 'PROJECT'], /project does not exist, or is not yours/],
  ] as [string, string[], RegExp][])('%s', async (_, argv, expected) => {
    const ran = await as(space.member, argv.map((arg) => (arg === 'PROJECT' ? project : arg)));
    expect(ran.code).toBe(1);
    expect(ran.err).toMatch(expected);
  });

  test.each([
    [['snapshot', 'restore', 'never'], /snapshot does not exist[^]*space snapshot list/], [['trash', 'restore', 'never'], /not in the trash[^]*space trash list/], [['rollback', '--to', 'never', '--yes'], /What to do: /],
    [['export', '--out', '/nowhere/at/all.zip'], /There is no folder \/nowhere\/at\.[^]*--out/],
  ])('%j says where to look', async (argv, expected) => {
    expect(await as(space.owner, argv)).toMatchObject({ code: 1, err: expect.stringMatching(expected) });
  });

  test('a log without a line says so, and `space dev` without a Spacefile starts nothing', async () => {
    expect(await as(space.owner, ['logs', '--request', 'never'])).toMatchObject({ code: 0, out: '', err: 'refused printed nothing like that yet.\n' });
    await using bare = await makeWorkplace();
    expect(await runSpace(bare, ['dev'])).toMatchObject({ code: 1, err: expect.stringContaining('Spacefile not found') });
  });

  test('a tag that is taken', async () => {
    const ran = await as(space.owner, ['push', '--tag', 'first']);
    expect(ran.code).toBe(1);
    expect(ran.err).toMatch(/tag `first` exists already[^]*Choose another --tag/);
  });

  test('a revision that never was, and one that was deleted', async () => {
    expect((await as(space.owner, ['release', '--rid', 'never'])).err).toContain('This revision does not exist, or is not yours.');
    expect(await as(space.owner, ['push', '--tag', 'gone'])).toMatchObject({ code: 0 });
    expect(await as(space.owner, ['push', '--tag', 'stays'])).toMatchObject({ code: 0 });
    const { revisions } = (await space.owner.call(`GET /apps/${project}/revisions`)).json<{ revisions: { id: string; tag: string }[] }>();
    expect((await space.owner.call(`DELETE /revisions/${revisions.find(({ tag }) => tag === 'gone')?.id}`)).status).toBe(200);
    const ran = await as(space.owner, ['release', '--rid', 'gone']);
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('The revision `gone` was deleted by its developer');
  });
});

test('five pushes at once of a new project all end, on one Builder Instance; of two with one tag, one', async () => {
  await using own = await makeWorkplace(STATIC_FILES);
  const env = { SPACE_ROOT: `${space.url}/api`, SPACE_ACCESS_TOKEN: space.owner.accessToken };
  expect(await runSpace(own, ['new', '--name', 'at-once'], { env })).toMatchObject({ code: 0 });
  const ran = await Promise.all([1, 2, 3, 4, 5].map((n) => runSpace(own, ['push', '--tag', `t${n}`], { env })));
  for (const { code, err } of ran) expect(code, err).toBe(0);
  const urls = ran.map(({ out }) => /Builder Instance: (\S+)/.exec(out)?.[1]);
  expect(new Set(urls).size).toBe(1);
  expect(urls[0]).toMatch(/^http:\/\/at-once-/);
  const same = await Promise.all([1, 2].map(() => runSpace(own, ['push', '--tag', 'same'], { env })));
  expect(same.map(({ code }) => code).toSorted()).toEqual([0, 1]);
});

test('after a year the host says that a token has expired, and since when', async () => {
  space.clock.advance(366 * 86_400_000);
  const ran = await as(space.owner, ['instances']);
  expect(ran.code).toBe(1);
  expect(ran.err).toMatch(/access token expired on \d{4}-\d\d-\d\d\. Create a new one[^]*space login/);
});
