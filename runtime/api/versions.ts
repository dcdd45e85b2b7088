// Owns the endpoints of an Instance's versions: what an update brings, what ran before, going back to it.
import type { WireRollback, WireUpdate, WireVersion } from '../../core/wire.ts';
import type { Instance } from '../instance/instance.ts';
import type { ReturnPoint, RollbackPlan, RollbackWish, UpdateOffer } from '../instance/versions.ts';
import { oneOf } from './field.ts';
import { wireInstallation } from './installations.ts';
import type { ApiParts } from './parts.ts';
import { api, type Route } from './route.ts';

export function versionRoutes({ versions }: ApiParts): Route[] {
  return [
    api('GET /api/v0/instances/:id/update', {
      access: 'person', object: 'instance',
      handle: async ({ query }, instance) => ({ json: wireUpdate(instance, await versions.offer(instance, query.get('release_id') ?? undefined)) }),
    }),
    api('GET /api/v0/instances/:id/versions', {
      access: 'person', object: 'instance', handle: async (_, instance) => ({ json: { versions: (await versions.points(instance)).map(wireVersion) } }),
    }),
    api('GET /api/v0/instances/:id/rollback', {
      access: 'person', object: 'instance',
      async handle({ query }, instance) {
        // Nothing to go back to is an answer here.
        if ((await versions.points(instance)).length === 0 && query.get('to') === null) return { json: null };
        return { json: wireRollback(await versions.plan(instance, rollbackWish(query.get('to'), query.get('data')))) };
      },
    }),
    api('POST /api/v0/instances/:id/rollback', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { to, data } = await request.json();
        return { status: 202, json: wireInstallation(await versions.rollback(instance, rollbackWish(to, data))) };
      },
    }),
  ];
}

/** @param to id of a version, the one before this one unless it is given  @throws INVALID_FIELD */
export function rollbackWish(to: unknown, data: unknown): RollbackWish {
  const wish: RollbackWish = { data: oneOf(data ?? 'keep', ['keep', 'restore'] as const, 'data') };
  return typeof to === 'string' && to !== '' ? { ...wish, to } : wish;
}

function wireUpdate({ id, releaseId, version }: Instance, offer: UpdateOffer | undefined): WireUpdate {
  return {
    instance_id: id, from: { release_id: releaseId, version }, to: offer ? { release_id: offer.release.id, version: offer.release.version } : null,
    notes: (offer?.notes ?? []).map((each) => ({ version: each.version, release_notes: each.notes, released_at: each.createdAt })),
    changes: offer?.changes ?? [],
  };
}

function wireVersion({ id, version, releaseId, leftAt, snapshotId }: ReturnPoint): WireVersion {
  return { id, version, release_id: releaseId, left_at: leftAt, snapshot_id: snapshotId ?? null };
}

function wireRollback({ point, data, undone, statement }: RollbackPlan): WireRollback {
  return { to: wireVersion(point), data, changed_since: undone ? { items: undone.items, files: undone.files, more: undone.isMore } : null, statement };
}
