// Owns Instances as they run: record, Revision, routes and services joined, remembered for the hot path.
// Knows no HTTP; what a Micro may reach is put together here and nowhere else.
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import { LRUCache } from 'lru-cache';
import type { Revision } from '../../builder/revision.ts';
import { SpaceError } from '../../core/errors.ts';
import type { ByteRange } from '../../sandbox-data/blob/blob-store.ts';
import type { Data } from '../../sandbox-data/data.ts';
import type { ConnectionRequest, InstanceServices, InstanceSpec, MicroRequest, MicroResponse, MicroSpec, SocketRequest } from '../engine/engine.ts';
import { composeEnv, ownEnv, type MicroKeys } from './env.ts';
import type { Instance, Instances } from './instance.ts';
import type { InstanceLogs } from './logs.ts';
import type { CordonKind, InstanceSettings, Settings } from './settings.ts';
import type { SourceMapFile, SourcePlaces } from './source-places.ts';

export type RevisionMicro = Revision['micros'][number];

export interface LiveInstance {
  record: Instance;
  revision: Revision;
  spec: InstanceSpec;
  microKey: string;
  /** A Micro by its name. */
  micro(name: string): RevisionMicro | undefined;
}

export interface LiveInstances {
  /** By label of the host name. Immediate when it was asked for lately: this stands on the hot path.
   *  While other code is being put on it whoever asks waits.
   *  @throws INSTANCE_NOT_READY while its first Installation has not put a Revision on it, INSTANCE_FAILED */
  byLabel(label: string): LiveInstance | undefined | Promise<LiveInstance | undefined>;
  /** As this record has it, whatever is remembered, and without waiting. @throws INSTANCE_NOT_READY */
  ofRecord(record: Instance): Promise<LiveInstance>;
  /** What was remembered of this Instance is no longer true. */
  forget(instanceId: string): void;
}

export interface LiveParts {
  instances: Instances;
  data: Data;
  logs: InstanceLogs;
  settings: Settings;
  places: SourcePlaces;
  revision(id: string): Promise<Revision | undefined>;
  /** Resolves when nobody works on the Instance any more. */
  settled(instanceId: string): Promise<void>;
  readArtifact(hash: string): Promise<Buffer>;
  openArtifact(hash: string, range?: ByteRange): Promise<Readable>;
  keysOf(instance: Instance): MicroKeys;
  /** Host name and port as `DETA_SPACE_APP_HOSTNAME` gives them. */
  hostnameOf(instance: Instance): string;
  /** Calls that leave a Micro. */
  fetchMicro(live: LiveInstance, name: string, request: MicroRequest): Promise<MicroResponse>;
  fetchUrl(live: LiveInstance, request: MicroRequest): Promise<MicroResponse>;
  openSocket(live: LiveInstance, request: SocketRequest): Promise<WebSocket>;
  openConnection(live: LiveInstance, request: ConnectionRequest): Promise<Socket>;
}

const REMEMBERED = 2000;

export function createLiveInstances(parts: LiveParts): LiveInstances {
  const known = new LRUCache<string, LiveInstance>({ max: REMEMBERED });
  const loading = new Map<string, Promise<LiveInstance | undefined>>();
  /** Rises with every change, so that a load that began before it is not remembered. */
  let changes = 0;

  async function load(label: string): Promise<LiveInstance | undefined> {
    let before = changes;
    let record = await parts.instances.byLabel(label);
    if (record?.state === 'updating') {
      await parts.settled(record.id);
      before = changes;
      record = await parts.instances.byLabel(label);
      if (record?.state === 'updating') throw new SpaceError('INSTANCE_NOT_READY');
    }
    if (!record || record.state === 'removing') return undefined;
    if (record.state === 'failed' && record.revisionId !== null) throw new SpaceError('INSTANCE_FAILED');
    const live = await ofRecord(record);
    if (before === changes && record.state === 'ready') known.set(label, live);
    return live;
  }

  async function ofRecord(record: Instance): Promise<LiveInstance> {
    const revision = record.revisionId === null ? undefined : await parts.revision(record.revisionId);
    if (!revision) throw new SpaceError('INSTANCE_NOT_READY');
    const [settings, cordon] = await Promise.all([parts.settings.of(record.id), parts.settings.cordonOf(record.spaceId)]);
    return join(parts, record, { revision, settings, cordon });
  }

  return {
    ofRecord,
    byLabel(label) {
      const live = known.get(label);
      if (live) return live;
      const pending = loading.get(label);
      if (pending) return pending;
      const fresh = load(label).finally(() => loading.delete(label));
      loading.set(label, fresh);
      return fresh;
    },
    forget(instanceId) {
      changes += 1;
      for (const [label, live] of known.entries()) if (live.record.id === instanceId) known.delete(label);
      loading.clear();
    },
  };
}

interface Belongings { revision: Revision; settings: InstanceSettings; cordon: CordonKind }

function join(parts: LiveParts, record: Instance, { revision, settings, cordon }: Belongings): LiveInstance {
  const keys = parts.keysOf(record);
  const hostname = parts.hostnameOf(record);
  const env = parts.settings.envOf(settings);
  const byName = new Map(revision.micros.map((micro) => [micro.name, micro]));
  const live: LiveInstance = {
    record, revision, microKey: keys.microKey,
    micro: (name) => byName.get(name),
    spec: {
      instanceId: record.id, spaceId: record.spaceId, collectionId: record.collectionId, hostname, generation: `${record.generation}.${revision.id}.${settings.revision}`, cordon,
      limits: settings.limits, paused: pausedIn(settings, revision.id),
      micros: revision.micros.map((micro) => microSpec(micro, composeEnv(record, micro, { ...keys, hostname, own: ownEnv(env, micro.name) }), parts)),
      services: undefined as unknown as InstanceServices,
    },
  };
  live.spec.services = services(parts, live);
  return live;
}

/** Other code than that which was paused may run. */
function pausedIn({ paused }: InstanceSettings, revisionId: string): Record<string, string> {
  return Object.fromEntries(paused.filter((each) => each.revisionId === revisionId).map(({ micro, reason }) => [micro, reason]));
}

function microSpec(micro: RevisionMicro, env: Record<string, string>, parts: LiveParts): MicroSpec {
  return {
    name: micro.name, env, entry: micro.entry, handlerAt: micro.handlerAt, files: micro.files,
    readFile(path) {
      const file = micro.files[path];
      if (!file) throw new TypeError(`Micro ${micro.name} has no file ${path}`);
      return parts.readArtifact(file.hash);
    },
    readContent: (hash) => parts.readArtifact(hash),
    openContent: (hash, range) => parts.openArtifact(hash, range),
  };
}

/** Bases that are kept made, for each Instance: their names come from a Micro, which may think of any number. */
const BASES_MAX = 32;

function services(parts: LiveParts, live: LiveInstance): InstanceServices {
  const { record } = live;
  const collection = parts.data.collection({ spaceId: record.spaceId, collectionId: record.collectionId });
  const owner = { spaceId: record.spaceId, instanceId: record.id };
  const bases = new Map<string, ReturnType<InstanceServices['base']>>();
  return {
    base(name) {
      const known = bases.get(name);
      if (known) return known;
      if (bases.size >= BASES_MAX) bases.clear();
      const base = collection.base(name);
      bases.set(name, base);
      return base;
    },
    drive: (name) => collection.drive(name),
    fetchMicro: (name, request) => parts.fetchMicro(live, name, request),
    fetchUrl: (request) => parts.fetchUrl(live, request),
    openSocket: (request) => parts.openSocket(live, request),
    openConnection: (request) => parts.openConnection(live, request),
    log: (entry) => parts.logs.append(owner, entry, parts.places.turned(entry.text, (name) => sourceMapOf(live.micro(name), parts))),
  };
}

/** The builder puts it beside the bundle. It is never served. */
function sourceMapOf(micro: RevisionMicro | undefined, parts: LiveParts): SourceMapFile | undefined {
  const file = micro?.files[`${micro.entry}.map`];
  return file && { ...file, read: () => parts.readArtifact(file.hash) };
}
