// Owns `space dev`: the project on this machine, as a Space runs it, while its files change.
import type { Api } from '../../client/api.ts';
import type { WireInstance } from '../../core/wire.ts';
import { findBuilderInstance } from '../choose-instance.ts';
import { defineCommand, withDir, withProjectId } from '../command.ts';
import type { Context } from '../command.ts';
import type { DevHost } from '../dev/host.ts';
import { runDev } from '../dev/run.ts';
import { findSession } from '../dev/session.ts';
import { EXIT_OK, Failure, usageFailure } from '../failure.ts';
import { formatBytes } from '../output.ts';
import { findProjectDir, findProjectId, hasSpacefile, missingSpacefile } from '../project-dir.ts';

interface Options { dir?: string; id?: string; port?: string; open?: true; copyData?: true; unsafeNoSandbox?: true }

export const devCommand = defineCommand<Options>({
  summary: 'run the project on this machine, and follow its files',
  configure: (command) =>
    withProjectId(withDir(command))
      .option('-p, --port <port>', 'of the address where you are signed in (default: the first free one from 4200)')
      .option('--open', 'open it in the browser')
      .option('--copy-data', 'begin with a copy of the data of your Builder Instance')
      .option('--unsafe-no-sandbox', 'run programs of this project without a sandbox'),
  run: (context, options) => dev(context, options, { startsServers: true }),
});

export const devProxyCommand = defineCommand<Options>({
  summary: 'the same, with those dev commands only that `space dev up` started',
  configure: (command) => devCommand.configure(command),
  run: (context, options) => dev(context, options, { startsServers: false }),
});

async function dev(context: Context, options: Options, { startsServers }: { startsServers: boolean }): Promise<number> {
  const { io } = context;
  const dir = await findProjectDir(io, options.dir);
  // Without one there is nothing to run; one that is wrong may be mended while it waits.
  if (!(await hasSpacefile(dir))) throw missingSpacefile(dir);
  const port = options.port === undefined ? undefined : checkedPort(options.port);
  const other = await findSession(dir);
  if (other !== undefined) throw new Failure({ code: 'DEV_RUNNING', what: `\`space dev\` runs in this folder already, at ${other.url} (process ${other.pid}).`, remedy: 'Use that one, or end it first.' });
  // Before anything is started: it may not be there.
  const source = options.copyData ? await findSource(context, dir, options) : undefined;
  try {
    await runDev(context, {
      dir, port, startsServers, hostArgs: options.unsafeNoSandbox ? ['--unsafe-no-sandbox'] : [],
      prepare: async (host, instance) => { if (source !== undefined) await copyData(context, source, { host, instance }); },
      onReady: async (url) => { if (options.open) await io.openUrl(url); },
    });
  } catch (error) {
    // Ctrl-C is how it ends.
    if (!io.signal.aborted) throw error;
  }
  context.note('Ended.');
  return EXIT_OK;
}

export function checkedPort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_000) return port;
  throw usageFailure(`--port is "${text}".`, 'Give a number from 1 to 65000.');
}

interface Source { api: Api; instance: WireInstance }

async function findSource(context: Context, dir: string, options: Options): Promise<Source> {
  const projectId = await findProjectId(dir, options.id);
  const api = await context.api();
  return { api, instance: await findBuilderInstance(api, projectId) };
}

/** A copy: what is tried out here changes nothing there. */
async function copyData(context: Context, { api, instance: from }: Source, { host, instance: to }: { host: DevHost; instance: WireInstance }): Promise<void> {
  const archive = await (await api.exportArchive({ kind: 'instances', id: from.id })).blob();
  for await (const line of host.api.importArchive({ kind: 'instances', id: to.id }, archive, false)) {
    if ('error' in line) throw new Failure({ code: line.error.code, what: 'The data of your Builder Instance could not be copied.', why: line.error.detail });
  }
  context.done(`Copied the data of ${from.alias}: ${formatBytes(archive.size)}.`);
}
