// Owns the endpoints of Installations: install a Release, update an Instance, follow the job.
import type { WireInstallation, WireJobStatus } from '../../core/wire.ts';
import { SpaceError } from '../../core/errors.ts';
import type { Installation } from '../instance/installation.ts';
import type { InstallationState } from '../instance/installation-state.ts';
import { optionalFlag, optionalText, perPage, requiredText } from './field.ts';
import type { ApiParts } from './parts.ts';
import { api, type Route } from './route.ts';

export function installationRoutes({ installations, instances, lifecycle }: ApiParts): Route[] {
  return [
    api('POST /api/v0/installations', {
      access: 'person',
      async handle(request) {
        const body = await request.json();
        const releaseId = requiredText(body, 'release_id');
        const instanceId = optionalText(body, 'instance_id');
        if (instanceId === '') return { status: 202, json: wireInstallation(await lifecycle.install(request.person, releaseId)) };
        const instance = await instances.get(instanceId);
        if (instance?.spaceId !== request.person.id) throw new SpaceError('INSTANCE_NOT_FOUND');
        return { status: 202, json: wireInstallation(await lifecycle.update(instance, releaseId, { isUnchecked: optionalFlag(body, 'skip_check', false) })) };
      },
    }),
    api('GET /api/v0/installations', {
      access: 'person',
      async handle({ person, query }) {
        const releaseId = query.get('release_id') ?? undefined;
        const found = await installations.list({ spaceId: person.id, releaseId });
        const page = found.slice(0, perPage(query)).map(wireInstallation);
        return { json: { installations: page, page: { size: page.length, last: null } } };
      },
    }),
    api('GET /api/v0/installations/:id', {
      access: 'person', object: 'installation', handle: async (_, installation) => ({ json: wireInstallation(installation) }),
    }),
    api('GET /api/v0/installations/:id/logs', {
      access: 'person', object: 'installation',
      handle: async ({ signal }, { id }) => ({ lines: { source: installations.follow(id, signal), contentType: 'text/plain; charset=utf-8' } }),
    }),
  ];
}

export const INSTALLATION_STATUS: Record<InstallationState, WireJobStatus> = {
  pending: 'pending', preparing: 'running', saving: 'running', checking: 'running', returning: 'running', complete: 'complete', failed: 'failed',
};

export function wireInstallation(job: Installation): WireInstallation {
  return {
    id: job.id, instance_id: job.instanceId, release_id: job.releaseId, kind: job.kind, status: INSTALLATION_STATUS[job.state],
    step: job.lines.at(-1) ?? '', error: job.error, created_at: job.createdAt,
  };
}
