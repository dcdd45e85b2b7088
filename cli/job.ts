// Owns how a command follows a job of the host to its end: its log, then its status, through a restart of the host.
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, HostUnreachable } from '../client/transport.ts';
import type { WireJobStatus } from '../core/wire.ts';
import type { Context } from './command.ts';
import { Failure } from './failure.ts';
import { formatTime, plainText } from './output.ts';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
/** How long a host may be away, such as for a restart, before the command gives up. */
const AWAY_LIMIT_MS = 60_000;

export interface Job { status: WireJobStatus; error?: string | null }

/** Shows the lines as they come. A connection that breaks off is no end of the job: the status tells that. */
export async function followLog(context: Context, lines: AsyncIterable<string>, show = showLine): Promise<void> {
  try {
    for await (const line of lines) if (line.trim() !== '') show(context, plainText(line));
  } catch (error) {
    if (!isPassing(error)) throw error;
    context.note('The connection to the host broke off; the job goes on there.');
  }
}

function showLine(context: Context, line: string): void {
  const { colors } = context.io;
  context.note(`${colors.dim(formatTime(new Date()))} ${line}`);
}

/** The job once it has ended, well or not. @throws HostUnreachable when the host stays away */
export async function awaitEnd<Ended extends Job>(context: Context, load: () => Promise<Ended>): Promise<Ended> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    const job = await persist(context, load);
    if (job.status !== 'pending' && job.status !== 'running') return job;
    await pause(context, pauseMs);
  }
}

/** The first of a list that the host fills a moment later, or undefined. */
export async function awaitFirst<Found>(context: Context, load: () => Promise<Found[]>): Promise<Found | undefined> {
  for (let attempt = 1, pauseMs = FIRST_PAUSE_MS; ; attempt += 1, pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    const [first] = await persist(context, load);
    if (first !== undefined || attempt === 10) return first;
    await pause(context, pauseMs);
  }
}

/** @throws Failure with the job's own reason, unless it is complete */
export function checkComplete(job: Job, failure: { code: string; what: string; remedy?: string }): void {
  if (job.status === 'complete') return;
  const why = job.error ? plainLines(job.error) : `its status is \`${job.status}\``;
  throw new Failure({ ...failure, why });
}

/** Only reads are repeated: they change nothing. */
async function persist<Answer>(context: Context, load: () => Promise<Answer>): Promise<Answer> {
  const giveUpAt = performance.now() + AWAY_LIMIT_MS;
  for (let hasSaid = false; ; hasSaid = true) {
    try {
      return await load();
    } catch (error) {
      if (!isPassing(error) || performance.now() > giveUpAt) throw error;
      if (!hasSaid) context.note('The host does not answer; waiting for it to come back...');
      await pause(context, LONGEST_PAUSE_MS);
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof HostUnreachable || (error instanceof ApiError && [502, 503, 504].includes(error.status));
}

async function pause(context: Context, delayMs: number): Promise<void> {
  await sleep(delayMs, undefined, { signal: context.io.signal });
}

function plainLines(text: string): string {
  return text.split('\n').map(plainText).join('\n');
}
