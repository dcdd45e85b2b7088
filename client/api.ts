// Owns the control plane's endpoints as typed functions: path, body and answer of each. Must not know who calls.
import type {
  WireAction, WireApp, WireBuild, WireChannel, WireCollection, WireDiscovery, WireEnv, WireHealth, WireImportLine, WireInstallation, WireInstance, WireInvite,
  WireKey, WireLogLine, WireNewKey, WireNewToken, WirePage, WirePromotion, WireRelease, WireRevision, WireSignedUp, WireSchedule, WireScheduleRun, WireSnapshot,
  WireDamage, WireRollback, WireSpace, WireToken, WireTrashed, WireUpdate, WireVerified, WireVersion,
} from '../core/wire.ts';
import { readLines } from './lines.ts';
import { createTransport } from './transport.ts';
import type { CallOptions, Transport, TransportOptions } from './transport.ts';

export interface Credentials { username: string; password: string }
export interface NewBuild { app_id: string; tag: string; experimental: boolean; auto_pwa: boolean }
export interface NewPromotion {
  revision_id: string; app_id: string; version: string; release_notes: string; description: string;
  channel: WireChannel; discovery_list: boolean; auto_pwa: boolean;
}
/** As it is sent; what the developer did not give is empty. */
export type NewDiscovery = Omit<WireDiscovery, 'media' | 'works_with'> & { media: string[] | null; works_with: string[] | null };
export interface PresetChange { id: string; name: string; presets: { env: WireEnv[] } }
type Bytes = Blob | Uint8Array<ArrayBuffer>;

export type Api = ReturnType<typeof createApi>;

/** All endpoints of one host for one credential. */
export function createApi(options: TransportOptions) {
  const transport = createTransport(options);
  const endpoint = createEndpoint(transport, options.signal);
  return {
    root: transport.root,
    transport,
    ...people(endpoint),
    ...projects(endpoint),
    ...builds(endpoint),
    ...releases(endpoint),
    ...instances(endpoint),
    ...collections(endpoint),
    ...archives(endpoint),
    ...snapshots(endpoint),
    ...trash(endpoint),
  };
}

type Endpoint = ReturnType<typeof createEndpoint>;
type Query = NonNullable<CallOptions['query']>;

function createEndpoint(transport: Transport, signal?: AbortSignal) {
  return {
    get: <Answer>(path: string, query?: Query) => transport.call<Answer>('GET', path, { query }),
    post: <Answer>(path: string, json: unknown) => transport.call<Answer>('POST', path, { json }),
    patch: <Answer>(path: string, json: unknown) => transport.call<Answer>('PATCH', path, { json }),
    remove: <Answer>(path: string, query?: Query) => transport.call<Answer>('DELETE', path, { query }),
    upload: <Answer>(path: string, body: Bytes | string, contentType: string) =>
      transport.call<Answer>('POST', path, { body, contentType }),
    open: (method: string, path: string, call?: CallOptions) => transport.open(method, path, call),
    /** Lines of a log; with `follow` until the job ends. */
    async *lines(path: string, follow: boolean, query: Query = {}): AsyncGenerator<string> {
      yield* readLines(await transport.open('GET', path, { query: { ...query, ...(follow ? { follow: true } : {}) } }), signal);
    },
  };
}

const id = encodeURIComponent;

function people({ get, post, remove, open }: Endpoint) {
  return {
    health: () => get<WireHealth>('/v0/health'),
    getSpace: () => get<WireSpace>('/v0/space'),
    setUp: (body: Credentials & { secret: string }) => post<WireSignedUp>('/v0/setup', body),
    invite: () => post<WireInvite>('/v0/invites', {}),
    signUp: (body: Credentials & { invite: string }) => post<WireSignedUp>('/v0/signup', body),
    logIn: (body: Credentials) => openSession(open, body),
    logOut: () => post<void>('/v0/logout', {}),
    createToken: (name: string) => post<WireNewToken>('/v0/tokens', { name }),
    listTokens: () => get<{ tokens: WireToken[] }>('/v0/tokens'),
    deleteToken: (tokenId: string) => remove<void>(`/v0/tokens/${id(tokenId)}`),
  };
}

/** The session cookies of a sign-in, as the value of a `Cookie` header. */
async function openSession(open: Endpoint['open'], body: Credentials): Promise<string> {
  const response = await open('POST', '/v0/login', { json: body });
  await response.body?.cancel();
  return response.headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ');
}

function projects({ get, post }: Endpoint) {
  return {
    createProject: (name: string) => post<WireApp>('/v0/apps', { name, alias: '' }),
    listProjects: () => get<{ apps: WireApp[] }>('/v0/apps'),
    getProject: (projectId: string) => get<WireApp>(`/v0/apps/${id(projectId)}`),
    listProjectKeys: (projectId: string) => get<{ keys: WireKey[] }>(`/v0/apps/${id(projectId)}/keys`),
    createProjectKey: (projectId: string, name: string) => post<WireNewKey>(`/v0/apps/${id(projectId)}/keys`, { name }),
    /** Newest first. */
    listRevisions: (projectId: string, perPage = 5) =>
      get<{ revisions: WireRevision[]; page: WirePage }>(`/v0/apps/${id(projectId)}/revisions`, { per_page: perPage }),
    getRevisionByTag: (projectId: string, tag: string) =>
      get<{ revision: WireRevision }>(`/v0/apps/${id(projectId)}/revisions/tag/${id(tag)}`),
  };
}

function builds({ get, post, upload, lines }: Endpoint) {
  return {
    createBuild: (body: NewBuild) => post<{ id: string }>('/v0/builds', body),
    sendManifest: (buildId: string, spacefile: string) => upload<{ build_id: string }>(`/v0/builds/${id(buildId)}/manifest`, spacefile, 'text/plain'),
    sendIcon: (buildId: string, icon: Bytes, contentType: string) => upload<{ build_id: string }>(`/v0/builds/${id(buildId)}/icon`, icon, contentType),
    /** The last step: the build starts with it. */
    sendCode: (buildId: string, zip: Bytes) => upload<{ build_id: string }>(`/v0/builds/${id(buildId)}/code`, zip, 'application/zip'),
    cancelBuild: (buildId: string) => post<{ id: string }>(`/v0/builds/${id(buildId)}/cancel`, {}),
    getBuild: (buildId: string) => get<WireBuild>(`/v0/builds/${id(buildId)}`),
    buildLogs: (buildId: string, follow = true) => lines(`/v0/builds/${id(buildId)}/logs`, follow),
  };
}

function releases({ get, post, upload, lines }: Endpoint) {
  return {
    createPromotion: (body: NewPromotion) => post<{ id: string }>('/v0/promotions', body),
    sendDiscovery: (promotionId: string, body: NewDiscovery) => post<unknown>(`/v0/promotions/${id(promotionId)}/discovery`, body),
    /** @param content an image, or the URL of one as text */
    sendScreenshot: (promotionId: string, index: number, { content, contentType }: { content: Bytes | string; contentType: string }) =>
      upload<{ release_id: string }>(`/v0/promotions/${id(promotionId)}/discovery/screenshots/${index}`, content, contentType),
    listPromotions: (revisionId: string) =>
      get<{ promotions: WirePromotion[]; page: WirePage }>('/v0/promotions', { per_page: 1, revision_id: revisionId }),
    getPromotion: (promotionId: string) => get<WirePromotion>(`/v0/promotions/${id(promotionId)}`),
    promotionLogs: (promotionId: string, follow = true) => lines(`/v0/promotions/${id(promotionId)}/logs`, follow),
    getRelease: (releaseId: string) => get<WireRelease>(`/v0/releases/${id(releaseId)}`),
    /** @throws ApiError 404 when nothing was released yet */
    getLatestRelease: (projectId: string, query: { listed?: true } = {}) =>
      get<WireRelease>('/v0/releases/latest', { app_id: projectId, ...query }),
    listReleases: (projectId: string) => get<{ releases: WireRelease[] }>('/v0/releases', { app_id: projectId }),
  };
}

function instances({ get, post, patch, remove, lines }: Endpoint) {
  return {
    /** @param body.instance_id the Instance to update; without it a new one is made */
    install: (body: { release_id: string; instance_id?: string; skip_check?: true }) =>
      post<Pick<WireInstallation, 'id' | 'instance_id' | 'status'>>('/v0/installations', body),
    listInstallations: (releaseId: string) =>
      get<{ installations: WireInstallation[]; page: WirePage }>('/v0/installations', { per_page: 1, release_id: releaseId }),
    getInstallation: (installationId: string) => get<WireInstallation>(`/v0/installations/${id(installationId)}`),
    installationLogs: (installationId: string, follow = true) => lines(`/v0/installations/${id(installationId)}/logs`, follow),
    listInstances: (query: { app_id?: string; channel?: WireChannel } = {}) => get<{ instances: WireInstance[] }>('/v0/instances', query),
    getInstance: (instanceId: string) => get<WireInstance>(`/v0/instances/${id(instanceId)}`),
    changeInstance: (instanceId: string, body: { micros: PresetChange[] }) => patch<unknown>(`/v0/instances/${id(instanceId)}`, body),
    uninstall: (instanceId: string, data: 'keep' | 'delete') => remove<Pick<WireInstallation, 'id' | 'instance_id' | 'status'>>(`/v0/instances/${id(instanceId)}`, { data }),
    /** What an update would bring, to the newest listed Release unless one is named. */
    getUpdate: (instanceId: string, releaseId?: string) => get<WireUpdate>(`/v0/instances/${id(instanceId)}/update`, { release_id: releaseId }),
    /** What it ran before, newest first. */
    listVersions: (instanceId: string) => get<{ versions: WireVersion[] }>(`/v0/instances/${id(instanceId)}/versions`),
    planRollback: (instanceId: string, wish: { to: string; data: 'keep' | 'restore' }) => get<WireRollback>(`/v0/instances/${id(instanceId)}/rollback`, wish),
    rollback: (instanceId: string, wish: { to: string; data: 'keep' | 'restore' }) =>
      post<Pick<WireInstallation, 'id' | 'instance_id' | 'status'>>(`/v0/instances/${id(instanceId)}/rollback`, wish),
    listSchedules: (instanceId: string) => get<{ schedules: WireSchedule[] }>(`/v0/instances/${id(instanceId)}/schedules`),
    /** Ends with the run. */
    runSchedule: (instanceId: string, schedule: string) => post<WireScheduleRun>(`/v0/instances/${id(instanceId)}/schedules/${id(schedule)}/run`, {}),
    /** What the apps of the Space offer to be called by name. */
    listActions: () => get<{ actions: WireAction[] }>('/v0/actions', { per_page: 1000 }),
    runAction: (instanceId: string, name: string, inputs: Record<string, unknown>) =>
      post<{ type: string; data: unknown }>(`/v0/actions/${id(instanceId)}/${id(name)}`, inputs),
    createInstanceKey: (instanceId: string, body: { name: string; kind: 'data' | 'api' }) =>
      post<{ name: string; value: string }>(`/v0/instances/${id(instanceId)}/keys`, body),
    async *instanceLogs(instanceId: string, follow = false, filter: { micro?: string | undefined; level?: string | undefined; request_id?: string | undefined } = {}): AsyncGenerator<WireLogLine> {
      for await (const line of lines(`/v0/instances/${id(instanceId)}/logs`, follow, filter)) if (line !== '') yield JSON.parse(line) as WireLogLine;
    },
  };
}

function collections({ get, post, remove, open }: Endpoint) {
  return {
    damage: (collectionId: string) => get<{ damage: WireDamage[] }>(`/v0/collections/${id(collectionId)}/damage`),
    forgetDamage: (collectionId: string) => remove<{ damage: WireDamage[] }>(`/v0/collections/${id(collectionId)}/damage`),
    /** Reads everything, so it may take long. */
    verify: async (collectionId: string) => {
      const answer = await open('POST', `/v0/collections/${id(collectionId)}/verify`, { json: {}, timeoutMs: WHOLE_TIMEOUT_MS });
      return (await answer.json()) as WireVerified;
    },
    createCollection: (name: string) => post<WireCollection>('/v0/collections', { name }),
    listCollections: () => get<{ collections: WireCollection[] }>('/v0/collections'),
    createCollectionKey: (collectionId: string, name: string) => post<WireNewKey>(`/v0/collections/${id(collectionId)}/keys`, { name }),
  };
}

/** Whose Items and Files: an Instance's, or a headless Collection. */
export type DataOwner = { kind: 'instances' | 'collections'; id: string };

/** What is stored may be much and a line slow. */
const WHOLE_TIMEOUT_MS = 24 * 60 * 60_000;

function archives({ open }: Endpoint) {
  return {
    /** The zip, as it comes. */
    exportArchive: ({ kind, id: ownerId }: DataOwner, snapshot?: string) =>
      open('GET', `/v0/${kind}/${id(ownerId)}/export`, { query: { snapshot }, timeoutMs: WHOLE_TIMEOUT_MS }),
    /** What happens, as it happens; the last one is a report or an error. */
    async *importArchive({ kind, id: ownerId }: DataOwner, archive: Blob, isRehearsal: boolean): AsyncGenerator<WireImportLine> {
      const path = `/v0/${kind}/${id(ownerId)}/import`;
      const answer = await open('POST', path, { query: { dry_run: isRehearsal }, body: archive, contentType: 'application/zip', timeoutMs: WHOLE_TIMEOUT_MS });
      for await (const line of readLines(answer)) if (line !== '') yield JSON.parse(line) as WireImportLine;
    },
  };
}

function snapshots({ get, post, remove }: Endpoint) {
  const path = (collectionId: string): string => `/v0/collections/${id(collectionId)}/snapshots`;
  return {
    listSnapshots: (collectionId: string) => get<{ snapshots: WireSnapshot[] }>(path(collectionId)),
    createSnapshot: (collectionId: string, note: string) => post<WireSnapshot>(path(collectionId), { note }),
    restoreSnapshot: (collectionId: string, snapshotId: string) => post<{ id: string; replaced: WireSnapshot }>(`${path(collectionId)}/${id(snapshotId)}/restore`, {}),
    dropSnapshot: (collectionId: string, snapshotId: string) => remove<unknown>(`${path(collectionId)}/${id(snapshotId)}`),
  };
}

function trash({ get, post, remove }: Endpoint) {
  return {
    listTrash: () => get<{ trash: WireTrashed[] }>('/v0/trash'),
    restoreTrashed: (trashedId: string, as: 'app' | 'collection') =>
      post<{ collection_id: string; instance_id: string | null; url: string | null }>(`/v0/trash/${id(trashedId)}/restore`, { as }),
    purgeTrashed: (trashedId: string) => remove<{ deleted: string[] }>(`/v0/trash/${id(trashedId)}`),
    emptyTrash: () => remove<{ deleted: string[] }>('/v0/trash'),
  };
}
