// Owns the endpoints of snapshots: what a Collection was at a moment, to go back to.
import type { WireSnapshot } from '../../core/wire.ts';
import type { SnapshotInfo, Snapshots } from '../../sandbox-data/data.ts';
import type { CollectionRecord } from '../instance/collection.ts';
import { optionalText } from './field.ts';
import type { ApiParts } from './parts.ts';
import { api, type Route } from './route.ts';

export function snapshotRoutes({ data }: ApiParts): Route[] {
  const snapshotsOf = ({ id, spaceId }: CollectionRecord): Snapshots => data.collection({ spaceId, collectionId: id }).snapshots;

  return [
    api('GET /api/v0/collections/:id/snapshots', {
      access: 'person', object: 'collection', handle: async (_, record) => ({ json: { snapshots: (await snapshotsOf(record).list()).map(wireSnapshot) } }),
    }),
    api('POST /api/v0/collections/:id/snapshots', {
      access: 'person', object: 'collection',
      async handle(request, record) {
        const note = optionalText(await request.json(), 'note');
        return { status: 201, json: wireSnapshot(await snapshotsOf(record).create({ note })) };
      },
    }),
    api('POST /api/v0/collections/:id/snapshots/:snapshot/restore', {
      access: 'person', object: 'collection',
      async handle({ params }, record) {
        const { replaced } = await snapshotsOf(record).restore(params['snapshot'] ?? '');
        return { json: { id: params['snapshot'], replaced: wireSnapshot(replaced) } };
      },
    }),
    api('DELETE /api/v0/collections/:id/snapshots/:snapshot', {
      access: 'person', object: 'collection',
      async handle({ params }, record) {
        await snapshotsOf(record).drop(params['snapshot'] ?? '');
        return { json: { id: params['snapshot'] } };
      },
    }),
  ];
}

function wireSnapshot({ id, kind, note, createdAt }: SnapshotInfo): WireSnapshot {
  return { id, kind, note, created_at: createdAt };
}
