// Owns the jail around one process: namespaces and an empty root by bubblewrap, its system calls by seccomp, a user of its own.
// Only says how the command becomes a jailed one; what this machine can do of it is found out by self-test.ts.
import { readFileSync } from 'node:fs';
import type { Place } from './launcher.ts';

export interface Jail {
  /** Files and folders of this machine that are seen inside, read-only: where, by its path inside. */
  show: Readonly<Record<string, string>>;
  /** Files that are copied in, wherever they lie: the path inside, and here. */
  copy: Readonly<Record<string, string>>;
  /** `struct sock_filter[]` of the system calls; undefined where none is known. */
  filter: Buffer | undefined;
  /** Namespaces inside it may be made: some machines cannot forbid that other than by the filter. */
  nests?: boolean;
}

/** A command that starts another in a jail, and what it needs open beyond that. */
export interface Jailed { command: string[]; places: Place[] }

const INSIDE_ID = '1000';
const NAMESPACES = ['--unshare-user', '--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'];
const MANNERS = ['--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--uid', INSIDE_ID, '--gid', INSIDE_ID, '--hostname', 'cell'];

/** @param firstFree the first descriptor that is not used by the command itself; its number is where bubblewrap writes who it started */
export function jailed(bwrap: string, command: readonly string[], { show, copy, filter, nests }: Jail, firstFree: number): Jailed {
  const places: Place[] = [];
  const give = (place: Place): string => String(firstFree + places.push(place));
  const shown = Object.entries(show).flatMap(([inside, path]) => ['--ro-bind', path, inside]);
  const copied = Object.entries(copy).flatMap(([inside, path]) => ['--ro-bind-data', give({ file: path }), inside]);
  const guarded = filter ? ['--seccomp', give(filterAt(filter))] : [];
  // `/` last: until then bubblewrap makes the places for the rest in it.
  const flat = nests ? [] : ['--disable-userns'];
  const root = ['--remount-ro', '/', '--chdir', '/'];
  return { places, command: [bwrap, ...NAMESPACES, ...flat, ...MANNERS, ...shown, ...copied, ...root, ...guarded, '--info-fd', String(firstFree), '--as-pid-1', '--', ...command] };
}

/** Where a process that is to be filtered finds the filter. */
export const filterAt = (filter: Buffer): Place => ({ bytes: filter.toString('base64') });

/** Numbers above those that every process has; far from ranges that systems give to people and containers. @source systemd.io/UIDS-GIDS */
const FIRST_USER = 1_900_000_000;
const USERS = 1_000_000;
const NOBODY = 65_534;
let lastUser = 0;

/** A user that owns nothing, another for each process. Only root can become one. */
export function nextUser(): number {
  if (!isMapped(FIRST_USER + USERS)) return NOBODY;
  lastUser = (lastUser + 1) % USERS;
  return FIRST_USER + lastUser;
}

/** That user, or nobody where this machine has no such number. */
export const userAs = (wanted: number): number => (isMapped(wanted) ? wanted : NOBODY);

/** In a container, only some numbers of users exist. */
function isMapped(user: number): boolean {
  const ranges = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return ranges.some(([first = 0, , count = 0]) => user >= first && user < first + count);
}

/** Shared libraries that this very program runs with: what another Node.js of the same file needs, and no more. */
export function ownLibraries(): string[] {
  const report = process.report as unknown as { excludeNetwork: boolean; getReport(): { sharedObjects: string[] } };
  const before = report.excludeNetwork;
  report.excludeNetwork = true;
  const { sharedObjects } = report.getReport();
  report.excludeNetwork = before;
  return sharedObjects.filter((path) => path.startsWith('/') && !path.endsWith('.node'));
}
