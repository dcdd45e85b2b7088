// Owns what people are told of each route of the control plane: what it does, what it takes, what it gives. Data only.
// Who may call it, and where it is, comes from the table of routes itself.

/** `string`, `number`, `boolean`, `any`, a shape of core/wire.ts such as `WireApp`, a list such as `WireApp[]`, or fields with
 *  shapes. A field whose name ends in `?` may be left out. */
export type Shape = string | { [field: string]: Shape };

export interface Description {
  summary: string;
  /** Name -> meaning. */
  query?: Record<string, string>;
  /** JSON, or the media type of what is sent as it is. */
  body?: Shape | { media: string };
  /** JSON, or the media type of what comes as it is; `undefined`: no body. */
  answer?: Shape | { media: string; lines?: Shape };
  /** 200 unless given. */
  status?: number;
}

const PAGE_QUERY = { per_page: 'how many at most' };
const FOLLOW = { follow: '`true`: the answer stays open until the job ends' };
const LOG = { media: 'text/plain' };
const ACCEPTED_BUILD: Shape = { build_id: 'string' };
const LIMIT_BODY: Shape = { limit_bytes: 'number' };
const COLLECTION_QUOTA: Shape = { id: 'string', used_bytes: 'number', limit_bytes: 'any' };
const IMPORT: Description = {
  summary: 'Bring the Items and Files of a zip in. The answer is lines: progress, then one report or error',
  query: { dry_run: '`true`: say what would change, and change nothing' }, body: { media: 'application/zip' },
  answer: { media: 'application/x-ndjson', lines: 'WireImportLine' },
};
const EXPORT: Description = { summary: 'All Items and Files as a zip', query: { snapshot: 'id of a snapshot, in place of what is there now' }, answer: { media: 'application/zip' } };

export const DESCRIPTIONS: Readonly<Record<string, Description>> = {
  'GET /api/v0/openapi.json': { summary: 'This description', answer: 'any' },
  'GET /api/v0/health': { summary: 'Whether the host is ready', answer: 'WireHealth' },
  'GET /api/v0/time': { summary: 'Unix seconds as text, for clients that sign requests', answer: LOG },
  'POST /api/v0/setup': { summary: 'Create the owner of the host, with the one-time secret', body: { secret: 'string', username: 'string', password: 'string' }, answer: 'WireSignedUp', status: 201 },
  'POST /api/v0/signup': { summary: 'Create a person, with an invitation', body: { invite: 'string', username: 'string', password: 'string' }, answer: 'WireSignedUp', status: 201 },
  'POST /api/v0/login': { summary: 'Start a session: its cookie comes with the answer', body: { username: 'string', password: 'string' }, answer: 'WireSpace' },
  'POST /api/v0/logout': { summary: 'End the session', status: 204 },
  'GET /api/v0/space': { summary: 'Who is calling', answer: 'WireSpace' },
  'GET /api/v0/metadata': { summary: 'Whether developer mode is on: always', answer: { dev_mode: 'boolean' } },
  'GET /api/v0/space/quota': { summary: 'What the Space stores, and may store', answer: 'WireQuota' },
  'GET /api/v0/invites': { summary: 'Invitations of this host', answer: { invites: 'any' } },
  'POST /api/v0/invites': { summary: 'Invite somebody; single use', body: {}, answer: 'WireInvite', status: 201 },
  'DELETE /api/v0/invites/:invite': { summary: 'Withdraw an invitation', answer: { id: 'string' } },
  'GET /api/v0/tokens': { summary: 'Access tokens', answer: { tokens: 'WireToken[]' } },
  'POST /api/v0/tokens': { summary: 'Make an access token; it is shown this once', body: { name: 'string' }, answer: 'WireNewToken', status: 201 },
  'DELETE /api/v0/tokens/:id': { summary: 'Withdraw an access token' },

  'GET /api/v0/apps': { summary: 'Projects', answer: { apps: 'WireApp[]' } },
  'POST /api/v0/apps': { summary: 'Make a project', body: { name: 'string', 'alias?': 'string' }, answer: 'WireApp', status: 201 },
  'GET /api/v0/apps/:id': { summary: 'A project', answer: 'WireApp' },
  'DELETE /api/v0/apps/:id': { summary: 'Delete it, once its Builder Instance is uninstalled. Copies that others have go on', answer: { id: 'string' } },
  'GET /api/v0/apps/:id/revisions': { summary: 'Its revisions, newest first', query: { ...PAGE_QUERY, last: 'id of the last one of the page before' }, answer: { revisions: 'WireRevision[]', page: 'WirePage' } },
  'GET /api/v0/apps/:id/revisions/tag/:tag': { summary: 'One by its tag', answer: { revision: 'WireRevision' } },
  'GET /api/v0/apps/:id/keys': { summary: 'Data keys of its Builder Instance', answer: { keys: 'WireKey[]' } },
  'POST /api/v0/apps/:id/keys': { summary: 'Make one; it is shown this once', body: { name: 'string' }, answer: 'WireNewKey', status: 201 },
  'POST /api/v0/builds': { summary: 'Begin a push. Manifest, icon and code follow in this order', body: { app_id: 'string', 'tag?': 'string', 'experimental?': 'boolean', 'auto_pwa?': 'boolean' }, answer: { id: 'string' }, status: 202 },
  'GET /api/v0/builds': { summary: 'Builds of a project', query: { app_id: 'id of the project' }, answer: { builds: 'WireBuild[]' } },
  'GET /api/v0/builds/:id': { summary: 'A build', answer: 'WireBuild' },
  'POST /api/v0/builds/:id/manifest': { summary: 'Its Spacefile', body: { media: 'text/plain' }, answer: ACCEPTED_BUILD },
  'POST /api/v0/builds/:id/icon': { summary: 'Its icon', body: { media: 'image/png' }, answer: ACCEPTED_BUILD },
  'POST /api/v0/builds/:id/discovery': { summary: 'For old clients: taken, and left out', body: { media: 'text/plain' }, answer: ACCEPTED_BUILD },
  'POST /api/v0/builds/:id/code': { summary: 'Its source; the build begins', body: { media: 'application/zip' }, answer: ACCEPTED_BUILD },
  'GET /api/v0/builds/:id/logs': { summary: 'Its log', query: FOLLOW, answer: LOG },
  'POST /api/v0/builds/:id/cancel': { summary: 'Give it up', body: {}, answer: { id: 'string' }, status: 202 },

  'POST /api/v0/promotions': {
    summary: 'Release a revision', status: 202, answer: { id: 'string' },
    body: { app_id: 'string', revision_id: 'string', 'version?': 'string', 'release_notes?': 'string', 'discovery_list?': 'boolean', 'channel?': 'string', 'auto_pwa?': 'boolean' },
  },
  'GET /api/v0/promotions': { summary: 'Releases of a revision', query: { revision_id: 'id of the revision', ...PAGE_QUERY }, answer: { promotions: 'WirePromotion[]', page: 'WirePage' } },
  'GET /api/v0/promotions/:id': { summary: 'A release, as the job that makes it', answer: 'WirePromotion' },
  'GET /api/v0/promotions/:id/logs': { summary: 'Its log', query: FOLLOW, answer: LOG },
  'POST /api/v0/promotions/:id/discovery': { summary: 'Its texts, as Discovery.md has them', body: 'WireDiscovery', answer: { release_id: 'string' }, status: 202 },
  'POST /api/v0/promotions/:id/discovery/screenshots/:position': { summary: 'A picture, or the address of one as text/plain', body: { media: 'image/png' }, answer: { release_id: 'string' }, status: 202 },
  'GET /api/v0/releases': { summary: 'Releases of a project', query: { app_id: 'id of the project', ...PAGE_QUERY }, answer: { releases: 'WireRelease[]' } },
  'GET /api/v0/releases/latest': { summary: 'The latest one', query: { app_id: 'id of the project', listed: '`true`: of those that are listed' }, answer: 'WireRelease' },
  'GET /api/v0/releases/:id': { summary: 'A release; whoever has its id may see it', answer: 'WireRelease' },
  'POST /api/v0/releases/:id/unlist': { summary: 'Take it off Discovery', body: {}, answer: 'WireRelease' },
  'DELETE /api/v0/releases/:id': { summary: 'Take a release back that nobody has', answer: { id: 'string' } },
  'DELETE /api/v0/revisions/:id': { summary: 'Take a revision back that nobody has', answer: { id: 'string' } },
  'GET /api/v0/discovery/apps/:author/:alias': { summary: 'The newest listed release of one app, by its author (`@ada`) and its alias', answer: 'WireListedApp' },
  'GET /api/v0/discovery/apps': {
    summary: 'Listed releases', answer: { releases: 'WireRelease[]', page: 'WirePage', total: 'number' },
    query: { search: 'words to look for', sort: '`recent` or `popular`', page: 'which page, from 1', ...PAGE_QUERY },
  },

  'POST /api/v0/installations': { summary: 'Install a release, or update an Instance to it', body: { release_id: 'string', 'instance_id?': 'string', 'skip_check?': 'boolean' }, answer: 'WireInstallation', status: 202 },
  'GET /api/v0/installations': { summary: 'Jobs of the Space', query: { release_id: 'of this release', ...PAGE_QUERY }, answer: { installations: 'WireInstallation[]', page: 'WirePage' } },
  'GET /api/v0/installations/:id': { summary: 'A job', answer: 'WireInstallation' },
  'GET /api/v0/installations/:id/logs': { summary: 'Its log, until it ends', query: FOLLOW, answer: LOG },
  'GET /api/v0/instances': { summary: 'What runs in the Space', query: { app_id: 'of this project', channel: '`development`: the Builder Instance; `experimental`: what was installed', alias: 'with this label', ...PAGE_QUERY }, answer: { instances: 'WireInstance[]' } },
  'GET /api/v0/instances/:id': { summary: 'An Instance', answer: 'WireInstance' },
  'PATCH /api/v0/instances/:id': { summary: 'Give its Micros variables, or it another address. A value that is empty is the app\'s own default', body: { 'micros?': 'any', 'alias?': 'string' }, answer: 'WireInstance' },
  'DELETE /api/v0/instances/:id': { summary: 'Uninstall it', query: { data: '`keep`: as a Collection of its own; `delete`: into the trash' }, answer: { id: 'string', instance_id: 'string', status: 'string' }, status: 202 },
  'GET /api/v0/instances/:id/update': { summary: 'What an update would bring', query: { release_id: 'to this release' }, answer: 'WireUpdate' },
  'GET /api/v0/instances/:id/versions': { summary: 'Versions to go back to', answer: { versions: 'WireVersion[]' } },
  'GET /api/v0/instances/:id/rollback': { summary: 'What going back would do', query: { to: 'id of a version', data: '`keep` or `restore`' }, answer: 'WireRollback' },
  'POST /api/v0/instances/:id/rollback': { summary: 'Go back', body: { 'to?': 'string', 'data?': 'string' }, answer: 'WireInstallation', status: 202 },
  'GET /api/v0/instances/:id/keys': { summary: 'Its data keys and API keys', answer: { keys: 'any' } },
  'POST /api/v0/instances/:id/keys': { summary: 'Make one; it is shown this once', body: { name: 'string', kind: 'string' }, answer: 'WireNewKey', status: 201 },
  'DELETE /api/v0/instances/:id/keys/:name': { summary: 'Withdraw one', query: { kind: '`data` or `api`' }, answer: { name: 'string' } },
  'POST /api/v0/instances/:id/api_keys': { summary: 'Make an API key', body: { name: 'string' }, answer: 'WireNewKey' },
  'GET /api/v0/instances/:id/logs': { summary: 'What its Micros print', query: { follow: '`true`: go on with what comes', micro: 'only this Micro', level: 'this level and what is worse', request_id: 'only what this request made it print' }, answer: { media: 'application/x-ndjson', lines: 'WireLogLine' } },
  'GET /api/v0/instances/:id/export': EXPORT,
  'POST /api/v0/instances/:id/import': IMPORT,
  'PATCH /api/v0/instances/:id/quota': { summary: 'What it may store; null is the default', body: LIMIT_BODY, answer: COLLECTION_QUOTA },
  'GET /api/v0/instances/:id/limits': { summary: 'What it may use', answer: 'WireLimits' },
  'PATCH /api/v0/instances/:instance/limits': { summary: 'Change that, by name; null is the default', body: {}, answer: 'WireLimits' },
  'GET /api/v0/instances/:id/egress': { summary: 'Where it may call', answer: 'WireEgress' },
  'PATCH /api/v0/instances/:id/egress': { summary: 'Change that', body: { policy: 'string', 'hosts?': 'string[]' }, answer: 'WireEgress' },
  'GET /api/v0/instances/:id/domains': { summary: 'Its custom domains, and what proves them', answer: { domains: 'WireDomain[]' } },
  'POST /api/v0/instances/:id/domains': { summary: 'Claim one', body: { domain: 'string' }, answer: 'WireDomain', status: 201 },
  'POST /api/v0/instances/:id/domains/:domain/verify': { summary: 'Look for the proof in the DNS; from then on it leads to the app', body: {}, answer: 'WireDomain' },
  'DELETE /api/v0/instances/:id/domains/:domain': { summary: 'Remove it', answer: { domain: 'string' } },
  'GET /api/v0/actions': { summary: 'What the apps of the Space can be asked to do by name', query: PAGE_QUERY, answer: { actions: 'WireAction[]' } },
  'POST /api/v0/actions/:id/:name': { summary: 'Ask for it, with its inputs', body: 'any', answer: { type: 'string', data: 'any' } },
  'GET /api/v0/instances/:id/schedules': { summary: 'What it does by itself, and when', answer: { schedules: 'WireSchedule[]' } },
  'PATCH /api/v0/instances/:id/schedules/:schedule': { summary: 'Change when, or whether; null is the default', body: { 'interval?': 'string', 'enabled?': 'boolean' }, answer: 'WireSchedule' },
  'POST /api/v0/instances/:id/schedules/:schedule/run': { summary: 'Run it now, and wait for its end', body: {}, answer: 'WireScheduleRun' },
  'GET /api/v0/instances/:id/schedules/:schedule/runs': { summary: 'What became of its runs, newest first', answer: { runs: 'WireScheduleRun[]' } },
  'POST /api/v0/instances/:id/resume': { summary: 'Let its paused Micros run again', body: {}, answer: { id: 'string', paused: 'string[]' } },

  'GET /api/v0/collections': { summary: 'Collections of the Space', answer: { collections: 'WireCollection[]' } },
  'POST /api/v0/collections': { summary: 'Make one without an app', body: { name: 'string' }, answer: 'WireCollection', status: 201 },
  'GET /api/v0/collections/:id': { summary: 'A Collection', answer: 'WireCollection' },
  'DELETE /api/v0/collections/:id': { summary: 'Put one without an app into the trash', answer: { id: 'string' }, status: 202 },
  'GET /api/v0/collections/:id/bases': { summary: 'Its Bases', answer: { bases: 'any' } },
  'GET /api/v0/collections/:id/drives': { summary: 'Its Drives', answer: { drives: 'any' } },
  'GET /api/v0/collections/:id/usage': { summary: 'How much is in it', answer: 'WireUsage' },
  'GET /api/v0/collections/:id/damage': { summary: 'Known damage to it', answer: { damage: 'WireDamage[]' } },
  'DELETE /api/v0/collections/:id/damage': { summary: 'Forget what is known of damage', answer: { damage: 'WireDamage[]' } },
  'POST /api/v0/collections/:id/verify': { summary: 'Read everything, and tell what is damaged', body: {}, answer: 'WireVerified' },
  'GET /api/v0/collections/:id/keys': { summary: 'Its data keys', answer: { keys: 'WireKey[]' } },
  'POST /api/v0/collections/:id/keys': { summary: 'Make one; it is shown this once', body: { name: 'string' }, answer: 'WireNewKey', status: 201 },
  'DELETE /api/v0/collections/:id/keys/:name': { summary: 'Withdraw one', answer: { name: 'string' } },
  'GET /api/v0/collections/:id/snapshots': { summary: 'Moments to go back to', answer: { snapshots: 'WireSnapshot[]' } },
  'POST /api/v0/collections/:id/snapshots': { summary: 'Remember it as it is now', body: { 'note?': 'string' }, answer: 'WireSnapshot', status: 201 },
  'POST /api/v0/collections/:id/snapshots/:snapshot/restore': { summary: 'Put it back; what is there now is put aside', body: {}, answer: { id: 'string', replaced: 'WireSnapshot' } },
  'DELETE /api/v0/collections/:id/snapshots/:snapshot': { summary: 'Forget a snapshot', answer: { id: 'string' } },
  'GET /api/v0/collections/:id/export': EXPORT,
  'POST /api/v0/collections/:id/import': IMPORT,
  'PATCH /api/v0/collections/:id/quota': { summary: 'What it may store; null is the default', body: LIMIT_BODY, answer: COLLECTION_QUOTA },
  'GET /api/v0/trash': { summary: 'What was deleted, for 30 days', answer: { trash: 'WireTrashed[]' } },
  'DELETE /api/v0/trash': { summary: 'Empty the trash', answer: { deleted: 'string[]' } },
  'POST /api/v0/trash/:id/restore': { summary: 'Bring it back, as the app that it was, or as a Collection', body: { 'as?': 'string' }, answer: { collection_id: 'string', instance_id: 'any', url: 'any' } },
  'DELETE /api/v0/trash/:id': { summary: 'Delete it for ever', answer: { deleted: 'string[]' } },

  'GET /api/v0/host': { summary: 'How this machine is, and how well it contains apps', answer: 'WireHost' },
  'GET /api/v0/spaces': { summary: 'Everybody on this host', answer: { spaces: 'any' } },
  'PATCH /api/v0/spaces/:space/quota': { summary: 'What a Space may store; null is the default', body: LIMIT_BODY, answer: 'WireQuota' },
  'PATCH /api/v0/spaces/:space/cordon': { summary: 'Who shares a process: each Instance alone, or a Space together', body: { cordon: 'string' }, answer: { id: 'string', cordon: 'string' } },
};
