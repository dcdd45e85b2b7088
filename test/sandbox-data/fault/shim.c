// Owns faults below everything that runs in a process: preloaded, it stands between LevelDB, Node and the C library.
// Rules come from the file $FAULT_RULES, one a line, read again whenever it changes:
//   <call> <action> <number> <path part>
//   call:   fsync (fdatasync too), write, open, openwrite (for writing), read, rename
//   action: eio, enospc, emfile, erofs (fail), slow (wait <number> ms), torn (write half, then SIGKILL), kill (SIGKILL),
//           lie (fsync only: say that it was done)
//   number: for failing actions: which matching call fails, counted from 1 since the rules were read; 0: every one
// What is done is told in $FAULT_LOG, one line a call: `sync <size> <path>`, `syncdir <path>`, `create <path>`,
// `rename <from>\t<to>`, `unlink <path>`, `fault <call> <path>`. Only paths below $FAULT_ROOT count.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#undef fwrite_unlocked
#undef fread_unlocked
#define REAL(name) ((__typeof__(&name))real(#name))
#define MAX_RULES 16

struct rule { char call[16], action[16], part[256]; int number, seen; };
static struct rule rules[MAX_RULES];
static int rule_count;
static struct timespec rules_at;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -2;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static void nap(int ms) {
  struct timespec time = { ms / 1000, (ms % 1000) * 1000000L };
  nanosleep(&time, NULL);
}

/* Raw calls: our own files must not come back here. */
static int raw_open(const char *path, int flags) { return syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600); }

static void tell(const char *format, ...) {
  const char *path = getenv("FAULT_LOG");
  if (!path) return;
  if (log_fd == -2) log_fd = raw_open(path, O_WRONLY | O_CREAT | O_APPEND);
  char line[3 * PATH_MAX];
  va_list list;
  va_start(list, format);
  int length = vsnprintf(line, sizeof line, format, list);
  va_end(list);
  if (log_fd >= 0) syscall(SYS_write, log_fd, line, length);
}

static void read_rules(void) {
  const char *path = getenv("FAULT_RULES");
  struct stat info;
  if (!path || syscall(SYS_newfstatat, AT_FDCWD, path, &info, 0) != 0) return;
  if (info.st_mtim.tv_sec == rules_at.tv_sec && info.st_mtim.tv_nsec == rules_at.tv_nsec) return;
  rules_at = info.st_mtim;
  rule_count = 0;
  char text[8192];
  int fd = raw_open(path, O_RDONLY);
  int length = fd < 0 ? 0 : syscall(SYS_read, fd, text, sizeof text - 1);
  if (fd >= 0) syscall(SYS_close, fd);
  text[length < 0 ? 0 : length] = 0;
  char *rest;
  for (char *line = strtok_r(text, "\n", &rest); line && rule_count < MAX_RULES; line = strtok_r(NULL, "\n", &rest)) {
    struct rule *rule = &rules[rule_count];
    memset(rule, 0, sizeof *rule);
    if (sscanf(line, "%15s %15s %d %255s", rule->call, rule->action, &rule->number, rule->part) >= 3) rule_count++;
  }
}

static int is_ours(const char *path) {
  const char *root = getenv("FAULT_ROOT");
  return path && root && strncmp(path, root, strlen(root)) == 0;
}

/* The errno to fail with, or 0. May not return, or only after a while. *torn: write half of it first. */
static int judge(const char *call, const char *path, int *torn) {
  if (!is_ours(path)) return 0;
  int result = 0, wait = 0, die = 0;
  pthread_mutex_lock(&lock);
  read_rules();
  for (int i = 0; i < rule_count; i++) {
    struct rule *rule = &rules[i];
    if (strcmp(rule->call, call) != 0 || (rule->part[0] && !strstr(path, rule->part))) continue;
    if (strcmp(rule->action, "slow") == 0) { wait = rule->number; continue; }
    rule->seen++;
    if (rule->number != 0 && rule->number != rule->seen) continue;
    tell("fault %s %s\n", call, path);
    if (strcmp(rule->action, "eio") == 0) result = EIO;
    else if (strcmp(rule->action, "enospc") == 0) result = ENOSPC;
    else if (strcmp(rule->action, "emfile") == 0) result = EMFILE;
    else if (strcmp(rule->action, "erofs") == 0) result = EROFS;
    else if (strcmp(rule->action, "lie") == 0) result = -1;
    else if (strcmp(rule->action, "kill") == 0) die = 1;
    else if (strcmp(rule->action, "torn") == 0 && torn) *torn = 1;
  }
  pthread_mutex_unlock(&lock);
  if (wait) nap(wait);
  if (die) kill(getpid(), SIGKILL);
  return result;
}

static const char *path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  path[length < 0 ? 0 : length] = 0;
  return path;
}

static const char *absolute(const char *path, char *full) {
  if (path[0] == '/') return path;
  if (!getcwd(full, PATH_MAX / 2)) return path;
  strncat(full, "/", 2);
  strncat(full, path, PATH_MAX / 2 - 2);
  return full;
}

static int synced(int fd, int (*sync)(int)) {
  char path[PATH_MAX];
  path_of(fd, path);
  int error = judge("fsync", path, NULL);
  if (error == -1) return 0;
  if (error) { errno = error; return -1; }
  struct stat info;
  int known = fstat(fd, &info);
  int result = sync(fd);
  if (result == 0 && known == 0 && is_ours(path)) {
    if (S_ISDIR(info.st_mode)) tell("syncdir %s\n", path);
    else tell("sync %lld %s\n", (long long)info.st_size, path);
  }
  return result;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

/* Returns -1 to go on. */
static ssize_t before_write(int fd, const void *data, size_t size) {
  char path[PATH_MAX];
  int torn = 0, error = judge("write", path_of(fd, path), &torn);
  if (torn) {
    syscall(SYS_write, fd, data, size / 2);
    kill(getpid(), SIGKILL);
  }
  errno = error;
  return error ? -2 : -1;
}

ssize_t write(int fd, const void *data, size_t size) { return before_write(fd, data, size) == -2 ? -1 : REAL(write)(fd, data, size); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return before_write(fd, data, size) == -2 ? -1 : REAL(pwrite64)(fd, data, size, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) {
  return before_write(fd, parts[0].iov_base, parts[0].iov_len) == -2 ? -1 : REAL(writev)(fd, parts, count);
}

/* LevelDB writes by stdio, whose own calls do not come by here. */
size_t fwrite_unlocked(const void *data, size_t size, size_t count, FILE *file) {
  char path[PATH_MAX];
  int torn = 0, error = judge("write", path_of(fileno(file), path), &torn);
  if (torn) {
    fflush(file);
    syscall(SYS_write, fileno(file), data, size * count / 2);
    kill(getpid(), SIGKILL);
  }
  if (error) { errno = error; return 0; }
  return REAL(fwrite_unlocked)(data, size, count, file);
}

static void before_read(int fd) {
  char path[PATH_MAX];
  judge("read", path_of(fd, path), NULL);
}

ssize_t read(int fd, void *data, size_t size) { if (fd > 2) before_read(fd); return REAL(read)(fd, data, size); }
ssize_t pread64(int fd, void *data, size_t size, off64_t at) { before_read(fd); return REAL(pread64)(fd, data, size, at); }
size_t fread_unlocked(void *data, size_t size, size_t count, FILE *file) { before_read(fileno(file)); return REAL(fread_unlocked)(data, size, count, file); }
void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset) {
  if (fd >= 0) before_read(fd);
  return REAL(mmap64)(at, size, protection, flags, fd, offset);
}

static int opened(const char *path, int flags, mode_t mode) {
  char full[PATH_MAX];
  const char *at = absolute(path, full);
  int error = judge("open", at, NULL);
  if (!error && (flags & O_ACCMODE) != O_RDONLY) error = judge("openwrite", at, NULL);
  if (error) { errno = error; return -1; }
  int is_new = is_ours(at) && (flags & O_CREAT) && access(at, F_OK) != 0;
  int fd = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  if (fd >= 0 && is_new) tell("create %s\n", at);
  return fd;
}

int open64(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
  va_end(list);
  return opened(path, flags, mode);
}
int open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
  va_end(list);
  return opened(path, flags, mode);
}

FILE *fopen64(const char *path, const char *mode) {
  char full[PATH_MAX];
  const char *at = absolute(path, full);
  int error = judge("open", at, NULL);
  if (!error && mode[0] != 'r') error = judge("openwrite", at, NULL);
  if (error) { errno = error; return NULL; }
  int is_new = is_ours(at) && mode[0] != 'r' && access(at, F_OK) != 0;
  FILE *file = REAL(fopen64)(path, mode);
  if (file && is_new) tell("create %s\n", at);
  return file;
}

int rename(const char *from, const char *to) {
  char one[PATH_MAX], other[PATH_MAX];
  const char *source = absolute(from, one), *target = absolute(to, other);
  int error = judge("rename", target, NULL);
  if (error) { errno = error; return -1; }
  int result = REAL(rename)(from, to);
  if (result == 0 && is_ours(target)) tell("rename %s\t%s\n", source, target);
  return result;
}

int unlink(const char *path) {
  char full[PATH_MAX];
  const char *at = absolute(path, full);
  int result = REAL(unlink)(path);
  if (result == 0 && is_ours(at)) tell("unlink %s\n", at);
  return result;
}
