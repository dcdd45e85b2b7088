import { expect, test } from 'vitest';
import { type permissionsOf, revisionChanges } from '../../../runtime/instance/revision-diff.ts';

type Micro = Parameters<typeof permissionsOf>[0][number];
const micro = (name: string, more: Partial<Micro> = {}): Micro => ({
  name, engine: 'static', path: name === 'web' ? '/' : `/${name}`, runs: 'static', publicRoutes: [], provideActions: false, actions: [], presets: { env: [], apiKeys: false }, ...more,
});
const told = (before: Micro[], after: Micro[]): string[] => revisionChanges(before, after).map(({ kind, change, what, before: was, after: is }) => `${kind} ${change} ${what}: ${was} > ${is}`);
const action = (id: string, defaultInterval: string): Micro['actions'][number] => ({ id, name: id, description: '', trigger: 'schedule', defaultInterval });
const variable = (name: string, value?: string): Micro['presets']['env'][number] => ({ name, description: '', ...(value !== undefined && { default: value }) });

test('nothing is different between a version and itself', () => {
  const same = [micro('web', { publicRoutes: ['/*'], actions: [action('a', '1 day')], presets: { env: [variable('X', '1')], apiKeys: true } })];
  expect(revisionChanges(same, same)).toEqual([]);
});

test.each([
  ['a Micro more', [micro('web')], [micro('web'), micro('api')], ['micro added api: null > /api']],
  ['a Micro less', [micro('web'), micro('api', { publicRoutes: ['/*'] })], [micro('web')], ['permission removed Show some of its pages to people who are not signed in.: Show some of its pages to people who are not signed in. > null', 'micro removed api: /api > null']],
  ['another path', [micro('api')], [micro('api', { path: '/v2' })], ['path changed api: /api > /v2']],
  ['another engine', [micro('api')], [micro('api', { engine: 'react' })], ['engine changed api: static > react']],
  ['a route that is closed', [micro('api', { publicRoutes: ['/a', '/b'] })], [micro('api', { publicRoutes: ['/b'] })], ['public_route removed /api/a: /api/a > null']],
  ['a schedule at another interval', [micro('web', { actions: [action('a', '1 day')] })], [micro('web', { actions: [action('a', '0 * * * *')] })], ['schedule changed a: 1 day > 0 * * * *']],
  ['variables', [micro('web', { presets: { env: [variable('A', '1'), variable('B')], apiKeys: false } })], [micro('web', { presets: { env: [variable('A', '2'), variable('C', 'x')], apiKeys: false } })], ['env changed A: 1 > 2', 'env added C: null > x', 'env removed B:  > null']],
  ['App Actions', [micro('web')], [micro('web', { provideActions: true })], ['app_actions added web: null > yes']],
] as [string, Micro[], Micro[], string[]][])('%s', (_, before, after, expected) => {
  expect(told(before, after)).toEqual(expected);
});

test('what opens the app to others comes first, wherever it stands in the Spacefile', () => {
  const after = [micro('web', { presets: { env: [variable('A')], apiKeys: true } }), micro('api', { runs: 'isolate', engine: 'isolate', publicRoutes: ['/open', '/*'] })];
  const changes = revisionChanges([micro('web')], after);
  expect(changes.map(({ kind }) => kind)).toEqual(['public_route', 'public_route', 'permission', 'permission', 'permission', 'micro', 'env', 'api_keys']);
  expect(changes[0]?.text).toBe('`/api/open` is open to everybody from now on, without signing in.');
  expect(changes[2]?.text).toBe('It may from now on: Run code on this host, and call services on the internet.');
});
