// Owns `space verify`: whether what is stored of an app can still be read, and what was lost.
import type { WireDamage, WireVerified } from '../../core/wire.ts';
import { chooseData, withData } from '../choose-data.ts';
import type { DataOptions } from '../choose-data.ts';
import { defineCommand } from '../command.ts';
import { EXIT_FAILED } from '../failure.ts';
import { count, formatTable, plainText } from '../output.ts';

interface Options extends DataOptions { known?: boolean; forget?: boolean }

type Thing = { area: 'base' | 'drive'; name: string; key: string };

export const verifyCommand = defineCommand<Options>({
  summary: 'read all data of an app, and tell what is damaged',
  configure: (command) => withData(command).option('--known', 'only tell what is known already; read nothing').option('--forget', 'strike off what is known, once you have seen to it'),
  async run(context, options) {
    const api = await context.api();
    const { collectionId, name } = await chooseData(context, api, options);
    if (options.forget) {
      const left = await api.forgetDamage(collectionId);
      if (context.isJson) context.result(left, '');
      context.done(`Forgot what was known of damage to ${name}.`);
      return undefined;
    }
    const found: { damage: WireDamage[]; indexes?: WireVerified['indexes'] } = options.known ? await api.damage(collectionId) : await api.verify(collectionId);
    if (found.indexes?.rebuilt.length) context.note(`${count(found.indexes.rebuilt.length, 'index')} did not fit the Items, and is built anew.`);
    const isWhole = found.damage.every(isHealed);
    if (isWhole) context.done(found.damage.length === 0 ? `No damage to ${name} is known.` : `All that was damaged in ${name} can be read again.`);
    const rows = found.damage.flatMap(rowsOf);
    if (rows.length > 0 || context.isJson) context.result(found, formatTable(['FOUND', 'STATE', 'WHAT', 'NOTE'], rows, context.io.colors));
    return isWhole ? undefined : EXIT_FAILED;
  },
});

/** All that was hit has a name, and can be read again. */
function isHealed({ things, other_records: others, range }: WireDamage): boolean {
  return range === null && others === 0 && things.every(({ state }) => state === 'readable');
}

function rowsOf({ at, note, things, range }: WireDamage): string[][] {
  const rows = things.map((thing) => [at, thing.state, label(thing), note]);
  if (range !== null) rows.push([at, 'unknown', `between ${range.after ? label(range.after) : 'the beginning'} and ${range.up_to ? label(range.up_to) : 'the end'}`, note]);
  return rows.length > 0 ? rows : [[at, 'unknown', 'records of the Collection itself', note]];
}

function label({ area, name, key }: Thing): string {
  return plainText(`${area === 'base' ? 'Base' : 'Drive'} ${name}: ${key}`);
}
