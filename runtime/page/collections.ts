// Owns the pages of headless Collections and their forms.
import { SpaceError } from '../../core/errors.ts';
import { collectionPage, type CollectionView } from '../../dashboard/pages/collection.ts';
import { collectionsPage } from '../../dashboard/pages/collections.ts';
import { createCollection, discardCollection } from '../api/collections.ts';
import type { ApiParts } from '../api/parts.ts';
import { page, type PersonalRequest, type Reply, type Route } from '../api/route.ts';
import type { CollectionRecord } from '../instance/collection.ts';
import { retried } from './account.ts';
import { importedBy } from './archive.ts';
import { ownChrome } from './chrome.ts';

export function collectionPages(parts: ApiParts): Route[] {
  const { collections, dataKeys, trash } = parts;

  const list = async ({ person }: PersonalRequest, error?: string): Promise<string> => {
    const headless = (await collections.list(person.id)).filter((record) => record.instanceId === null);
    return collectionsPage({ ...ownChrome(parts, person), collections: headless, ...(error !== undefined && { error }) });
  };
  const one = async (request: PersonalRequest, record: CollectionRecord, more: Partial<CollectionView> = {}): Promise<string> =>
    collectionPage({ ...(await viewOf(parts, request, record)), ...more });

  return [
    page('GET /collections', { access: 'person', handle: async (request) => ({ html: await list(request) }) }),
    page('POST /collections', {
      access: 'person',
      async handle(request) {
        const { name = '' } = await request.form();
        return retried(async () => ({ redirect: `/collections/${(await createCollection(collections, request.person.id, name)).id}` }), (error) => list(request, error.message));
      },
    }),
    page('GET /collections/:id', {
      access: 'person', object: 'collection',
      // That of an app is a tab of the app.
      handle: async (request, record) => (record.instanceId === null ? { html: await one(request, record) } : { redirect: `/apps/${record.instanceId}/data` }),
    }),
    page('POST /collections/:id/delete', {
      access: 'person', object: 'collection',
      async handle(_, record) {
        await discardCollection(trash, record);
        return { redirect: '/trash' };
      },
    }),
    page('POST /collections/:id/keys', {
      access: 'person', object: 'collection',
      async handle(request, record): Promise<Reply> {
        const { name } = await request.form();
        return retried(async () => {
          const { key, value } = await dataKeys.create(record.id, name);
          return { html: await one(request, record, { created: { name: key.name, value } }) };
        }, (error) => one(request, record, { keyError: error.message }));
      },
    }),
    page('POST /collections/:id/keys/revoke', {
      access: 'person', object: 'collection',
      async handle(request, { id }) {
        const { name = '' } = await request.form();
        if (!(await dataKeys.delete(id, name))) throw new SpaceError('NOT_FOUND', { what: 'This key' });
        return { redirect: `/collections/${id}` };
      },
    }),
    page('POST /collections/:id/import', {
      access: 'person', object: 'collection', streams: true,
      handle: (request, record) => retried(async () => ({ html: await one(request, record, { imported: await importedBy(parts, request, { spaceId: record.spaceId, collectionId: record.id }) }) }),
        (error) => one(request, record, { importError: error.message })),
    }),
  ];
}

async function viewOf(parts: ApiParts, { person, origin }: PersonalRequest, record: CollectionRecord): Promise<CollectionView> {
  const [{ bases, drives }, keys] = await Promise.all([parts.data.collection({ spaceId: record.spaceId, collectionId: record.id }).usage(), parts.dataKeys.list(record.id)]);
  return {
    ...ownChrome(parts, person), collection: record, bases, drives, dataUrl: `${parts.addresses.controlOrigin(origin)}/base/v1/`,
    keys: keys.map(({ name, createdAt, lastUsedAt }) => ({ name, createdAt, lastUsedAt: lastUsedAt ?? null })),
  };
}
