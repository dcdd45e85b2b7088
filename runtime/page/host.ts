// Owns the page of the host's owner: how well this machine contains apps, what runs, who shares a process.
import { hostPage } from '../../dashboard/pages/host.ts';
import type { ApiParts } from '../api/parts.ts';
import { page, type Route } from '../api/route.ts';
import { changeCordon } from '../api/settings.ts';
import { ownChrome } from './chrome.ts';

export function hostPages(parts: ApiParts): Route[] {
  const { spaces, settings, machine, version } = parts;
  return [
    page('GET /host', {
      access: 'host-owner',
      async handle({ person }) {
        const [sandbox, cells, boxes, programs, people] = await Promise.all([machine.sandbox(), machine.cells(), machine.boxes(), machine.programs(), spaces.list()]);
        const shown = people.map(async ({ id, username }) => ({ id, name: username, cordon: await settings.cordonOf(id) }));
        return { html: hostPage({ ...ownChrome(parts, person), version, sandbox, cells, boxes, programs, spaces: await Promise.all(shown) }) };
      },
    }),
    page('POST /host/spaces/:space/cordon', {
      access: 'host-owner',
      async handle(request) {
        const { cordon } = await request.form();
        await changeCordon(parts, request.params['space'] ?? '', cordon);
        return { redirect: '/host' };
      },
    }),
  ];
}
