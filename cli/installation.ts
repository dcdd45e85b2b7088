// Owns how a command follows an Installation: an install, an update, a rollback or an uninstall, to its end.
import type { Api } from '../client/api.ts';
import type { WireInstallation } from '../core/wire.ts';
import type { Context } from './command.ts';
import { Failure, usageFailure } from './failure.ts';
import { awaitEnd, checkComplete, followLog } from './job.ts';

/** @throws Failure INSTALLATION_FAILED with the host's own reason */
export async function followInstallation(context: Context, api: Api, { start, doing, failed }: {
  start: () => Promise<Pick<WireInstallation, 'id'>>; doing: string; failed: { what: string; remedy: string };
}): Promise<WireInstallation> {
  const spinner = context.io.spin(doing);
  try {
    const started = await start();
    await followLog(context, api.installationLogs(started.id), (_, line) => { if (!line.includes('http')) spinner.update(line); });
    const job = await awaitEnd(context, () => api.getInstallation(started.id));
    checkComplete(job, { code: 'INSTALLATION_FAILED', ...failed });
    return job;
  } finally {
    spinner.stop();
  }
}

/** Ask, where somebody sits there; else `--yes` has to be there. @throws Failure USAGE @returns whether to go on */
export async function confirmed({ io }: Context, question: string, { yes, isNeeded = true }: { yes: true | undefined; isNeeded?: boolean }): Promise<boolean> {
  if (yes) return true;
  if (io.isInteractive) return io.prompts.confirm(question);
  if (isNeeded) throw usageFailure('Without a terminal nobody can be asked.', 'Say --yes if you are sure.');
  return true;
}

/** What went wrong before there was a job. */
export function nothingToDo(what: string, remedy: string): Failure {
  return new Failure({ code: 'NOTHING_TO_DO', what, remedy });
}
