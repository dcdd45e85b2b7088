// Owns how a command finds whose Items and Files are meant: an Instance's, or a headless Collection.
import type { Command } from 'commander';
import type { Api, DataOwner } from '../client/api.ts';
import { findBuilderInstance, findInstance } from './choose-instance.ts';
import type { Context } from './command.ts';
import { withDir } from './command.ts';
import { Failure, usageFailure } from './failure.ts';
import { findProjectDir, findProjectId } from './project-dir.ts';

export interface DataOptions { dir?: string; instance?: string; collection?: string }

export interface ChosenData {
  owner: DataOwner;
  collectionId: string;
  /** For people, and for file names. */
  name: string;
}

export function withData(command: Command): Command {
  return withDir(command)
    .option('--instance <instance>', 'id, alias, address or name of an app (default: the Builder Instance of this project)')
    .option('--collection <collection>', 'id or name of a Collection of its own');
}

/** @throws Failure INSTANCE_NOT_FOUND, COLLECTION_NOT_FOUND */
export async function chooseData({ io }: Context, api: Api, options: DataOptions): Promise<ChosenData> {
  if (options.instance !== undefined && options.collection !== undefined) throw usageFailure('--instance and --collection exclude each other.');
  if (options.collection !== undefined) return findCollection(api, options.collection);
  const instance = options.instance !== undefined
    ? await findInstance(api, options.instance)
    : await findBuilderInstance(api, await findProjectId(await findProjectDir(io, options.dir), undefined));
  return { owner: { kind: 'instances', id: instance.id }, collectionId: instance.collection_id, name: instance.alias };
}

async function findCollection(api: Api, wanted: string): Promise<ChosenData> {
  const { collections } = await api.listCollections();
  const byId = collections.filter(({ id }) => id === wanted);
  const [only, second] = byId.length > 0 ? byId : collections.filter(({ name }) => name === wanted);
  if (only === undefined || second !== undefined) {
    const what = only === undefined ? `You have no Collection \`${wanted}\`.` : `Several Collections are called \`${wanted}\`.`;
    throw new Failure({ code: 'COLLECTION_NOT_FOUND', what, remedy: 'Give its id; your Space lists them.' });
  }
  return { owner: { kind: 'collections', id: only.id }, collectionId: only.id, name: only.name };
}
