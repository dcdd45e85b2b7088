// Owns the endpoints of quotas: what a Space may store, which the owner of the host sets, and an app, which its owner sets.
import type { WireQuota } from '../../core/wire.ts';
import { SpaceError } from '../../core/errors.ts';
import type { QuotaUsage } from '../instance/quota.ts';
import type { ApiParts } from './parts.ts';
import { api, type PersonalRequest, type Route } from './route.ts';

export function quotaRoutes({ quotas, spaces, settings }: ApiParts): Route[] {
  const setCollection = async (request: PersonalRequest, collectionId: string) => {
    const ref = { spaceId: request.person.id, collectionId };
    await quotas.setCollection(ref, limitOf(await request.json()));
    const { collections } = await quotas.usage(ref.spaceId);
    return { json: wireCollectionQuota(collections.find(({ id }) => id === collectionId) ?? { id: collectionId, usedBytes: 0, limitBytes: null }) };
  };

  return [
    api('GET /api/v0/space/quota', { access: 'person', handle: async ({ person }) => ({ json: wireQuota(await quotas.usage(person.id)) }) }),
    api('GET /api/v0/spaces', {
      access: 'host-owner',
      async handle() {
        const listed = await Promise.all((await spaces.list()).map(async ({ id, username, role }) => {
          const { usedBytes, limitBytes } = await quotas.usage(id);
          return { id, name: username, role, used_bytes: usedBytes, limit_bytes: limitBytes, cordon: await settings.cordonOf(id) };
        }));
        return { json: { spaces: listed } };
      },
    }),
    api('PATCH /api/v0/spaces/:space/quota', {
      access: 'host-owner',
      async handle(request) {
        const space = await spaces.get(request.params['space'] ?? '');
        if (!space) throw new SpaceError('NOT_FOUND', { what: 'This Space' });
        await quotas.setSpace(space.id, limitOf(await request.json()));
        return { json: wireQuota(await quotas.usage(space.id)) };
      },
    }),
    api('PATCH /api/v0/collections/:id/quota', { access: 'person', object: 'collection', handle: (request, { id }) => setCollection(request, id) }),
    api('PATCH /api/v0/instances/:id/quota', { access: 'person', object: 'instance', handle: (request, { collectionId }) => setCollection(request, collectionId) }),
  ];
}

/** `null`: the default. */
function limitOf(body: Record<string, unknown>): number | null {
  const limit = body['limit_bytes'];
  if (limit === null || (Number.isSafeInteger(limit) && (limit as number) >= 0)) return limit as number | null;
  throw new SpaceError('INVALID_FIELD', { field: 'limit_bytes', reason: 'is a whole number of bytes, or null for the default' });
}

function wireQuota({ usedBytes, limitBytes, collections }: QuotaUsage): WireQuota {
  return { used_bytes: usedBytes, limit_bytes: limitBytes, collections: collections.map(wireCollectionQuota) };
}

function wireCollectionQuota({ id, usedBytes, limitBytes }: { id: string; usedBytes: number; limitBytes: number | null }): WireQuota['collections'][number] {
  return { id, used_bytes: usedBytes, limit_bytes: limitBytes };
}
