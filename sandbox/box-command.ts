// Owns the chain of programs that makes a box: a stage that prepares network and /tmp -> bubblewrap -> forwarder. Each program
// more in it costs one to two milliseconds at every start, so whatever one of them can do by itself it does.
// Only words are put together here. bubblewrap is never started as root, and none of these programs gets the environment of
// what runs inside: that goes over the control socket, once everything stands.
import { INSIDE_USER } from './box-etc.ts';
import type { Forwarder } from './forwarder/find.ts';

export interface BoxTools { unshare: string; sh: string; mount: string; mkdir: string; ip: string; setpriv: string; prlimit: string; nice: string; bwrap: string }

export interface BoxPlan {
  tools: BoxTools;
  /** Most of what is shown lies in it. */
  folder: string;
  forwarder: Forwarder;
  node: string;
  command: readonly string[];
  /** Where the program starts. */
  cwd: string;
  /** Inside -> outside. */
  show: Readonly<Record<string, string>>;
  lend: Readonly<Record<string, string>>;
  /** Port in the box -> Unix socket outside. */
  forwards: Readonly<Record<number, string>>;
  /** It is made before it is known for whom: /app is empty until a folder is grafted there, and what these ports lead to comes later. */
  waiting?: { ports: readonly number[] } | undefined;
  ingressPort: number | undefined;
  limits: BoxLimits;
  /** Files that take the process id of who joins a control group. */
  joins: readonly string[];
  /** Whom root becomes; undefined for everybody else. */
  user: number | undefined;
  hasFilter: boolean;
  /** Namespaces inside it may be made: some machines cannot forbid that other than by the filter. */
  nests: boolean;
}

export interface BoxLimits {
  /** Of each process, where control groups are missing; else of all together, and of each process besides. */
  memoryMb: number;
  processes: number;
  openFiles: number;
  /** /tmp and shared memory. They count as memory too. */
  tmpMb: number;
  tmpFiles: number;
  /** The largest file that can be written. */
  fileMb?: number;
  /** Processors' worth of time; only by control groups. */
  cpus?: number;
  /** Runs when nothing else wants to. */
  isBackground?: boolean;
}

/** What is open in the box besides the three of every program. */
export const FD = { ingress: 3, control: 4, info: 5, filter: 6 } as const;

/** A folder that every Linux has and that nothing here needs: in the stage's own mount namespace it becomes the work place. */
const PLACE = '/sys';
/** To join a control group takes its time: it goes on beside the rest, and is waited for. A shell knows descriptors up to 9 only. */
const JOIN_FD = 7;
const RUN = '/run/host';
export const FORWARDER = `${RUN}/forwarder`;
export const NODE = `${RUN}/bin/node`;
/** Of a box that waits: sockets appear in it. */
export const DOORS = `${RUN}/doors`;
/** What Node.js has made of a program's sources, where there is something of the kind. */
export const COMPILED = `${RUN}/compiled`;
/** Shared with the box, so that what is mounted over it is seen there; the box's own side of it says nothing back. */
const SLOTS = { [`${PLACE}/app`]: '/app', [`${PLACE}/compiled`]: COMPILED };
/** Found first, so that `node` is the one that runs this host. */
export const INSIDE_PATH = `${RUN}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
const DEFAULTS = { PATH: INSIDE_PATH, HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8' };
const MIB = 1024 * 1024;
/** What Node.js reserves before it does anything; others need far less, and never touch it. */
const DATA_FLOOR_MB = 640;

/** What no program could be given is left out. */
export function wholeEnv(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries({ ...DEFAULTS, ...env }).filter(([name, value]) => name !== '' && !/[=\0]/.test(name) && !value.includes('\0')));
}

/** Under root, folders that other users cannot reach are bound before root is given up. */
export function boxCommand(plan: BoxPlan): string[] {
  const { tools, user, limits, folder } = plan;
  const isRoot = user !== undefined;
  const sources = [...Object.values(plan.show), ...Object.values(plan.lend), ...Object.values(plan.forwards), plan.forwarder.path, plan.node];
  const apart = isRoot ? [...new Set(sources.filter((path) => !path.startsWith(`${folder}/`)))] : [];
  const binds = new Map(isRoot ? [folder, ...apart].map((path, index) => [path, `${PLACE}/${index}`]) : []);
  const at = (path: string): string => (isRoot ? (binds.get(path) ?? `${binds.get(folder)}${path.slice(folder.length)}`) : path);
  const namespaces = isRoot ? ['--net', '--mount'] : ['--user', '--map-root-user', '--net', '--mount'];
  return [
    ...(limits.isBackground ? [tools.nice, '-n', '10'] : []),
    tools.unshare, ...namespaces, '--propagation', 'private', '--',
    ...stage(plan, binds),
    ...(isRoot ? [tools.setpriv, '--reuid', String(user), '--regid', String(user), '--clear-groups', '--no-new-privs', '--pdeathsig', 'KILL', '--'] : []),
    ...jail(plan, at),
    ...inner(plan),
  ];
}

/** Everything that changes is a parameter, never a part of the script. */
function stage({ tools, limits, joins, forwarder, waiting }: BoxPlan, binds: Map<string, string>): string[] {
  const given: string[] = [];
  const give = (value: string): string => `"\${${given.push(value)}}"`;
  const lines = [
    'set -e',
    // No memory of hostile programs on the disk; and they go first when memory is short.
    'ulimit -c 0',
    'echo 1000 >/proc/self/oom_score_adj',
    ...joins.flatMap((file, index) => [`exec ${JOIN_FD + index}>${give(file)}`, `echo $$ >&${JOIN_FD + index} &`, `join${index}=$!`]),
    `${tools.mount} -t tmpfs -o ${give(`size=${limits.tmpMb}m,nr_inodes=${limits.tmpFiles},mode=0755,nosuid,nodev`)} box ${PLACE}`,
    'folders=',
    ...[...binds].map(([from, to]) => `if [ -d ${give(from)} ]; then folders="$folders ${to}"; else : >${to}; fi`),
    `${tools.mkdir} -m 1777 ${PLACE}/tmp ${PLACE}/shm $folders`,
    ...[...binds].map(([from, to]) => `${tools.mount} --bind ${give(from)} ${to}`),
    forwarder.isScript ? `${tools.ip} link set lo up` : `${give(forwarder.path)} up`,
    'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start',
    ...joins.flatMap((_, index) => [`wait $join${index}`, `exec ${JOIN_FD + index}>&-`]),
    ...(waiting ? [...Object.keys(SLOTS).flatMap((slot) => [`${tools.mkdir} ${slot}`, `${tools.mount} --bind ${slot} ${slot}`, `${tools.mount} --make-shared ${slot}`]),
      `${give(forwarder.path)} graft ${FD.info} ${Object.keys(SLOTS).join(' ')} &`] : []),
  ];
  return [tools.sh, '-c', [...lines, `shift ${given.length}`, 'exec "$@"'].join('\n'), 'stage', ...given];
}

const NAMESPACES = ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'];
const MANNERS = ['--die-with-parent', '--new-session', '--as-pid-1', '--cap-drop', 'ALL', '--uid', String(INSIDE_USER.id), '--gid', String(INSIDE_USER.id), '--hostname', INSIDE_USER.name];
/** The programs of this machine: every box sees all of it. */
export const SHOWN_WHOLE = '/usr';
const SYSTEM = ['--ro-bind', SHOWN_WHOLE, SHOWN_WHOLE, '--symlink', 'usr/bin', '/bin', '--symlink', 'usr/sbin', '/sbin', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64'];
/** `/dev` and the root would be writable memory without an end. */
const WRITABLE = ['--proc', '/proc', '--dev', '/dev', '--bind', `${PLACE}/shm`, '/dev/shm', '--remount-ro', '/dev', '--bind', `${PLACE}/tmp`, '/tmp', '--symlink', '../tmp', '/var/tmp'];

function jail({ tools, node, forwarder, show, lend, forwards, cwd, hasFilter, nests, waiting }: BoxPlan, at: (path: string) => string): string[] {
  const readOnly = { ...show, [FORWARDER]: forwarder.path, [NODE]: node, ...sockets(forwards) };
  return [
    tools.bwrap, ...NAMESPACES, ...(nests ? [] : ['--disable-userns']), ...MANNERS, ...SYSTEM, ...WRITABLE,
    ...Object.entries(readOnly).toSorted(byDepth).flatMap(([inside, path]) => ['--ro-bind', at(path), inside]),
    ...(waiting ? Object.entries(SLOTS).flatMap(([slot, inside]) => ['--ro-bind', slot, inside]) : []),
    ...Object.entries(lend).toSorted(byDepth).flatMap(([inside, path]) => ['--bind', at(path), inside]),
    '--remount-ro', '/', '--chdir', cwd, ...(hasFilter ? ['--seccomp', String(FD.filter)] : []), '--info-fd', String(FD.info), '--',
  ];
}

/** What holds another place is bound before it. */
const byDepth = ([left]: [string, string], [right]: [string, string]): number => left.length - right.length;

/** Read-only: to connect is allowed there, to remove is not. */
function sockets(forwards: BoxPlan['forwards']): Record<string, string> {
  return Object.fromEntries(Object.entries(forwards).map(([port, path]) => [socketInside(port), path]));
}
const socketInside = (port: string): string => `${RUN}/${port}.sock`;

/** The numbers of `limit:` are Linux' own. */
const RESOURCES = { fsize: 1, data: 2, core: 4, nproc: 6, nofile: 7 } as const;

function inner({ tools, forwarder, command, forwards, ingressPort, limits, waiting }: BoxPlan): string[] {
  const { memoryMb, processes, openFiles, fileMb } = limits;
  const wanted = { nproc: processes, nofile: openFiles, core: 0, data: (memoryMb + DATA_FLOOR_MB) * MIB, ...(fileMb === undefined ? {} : { fsize: fileMb * MIB }) };
  const limited = Object.entries(wanted) as [keyof typeof RESOURCES, number][];
  return [
    ...(forwarder.isScript ? [tools.prlimit, ...limited.map(([name, value]) => `--${name}=${value}`), '--', NODE, '--disable-warning=ExperimentalWarning'] : []),
    FORWARDER, `control:${FD.control}`,
    ...(forwarder.isScript ? [] : limited.map(([name, value]) => `limit:${RESOURCES[name]}=${value}`)),
    ...(ingressPort === undefined ? [] : [`fd:${FD.ingress}=tcp:${ingressPort}`]),
    ...Object.keys(forwards).map((port) => `tcp:${port}=unix:${socketInside(port)}`),
    ...(waiting?.ports ?? []).map((port) => `tcp:${port}=unix:${DOORS}/${port}.sock`), '--', ...command,
  ];
}

/** The forwarder and the program alone, on the machine itself. */
export function bareCommand({ tools, forwarder, node, command, ingressPort, limits }: Pick<BoxPlan, 'tools' | 'forwarder' | 'node' | 'command' | 'ingressPort' | 'limits'>): string[] {
  return [
    ...(limits.isBackground ? [tools.nice, '-n', '10'] : []),
    ...(forwarder.isScript ? [node] : []), forwarder.path, `control:${FD.control}`,
    ...(ingressPort === undefined ? [] : [`fd:${FD.ingress}=tcp:${ingressPort}`]), '--', ...command,
  ];
}
