// Owns one full view for each page: every optional field filled, so that a walk over it reaches every field there is.
import { collectionPage, type CollectionView } from '../../dashboard/pages/collection.ts';
import { collectionsPage, type CollectionsView } from '../../dashboard/pages/collections.ts';
import { discoveryPage, type DiscoveryView } from '../../dashboard/pages/discovery.ts';
import { errorPage, troublePage, unknownHostPage, type ErrorView, type TroubleView, type UnknownHostView } from '../../dashboard/pages/error.ts';
import { homePage, type HomeView } from '../../dashboard/pages/home.ts';
import { hostPage, type HostView } from '../../dashboard/pages/host.ts';
import { installingPage, type InstallingView } from '../../dashboard/pages/installing.ts';
import { actionsPage, type ActionsView } from '../../dashboard/pages/instance/actions.ts';
import { dataPage, type DataView } from '../../dashboard/pages/instance/data.ts';
import type { InstanceFrame } from '../../dashboard/pages/instance/frame.ts';
import { logsPage, type LogsView } from '../../dashboard/pages/instance/logs.ts';
import { overviewPage, type OverviewView } from '../../dashboard/pages/instance/overview.ts';
import { schedulesPage, type SchedulesView } from '../../dashboard/pages/instance/schedules.ts';
import { settingsPage, type SettingsView } from '../../dashboard/pages/instance/settings.ts';
import { versionsPage, type VersionsView } from '../../dashboard/pages/instance/versions.ts';
import { acceptInvitePage, invitesPage, type AcceptInviteView, type InvitesView } from '../../dashboard/pages/invite.ts';
import { continuePage, loginPage, type ContinueView, type LoginView } from '../../dashboard/pages/login.ts';
import { releasePage, type ReleaseView } from '../../dashboard/pages/release.ts';
import { setupDonePage, setupPage, type SetupView } from '../../dashboard/pages/setup.ts';
import { tokensPage, type TokensView } from '../../dashboard/pages/tokens.ts';
import { uninstallPage, type UninstallView } from '../../dashboard/pages/uninstall.ts';
import { rollbackPage, type RollbackView } from '../../dashboard/pages/rollback.ts';
import { trashPage, type TrashView } from '../../dashboard/pages/trash.ts';
import { updatePage, type UpdateView } from '../../dashboard/pages/update.ts';
import type { Chrome } from '../../dashboard/layout.ts';

/** A page and a view, its type forgotten so that a test may put anything into any field. */
export interface Case { name: string; view: object; render: (view: object) => string }

const page = <V extends object>(name: string, render: (view: V) => string, view: V): Case =>
  ({ name, view, render: render as (view: object) => string });

const chrome = { person: { name: 'ada', isOwner: true }, warning: 'No sandbox on this host.' };
const time = '2026-11-20T10:00:00.000Z';
const url = 'http://guestbook-a1234567.localhost:4400/';
const iconUrl = '/icons/abc';
const update = { releaseId: 'r2', version: '1.1.0', notes: 'Faster.\nNicer.' };
const lines: LogsView['lines'] = [
  { time, micro: 'api', level: 'error', text: 'TypeError: x\n  at y', requestId: 'q1' },
  { time, micro: 'web', level: 'info', text: 'fine', requestId: null },
];
const homeApps: HomeView['apps'] = [
  { id: 'i1', name: 'Guestbook', url, iconUrl, state: 'ready', builder: false, version: '1.0.0', update },
  { id: 'i2', name: 'Photos', url, state: 'installing', builder: false, version: '2', installationId: 'j1' },
  { id: 'i3', name: 'Ledger', url, state: 'failed', builder: true, version: 'otter-x1y2' },
];
const instance: InstanceFrame['instance'] = { id: 'i1', name: 'Guestbook', url, iconUrl, state: 'ready', builder: true, version: '1.0.0', hasSchedules: true, hasActions: true };
const release: ReleaseView['release'] = {
  id: 'r1', name: 'Guestbook', title: 'Guestbook for all', tagline: 'Leave a line.', version: '1.1.0', notes: 'Faster.', author: 'ada', iconUrl, listed: false, releasedAt: time,
  about: 'A book for guests.', color: '#a1b2c3', homepage: 'https://example.org/', git: 'https://git.example/x', portedFrom: 'https://example.net/', worksWith: ['Photos', 'Ledger'],
  screenshots: ['/r/r1/screenshots/0'], media: ['https://example.com/film'],
};
const releaseMore = { installs: 3, versions: [{ id: 'r0', version: '1.0.0', releasedAt: time }] };
const shelf: Pick<DiscoveryView, 'releases'> = { releases: [{ id: 'r1', name: 'Guestbook', tagline: 'Leave a line.', version: '1.1.0', author: 'ada', iconUrl, installs: 2 }] };
const app = { id: 'i1', name: 'Guestbook', iconUrl };
const installation = (status: InstallingView['installation']['status']): InstallingView =>
  ({ ...chrome, installation: { id: 'j1', status, step: 'Starting', error: 'It threw.', kind: 'update' }, app, url, retryPath: '/r/r1/install', unchecked: { path: '/apps/i1/update', releaseId: 'r2' } });

const contents: Pick<CollectionView, 'bases' | 'drives'> = { bases: [{ name: 'notes', items: 1, bytes: 20 }], drives: [{ name: 'photos', files: 2, bytes: 2e6 }] };
const imported: CollectionView['imported'] = { isRehearsal: true, bases: [{ name: 'notes', added: 1, changed: 2, unchanged: 3 }], drives: [{ name: 'photos', added: 1, changed: 0, unchanged: 0 }], ignored: ['x.txt'] };

export const CASES: readonly Case[] = [
  page<SetupView>('setup', setupPage, { ...chrome, secret: 's3cret', error: 'Wrong.', username: 'ada' }),
  page<SetupView>('setup without a secret', setupPage, { secret: '' }),
  page<Chrome>('setup done', setupDonePage, chrome),
  page<LoginView>('login', loginPage, { ...chrome, next: url, error: 'Wrong.', username: 'ada', appName: 'Guestbook' }),
  page<LoginView>('login, bare', loginPage, {}),
  page<ContinueView>('on to an app', continuePage, { appName: 'Guestbook', domain: 'notes.example', url: '/login?redirect_uri=x' }),
  page<HomeView>('home', homePage, { ...chrome, apps: homeApps, message: 'Done.' }),
  page<HomeView>('home, empty', homePage, { ...chrome, apps: [] }),
  page<ReleaseView>('release', releasePage, { ...chrome, ...releaseMore, release, installed: [], permissions: ['Keep its own data.'] }),
  page<ReleaseView>('release, own', releasePage, { ...chrome, ...releaseMore, release: { ...release, listed: true }, isOwn: true, installed: [], permissions: [] }),
  page<ReleaseView>('release, own and not listed', releasePage, { ...chrome, release, isOwn: true, installed: [], permissions: [] }),
  page<ReleaseView>('release, withdrawn', releasePage, { ...chrome, release, isWithdrawn: true, installed: [], permissions: [] }),
  page<ReleaseView>('release, installed', releasePage, {
    ...chrome, release, permissions: [], installed: [{ id: 'i1', url, version: '1.0.0', upToDate: false }, { id: 'i2', url, version: '1.1.0', upToDate: true }],
  }),
  page<ReleaseView>('release, signed out', releasePage, { release, installed: [], permissions: [] }),
  page<InstallingView>('installing', installingPage, installation('running')),
  page<InstallingView>('installed', installingPage, installation('complete')),
  page<InstallingView>('not installed', installingPage, installation('failed')),
  page<OverviewView>('instance', overviewPage, {
    ...chrome, instance, createdAt: time, collectionId: 'c1', update, logs: lines, micros: [{ name: 'web', engine: 'static', path: '/', primary: true }],
    paused: [{ micro: 'web', reason: 'It had to be stopped 3 times.', at: time }],
  }),
  page<VersionsView>('versions', versionsPage, { ...chrome, instance, notes: 'The first.', update, earlier: [{ id: 'j1', version: '1.0.0', leftAt: time, hasData: true }, { id: 'j2', version: '0.9.0', leftAt: time, hasData: false }] }),
  page<SchedulesView>('schedules', schedulesPage, {
    ...chrome, instance, schedules: [
      {
        id: 'clean', name: 'Clean up', description: 'Throws away.', micro: 'web', interval: '1 hour', defaultInterval: '2 hours', enabled: true, next: time, following: time, error: 'Wrong.',
        runs: (['running', 'ok', 'failed', 'skipped', 'interrupted'] as const).map((outcome) => ({ startedAt: time, trigger: 'catch-up', outcome, durationMs: 12, requestId: 'q1', error: 'It answered 500' })),
      },
      { id: 'off', name: 'Report', description: '', micro: 'api', interval: '0 10 * * *', defaultInterval: '0 10 * * *', enabled: false, runs: [] },
    ],
  }),
  page<SettingsView>('settings', settingsPage, {
    ...chrome, instance, problems: { keys: 'Wrong.', egress: 'Wrong too.', env: 'Wrong name.', address: 'Taken.', limits: 'Too much.' }, address: { label: 'guestbook-a1', behind: '.localhost:4400' }, takesApiKeys: true,
    domains: [{ domain: 'xn--bcher-kva.example', shown: 'bücher.example', isActive: false, problem: null, txt: { name: '_ownspace.x', value: 'ownspace=y' } }, { domain: 'a.example', shown: 'a.example', isActive: true, problem: 'Its TXT record was not found.', txt: { name: 'n', value: 'v' } }],
    env: [{ micro: 'web', values: [{ name: 'TOKEN', description: 'Of the service.', value: 'a\nb', fallback: 'none' }] }, { micro: 'api', values: [{ name: 'TOKEN', description: '', value: '' }] }],
    limits: [{ name: 'wallMs', meaning: 'time', unit: 'ms', value: 20_000, isSet: true }, { name: 'heapMb', meaning: 'memory', unit: 'MB', value: 128, isSet: false }], egress: { policy: 'list', hosts: ['api.example.org', '*.example.net'], total: 12, refused: 1 },
    keys: [{ name: 'backup', kind: 'data', createdAt: time, lastUsedAt: time }, { name: 'x', kind: 'api', createdAt: time, lastUsedAt: null }], created: { name: 'backup', kind: 'api', value: 'c1_secret' },
  }),
  page<DataView>('data', dataPage, { ...chrome, instance, collectionId: 'c1', ...contents, imported, importError: 'No zip.' }),
  page<ActionsView>('actions', actionsPage, {
    ...chrome, instance, actions: [
      {
        name: 'save', title: 'Save a note', micro: 'web', error: 'Wrong.', output: { type: '@deta/raw', data: { kept: ['a', 1] } },
        input: [{ name: 'text', type: 'string', optional: false, value: 'milk' }, { name: 'count', type: 'number', optional: true, value: '2' }, { name: 'pin', type: 'boolean', optional: true, value: 'true' }, { name: 'loud', type: 'boolean', optional: false }],
      },
      { name: 'look', title: 'Look', micro: 'web', input: [], output: { type: '@deta/detail', data: { title: 'One', text: 'Text.', url: 'https://example.org/', image_url: 'https://example.org/a.png' } } },
      { name: 'file', title: 'File', micro: 'web', input: [], output: { type: '@deta/file', data: { url: 'https://example.org/f', name: 'f.txt', type: 'text/plain' } } },
      { name: 'list', title: 'List', micro: 'web', input: [], output: { type: '@deta/list', data: { title: 'All', description: 'Of them.', items: [{ title: 'One', description: 'First.', url: 'https://example.org/1' }, 'odd'] } } },
      { name: 'text', title: 'Text', micro: 'web', input: [], output: { type: 'own-card', data: 'plain' } },
    ],
  }),
  page<ActionsView>('actions, not known', actionsPage, { ...chrome, instance, actions: [] }),
  page<DataView>('data, empty', dataPage, { ...chrome, instance, collectionId: 'c1', bases: [], drives: [] }),
  page<HostView>('host', hostPage, {
    ...chrome, version: '0.1.0', cells: { running: 2, ready: 2, usedMb: 80, limitMb: 8000 },
    boxes: { level: 'soft', findings: [{ what: 'sees no process', holds: true, detail: 'sees 2' }] }, programs: { running: 1, frozen: 1, usedMb: 20, limitMb: 512 },
    sandbox: { level: 'full', findings: [{ what: 'has no network', holds: true, detail: 'EPERM' }, { what: 'is not root', holds: false, detail: 'root' }] },
    spaces: [{ id: 's1', name: 'ada', cordon: 'instance' }, { id: 's2', name: 'bob', cordon: 'space' }],
  }),
  page<LogsView>('logs', logsPage, { ...chrome, instance, micros: ['web', 'api'], filter: { micro: 'api', level: 'warn', requestId: 'q1' }, lines }),
  page<LogsView>('logs, empty', logsPage, { ...chrome, instance, micros: [], filter: {}, lines: [] }),
  page<UninstallView>('uninstall', uninstallPage, { ...chrome, app }),
  page<UpdateView>('update', updatePage, {
    ...chrome, app, from: '1.0.0', to: '1.1.0', releaseId: 'r2', notes: [{ version: '1.1.0', text: 'Faster.' }, { version: '1.0.5', text: '' }],
    changes: [{ text: '`/x` is open to everybody.', isOpening: true }, { text: '`api` goes.', isOpening: false }],
  }),
  page<UpdateView>('update, nothing different', updatePage, { ...chrome, app, from: '1.0.0', to: '1.1.0', releaseId: 'r2', notes: [{ version: '1.1.0', text: '' }], changes: [] }),
  page<RollbackView>('rollback', rollbackPage, { ...chrome, app, from: '1.1.0', to: { id: 'j1', version: '1.0.0' }, keep: 'They stay.', restore: 'They go back.' }),
  page<RollbackView>('rollback, data gone', rollbackPage, { ...chrome, app, from: '1.1.0', to: { id: 'j1', version: '1.0.0' }, keep: 'They stay.' }),
  page<TrashView>('trash', trashPage, {
    ...chrome, message: 'Old is back.', error: 'Wrong.',
    things: [{ id: 'c1', kind: 'app', name: 'Guestbook', version: '1.0.0', trashedAt: time, deletedAt: time }, { id: 'c2', kind: 'collection', name: 'Old', trashedAt: time, deletedAt: time }],
  }),
  page<TrashView>('trash, empty', trashPage, { ...chrome, things: [] }),
  page<InvitesView>('invites', invitesPage, {
    ...chrome, created: { url }, invites: [{ id: 'i1', createdAt: time, expiresAt: time, used: false }, { id: 'i2', createdAt: time, expiresAt: time, used: true }],
  }),
  page<AcceptInviteView>('accept invite', acceptInvitePage, { ...chrome, invite: 'abc', error: 'Wrong.', username: 'bob' }),
  page<TokensView>('tokens', tokensPage, {
    ...chrome, spaceRoot: 'http://localhost:4400/api', created: { name: 'ci', access_token: 'aaaa_bbbb' }, error: 'Wrong.',
    tokens: [{ id: 't1', name: 'laptop', createdAt: time, lastUsedAt: time }, { id: 't2', name: 'ci', createdAt: time, lastUsedAt: null }],
  }),
  page<CollectionsView>('collections', collectionsPage, { ...chrome, collections: [{ id: 'c1', name: 'Old', createdAt: time }], error: 'Too long.' }),
  page<CollectionsView>('collections, none', collectionsPage, { ...chrome, collections: [] }),
  page<CollectionView>('collection', collectionPage, {
    ...chrome, ...contents, imported, importError: 'No zip.', keyError: 'Taken.', dataUrl: 'http://localhost:4400/base/v1/', collection: { id: 'c1', name: 'Old', createdAt: time },
    keys: [{ name: 'backup', createdAt: time, lastUsedAt: time }, { name: 'x', createdAt: time, lastUsedAt: null }], created: { name: 'backup', value: 'c1_secret' },
  }),
  page<DiscoveryView>('discovery', discoveryPage, { ...chrome, ...shelf, search: 'guest', sort: 'recent', page: 2, pages: 3 }),
  page<DiscoveryView>('discovery, popular', discoveryPage, { ...chrome, ...shelf, search: '', sort: 'popular', page: 1, pages: 1 }),
  page<DiscoveryView>('discovery, empty', discoveryPage, { ...chrome, releases: [], search: '', sort: 'popular', page: 1, pages: 0 }),
  page<DiscoveryView>('discovery, nothing found', discoveryPage, { ...chrome, releases: [], search: 'none', sort: 'popular', page: 1, pages: 0 }),
  page<ErrorView>('error', errorPage, { ...chrome, status: 404, title: 'Nothing is here', message: 'Gone.', requestId: 'q1', signedIn: true }),
  page<UnknownHostView>('unknown host', unknownHostPage, { host: 'x.localhost', dashboardUrl: url }),
  page<TroubleView>('trouble', troublePage, { appName: 'Guestbook', trouble: 'paused', reason: 'Too much memory.', dashboardUrl: url, requestId: 'q1' }),
];

/** A copy of `view` in which `change` saw every string, with its path such as `apps.0.name`. */
export function mapStrings(view: unknown, change: (text: string, path: string) => string, path = ''): unknown {
  if (typeof view === 'string') return change(view, path);
  if (Array.isArray(view)) return view.map((each, index) => mapStrings(each, change, `${path}.${index}`));
  if (view === null || typeof view !== 'object') return view;
  return Object.fromEntries(Object.entries(view).map(([key, value]) => [key, mapStrings(value, change, path ? `${path}.${key}` : key)]));
}

/** Paths of all strings in a view. */
export function stringPaths(view: unknown): string[] {
  const paths: string[] = [];
  mapStrings(view, (text, path) => (paths.push(path), text));
  return paths;
}
