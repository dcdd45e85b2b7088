// Owns the endpoints of Builds: a push is a Build, its Spacefile, its icon, its source, and a log to follow.
import type { WireBuild } from '../../core/wire.ts';
import type { Build } from '../../builder/build.ts';
import { optionalFlag, optionalText, requiredText } from './field.ts';
import type { ApiParts } from './parts.ts';
import { api, type Route } from './route.ts';

const MANIFEST_MAX_BYTES = 256 * 1024;
const ICON_MAX_BYTES = 2 * 1024 * 1024;

export function buildRoutes({ builder }: ApiParts): Route[] {
  const accepted = (build: Build): { json: { build_id: string } } => ({ json: { build_id: build.id } });
  return [
    api('POST /api/v0/builds', {
      access: 'person',
      async handle(request) {
        const body = await request.json();
        const project = await builder.projects.get(requiredText(body, 'app_id'), request.person.id);
        const build = await builder.builds.create({ project, tag: optionalText(body, 'tag'), autoPwa: optionalFlag(body, 'auto_pwa', true) });
        return { status: 202, json: { id: build.id } };
      },
    }),
    api('GET /api/v0/builds', {
      access: 'person',
      async handle({ person, query }) {
        const project = await builder.projects.get(query.get('app_id') ?? '', person.id);
        return { json: { builds: (await builder.builds.listByProject(project.id)).map(wireBuild) } };
      },
    }),
    api('GET /api/v0/builds/:id', { access: 'person', object: 'build', handle: async (_, build) => ({ json: wireBuild(build) }) }),
    api('POST /api/v0/builds/:id/manifest', {
      access: 'person', object: 'build',
      async handle(request, build) {
        await builder.builds.putManifest(build.id, (await request.bytes(MANIFEST_MAX_BYTES)).toString('utf8'));
        return accepted(build);
      },
    }),
    api('POST /api/v0/builds/:id/icon', {
      access: 'person', object: 'build',
      async handle(request, build) {
        await builder.builds.putIcon(build.id, await request.bytes(ICON_MAX_BYTES));
        return accepted(build);
      },
    }),
    api('POST /api/v0/builds/:id/discovery', {
      access: 'person', object: 'build',
      async handle(request, build) {
        await request.bytes(MANIFEST_MAX_BYTES);
        await builder.builds.leaveDiscovery(build.id);
        return accepted(build);
      },
    }),
    api('POST /api/v0/builds/:id/code', {
      access: 'person', object: 'build', streams: true,
      async handle(request, build) {
        await builder.builds.putSource(build.id, request.stream(), request.announcedBytes);
        return accepted(build);
      },
    }),
    api('GET /api/v0/builds/:id/logs', {
      access: 'person', object: 'build',
      handle: async ({ query, signal }, build) => ({
        lines: { source: builder.builds.logs(build.id, { follow: query.get('follow') === 'true', signal }), contentType: 'text/plain; charset=utf-8' },
      }),
    }),
    api('POST /api/v0/builds/:id/cancel', {
      access: 'person', object: 'build',
      async handle(_, build) {
        await builder.builds.cancel(build.id);
        return { status: 202, json: { id: build.id } };
      },
    }),
  ];
}

function wireBuild({ id, projectId, status, tag, error, createdAt }: Build): WireBuild {
  return { id, app_id: projectId, status, tag, error: error ?? null, created_at: createdAt };
}
