// Owns the tab of an Instance's settings and the forms on it.
import { settingsPage, type SettingsView } from '../../../dashboard/pages/instance/settings.ts';
import { SpaceError } from '../../../core/errors.ts';
import { changeEnv, createKey, deleteKey, keysOf, rename } from '../../api/instances.ts';
import type { ApiParts } from '../../api/parts.ts';
import { page, type PersonalRequest, type Reply, type Route } from '../../api/route.ts';
import type { Instance } from '../../instance/instance.ts';
import { retried } from '../account.ts';
import { LIMIT_NAMES, LIMITS } from '../../engine/cell/limits.ts';
import { ownEnv } from '../../instance/env.ts';
import { wireDomain } from '../../api/domains.ts';
import { frameOf, revisionOf } from './frame.ts';

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
    page('POST /apps/:id/env', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { micro = '', ...form } = await request.form();
        // Browsers send line breaks as CRLF.
        const values = Object.fromEntries(Object.entries(form).filter(([name]) => name.startsWith('env.')).map(([name, value]) => [name.slice(4), value.replaceAll('\r\n', '\n')]));
        return saved(request, instance, 'env', () => changeEnv(parts, instance, [{ micro, values }]));
      },
    }),
    page('POST /apps/:id/address', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { label = '' } = await request.form();
        return saved(request, instance, 'address', () => rename(parts, instance, label.trim().toLowerCase()));
      },
    }),
    ...(['', '/verify', '/remove'] as const).map((step) => page(`POST /apps/:id/domains${step}`, {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { domain = '' } = await request.form();
        const change = { '': parts.domains.claim, '/verify': parts.domains.verify, '/remove': parts.domains.remove }[step];
        return saved(request, instance, 'domains', () => change(instance, domain));
      },
    })),
    page('POST /apps/:id/limits', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        if (request.person.role !== 'owner') throw new SpaceError('FORBIDDEN', { reason: 'Only the owner of this host may do this.' });
        const form = await request.form();
        const wanted = Object.fromEntries(Object.entries(form).map(([name, text]) => [name, text.trim() === '' ? null : Number(text)]));
        return saved(request, instance, 'limits', async () => {
          await parts.settings.setLimits(instance.id, wanted);
          parts.machine.settingsChanged(instance.id);
        });
      },
    }),
    page('POST /apps/:id/egress', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { policy, hosts = '' } = await request.form();
        return saved(request, instance, 'egress', async () => {
          await parts.settings.setReach(instance.id, { policy, hosts: hosts.split(/[\s,]+/).filter(Boolean) });
          parts.machine.settingsChanged(instance.id);
        });
      },
    }),
  ];
}

async function viewOf(parts: ApiParts, request: PersonalRequest, instance: Instance): Promise<SettingsView> {
  const settings = await parts.settings.of(instance.id);
  const env = parts.settings.envOf(settings);
  const micros = (await revisionOf(parts, instance))?.micros ?? [];
  const [, behind = ''] = /^[^.]*(\..*)$/.exec(new URL(parts.addresses.instanceUrl(instance.label, request.origin)).host) ?? [];
  const calls = parts.machine.calls(instance.id);
  return {
    ...(await frameOf(parts, request, instance)), problems: {},
    address: { label: instance.label, behind },
    domains: (await parts.domains.list(instance)).map(wireDomain).map(({ domain, shown, status, problem, txt }) => ({ domain, shown, isActive: status === 'active', problem, txt })),
    env: micros.filter(({ presets }) => presets.env.length > 0).map(({ name: micro, presets }) => ({
      micro, values: presets.env.map(({ name, description, default: fallback }) => ({ name, description, value: ownEnv(env, micro)[name] ?? '', ...(fallback === undefined ? {} : { fallback }) })),
    })),
    keys: (await keysOf(parts, instance)).map(({ name, kind, created_at: createdAt, last_used_at: lastUsedAt }) => ({ name, kind, createdAt, lastUsedAt })),
    takesApiKeys: micros.some(({ presets }) => presets.apiKeys),
    limits: LIMIT_NAMES.filter((name) => LIMITS[name].of === 'instance').map((name) => ({
      name, meaning: LIMITS[name].meaning, unit: LIMITS[name].unit, value: settings.limits[name] ?? parts.machine.limits[name], isSet: settings.limits[name] !== undefined,
    })),
    egress: { ...settings.reach, total: calls.total, refused: calls.refused },
  };
}
