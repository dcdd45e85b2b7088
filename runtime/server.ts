// The composition root: builds every part of the host by hand and ties their callbacks. No other file knows them all.
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { createBuilder, type Builder } from '../builder/builder.ts';
import { isSpaceError, SpaceError } from '../core/errors.ts';
import { newSecret } from '../core/ids.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { errorPage } from '../dashboard/pages/error.ts';
import { openFileBlobStore } from '../sandbox-data/blob/file.ts';
import { createData } from '../sandbox-data/open.ts';
import { createEgress } from '../sandbox/egress.ts';
import { apiRoutes } from './api/routes.ts';
import { createDataPlane } from './api/data-plane.ts';
import type { ApiParts } from './api/parts.ts';
import { createAccess } from './auth/access.ts';
import { createAccessTokens } from './auth/access-token.ts';
import { createDataKeys } from './auth/data-key.ts';
import { createIdentify } from './auth/identify.ts';
import { createInstanceSessions } from './auth/instance-session.ts';
import { createKeyring } from './auth/keyring.ts';
import { createSessions } from './auth/session.ts';
import { createSpaces } from './auth/space.ts';
import { openVault } from './auth/vault.ts';
import type { Config } from './config.ts';
import { claimDataFolder, lockedError, prepareDataFolder, releaseDataFolder } from './data-folder.ts';
import { createIsolateEngine } from './engine/isolate.ts';
import { createStaticEngine } from './engine/static.ts';
import { createAddresses } from './http/address.ts';
import { createEdge } from './http/edge.ts';
import { createPlanes } from './http/host.ts';
import { createFrontDoor, listen } from './http/listener.ts';
import { openTls } from './http/tls.ts';
import { createCollections } from './instance/collection.ts';
import { createDispatch, type Dispatch } from './instance/dispatch.ts';
import { createInstallations } from './instance/installation.ts';
import { createInstances } from './instance/instance.ts';
import { createLifecycle, type Lifecycle } from './instance/lifecycle.ts';
import { createLiveInstances, type RevisionMicro } from './instance/live.ts';
import { createInstanceLogs } from './instance/logs.ts';
import { fetchOutside } from './instance/outside.ts';
import { createRefuse } from './instance/refuse.ts';
import { createReserved } from './instance/reserved.ts';
import { chrome } from './page/chrome.ts';
import { loadAssets } from './page/assets.ts';
import { loaderOf } from './api/load.ts';

export interface Host {
  /** Of the dashboard, without a trailing slash. */
  url: string;
  tlsUrl: string | undefined;
  /** With the one-time secret; undefined once the host is set up. */
  setupUrl: string | undefined;
  /** Drain and stop everything. */
  close(): Promise<void>;
}

const DRAIN_MS = 5000;
const SWEEP_MS = 3_600_000;

/** @throws DATA_NOT_WRITABLE, DATA_NEWER, DATA_LOCKED, PORT_IN_USE, PORT_FORBIDDEN, ISOLATED_VM_MISSING */
export async function startHost(config: Config, { log, clock, version }: { log: Log; clock: Clock; version: string }): Promise<Host> {
  const folder = config.dataFolder;
  await prepareDataFolder(folder);
  const data = await createData({ folder, clock, log }).catch(async (error) => {
    throw isSpaceError(error, 'DATA_LOCKED') ? await lockedError(folder, error) : error;
  });
  const closers: (() => Promise<void>)[] = [() => releaseDataFolder(folder), () => data.close()];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.toReversed()) await close().catch((error) => log.error('host.close-failed', { error }));
  };
  try {
    await claimDataFolder(folder, clock);
    const parts = await assemble(config, { log, clock, version, data, closers });
    const { setupSecret, needsSetup, ports } = parts;
    const origin = parts.addresses.controlOrigin();
    log.info('host.started', { version, url: origin });
    return {
      url: origin,
      tlsUrl: ports.tls === undefined ? undefined : `https://${config.domain}${ports.tls === 443 ? '' : `:${ports.tls}`}`,
      setupUrl: needsSetup ? `${origin}/setup?secret=${encodeURIComponent(setupSecret)}` : undefined,
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

interface Ground { log: Log; clock: Clock; version: string; data: Awaited<ReturnType<typeof createData>>; closers: (() => Promise<void>)[] }

async function assemble(config: Config, { log, clock, version, data, closers }: Ground): Promise<{ addresses: ApiParts['addresses']; setupSecret: string; needsSetup: boolean; ports: { http: number; tls: number | undefined } }> {
  const folder = config.dataFolder;
  const store = data.hostStore;
  const setupSecret = config.setupSecret ?? newSecret(24);
  const ports = { http: config.port, tls: config.tlsPort };
  const warning = config.unsafeNoSandbox ? 'This host runs without a sandbox (--unsafe-no-sandbox): apps can reach everything that it can.' : undefined;
  const addresses = createAddresses({ domain: config.domain, appsDomain: config.appsDomain, ports: () => ports });

  // Who may
  const vault = await openVault(folder);
  const spaces = createSpaces({ store, clock, setupSecret });
  const sessions = createSessions(store, clock);
  const accessTokens = createAccessTokens({ store, vault, clock });
  const instanceSessions = createInstanceSessions({ vault, sessions, clock });
  const dataKeys = createDataKeys(createKeyring(store, clock, 'data-key'), vault);
  const apiKeys = createKeyring(store, clock, 'api-key');
  const access = createAccess({ instanceSessions, apiKeys });

  // What runs
  const engines = { static: createStaticEngine(), isolate: await createIsolateEngine({ log, clock, cacheFolder: join(folder, 'cache', 'isolate') }) };
  closers.push(() => engines.isolate.close(), () => engines.static.close());
  const engineFor = (micro: RevisionMicro) => {
    if (micro.runs === 'process') throw new SpaceError('MICRO_ENGINE_UNSUPPORTED', { engine: micro.engine });
    return engines[micro.runs];
  };
  const collections = createCollections({ store, data, clock });
  const instances = createInstances(store, clock);
  const logs = createInstanceLogs({ folder: join(folder, 'spaces'), clock, log });
  closers.push(() => logs.close());

  // Builder and runtime meet at the Revision; the Builder calls back, and never knows whom.
  let lifecycle: Lifecycle | undefined;
  const artifacts = await openFileBlobStore(join(folder, 'artifacts'));
  const builder: Builder = await createBuilder({
    store, artifacts, workFolder: join(folder, 'builder'), log, clock,
    onRevision: async (project, revision) => {
      while (!lifecycle) await new Promise((resolve) => setTimeout(resolve, 10));
      await lifecycle.followPush(project, revision);
    },
  });

  let dispatch: Dispatch | undefined;
  const egress = createEgress({ log });
  const live = createLiveInstances({
    instances, data, logs,
    revision: (id) => builder.revisions.get(id).catch(missing),
    readArtifact: (hash) => builder.artifacts.readFile(hash),
    keysOf: (instance) => ({ dataKey: dataKeys.ownKey(instance.collectionId), microKey: vault.derivedSecret('micro-key', instance.id) }),
    hostnameOf: (instance) => addresses.instanceHostname(instance.label),
    fetchMicro: (from, name, request) => ready(dispatch).fetchMicro(from, name, request),
    fetchUrl: (from, request) => fetchOutside({ dispatch: ready(dispatch), live, addresses, egress }, from, request),
  });
  const installations = createInstallations({
    store, clock, log, instances, collections,
    release: (id) => builder.releases.get(id).catch(missing),
    revision: (id) => builder.revisions.get(id).catch(missing),
    checkRunnable: (revision) => revision.micros.forEach(engineFor),
    onChanged: async (instanceId) => {
      live.forget(instanceId);
      await Promise.all(Object.values(engines).map((engine) => engine.stop(instanceId, DRAIN_MS)));
    },
    onRemoved: async (instance) => {
      await apiKeys.deleteAll(instance.id);
      await logs.remove({ spaceId: instance.spaceId, instanceId: instance.id });
    },
    urlOf: (instance) => addresses.instanceUrl(instance.label),
  });
  lifecycle = createLifecycle({ instances, installations, releases: builder.releases, project: (id) => builder.projects.get(id), log });
  closers.push(() => installations.close(), () => builder.close());

  // Three planes
  const assets = await loadAssets();
  const api: ApiParts = {
    spaces, sessions, accessTokens, instanceSessions, dataKeys, apiKeys, builder, instances, installations, collections,
    lifecycle, data, logs, addresses, warning, version, clock, log,
  };
  const dataPlane = createDataPlane({ data, dataKeys, collections, log });
  const dashboardUrl = (request: IncomingMessage): string => addresses.controlOrigin(originOf(request));
  const loginUrl = (call: { origin: string; path: string; query: string }): string =>
    `${addresses.controlOrigin(call.origin)}/login?redirect_uri=${encodeURIComponent(call.origin + call.path + call.query)}`;
  const refuse = createRefuse({ log, assets, dashboardUrl });
  const reserved = createReserved({ instanceSessions, data, dataPlane, assets, loginUrl });
  dispatch = createDispatch({ live, access, engineFor, reserved, refuse, loginUrl, log });
  const edge = createEdge({
    routes: apiRoutes(api, assets), identify: createIdentify({ spaces, sessions, accessTokens }), load: loaderOf(api), appsDomain: config.appsDomain, log,
    errorPage: (error, { requestId, person }) => errorPage({ ...chrome(api, person), status: error.status, title: titleOf(error.status), message: error.message, requestId, signedIn: person !== undefined }),
  });

  // Open the doors
  const planeOf = createPlanes(config);
  const tls = config.tlsPort === undefined ? undefined : await openTls({
    folder: join(folder, 'tls'), domains: [...new Set([config.domain, config.appsDomain])], clock, sealing: vault,
    isKnownHost: async (name) => {
      const plane = planeOf(name);
      return plane?.kind === 'instance' ? (await instances.byLabel(plane.label)) !== undefined : plane !== undefined && plane.kind !== 'unknown';
    },
  });
  const frontDoor = createFrontDoor(planeOf, {
    control: edge,
    data: (request, response, address) => dataPlane.handle(request, response, address),
    instance: ready(dispatch).handle,
    refuse: (request, response, error) => refuse({ id: 'front-door', request, response }, error),
  });
  const listeners = await listen(frontDoor, { address: config.listenAddress, port: config.port, tlsPort: config.tlsPort, tls });
  Object.assign(ports, listeners.ports);
  closers.push(() => listeners.close(DRAIN_MS));
  await installations.resume();
  closers.push(sweepRegularly(collections, { clock, log }));
  return { addresses, setupSecret, needsSetup: await spaces.needsSetup(), ports };
}

function ready<T>(part: T | undefined): T {
  if (part === undefined) throw new TypeError('the host is not put together yet');
  return part;
}

/** What builder parts say with an error, Installations and live Instances ask for as undefined. */
function missing(error: unknown): undefined {
  if (isSpaceError(error) && error.status === 404) return undefined;
  throw error;
}

function originOf(request: IncomingMessage): string {
  const host = request.headers.host ?? '';
  const origin = URL.parse(`${'encrypted' in request.socket ? 'https' : 'http'}://${host}`)?.origin;
  return origin ?? 'http://localhost';
}

function titleOf(status: number): string {
  if (status === 404) return 'Not found';
  if (status === 403) return 'Not allowed';
  return status >= 500 ? 'Something went wrong' : 'That did not work';
}

/** @returns what ends it */
function sweepRegularly(collections: { sweep(): Promise<void> }, { clock, log }: { clock: Clock; log: Log }): () => Promise<void> {
  let cancel = (): void => {};
  const sweep = (): void => {
    collections.sweep().catch((error) => log.error('trash.sweep-failed', { error }));
    cancel = clock.after(SWEEP_MS, sweep);
  };
  sweep();
  return async () => cancel();
}
