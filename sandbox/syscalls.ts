// Owns the numbers of the system calls that a sandbox refuses, for each processor that we know.
// @source Linux: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h

export type Processor = 'x64' | 'arm64';

/** `seccomp_data.arch` @source linux/audit.h */
export const AUDIT_ARCH: Readonly<Record<Processor, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** The same on every processor: calls since Linux 5.0 were numbered once. */
const SHARED: Readonly<Record<string, number>> = {
  pidfd_send_signal: 424, io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427, open_tree: 428, move_mount: 429, fsopen: 430, fsconfig: 431,
  fsmount: 432, fspick: 433, pidfd_open: 434, clone3: 435, pidfd_getfd: 438, process_madvise: 440, mount_setattr: 442, quotactl_fd: 443, memfd_secret: 447,
  process_mrelease: 448, set_mempolicy_home_node: 450,
};

const X64: Readonly<Record<string, number>> = {
  ioctl: 16, shmget: 29, shmat: 30, shmctl: 31, socket: 41, connect: 42, accept: 43, bind: 49, listen: 50, socketpair: 53, clone: 56, fork: 57, vfork: 58,
  semget: 64, semop: 65, semctl: 66, shmdt: 67, msgget: 68, msgsnd: 69, msgrcv: 70, msgctl: 71, ptrace: 101, syslog: 103, mknod: 133, uselib: 134,
  personality: 135, ustat: 136, sysfs: 139, vhangup: 153, modify_ldt: 154, pivot_root: 155, _sysctl: 156, adjtimex: 159, chroot: 161, acct: 163,
  settimeofday: 164, mount: 165, umount2: 166, swapon: 167, swapoff: 168, reboot: 169, sethostname: 170, setdomainname: 171, iopl: 172, ioperm: 173,
  create_module: 174, init_module: 175, delete_module: 176, quotactl: 179, nfsservctl: 180, lookup_dcookie: 212, semtimedop: 220, clock_settime: 227,
  mbind: 237, set_mempolicy: 238, get_mempolicy: 239, mq_open: 240, mq_unlink: 241, kexec_load: 246, add_key: 248, request_key: 249, keyctl: 250,
  inotify_init: 253, migrate_pages: 256, mknodat: 259, unshare: 272, move_pages: 279, accept4: 288, inotify_init1: 294, perf_event_open: 298,
  fanotify_init: 300, fanotify_mark: 301, name_to_handle_at: 303, open_by_handle_at: 304, clock_adjtime: 305, setns: 308, process_vm_readv: 310,
  process_vm_writev: 311, kcmp: 312, finit_module: 313, memfd_create: 319, kexec_file_load: 320, bpf: 321, execveat: 322, userfaultfd: 323,
};

const ARM64: Readonly<Record<string, number>> = {
  lookup_dcookie: 18, inotify_init1: 26, ioctl: 29, mknodat: 33, umount2: 39, mount: 40, pivot_root: 41, nfsservctl: 42, chroot: 51, vhangup: 58, quotactl: 60,
  acct: 89, personality: 92, unshare: 97, kexec_load: 104, init_module: 105, delete_module: 106, clock_settime: 112, syslog: 116, ptrace: 117, reboot: 142,
  sethostname: 161, setdomainname: 162, settimeofday: 170, adjtimex: 171, mq_open: 180, mq_unlink: 181, msgget: 186, msgctl: 187, msgrcv: 188, msgsnd: 189,
  semget: 190, semctl: 191, semtimedop: 192, semop: 193, shmget: 194, shmctl: 195, shmat: 196, shmdt: 197, socket: 198, socketpair: 199, bind: 200,
  listen: 201, accept: 202, connect: 203, add_key: 217, request_key: 218, keyctl: 219, clone: 220, swapon: 224, swapoff: 225, mbind: 235,
  get_mempolicy: 236, set_mempolicy: 237, migrate_pages: 238, move_pages: 239, perf_event_open: 241, accept4: 242, fanotify_init: 262, fanotify_mark: 263,
  name_to_handle_at: 264, open_by_handle_at: 265, clock_adjtime: 266, setns: 268, process_vm_readv: 270, process_vm_writev: 271, kcmp: 272,
  finit_module: 273, memfd_create: 279, bpf: 280, execveat: 281, userfaultfd: 282, kexec_file_load: 294,
};

export const SYSCALLS: Readonly<Record<Processor, Readonly<Record<string, number>>>> = { x64: { ...X64, ...SHARED }, arm64: { ...ARM64, ...SHARED } };

/** The newest call that was looked at; whatever has a higher number is told to be missing. */
export const NEWEST_SYSCALL = 462;
