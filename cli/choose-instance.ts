// Owns how a command finds the Instance that is meant: one by name, or the Builder Instance of the project at hand.
import type { Api } from '../client/api.ts';
import type { WireInstance } from '../core/wire.ts';
import { Failure } from './failure.ts';

/** @param wanted id, alias, label or address of an Instance in the caller's Space @throws Failure INSTANCE_NOT_FOUND */
export async function findInstance(api: Api, wanted: string): Promise<WireInstance> {
  const { instances } = await api.listInstances();
  const host = URL.canParse(wanted) ? new URL(wanted).host : undefined;
  const found = instances.filter((one) => one.id === wanted || one.alias === wanted || labelOf(one) === wanted || new URL(one.url).host === host);
  const byName = found.length > 0 ? found : instances.filter((one) => one.app_name.toLowerCase() === wanted.toLowerCase());
  const [only, second] = byName;
  if (only === undefined) throw notFound(`You have no app instance \`${wanted}\`.`);
  if (second !== undefined) throw notFound(`\`${wanted}\` could be any of ${byName.map((one) => one.alias).join(', ')}.`);
  return only;
}

/** @throws Failure INSTANCE_NOT_FOUND before the first push */
export async function findBuilderInstance(api: Api, projectId: string): Promise<WireInstance> {
  const { instances } = await api.listInstances({ app_id: projectId, channel: 'development' });
  const [instance] = instances;
  if (instance !== undefined) return instance;
  throw new Failure({ code: 'INSTANCE_NOT_FOUND', what: 'This project has no Builder Instance yet.', remedy: 'The first `space push` makes it.' });
}

function labelOf(instance: WireInstance): string | undefined {
  return new URL(instance.url).hostname.split('.')[0];
}

function notFound(what: string): Failure {
  return new Failure({ code: 'INSTANCE_NOT_FOUND', what, remedy: '`space instances` lists them; id, alias and address are understood.' });
}
