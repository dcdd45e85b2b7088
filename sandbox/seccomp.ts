// Owns the seccomp filter of a sandbox: which system calls a process may not make, as the kernel's own little program (BPF).
// Assembled here, so that no native code is needed; bubblewrap installs it just before the sandboxed program starts.
import { AUDIT_ARCH, NEWEST_SYSCALL, type Processor, SYSCALLS } from './syscalls.ts';

const EPERM = 1;
const ENOSYS = 38;

/** Reach into other processes, the kernel or its mounts. No program in any sandbox of ours has a reason to. */
const NEVER = [
  'ptrace', 'process_vm_readv', 'process_vm_writev', 'process_madvise', 'process_mrelease', 'pidfd_open', 'pidfd_getfd', 'pidfd_send_signal', 'kcmp',
  'mount', 'umount2', 'pivot_root', 'chroot', 'open_tree', 'move_mount', 'fsopen', 'fsconfig', 'fsmount', 'fspick', 'mount_setattr', 'unshare', 'setns',
  'keyctl', 'add_key', 'request_key', 'bpf', 'perf_event_open', 'userfaultfd', 'memfd_secret', 'name_to_handle_at', 'open_by_handle_at',
  'fanotify_init', 'fanotify_mark', 'create_module', 'init_module', 'finit_module', 'delete_module', 'kexec_load', 'kexec_file_load', 'quotactl', 'quotactl_fd',
  'syslog', 'acct', 'uselib', 'swapon', 'swapoff', 'reboot', 'sethostname', 'setdomainname', 'iopl', 'ioperm', 'modify_ldt', 'personality',
  'settimeofday', 'clock_settime', 'clock_adjtime', 'adjtimex', 'lookup_dcookie', 'vhangup', 'nfsservctl', '_sysctl', 'ustat', 'sysfs',
  'mbind', 'set_mempolicy', 'get_mempolicy', 'set_mempolicy_home_node', 'migrate_pages', 'move_pages',
];

/** A Cell has one socket, which it was given, and runs one program, in threads only. */
const NEVER_IN_CELL = [
  'mknod', 'mknodat', 'socket', 'socketpair', 'connect', 'bind', 'listen', 'accept', 'accept4', 'fork', 'vfork', 'execveat', 'memfd_create', 'inotify_init', 'inotify_init1',
  'shmget', 'shmat', 'shmctl', 'shmdt', 'semget', 'semop', 'semtimedop', 'semctl', 'msgget', 'msgsnd', 'msgrcv', 'msgctl', 'mq_open', 'mq_unlink',
];

/** Told to be missing rather than forbidden: then the C library takes the older way, whose arguments can be looked at. */
const MISSING = ['clone3', 'io_uring_setup', 'io_uring_enter', 'io_uring_register'];

/** A new process, not a thread of this one, lacks it. @source linux/sched.h */
const CLONE_THREAD = 0x10000;
/** A new process in namespaces of its own. @source linux/sched.h: CLONE_NEW* */
const CLONE_NAMESPACES = 0x7e020000;
/** What a program may open: @source linux/socket.h, linux/netlink.h, linux/in.h */
const SOCKET = { unix: 1, inet: 2, netlink: 16, inet6: 10, raw: 3, typeMask: 0xf, netlinkRoute: 0, protocols: [0, 6, 17] } as const;
const EPROTONOSUPPORT = 93;
const EAFNOSUPPORT = 97;
/** Push characters into a terminal's input. @source asm-generic/ioctls.h, linux/tiocl.h */
const TERMINAL_IOCTLS = [0x5412, 0x541c];
/** The x32 ABI of x86-64: other numbers for the same calls. */
const X32_BIT = 0x40000000;

/** Offsets in `struct seccomp_data`; arguments are 64 bits wide, little-endian. */
const DATA = { nr: 0, arch: 4, argument: (index: number): number => 16 + index * 8 } as const;
/** Opcodes of classic BPF. @source linux/bpf_common.h */
const OP = { load: 0x20, equal: 0x15, atLeast: 0x35, bitSet: 0x45, and: 0x54, return: 0x06 } as const;
const VERDICT = { kill: 0x80000000, allow: 0x7fff0000, errno: (code: number): number => 0x00050000 | code } as const;

interface Instruction { code: number; yes: number; no: number; value: number }

/** Whether a filter is known for this machine's processor. */
export function hasSeccomp(processor: string): processor is Processor {
  return processor === 'x64' || processor === 'arm64';
}

/** What a Cell's process may not do, as `struct sock_filter[]`. */
export function cellFilter(processor: Processor): Buffer {
  return encode([
    ...start(processor),
    ...refused(processor, [...NEVER, ...NEVER_IN_CELL], EPERM),
    ...ofCall(processor, 'clone', [load(DATA.argument(0)), ...unless(OP.bitSet, CLONE_THREAD, VERDICT.errno(EPERM))]),
    ...terminal(processor),
    answer(VERDICT.allow),
  ]);
}

/** The same for any program in a box: it may start others, and open sockets of the ordinary kinds in its own network. */
export function programFilter(processor: Processor): Buffer {
  return encode([
    ...start(processor),
    ...refused(processor, NEVER, EPERM),
    ...ofCall(processor, 'clone', [load(DATA.argument(0)), ...when(OP.bitSet, CLONE_NAMESPACES, VERDICT.errno(EPERM))]),
    ...ofCall(processor, 'socket', sockets()),
    ...terminal(processor),
    answer(VERDICT.allow),
  ]);
}

/** Between programs of the box, and of the internet family TCP and UDP only; of netlink what lists the box's own interfaces. */
function sockets(): Instruction[] {
  const { unix, inet, inet6, netlink, raw, typeMask, netlinkRoute, protocols } = SOCKET;
  const ofNetlink = [load(DATA.argument(2)), ...unless(OP.equal, netlinkRoute, VERDICT.errno(EPROTONOSUPPORT)), answer(VERDICT.allow)];
  const ofInternet = [
    load(DATA.argument(1)), mask(typeMask), ...when(OP.equal, raw, VERDICT.errno(EPERM)),
    load(DATA.argument(2)), ...protocols.flatMap((number) => when(OP.equal, number, VERDICT.allow)), answer(VERDICT.errno(EPROTONOSUPPORT)),
  ];
  return [
    load(DATA.argument(0)), ...when(OP.equal, unix, VERDICT.allow),
    skipUnless(netlink, ofNetlink.length), ...ofNetlink,
    { code: OP.equal, yes: 2, no: 0, value: inet }, { code: OP.equal, yes: 1, no: 0, value: inet6 }, answer(VERDICT.errno(EAFNOSUPPORT)),
    ...ofInternet,
  ];
}

/** The one ABI that is known here; no call that is newer than this table, none whose arguments nobody can look at. */
function start(processor: Processor): Instruction[] {
  return [
    load(DATA.arch), ...unless(OP.equal, AUDIT_ARCH[processor], VERDICT.kill),
    load(DATA.nr),
    ...(processor === 'x64' ? when(OP.atLeast, X32_BIT, VERDICT.kill) : []),
    ...when(OP.atLeast, NEWEST_SYSCALL + 1, VERDICT.errno(ENOSYS)),
    ...refused(processor, MISSING, ENOSYS),
  ];
}

function terminal(processor: Processor): Instruction[] {
  return ofCall(processor, 'ioctl', [load(DATA.argument(1)), ...TERMINAL_IOCTLS.flatMap((number) => when(OP.equal, number, VERDICT.errno(EPERM)))]);
}

function refused(processor: Processor, names: readonly string[], code: number): Instruction[] {
  const numbers = SYSCALLS[processor];
  // Some calls never existed on the younger processor.
  return names.flatMap((name) => (numbers[name] === undefined ? [] : when(OP.equal, numbers[name], VERDICT.errno(code))));
}

/** Steps for one call only; they end with its number no longer loaded, and so with the call allowed. */
function ofCall(processor: Processor, name: string, steps: Instruction[]): Instruction[] {
  const all = [...steps, answer(VERDICT.allow)];
  return [skipUnless(SYSCALLS[processor][name]!, all.length), ...all];
}

const load = (offset: number): Instruction => ({ code: OP.load, yes: 0, no: 0, value: offset });
const mask = (bits: number): Instruction => ({ code: OP.and, yes: 0, no: 0, value: bits });
const skipUnless = (value: number, steps: number): Instruction => ({ code: OP.equal, yes: 0, no: steps, value });
const answer = (verdict: number): Instruction => ({ code: OP.return, yes: 0, no: 0, value: verdict });
const when = (code: number, value: number, verdict: number): Instruction[] => [{ code, yes: 0, no: 1, value }, answer(verdict)];
const unless = (code: number, value: number, verdict: number): Instruction[] => [{ code, yes: 1, no: 0, value }, answer(verdict)];

function encode(instructions: Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [index, { code, yes, no, value }] of instructions.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(yes, index * 8 + 2);
    bytes.writeUInt8(no, index * 8 + 3);
    bytes.writeUInt32LE(value, index * 8 + 4);
  }
  return bytes;
}
