// Owns the endpoints of App Actions: what the apps of a Space can be asked to do, and asking them (@source reference 3.7).
import type { WireAction } from '../../core/wire.ts';
import type { AppAction } from '../action/app-action.ts';
import type { Instance } from '../instance/instance.ts';
import { perPage } from './field.ts';
import type { ApiParts } from './parts.ts';
import { api, type Route } from './route.ts';

export function actionRoutes({ instances, appActions }: ApiParts): Route[] {
  return [
    api('GET /api/v0/actions', {
      access: 'person',
      async handle({ person, query }) {
        const mine = (await instances.list(person.id)).toSorted((a, b) => a.createdAt.localeCompare(b.createdAt));
        const listed = await Promise.all(mine.map(async (instance) => (await appActions.list(instance)).map((action) => wireAction(instance, action))));
        return { json: { actions: listed.flat().slice(0, perPage(query, 1000)) } };
      },
    }),
    api('POST /api/v0/actions/:id/:name', {
      access: 'person', object: 'instance',
      handle: async (request, instance) => ({ json: await appActions.run(instance, request.params['name'] ?? '', await request.json()) }),
    }),
  ];
}

function wireAction(instance: Instance, { name, title, input, output }: AppAction): WireAction {
  return {
    instance_id: instance.id, instance_alias: instance.label, app_name: instance.appName, name, title, input, output,
    channel: instance.kind === 'builder' ? 'development' : 'experimental', version: instance.version,
  };
}
