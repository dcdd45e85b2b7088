// The composition root: builds every part of the host by hand and ties their callbacks. No other file knows them all.
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { createBuilder, type Builder } from '../builder/builder.ts';
import { isSpaceError, orMissing } from '../core/errors.ts';
import { newId, newSecret } from '../core/ids.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { errorPage } from '../dashboard/pages/error.ts';
import type { BlobScopes } from '../sandbox-data/blob/blob-store.ts';
import { openFileBlobStore } from '../sandbox-data/blob/file.ts';
import { openS3 } from '../sandbox-data/blob/s3.ts';
import type { CollectionRef, Data } from '../sandbox-data/data.ts';
import { createData } from '../sandbox-data/open.ts';
import type { Damage } from '../sandbox-data/store/damage.ts';
import { type CallMeter, createCallMeter } from '../sandbox/call-meter.ts';
import { createDataPlane, type DataPlane } from './api/data-plane.ts';
import { loaderOf } from './api/load.ts';
import type { ApiParts, Machine } from './api/parts.ts';
import { createReserved } from './api/reserved.ts';
import { createAccess, type Access } from './auth/access.ts';
import { createAccessTokens } from './auth/access-token.ts';
import { createDataKeys } from './auth/data-key.ts';
import { createIdentify } from './auth/identify.ts';
import { createInstanceSessions } from './auth/instance-session.ts';
import { createKeyring } from './auth/keyring.ts';
import { createSessions } from './auth/session.ts';
import { createSpaces } from './auth/space.ts';
import { openVault, type Vault } from './auth/vault.ts';
import type { Config } from './config.ts';
import { claimDataFolder, lockedError, prepareDataFolder, releaseDataFolder } from './data-folder.ts';
import { DEFAULT_LIMITS } from './engine/cell/limits.ts';
import type { SurroundingsOf } from './engine/process/surroundings.ts';
import { type Engines, type EnginesParts, openEngines } from './engines.ts';
import { createAddresses } from './http/address.ts';
import { loadAssets } from './http/assets.ts';
import { createEdge } from './http/edge.ts';
import { createPlanes } from './http/host.ts';
import { bareNames } from './http/bare-names.ts';
import { openInnerDoor } from './http/inner-door.ts';
import { createFrontDoor, listen } from './http/listener.ts';
import { createSpool } from './http/spool.ts';
import { openTls, type Tls } from './http/tls.ts';
import { createDomains, type Domains } from './instance/domains.ts';
import { createTxtReader } from './instance/txt-records.ts';
import { createCollections } from './instance/collection.ts';
import { createDispatch } from './instance/dispatch.ts';
import { createInstances } from './instance/instance.ts';
import { createLifecycle } from './instance/lifecycle.ts';
import { createLiveInstances, type LiveInstances, type LiveParts } from './instance/live.ts';
import { createOpenCalls, type OpenCalls } from './instance/open-calls.ts';
import { createQuotaLimits } from './instance/quota.ts';
import { createInstanceLogs } from './instance/logs.ts';
import { connectOutside, fetchOutside, type OutsideParts, socketOutside } from './instance/outside.ts';
import { createSourcePlaces } from './instance/source-places.ts';
import { createRefuse } from './instance/refuse.ts';
import { createSettings } from './instance/settings.ts';
import type { DeliverRequest } from './instance/deliver.ts';
import { openActions } from './actions.ts';
import { chrome } from './page/chrome.ts';
import { createVersions } from './instance/versions.ts';
import { openInstalls } from './installs.ts';
import { apiRoutes } from './routes.ts';

export interface Host {
  /** Of the dashboard, without a trailing slash. */
  url: string;
  tlsUrl: string | undefined;
  /** With the one-time secret; undefined once the host is set up. */
  setupUrl: string | undefined;
  /** Drain and stop everything. */
  close(): Promise<void>;
}

/** What every part may need, and the list of what has to be closed at the end, newest first. */
interface Ground {
  config: Config;
  log: Log;
  clock: Clock;
  version: string;
  data: Data;
  /** Undefined: in the data folder. */
  blobs: BlobScopes | undefined;
  vault: Vault;
  addresses: ApiParts['addresses'];
  /** Where custom domains lead; set once they are known. */
  customDomains: Pick<Domains, 'labelOf'>;
  setupSecret: string;
  closers: (() => Promise<void>)[];
}

const DRAIN_MS = 5000;
const SWEEP_MS = 3_600_000;
/** Names of damaged Items and Files in one line of a log. */
const DAMAGE_NAMES = 20;

/** @throws DATA_NOT_WRITABLE, DATA_NEWER, DATA_LOCKED, BLOBS_UNUSABLE, PORT_IN_USE, PORT_FORBIDDEN, ISOLATED_VM_MISSING */
export async function startHost(config: Config, { log, clock, version }: { log: Log; clock: Clock; version: string }): Promise<Host> {
  const folder = config.dataFolder;
  await prepareDataFolder(folder);
  const blobs = config.blobs && (await openS3(config.blobs, { clock }));
  const data = await createData({ folder, clock, log, blobs, maxOpenStores: config.openStores }).catch(async (error) => {
    await blobs?.close();
    throw isSpaceError(error, 'DATA_LOCKED') ? await lockedError(folder, error) : error;
  });
  const closers: Ground['closers'] = [async () => blobs?.close(), () => releaseDataFolder(folder), () => data.close()];
  const close = async (): Promise<void> => {
    for (const closeOne of closers.toReversed()) await closeOne().catch((error) => log.error('host.close-failed', { error }));
  };
  try {
    await claimDataFolder(folder, clock);
    const ports = { http: config.port, tls: config.tlsPort };
    const customDomains: Ground['customDomains'] = { labelOf: () => undefined };
    const addresses = createAddresses({ domain: config.domain, appsDomain: config.appsDomain, ports: () => ports, labelOfDomain: (host) => customDomains.labelOf(host) });
    const setupSecret = config.setupSecret ?? newSecret(24);
    const ground: Ground = { config, log, clock, version, data, blobs, closers, addresses, customDomains, setupSecret, vault: await openVault(folder) };
    const { needsSetup } = await assemble(ground, ports);
    const url = addresses.controlOrigin();
    log.info('host.started', { version, url });
    return {
      url, close,
      tlsUrl: ports.tls === undefined ? undefined : `https://${config.domain}${ports.tls === 443 ? '' : `:${ports.tls}`}`,
      setupUrl: needsSetup ? `${url}/setup?secret=${encodeURIComponent(setupSecret)}` : undefined,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @param ports filled in once the sockets are open */
async function assemble(ground: Ground, ports: { http: number; tls: number | undefined }): Promise<{ needsSetup: boolean }> {
  const { config, closers } = ground;
  const auth = assembleAuth(ground);
  const running = await assembleInstances(ground, auth);
  const { parts } = running;
  const { frontDoor, openCalls, dataPlane } = await assembleDoors(ground, { ...running, access: auth.access });
  const tls = await openOwnTls(ground, parts);
  running.innerDoor.open = innerDoorsOf(ground, { dataPlane, tls, ports });
  const listeners = await listen(frontDoor, { address: config.listenAddress, port: config.port, tlsPort: config.tlsPort, tls });
  Object.assign(ports, listeners.ports);
  closers.push(() => listeners.close(DRAIN_MS), async () => openCalls.close());
  await parts.installations.resume();
  closers.push(sweepRegularly(parts), () => parts.schedules.close());
  void parts.schedules.start();
  return { needsSetup: await parts.spaces.needsSetup() };
}

type AuthParts = Pick<ApiParts, 'spaces' | 'sessions' | 'accessTokens' | 'instanceSessions' | 'dataKeys' | 'apiKeys'> & { access: Access };

/** Who is it, may they. */
function assembleAuth({ data, clock, vault, setupSecret }: Ground): AuthParts {
  const store = data.hostStore;
  const sessions = createSessions(store, clock);
  const instanceSessions = createInstanceSessions({ vault, sessions, clock });
  const apiKeys = createKeyring(store, clock, 'api-key');
  return {
    sessions, instanceSessions, apiKeys,
    spaces: createSpaces({ store, clock, setupSecret }),
    accessTokens: createAccessTokens({ store, vault, clock }),
    dataKeys: createDataKeys(createKeyring(store, clock, 'data-key'), vault),
    access: createAccess({ instanceSessions, apiKeys }),
  };
}

/** How calls leave a Micro; set when the way to Micros stands, since it is the same way. */
type Calls = Partial<Pick<LiveParts, 'fetchMicro' | 'fetchUrl' | 'openSocket' | 'openConnection'> & { deliver: DeliverRequest }>;
/** How a program reaches this host; set when the front door stands. */
type InnerDoors = EnginesParts['innerDoor'];

interface Running { parts: ApiParts; live: LiveInstances; engineFor: Engines['for']; calls: Calls; meter: CallMeter; innerDoor: InnerDoors }

/** What runs: Engines, Builder, Instances. Builder and runtime meet at the Revision; the Builder calls back. */
async function assembleInstances(ground: Ground, { access: _, ...auth }: AuthParts): Promise<Running> {
  const { config, log, clock, data, blobs, vault, addresses, closers } = ground;
  const store = data.hostStore;
  const folder = config.dataFolder;
  const settings = createSettings({ store, clock, vault });
  const meter = createCallMeter(clock, log);
  const instances = createInstances(store, clock);
  const innerDoor: InnerDoors = {};
  const engines = await openEngines({
    config, log, clock, settings, innerDoor,
    onPause: ({ instanceId }, micro, reason) => void keepPause(instanceId, micro, reason).catch((error) => log.error('pause.not-kept', { instanceId, error })),
  });
  async function keepPause(instanceId: string, micro: string, reason: string): Promise<void> {
    const { revisionId } = (await instances.get(instanceId)) ?? {};
    if (revisionId) await settings.pause(instanceId, { micro, reason, revisionId });
    live.forget(instanceId);
  }
  closers.push(() => engines.close());
  const logs = createInstanceLogs({ folder: join(folder, 'spaces'), clock, log, days: config.logDays });
  const places = createSourcePlaces({ log });
  closers.push(() => places.close(), () => logs.close());
  const collections = createCollections({ store, clock });
  data.onDamage((ref, damage) => void tellOfDamage(ref, damage, { collections, logs }).catch((error) => log.warn('damage.not-told', { error })));
  const started = Promise.withResolvers<ApiParts>();
  const builder = await createBuilder({
    store, artifacts: await (blobs?.open('artifacts') ?? openFileBlobStore(join(folder, 'artifacts'))), workFolder: join(folder, 'builder'), log, clock,
    allowsCommands: config.unsafeNoSandbox, boxes: engines.boxesForBuilds, buildHosts: config.buildTools.hosts, npmCommand: config.buildTools.npmCommand, toolPath: config.buildTools.path, toolEnv: config.buildTools.env,
    onRevision: async (project, revision) => (await started.promise).lifecycle.followPush(project, revision),
  });
  const revision = (id: string): Promise<Awaited<ReturnType<Builder['revisions']['get']>> | undefined> => orMissing(builder.revisions.get(id));
  const calls: Calls = {};
  const live = createLiveInstances({
    instances, data, logs, places, settings, revision,
    settled: async (instanceId) => installations.settled(instanceId),
    readArtifact: (hash) => builder.artifacts.readFile(hash),
    openArtifact: (hash, range) => builder.artifacts.openFile(hash, range),
    keysOf: (instance) => ({ dataKey: auth.dataKeys.ownKey(instance.collectionId), microKey: vault.derivedSecret('micro-key', instance.id) }),
    hostnameOf: (instance) => addresses.instanceHostname(instance.label),
    fetchMicro: (from, name, request) => ready(calls.fetchMicro)(from, name, request),
    fetchUrl: (from, request) => ready(calls.fetchUrl)(from, request),
    openSocket: (from, request) => ready(calls.openSocket)(from, request),
    openConnection: (from, request) => ready(calls.openConnection)(from, request),
  });
  const actions = openActions({ store, clock, log, instances, revision }, { live, logs, deliver: (...what) => ready(calls.deliver)(...what) });
  const domains = createDomains({ store, clock, instances, own: [...new Set([config.domain, config.appsDomain])], readTxt: createTxtReader(config.dnsServer), secretFor: (subject) => vault.derivedSecret('domain-proof', subject), log, tell: (owner, text) => logs.append(owner, { micro: '', level: 'error', text, requestId: null }) });
  await domains.load();
  Object.assign(ground.customDomains, { labelOf: domains.labelOf });
  const { installations, trash } = openInstalls({ ...auth, domains, instances, collections, settings, logs, data, clock, log, addresses, builder, engines, live, actions, drainMs: DRAIN_MS });
  closers.push(() => installations.close(), () => builder.close());
  const lifecycle = createLifecycle({ instances, installations, collections, releases: builder.releases, project: (id) => builder.projects.get(id) });
  const versions = createVersions({ installations, lifecycle, revision, releases: builder.releases, snapshotsOf: ({ spaceId, collectionId }) => data.collection({ spaceId, collectionId }).snapshots });
  const warning = config.unsafeNoSandbox ? 'This host runs without a sandbox (--unsafe-no-sandbox): apps can reach everything that it can.' : undefined;
  const machine: Machine = {
    sandbox: () => engines.isolate.sandbox(), cells: () => engines.isolate.cells(), boxes: async () => (await engines.ground()).report, programs: () => engines.process.programs(), calls: (instanceId) => meter.counts(instanceId), limits: { ...DEFAULT_LIMITS, ...config.limits },
    settingsChanged: (instanceId) => live.forget(instanceId),
    async resume(instanceId) {
      await settings.resume(instanceId);
      engines.isolate.resume(instanceId);
      engines.process.resume(instanceId);
      live.forget(instanceId);
    },
    async cordonChanged(spaceId) {
      for (const { id } of await instances.list(spaceId)) {
        live.forget(id);
        void engines.isolate.stop(id, DRAIN_MS);
      }
    },
  };
  const parts: ApiParts = { ...auth, builder, instances, installations, trash, collections, lifecycle, versions, quotas: createQuotaLimits({ store, data }), settings, domains, ...actions, machine, data, logs, addresses, warning, version: ground.version, clock, log };
  void engines.isolate.sandbox().then(({ level, findings }) => log.info('sandbox.tested', { reached: level, failed: findings.filter(({ holds }) => !holds).map(({ what }) => what) }));
  started.resolve(parts);
  return { parts, live, engineFor: engines.for, calls, meter, innerDoor };
}

/** Three planes behind one door. */
async function assembleDoors({ config, log, data, addresses }: Ground, { parts, live, engineFor, calls, meter, access }: Omit<Running, 'innerDoor'> & { access: Access }): Promise<{ frontDoor: ReturnType<typeof createFrontDoor>; openCalls: OpenCalls; dataPlane: DataPlane }> {
  const assets = await loadAssets();
  const dataPlane = createDataPlane({ data, dataKeys: parts.dataKeys, collections: parts.collections, log });
  const loginUrl = (call: { origin: string; path: string; query: string }): string =>
    `${addresses.controlOrigin(call.origin)}/login?redirect_uri=${encodeURIComponent(call.origin + call.path + call.query)}`;
  const refuse = createRefuse({ log, assets, dashboardUrl: (request) => addresses.controlOrigin(originOf(request)) });
  const reserved = await createReserved({ instanceSessions: parts.instanceSessions, data, dataPlane, assets, loginUrl, readArtifact: (hash) => parts.builder.artifacts.readFile(hash) });
  const openCalls = createOpenCalls(parts.clock);
  const dispatch = createDispatch({ live, access, engineFor, reserved, refuse, loginUrl, openCalls });
  calls.fetchMicro = dispatch.fetchMicro;
  calls.deliver = dispatch.deliver;
  const outside: OutsideParts = { dispatch, live, addresses, meter, settings: parts.settings, limits: config.limits };
  calls.fetchUrl = (from, request) => fetchOutside(outside, from, request);
  calls.openSocket = (from, request) => socketOutside(outside, from, request);
  calls.openConnection = (from, request) => connectOutside(outside, from, request);
  const spoolFolder = join(config.dataFolder, 'incoming');
  await rm(spoolFolder, { recursive: true, force: true });
  const edge = createEdge({
    routes: apiRoutes(parts, assets), identify: createIdentify(parts), load: loaderOf(parts), appsDomain: config.appsDomain, spool: createSpool(spoolFolder), log,
    errorPage: (error, { requestId, person }) =>
      errorPage({ ...chrome(parts, person), status: error.status, title: titleOf(error.status), message: error.message, requestId, signedIn: person !== undefined }),
  });
  const frontDoor = createFrontDoor(withDomains(createPlanes(config), parts.domains), {
    control: edge,
    data: dataPlane.handle,
    instance: dispatch.handle,
    upgrade: dispatch.upgrade,
    refuse: (request, response, error) => refuse({ id: newId('request'), request, response }, error),
  });
  return { frontDoor, openCalls, dataPlane };
}

interface InnerDoorGround { dataPlane: DataPlane; tls: Tls; ports: { http: number; tls: number | undefined } }

/** Base, Drive and its own app, by the names that are built into programs; each box has a door of its own. */
function innerDoorsOf({ config, log, clock }: Ground, { dataPlane, tls, ports }: InnerDoorGround): SurroundingsOf {
  const { hopsMax } = { ...DEFAULT_LIMITS, ...config.limits };
  return async ({ instance, micro, socketPath, user }) => {
    if (config.unsafeNoSandbox) return { env: await bareNames({ domain: config.domain, ports, folder: join(config.dataFolder, 'tls'), caPem: tls.caPem }), forwards: {}, hosts: [], close: async () => {} };
    return openInnerDoor({ tls, dataPlane, log, clock, hopsMax }, { instance, micro, socketPath: `${socketPath}.tls`, ...(user === undefined ? {} : { user }) });
  };
}

/** Whoever is nobody's by its name may be somebody's domain. */
function withDomains(planeOf: ReturnType<typeof createPlanes>, domains: Pick<Domains, 'labelOf'>): typeof planeOf {
  return (hostHeader) => {
    const plane = planeOf(hostHeader);
    const label = plane?.kind === 'unknown' ? domains.labelOf(plane.host) : undefined;
    return plane && label !== undefined ? { kind: 'instance', host: plane.host, label } : plane;
  };
}

/** A certificate for each name at which somebody lives. */
async function openOwnTls({ config, clock, vault }: Ground, { instances, domains }: ApiParts): Promise<Tls> {
  const planeOf = createPlanes(config);
  return openTls({
    folder: join(config.dataFolder, 'tls'), domains: [...new Set([config.domain, config.appsDomain])], appsDomain: config.appsDomain, clock, sealing: vault,
    isCustomDomain: (name) => domains.labelOf(name) !== undefined,
    isKnownHost: async (name) => {
      const plane = planeOf(name);
      return plane?.kind === 'instance' ? (await instances.byLabel(plane.label)) !== undefined : plane !== undefined && plane.kind !== 'unknown';
    },
  });
}

/** Damage to a Collection is told in its Instance's log; what the Collection's own page has is more. */
async function tellOfDamage({ spaceId, collectionId }: CollectionRef, { note, keys }: Damage, { collections, logs }: Pick<ApiParts, 'collections' | 'logs'>): Promise<void> {
  const instanceId = (await collections.get(collectionId))?.instanceId;
  if (!instanceId) return;
  const hit = keys.filter((key) => /^[bd]\//.test(key)).map((key) => key.slice(2));
  const named = hit.length === 0 ? '' : ` Hit: ${hit.slice(0, DAMAGE_NAMES).join(', ')}${hit.length > DAMAGE_NAMES ? ` and ${hit.length - DAMAGE_NAMES} more` : ''}.`;
  logs.append({ spaceId, instanceId }, { micro: '', level: 'error', requestId: null, text: `Stored data is damaged. ${note}${named} All of it: "space verify --known".` });
}

function ready<T>(part: T | undefined): T {
  if (part === undefined) throw new TypeError('the host is not put together yet');
  return part;
}

function originOf(request: IncomingMessage): string {
  const proto = 'encrypted' in request.socket ? 'https' : 'http';
  return URL.parse(`${proto}://${request.headers.host ?? ''}`)?.origin ?? 'http://localhost';
}

function titleOf(status: number): string {
  if (status === 404) return 'Not found';
  if (status === 403) return 'Not allowed';
  return status >= 500 ? 'Something went wrong' : 'That did not work';
}

/** @returns what ends it */
function sweepRegularly({ trash, logs, domains, clock, log }: ApiParts): () => Promise<void> {
  let cancel = (): void => {};
  let isClosed = false;
  const sweep = (): void => {
    trash.sweep().catch((error) => log.error('trash.sweep-failed', { error }));
    logs.sweep().catch((error) => log.error('logs.sweep-failed', { error }));
    // Asking the DNS takes its time, and a host that ends does not wait for it.
    domains.recheck().catch((error) => isClosed || log.error('domains.recheck-failed', { error }));
    cancel = clock.after(SWEEP_MS, sweep);
  };
  sweep();
  return async () => {
    isClosed = true;
    cancel();
  };
}
