// Owns the page of the trash and its forms.
import { trashPage, type TrashView } from '../../dashboard/pages/trash.ts';
import type { ApiParts } from '../api/parts.ts';
import { page, type PersonalRequest, type Route } from '../api/route.ts';
import { deletedAt } from '../api/trash.ts';
import type { Trashed } from '../instance/trash.ts';
import { retried } from './account.ts';
import { ownChrome } from './chrome.ts';

const NAME_SHOWN = 64;

export function trashPages(parts: ApiParts): Route[] {
  const { trash } = parts;
  const view = async ({ person, query }: PersonalRequest, error?: string): Promise<string> => {
    const back = query.get('back');
    return trashPage({
      ...ownChrome(parts, person), things: (await trash.list(person.id)).map(thingOf),
      ...(back !== null && { message: `${back.slice(0, NAME_SHOWN)} is back.` }), ...(error !== undefined && { error }),
    });
  };

  return [
    page('GET /trash', { access: 'person', handle: async (request) => ({ html: await view(request) }) }),
    page('POST /trash/empty', {
      access: 'person',
      async handle({ person }) {
        for (const trashed of await trash.list(person.id)) await trash.purge(trashed);
        return { redirect: '/trash' };
      },
    }),
    page('POST /trash/:id/restore', {
      access: 'person', object: 'trashed',
      async handle(request, trashed) {
        const { as } = request.contentType === '' ? {} : await request.form();
        return retried(async () => {
          const instance = await trash.restore(trashed, as === 'collection' ? 'collection' : 'app');
          return { redirect: instance ? `/apps/${instance.id}` : `/trash?back=${encodeURIComponent(thingOf(trashed).name)}` };
        }, (error) => view(request, error.message));
      },
    }),
    page('POST /trash/:id/delete', {
      access: 'person', object: 'trashed',
      async handle(_, trashed) {
        await trash.purge(trashed);
        return { redirect: '/trash' };
      },
    }),
  ];
}

function thingOf(trashed: Trashed): TrashView['things'][number] {
  const { id, name, trashedAt, trashedInstance: app } = trashed;
  return { id, kind: app ? 'app' : 'collection', name: app?.appName ?? name, trashedAt, deletedAt: deletedAt(trashed), ...(app && { version: app.version }) };
}
