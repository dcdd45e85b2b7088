// Owns `space import`: a zip of Items and Files into an app.
import { openAsBlob } from 'node:fs';
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Api, DataOwner } from '../../client/api.ts';
import { ApiError, HostUnreachable } from '../../client/transport.ts';
import type { WireImportCounts, WireImportReport } from '../../core/wire.ts';
import { chooseData, withData } from '../choose-data.ts';
import type { DataOptions } from '../choose-data.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../command.ts';
import { formatBytes, formatTable, plainText } from '../output.ts';

interface Options extends DataOptions { dryRun?: true }

export const importCommand = defineCommand<Options>({
  summary: 'bring the data of a zip into an app',
  configure: (command) =>
    withData(command)
      .argument('<file>', 'zip that `space export` or Deta Space made')
      .option('--dry-run', 'say what would change, and change nothing'),
  async run(context, options, [file = '']) {
    const path = resolve(context.io.cwd, file);
    await access(path);
    const api = await context.api();
    const chosen = await chooseData(context, api, options);
    const report = await follow(context, api, { owner: chosen.owner, archive: await openAsBlob(path), isRehearsal: options.dryRun === true });
    if (!report.verified) context.note('The zip has no manifest.json, so only its own checksums were verified.');
    if (report.ignored.length > 0) context.note(`Neither of a Base nor of a Drive, and left out: ${plainText(report.ignored.slice(0, 5).join(', '))}${report.ignored.length > 5 ? ', ...' : ''}`);
    context.done(options.dryRun ? `Nothing was changed. ${chosen.name} would change like this:` : `Imported into ${chosen.name}.`);
    context.result(report, formatReport(report, context));
  },
});

async function follow({ io }: Context, api: Api, { owner, archive, isRehearsal }: { owner: DataOwner; archive: Blob; isRehearsal: boolean }): Promise<WireImportReport> {
  const spinner = io.spin(`Sending ${formatBytes(archive.size)}`);
  try {
    for await (const line of api.importArchive(owner, archive, isRehearsal)) {
      if ('report' in line) return line.report;
      if ('error' in line) throw new ApiError(400, line.error);
      const { step, bytes, total_bytes: total } = line.progress;
      spinner.update(`${step === 'check' ? 'Checking' : 'Importing'}: ${formatBytes(bytes)} of ${formatBytes(total)}`);
    }
  } finally {
    spinner.stop();
  }
  throw new HostUnreachable(api.root, 'the connection broke off; import the file again, and it goes on where it stood');
}

function formatReport({ bases, drives }: WireImportReport, { io }: Context): string {
  const row = (kind: string) => ({ name, added, changed, unchanged }: WireImportCounts): string[] => [kind, name, String(added), String(changed), String(unchanged)];
  const rows = [...bases.map(row('Base')), ...drives.map(row('Drive'))];
  return rows.length === 0 ? 'The zip has no Base and no Drive.' : formatTable(['KIND', 'NAME', 'ADDED', 'CHANGED', 'UNCHANGED'], rows, io.colors);
}
