// Owns the endpoints of the trash: what is in it, bringing it back, emptying it.
import type { WireTrashed } from '../../core/wire.ts';
import { isoTime } from '../../core/clock.ts';
import { TRASH_MS, type Trashed } from '../instance/trash.ts';
import { oneOf } from './field.ts';
import type { ApiParts } from './parts.ts';
import { api, type Route } from './route.ts';

export function trashRoutes({ trash, addresses }: ApiParts): Route[] {
  return [
    api('GET /api/v0/trash', {
      access: 'person', handle: async ({ person }) => ({ json: { trash: (await trash.list(person.id)).map(wireTrashed) } }),
    }),
    api('DELETE /api/v0/trash', {
      access: 'person',
      async handle({ person }) {
        const all = await trash.list(person.id);
        for (const trashed of all) await trash.purge(trashed);
        return { json: { deleted: all.map(({ id }) => id) } };
      },
    }),
    api('POST /api/v0/trash/:id/restore', {
      access: 'person', object: 'trashed',
      async handle(request, trashed) {
        const { as } = await request.json();
        const instance = await trash.restore(trashed, oneOf(as ?? 'app', ['app', 'collection'] as const, 'as'));
        return { json: { collection_id: trashed.id, instance_id: instance?.id ?? null, url: instance ? addresses.instanceUrl(instance.label, request.origin) : null } };
      },
    }),
    api('DELETE /api/v0/trash/:id', {
      access: 'person', object: 'trashed',
      async handle(_, trashed) {
        await trash.purge(trashed);
        return { json: { deleted: [trashed.id] } };
      },
    }),
  ];
}

/** When it is gone for good, unless somebody brings it back. */
export function deletedAt({ trashedAt }: Trashed): string {
  return isoTime(Date.parse(trashedAt) + TRASH_MS);
}

function wireTrashed(trashed: Trashed): WireTrashed {
  const { id, name, trashedAt, trashedInstance } = trashed;
  return {
    id, kind: trashedInstance ? 'app' : 'collection', name: trashedInstance?.appName ?? name, instance_id: trashedInstance?.id ?? null,
    alias: trashedInstance?.label ?? null, version: trashedInstance?.version ?? null, trashed_at: trashedAt, deleted_at: deletedAt(trashed),
  };
}
