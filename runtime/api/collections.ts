// Owns the endpoints of Collections: headless ones, and the data keys of all.
import type { WireCollection, WireDamage, WireUsage, WireVerified } from '../../core/wire.ts';
import { SpaceError } from '../../core/errors.ts';
import type { Collection, CollectionUsage, DamageReport } from '../../sandbox-data/data.ts';
import type { CollectionRecord, Collections } from '../instance/collection.ts';
import type { Trash } from '../instance/trash.ts';
import { requiredText } from './field.ts';
import type { ApiParts } from './parts.ts';
import { api, type Route } from './route.ts';

const NAME_MAX = 64;

export function collectionRoutes({ collections, trash, dataKeys, data }: ApiParts): Route[] {
  const collectionOf = (record: CollectionRecord): Collection => data.collection({ spaceId: record.spaceId, collectionId: record.id });
  const contentsOf = (record: CollectionRecord): Promise<{ bases: string[]; drives: string[] }> => collectionOf(record).contents();

  return [
    api('GET /api/v0/collections', {
      access: 'person', handle: async ({ person }) => ({ json: { collections: (await collections.list(person.id)).map(wireCollection) } }),
    }),
    api('POST /api/v0/collections', {
      access: 'person',
      async handle(request) {
        const name = requiredText(await request.json(), 'name');
        return { status: 201, json: wireCollection(await createCollection(collections, request.person.id, name)) };
      },
    }),
    api('GET /api/v0/collections/:id', { access: 'person', object: 'collection', handle: async (_, record) => ({ json: wireCollection(record) }) }),
    api('DELETE /api/v0/collections/:id', {
      access: 'person', object: 'collection',
      async handle(_, record) {
        await discardCollection(trash, record);
        return { status: 202, json: { id: record.id } };
      },
    }),
    api('GET /api/v0/collections/:id/bases', {
      access: 'person', object: 'collection',
      handle: async (_, record) => ({ json: { bases: (await contentsOf(record)).bases.map((name) => ({ name, collection_id: record.id, status: 'active' })) } }),
    }),
    api('GET /api/v0/collections/:id/drives', {
      access: 'person', object: 'collection',
      handle: async (_, record) => ({ json: { drives: (await contentsOf(record)).drives.map((name) => ({ name, collection_id: record.id, status: 'active' })) } }),
    }),
    api('GET /api/v0/collections/:id/usage', {
      access: 'person', object: 'collection',
      handle: async (_, record) => ({ json: wireUsage(await data.collection({ spaceId: record.spaceId, collectionId: record.id }).usage()) }),
    }),
    api('GET /api/v0/collections/:id/damage', {
      access: 'person', object: 'collection',
      handle: async (_, record) => ({ json: { damage: (await collectionOf(record).damage()).map(wireDamage) } }),
    }),
    api('DELETE /api/v0/collections/:id/damage', {
      access: 'person', object: 'collection',
      handle: async (_, record) => {
        await collectionOf(record).forgetDamage();
        return { json: { damage: [] } };
      },
    }),
    api('POST /api/v0/collections/:id/verify', {
      access: 'person', object: 'collection',
      handle: async (_, record) => {
        const { damage, indexes } = await collectionOf(record).verify();
        return { json: { damage: damage.map(wireDamage), indexes } satisfies WireVerified };
      },
    }),
    api('GET /api/v0/collections/:id/keys', {
      access: 'person', object: 'collection',
      handle: async (_, { id }) => ({ json: { keys: (await dataKeys.list(id)).map(({ name, createdAt, lastUsedAt }) => ({ name, created_at: createdAt, last_used_at: lastUsedAt ?? null })) } }),
    }),
    api('POST /api/v0/collections/:id/keys', {
      access: 'person', object: 'collection',
      async handle(request, { id }) {
        const { name } = await request.json();
        const { key, value } = await dataKeys.create(id, name);
        return { status: 201, json: { name: key.name, created_at: key.createdAt, value } };
      },
    }),
    api('DELETE /api/v0/collections/:id/keys/:name', {
      access: 'person', object: 'collection',
      async handle({ params }, { id }) {
        if (!(await dataKeys.delete(id, params['name'] ?? ''))) throw new SpaceError('NOT_FOUND', { what: 'This key' });
        return { json: { name: params['name'] } };
      },
    }),
  ];
}

/** @throws INVALID_FIELD, COUNT_LIMIT */
export async function createCollection(collections: Collections, spaceId: string, wanted: string): Promise<CollectionRecord> {
  const name = wanted.trim();
  if (name === '' || name.length > NAME_MAX) throw new SpaceError('INVALID_FIELD', { field: 'name', reason: `has 1 to ${NAME_MAX} characters` });
  return collections.create(spaceId, name);
}

/** Into the trash. @throws CONFLICT when it is an app's */
export async function discardCollection(trash: Trash, record: CollectionRecord): Promise<void> {
  if (record.instanceId !== null) throw new SpaceError('CONFLICT', { reason: 'This Collection belongs to an app: uninstall the app to delete it.' });
  await trash.discard(record);
}

function wireUsage({ bases, drives }: CollectionUsage): WireUsage {
  return {
    bases: bases.map(({ indexes, ...base }) => ({ ...base, indexes: indexes.map(({ field, state, usedAt }) => ({ field, state, used_at: usedAt })) })),
    drives,
  };
}

function wireDamage({ at, kind, note, things, otherRecords, range }: DamageReport): WireDamage {
  return { at, kind, note, things, other_records: otherRecords, range: range ? { after: range.after, up_to: range.upTo } : null };
}

function wireCollection({ id, name, instanceId, createdAt }: CollectionRecord): WireCollection {
  return { id, name, instance_id: instanceId, created_at: createdAt };
}
