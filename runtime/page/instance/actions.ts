// Owns the tab of an Instance's App Actions and the form that runs one.
import { isSpaceError } from '../../../core/errors.ts';
import { actionsPage, type ActionRow } from '../../../dashboard/pages/instance/actions.ts';
import type { ActionInput } from '../../action/app-action.ts';
import type { ApiParts } from '../../api/parts.ts';
import { page, type PersonalRequest, type Route } from '../../api/route.ts';
import type { Instance } from '../../instance/instance.ts';
import { frameOf } from './frame.ts';

export function actionPages(parts: ApiParts): Route[] {
  const { appActions } = parts;
  /** @param done what became of the action of this name, and what its form was filled with */
  async function tab(request: PersonalRequest, instance: Instance, done?: { name: string; form: Record<string, string>; result: Pick<ActionRow, 'error' | 'output'> }): Promise<string> {
    const actions = (await appActions.list(instance)).map(({ name, title, micro, input }): ActionRow => {
      if (name !== done?.name) return { name, title, micro, input };
      return { name, title, micro, input: input.map((each) => ({ ...each, value: done.form[`input.${each.name}`] ?? '' })), ...done.result };
    });
    return actionsPage({ ...(await frameOf(parts, request, instance)), actions });
  }

  return [
    page('GET /apps/:id/actions', { access: 'person', object: 'instance', handle: async (request, instance) => ({ html: await tab(request, instance) }) }),
    page('POST /apps/:id/actions', {
      access: 'person', object: 'instance',
      async handle(request, instance) {
        const { action: name = '', ...form } = await request.form();
        const known = (await appActions.list(instance)).find((each) => each.name === name);
        try {
          const output = await appActions.run(instance, name, inputsOf(known?.input ?? [], form));
          return { html: await tab(request, instance, { name, form, result: { output } }) };
        } catch (error) {
          // Whatever its form or the app itself is to blame for stands above the form.
          if (!known || !isSpaceError(error) || error.blame === 'platform') throw error;
          const more = error.blame === 'micro' && error.code !== 'ACTION_FAILED' ? ' The tab Logs says more.' : '';
          return { status: error.blame === 'caller' ? error.status : 200, html: await tab(request, instance, { name, form, result: { error: error.message + more } }) };
        }
      },
    }),
  ];
}

/** What a form sends is text; what was left empty is not said where it may be. */
function inputsOf(input: readonly ActionInput[], form: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(input.flatMap(({ name, type, optional }): [string, unknown][] => {
    const text = Object.hasOwn(form, `input.${name}`) ? form[`input.${name}`]! : undefined;
    if (text === undefined || (text === '' && (optional || type !== 'string'))) return [];
    // What is no number is sent as it is, so that the answer says so.
    if (type === 'number') return [[name, text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text)]];
    return [[name, type === 'boolean' ? text === 'true' : text.replaceAll('\r\n', '\n')]];
  }));
}
