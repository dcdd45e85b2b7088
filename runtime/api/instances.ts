// Owns the endpoints of Instances: what runs in a person's Space, its keys, its log, and its end.
import type { WireChannel, WireInstance, WireLogLine, WireMicro } from '../../core/wire.ts';
import { orMissing, SpaceError } from '../../core/errors.ts';
import { newSecret } from '../../core/ids.ts';
import type { StoredKey } from '../auth/keyring.ts';
import type { RevisionMicro } from '../../builder/revision.ts';
import { ownEnv } from '../instance/env.ts';
import type { LogFilter } from '../instance/log-files.ts';
import type { EnvChange } from '../instance/settings.ts';
import type { Instance } from '../instance/instance.ts';
import { oneOf, perPage, requiredText } from './field.ts';
import type { ApiParts } from './parts.ts';
import { api, type Route } from './route.ts';

export function instanceRoutes(parts: ApiParts): Route[] {
  const { instances, installations, logs } = parts;
  const wire = (instance: Instance, origin: string): Promise<WireInstance> => wireInstance(parts, instance, origin);

  return [
    api('GET /api/v0/instances', {
      access: 'person',
      async handle({ person, query, origin }) {
        const found = (await instances.list(person.id)).filter((instance) => matches(instance, query)).toSorted((a, b) => a.createdAt.localeCompare(b.createdAt));
        return { json: { instances: await Promise.all(found.slice(0, perPage(query, 1000)).map((instance) => wire(instance, origin))) } };
      },
    }),
    api('GET /api/v0/instances/:id', {
      access: 'person', object: 'instance', handle: async ({ origin }, instance) => ({ json: await wire(instance, origin) }),
    }),
    api('PATCH /api/v0/instances/:id', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { micros, alias } = await request.json();
        if (micros !== undefined) await changeEnv(parts, instance, envChanges(micros));
        const after = alias === undefined ? instance : await rename(parts, instance, requiredText({ alias }, 'alias'));
        return { json: await wire(after, request.origin) };
      },
    }),
    api('DELETE /api/v0/instances/:id', {
      access: 'person', object: 'instance',
      async handle({ query }, instance) {
        const data = oneOf(query.get('data') ?? 'keep', ['keep', 'delete'] as const, 'data');
        const job = await installations.uninstall(instance, data);
        return { status: 202, json: { id: job.id, instance_id: instance.id, status: 'pending' } };
      },
    }),
    api('GET /api/v0/instances/:id/keys', {
      access: 'person', object: 'instance',
      handle: async (_, instance) => ({ json: { keys: await keysOf(parts, instance) } }),
    }),
    api('POST /api/v0/instances/:id/keys', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { name, kind } = await request.json();
        const created = await createKey(parts, instance, { name, kind });
        return { status: 201, json: { name: created.name, value: created.value, created_at: created.createdAt } };
      },
    }),
    api('DELETE /api/v0/instances/:id/keys/:name', {
      access: 'person', object: 'instance',
      async handle({ params, query }, instance) {
        await deleteKey(parts, instance, { name: params['name'] ?? '', kind: query.get('kind') });
        return { json: { name: params['name'] } };
      },
    }),
    api('POST /api/v0/instances/:id/api_keys', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { name } = await request.json();
        const created = await createKey(parts, instance, { name, kind: 'api' });
        return { json: { name: created.name, value: created.value, created_at: created.createdAt } };
      },
    }),
    api('GET /api/v0/instances/:id/logs', {
      access: 'person', object: 'instance',
      async handle({ query, signal }, { id, spaceId }) {
        const owner = { spaceId, instanceId: id };
        const filter = logFilter(query);
        const lines = query.get('follow') === 'true' ? logs.follow(owner, signal, filter) : listOf(await logs.read(owner, undefined, filter));
        return { lines: { source: jsonLines(lines), contentType: 'application/x-ndjson; charset=utf-8' } };
      },
    }),
  ];

  async function* jsonLines(lines: AsyncIterable<WireLogLine>): AsyncGenerator<string> {
    for await (const line of lines) yield JSON.stringify(line);
  }

  async function* listOf(lines: WireLogLine[]): AsyncGenerator<WireLogLine> {
    yield* lines;
  }

  function matches(instance: Instance, query: URLSearchParams): boolean {
    const wanted = { app_id: instance.projectId, channel: channelOf(instance), alias: instance.label, id: instance.id };
    return Object.entries(wanted).every(([field, value]) => (query.get(field) ?? value) === value);
  }
}

/** `micro`, `level` (this one and what is worse) and `request_id`; empty ones ask for nothing. @throws INVALID_FIELD */
export function logFilter(query: URLSearchParams): LogFilter {
  const [micro, level, requestId] = ['micro', 'level', 'request_id'].map((name) => query.get(name)?.trim() || undefined);
  return {
    ...(micro === undefined ? {} : { micro }), ...(requestId === undefined ? {} : { requestId }),
    ...(level === undefined ? {} : { level: oneOf(level, ['debug', 'info', 'warn', 'error'] as const, 'level') }),
  };
}

const KEY_KINDS = ['data', 'api'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

/** @returns the key with its value, which is shown this once */
export async function createKey({ dataKeys, apiKeys }: ApiParts, instance: Instance, { name, kind }: { name: unknown; kind: unknown }): Promise<{ name: string; value: string; createdAt: string; kind: KeyKind }> {
  const chosen = oneOf(kind, KEY_KINDS, 'kind');
  if (chosen === 'data') {
    const { key, value } = await dataKeys.create(instance.collectionId, name);
    return { name: key.name, value, createdAt: key.createdAt, kind: chosen };
  }
  const value = newSecret(32);
  const key = await apiKeys.create(instance.id, name, value);
  return { name: key.name, value, createdAt: key.createdAt, kind: chosen };
}

/** @throws NOT_FOUND */
export async function deleteKey({ dataKeys, apiKeys }: ApiParts, instance: Instance, { name, kind }: { name: string; kind: unknown }): Promise<void> {
  const isData = oneOf(kind, KEY_KINDS, 'kind') === 'data';
  const deleted = isData ? await dataKeys.delete(instance.collectionId, name) : await apiKeys.delete(instance.id, name);
  if (!deleted) throw new SpaceError('NOT_FOUND', { what: 'This key' });
}

export async function keysOf({ dataKeys, apiKeys }: ApiParts, instance: Instance): Promise<{ name: string; kind: KeyKind; created_at: string; last_used_at: string | null }[]> {
  const wire = (kind: KeyKind) => ({ name, createdAt, lastUsedAt }: StoredKey) => ({ name, kind, created_at: createdAt, last_used_at: lastUsedAt ?? null });
  return [...(await dataKeys.list(instance.collectionId)).map(wire('data')), ...(await apiKeys.list(instance.id)).map(wire('api'))];
}

function channelOf({ kind }: Instance): WireChannel {
  return kind === 'builder' ? 'development' : 'experimental';
}

/** Its programs see the new values from their next start on, which is before their next request. @throws ENV_* */
export async function changeEnv({ settings, machine, builder }: ApiParts, instance: Instance, wanted: { micro: string; values: Record<string, unknown> }[]): Promise<void> {
  const revision = instance.revisionId === null ? undefined : await builder.revisions.get(instance.revisionId);
  const changes = wanted.map(({ micro: name, values }): EnvChange => {
    const micro = revision?.micros.find((each) => each.name === name);
    if (!micro) throw new SpaceError('INVALID_FIELD', { field: 'micros', reason: `names a Micro \`${name.slice(0, 100)}\` that the app does not have` });
    return { micro, values };
  });
  await settings.setEnv(instance.id, changes);
  machine.settingsChanged(instance.id);
}

/** @throws LABEL_*, INSTALLATION_RUNNING */
export async function rename({ instances, installations, machine }: ApiParts, instance: Instance, label: string): Promise<Instance> {
  if (await installations.openFor(instance.id)) throw new SpaceError('INSTALLATION_RUNNING');
  const after = label === instance.label ? instance : await instances.rename(instance, label);
  machine.settingsChanged(instance.id);
  return after;
}

/** The shape that old clients send: all Micros with all their variables, `{name, value}` among other fields. */
function envChanges(micros: unknown): { micro: string; values: Record<string, unknown> }[] {
  const refuse = (reason: string): never => { throw new SpaceError('INVALID_FIELD', { field: 'micros', reason }); };
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!Array.isArray(micros)) return refuse('is a list of Micros');
  return micros.map((micro: unknown) => {
    const name = isObject(micro) ? (micro['name'] ?? micro['id']) : undefined;
    const env = isObject(micro) && isObject(micro['presets']) ? (micro['presets']['env'] ?? []) : [];
    if (typeof name !== 'string' || !Array.isArray(env)) return refuse('is a list of {"name", "presets": {"env": [{"name", "value"}]}}');
    const entries = env.map((entry: unknown): [string, unknown] => (isObject(entry) && typeof entry['name'] === 'string' ? [entry['name'], entry['value'] ?? null] : refuse('has variables without a name')));
    return { micro: name, values: Object.fromEntries(entries) };
  });
}

async function wireInstance({ builder, lifecycle, addresses, settings }: ApiParts, instance: Instance, origin: string): Promise<WireInstance> {
  const revision = instance.revisionId === null ? undefined : await orMissing(builder.revisions.get(instance.revisionId));
  const [offer, release] = await Promise.all([lifecycle.offer(instance), orMissing(builder.releases.get(instance.releaseId))]);
  const env = settings.envOf(await settings.of(instance.id));
  return {
    id: instance.id, app_id: instance.projectId, app_name: instance.appName, release_id: instance.releaseId, channel: channelOf(instance),
    alias: instance.label, url: addresses.instanceUrl(instance.label, origin), version: instance.version, status: instance.state,
    collection_id: instance.collectionId, created_at: instance.createdAt,
    update: offer ? { release_id: offer.id, version: offer.version, release_notes: offer.notes } : null,
    release: {
      id: instance.releaseId, app_name: instance.appName, version: instance.version, channel: channelOf(instance), short_description: release?.discovery.tagline ?? '',
      icon_url: release?.icon ? `${addresses.controlOrigin(origin)}/icons/${release.id}` : null,
    },
    micros: (revision?.micros ?? []).map((micro) => wireMicro(micro, ownEnv(env, micro.name))),
  };
}

function wireMicro({ name, engine, path, primary, presets }: RevisionMicro, own: Readonly<Record<string, string>>): WireMicro {
  const env = presets.env.map(({ name: variable, description, default: fallback }) => ({ name: variable, description, default: fallback, value: (Object.hasOwn(own, variable) ? own[variable] : fallback) ?? '' }));
  return { id: name, name, engine, path, primary, presets: { env, api_keys: presets.apiKeys } };
}
