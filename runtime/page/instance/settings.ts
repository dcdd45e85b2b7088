// Owns the tab of an Instance's settings and the forms on it.
import { settingsPage, type SettingsView } from '../../../dashboard/pages/instance/settings.ts';
import { createKey, deleteKey, keysOf } from '../../api/instances.ts';
import type { ApiParts } from '../../api/parts.ts';
import { page, type PersonalRequest, type Reply, type Route } from '../../api/route.ts';
import type { Instance } from '../../instance/instance.ts';
import { retried } from '../account.ts';
import { frameOf } from './frame.ts';

export function settingsPages(parts: ApiParts): Route[] {
  /** What the form asks for, and back to the tab; or the tab again, with what is wrong with the form. */
  const saved = (request: PersonalRequest, instance: Instance, form: keyof SettingsView['problems'], save: () => Promise<unknown>): Promise<Reply> =>
    retried(async () => {
      await save();
      return { redirect: `/apps/${instance.id}/settings` };
    }, async (error) => settingsPage({ ...(await viewOf(parts, request, instance)), problems: { [form]: error.message } }));

  return [
    page('GET /apps/:id/settings', {
      access: 'person', object: 'instance', handle: async (request, instance) => ({ html: settingsPage(await viewOf(parts, request, instance)) }),
    }),
    page('POST /apps/:id/keys', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { name, kind } = await request.form();
        return retried(async () => {
          const created = await createKey(parts, instance, { name, kind });
          return { html: settingsPage({ ...(await viewOf(parts, request, instance)), created }) };
        }, async (error) => settingsPage({ ...(await viewOf(parts, request, instance)), problems: { keys: error.message } }));
      },
    }),
    page('POST /apps/:id/keys/revoke', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { name = '', kind } = await request.form();
        await deleteKey(parts, instance, { name, kind });
        return { redirect: `/apps/${instance.id}/settings` };
      },
    }),
    page('POST /apps/:id/egress', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { policy, hosts = '' } = await request.form();
        return saved(request, instance, 'egress', () => parts.settings.setReach(instance.id, { policy, hosts: hosts.split(/[\s,]+/).filter(Boolean) }));
      },
    }),
  ];
}

async function viewOf(parts: ApiParts, request: PersonalRequest, instance: Instance): Promise<SettingsView> {
  const { reach } = await parts.settings.of(instance.id);
  const calls = parts.machine.calls(instance.id);
  return {
    ...(await frameOf(parts, request, instance)), problems: {},
    keys: (await keysOf(parts, instance)).map(({ name, kind, created_at: createdAt }) => ({ name, kind, createdAt })),
    egress: { ...reach, total: calls.total, refused: calls.refused },
  };
}
