// Owns the logs of Instances: what their Micros print and why one was ended. Product data, apart from the host's log.
// Kept in two files of a few MB each, so a chatty Micro replaces its own past and nothing else, and for some days.
import { join } from 'node:path';
import { isoTime, type Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { WireLogLine } from '../../core/wire.ts';
import type { MicroLogEntry } from '../engine/engine.ts';
import { addToLog, isWanted, listLogs, type LogFilter, pruneLog, readLog, removeLog } from './log-files.ts';

export interface InstanceLogs {
  /** @param text what the entry says in the end, when that has to be found out; what is said later waits for it */
  append(owner: LogOwner, entry: MicroLogEntry, text?: Promise<string>): void;
  /** The newest `limit` lines that are wanted, oldest first. */
  read(owner: LogOwner, limit?: number, filter?: LogFilter): Promise<WireLogLine[]>;
  /** Those lines, then what comes, until `signal` aborts. */
  follow(owner: LogOwner, signal: AbortSignal, filter?: LogFilter): AsyncIterable<WireLogLine>;
  /** Throw away what is older than it may get. */
  sweep(): Promise<void>;
  remove(owner: LogOwner): Promise<void>;
  /** Write out what is pending. */
  close(): Promise<void>;
}

export interface LogOwner { spaceId: string; instanceId: string }

const MAX_LINE_CHARS = 16_384;
/** More than this waiting for the disk is dropped, with a line that says how much. */
const MAX_PENDING_CHARS = 1024 * 1024;
/** @source reference 3.8 */
export const LOG_DAYS = 14;
const DAY_MS = 86_400_000;
const FLUSH_MS = 200;
const MAX_FOLLOWER_LINES = 1000;
const READ_LINES = 500;

interface Journal {
  /** Entries whose text is being found out, and those said after them. */
  arriving: Promise<void> | undefined;
  pending: string[];
  pendingChars: number;
  dropped: number;
  writing: Promise<void> | undefined;
  followers: Set<(line: WireLogLine) => void>;
}

export function createInstanceLogs({ folder, clock, log, days = LOG_DAYS }: { folder: string; clock: Clock; log: Log; days?: number }): InstanceLogs {
  const journals = new Map<string, Journal>();
  const fileOf = ({ spaceId, instanceId }: LogOwner): string => join(folder, spaceId, 'logs', `${instanceId}.jsonl`);

  function journalOf(owner: LogOwner): Journal {
    const known = journals.get(owner.instanceId);
    if (known) return known;
    const fresh: Journal = { arriving: undefined, pending: [], pendingChars: 0, dropped: 0, writing: undefined, followers: new Set() };
    journals.set(owner.instanceId, fresh);
    return fresh;
  }

  function append(owner: LogOwner, entry: MicroLogEntry, text?: Promise<string>): void {
    const journal = journalOf(owner);
    const line: WireLogLine = { time: isoTime(clock.now()), micro: entry.micro, level: entry.level, text: entry.text, request_id: entry.requestId };
    if (text === undefined && journal.arriving === undefined) return add(owner, journal, line);
    const arrived: Promise<void> = Promise.all([text, journal.arriving]).then(([found]) => {
      if (journal.arriving === arrived) journal.arriving = undefined;
      add(owner, journal, { ...line, text: found ?? line.text });
    });
    journal.arriving = arrived;
  }

  function add(owner: LogOwner, journal: Journal, said: WireLogLine): void {
    const line = said.text.length > MAX_LINE_CHARS ? { ...said, text: `${said.text.slice(0, MAX_LINE_CHARS)}... (cut)` } : said;
    for (const follower of journal.followers) follower(line);
    if (journal.pendingChars > MAX_PENDING_CHARS) {
      journal.dropped += 1;
      return;
    }
    const json = `${JSON.stringify(line)}\n`;
    journal.pending.push(json);
    journal.pendingChars += json.length;
    journal.writing ??= new Promise((resolve) => setTimeout(resolve, FLUSH_MS)).then(() => flush(owner, journal));
  }

  async function flush(owner: LogOwner, journal: Journal): Promise<void> {
    const text = journal.pending.join('') + droppedLine(journal);
    const lines = journal.pending.length + journal.dropped;
    journal.pending = [];
    journal.pendingChars = 0;
    journal.dropped = 0;
    try {
      if (text !== '') await addToLog(fileOf(owner), text);
    } catch (error) {
      log.warn('instance-log.failed', { instanceId: owner.instanceId, lines, error });
      // Said in the Instance's own log when there is room again.
      journal.dropped += lines;
    }
    journal.writing = undefined;
    if (journal.pending.length > 0) journal.writing = flush(owner, journal);
    else if (journal.followers.size === 0 && journal.arriving === undefined && journal.dropped === 0) journals.delete(owner.instanceId);
  }

  function droppedLine(journal: Journal): string {
    if (journal.dropped === 0) return '';
    const line: WireLogLine = { time: isoTime(clock.now()), micro: '', level: 'warn', text: `${journal.dropped} lines were lost: too much output at once, or no room on the disk`, request_id: null };
    return `${JSON.stringify(line)}\n`;
  }

  async function settle(owner: LogOwner): Promise<void> {
    const journal = journals.get(owner.instanceId);
    while (journal?.arriving ?? journal?.writing) await (journal?.arriving ?? journal?.writing);
  }

  const since = (): string => isoTime(Math.max(0, clock.now() - days * DAY_MS));

  async function read(owner: LogOwner, limit = READ_LINES, filter: LogFilter = {}): Promise<WireLogLine[]> {
    await settle(owner);
    return readLog(fileOf(owner), { limit, filter, since: since() });
  }

  /** Nothing is written meanwhile. */
  async function prune(owner: LogOwner): Promise<void> {
    await settle(owner);
    const journal = journalOf(owner);
    if (journal.arriving ?? journal.writing) return prune(owner);
    const pruned = pruneLog(fileOf(owner), since()).catch((error) => log.warn('instance-log.failed', { instanceId: owner.instanceId, error }));
    journal.writing = pruned.then(() => flush(owner, journal));
    return journal.writing;
  }

  /** What was written so far, and from this very point on `follower` hears the rest: nothing is written meanwhile. */
  async function readAndFollow(owner: LogOwner, follower: (line: WireLogLine) => void, filter: LogFilter): Promise<{ past: WireLogLine[]; journal: Journal }> {
    await settle(owner);
    const journal = journalOf(owner);
    if (journal.arriving ?? journal.writing) return readAndFollow(owner, follower, filter);
    journal.followers.add(follower);
    const reading = readLog(fileOf(owner), { limit: READ_LINES, filter, since: since() });
    journal.writing = reading.then(() => flush(owner, journal));
    return { journal, past: await reading };
  }

  return {
    append,
    read,
    async *follow(owner, signal, filter = {}) {
      const wanted = isWanted(filter);
      const queue: WireLogLine[] = [];
      let wake: () => void = () => {};
      const follower = (line: WireLogLine): void => {
        if (queue.length < MAX_FOLLOWER_LINES && wanted(line)) queue.push(line);
        wake();
      };
      const { journal, past } = await readAndFollow(owner, follower, filter);
      const onAbort = (): void => wake();
      signal.addEventListener('abort', onAbort);
      try {
        yield* past;
        while (!signal.aborted) {
          const line = queue.shift();
          if (line) yield line;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        signal.removeEventListener('abort', onAbort);
        journal.followers.delete(follower);
      }
    },
    async remove(owner) {
      await settle(owner);
      await removeLog(fileOf(owner));
    },
    async sweep() {
      for (const owner of await listLogs(folder)) await prune(owner);
    },
    async close() {
      for (const journal of journals.values()) while (journal.arriving ?? journal.writing) await (journal.arriving ?? journal.writing);
    },
  };
}
