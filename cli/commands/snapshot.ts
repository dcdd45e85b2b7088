// Owns `space snapshot create|list|restore|drop`: moments of an app's data to go back to.
import type { WireSnapshot } from '../../core/wire.ts';
import { chooseData, withData } from '../choose-data.ts';
import type { DataOptions } from '../choose-data.ts';
import { defineCommand } from '../command.ts';
import { formatTable, plainText } from '../output.ts';

interface CreateOptions extends DataOptions { note?: string }

export const snapshotCreateCommand = defineCommand<CreateOptions>({
  summary: 'remember the data of an app as it is now',
  configure: (command) => withData(command).option('--note <text>', 'what it is for'),
  async run(context, options) {
    const api = await context.api();
    const chosen = await chooseData(context, api, options);
    const snapshot = await api.createSnapshot(chosen.collectionId, options.note ?? '');
    context.done(`Took a snapshot of ${chosen.name}.`);
    context.result(snapshot, snapshot.id);
  },
});

export const snapshotListCommand = defineCommand<DataOptions>({
  summary: 'list the snapshots of an app',
  configure: withData,
  async run(context, options) {
    const api = await context.api();
    const chosen = await chooseData(context, api, options);
    const { snapshots } = await api.listSnapshots(chosen.collectionId);
    const rows = snapshots.map(({ id, created_at, kind, note }: WireSnapshot) => [id, created_at, kind, plainText(note)]);
    context.result({ snapshots }, rows.length === 0 ? `${chosen.name} has no snapshots.` : formatTable(['ID', 'TAKEN', 'KIND', 'NOTE'], rows, context.io.colors));
  },
});

export const snapshotRestoreCommand = defineCommand<DataOptions>({
  summary: 'put the data of an app back to a snapshot',
  configure: (command) => withData(command).argument('<id>', 'id of the snapshot'),
  async run(context, options, [id = '']) {
    const api = await context.api();
    const chosen = await chooseData(context, api, options);
    const { replaced } = await api.restoreSnapshot(chosen.collectionId, id);
    context.done(`${chosen.name} is back at ${id}. What was there until now is the snapshot ${replaced.id}.`);
    context.result({ id, replaced }, replaced.id);
  },
});

export const snapshotDropCommand = defineCommand<DataOptions>({
  summary: 'forget a snapshot',
  configure: (command) => withData(command).argument('<id>', 'id of the snapshot'),
  async run(context, options, [id = '']) {
    const api = await context.api();
    const chosen = await chooseData(context, api, options);
    await api.dropSnapshot(chosen.collectionId, id);
    context.done(`Dropped ${id}.`);
    context.result({ id }, id);
  },
});
