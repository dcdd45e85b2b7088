// Owns the forwarder: the first process of a box. It starts the program and carries connections between sockets that it was
// given or that it opens. No C library: it is a few KB, needs no file of any machine, and each system call of it is in this file.
//
//   forwarder control:FD [limit:RESOURCE=VALUE]... [fd:N=tcp:PORT] [tcp:PORT=unix:PATH]... -- /path/of/program argument...
//   forwarder up      sets the loopback of its network up, and ends
//   forwarder graft FD PLACE...   waits for as many paths of folders, each ended by a NUL, and shows each at its place, read-only,
//                                 but for empty paths; answers "+" or "!"
//   forwarder anew -- /path/of/program argument...     becomes that program, as if nothing had run before
//
// Over the control socket comes the environment (length as 32 bits, then NAME=value texts, each ended by a NUL); after that the
// program is started. "r" goes back when the program took its first connection. When the other side is gone, so is the box.
#include <stdint.h>

typedef long word;
#if defined(__x86_64__)
enum { N_read = 0, N_write = 1, N_close = 3, N_mmap = 9, N_munmap = 11, N_sigaction = 13, N_sigprocmask = 14, N_socket = 41, N_connect = 42, N_shutdown = 48, N_bind = 49,
  N_listen = 50, N_setsockopt = 54, N_getsockopt = 55, N_clone = 56, N_execve = 59, N_wait4 = 61, N_fcntl = 72, N_ioctl = 16, N_prctl = 157, N_prlimit64 = 302, N_exit_group = 231, N_epoll_ctl = 233,
  N_accept4 = 288, N_signalfd4 = 289, N_epoll_create1 = 291, N_epoll_pwait = 281 };
static word call(word n, word a, word b, word c, word d, word e, word f) {
  register word r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  word result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}
__asm__(".globl _start\n_start:\n xor %rbp,%rbp\n mov %rsp,%rdi\n and $-16,%rsp\n call begin\n");
struct __attribute__((packed)) event { uint32_t events; uint64_t data; };
#elif defined(__aarch64__)
enum { N_read = 63, N_write = 64, N_close = 57, N_mmap = 222, N_munmap = 215, N_sigaction = 134, N_sigprocmask = 135, N_socket = 198, N_connect = 203, N_shutdown = 210,
  N_bind = 200, N_listen = 201, N_setsockopt = 208, N_getsockopt = 209, N_clone = 220, N_execve = 221, N_wait4 = 260, N_fcntl = 25, N_ioctl = 29, N_prctl = 167, N_prlimit64 = 261, N_exit_group = 94,
  N_epoll_ctl = 21, N_accept4 = 242, N_signalfd4 = 74, N_epoll_create1 = 20, N_epoll_pwait = 22 };
static word call(word n, word a, word b, word c, word d, word e, word f) {
  register word x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
__asm__(".globl _start\n_start:\n mov x29,#0\n mov x0,sp\n bl begin\n");
struct event { uint32_t events; uint64_t data; };
#else
#error "no system calls known for this processor"
#endif
// Newer than the two kinds of processors: both have the same numbers.
enum { N_open_tree = 428, N_move_mount = 429, N_close_range = 436, N_mount_setattr = 442 };
#define SYS(n, a, b, c) call(n, (word)(a), (word)(b), (word)(c), 0, 0, 0)

enum { AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, STREAM = 1, DATAGRAM = 2, NONBLOCK = 04000, CLOEXEC = 02000000 };
enum { IN = 1, OUT = 4, ERR = 8, HUP = 16, RDHUP = 0x2000 };
enum { EINTR = 4, EAGAIN = 11, ECONNABORTED = 103, EINPROGRESS = 115 };
enum { FDS = 4096, PAIRS = 1000, LISTENERS = 32, CHUNK = 65536, RETRY_MS = 2, RETRY_TURNS = 16, BACKLOG = 511 };

enum role { NOTHING, LISTENER, CONTROL, SIGNALS, END, CONNECTING, WAITING };
struct target { uint8_t is_unix; uint16_t port; const char *path; };
struct end {
  uint8_t role, sees_end, is_gone, told_end, six, is_asking;
  int16_t peer;
  uint16_t watched;
  struct target *to;
  // What its peer said and it has not taken yet.
  char *pending;
  uint32_t at, length;
};
static struct end ends[FDS];
// A number is used again at once: what is said of the one before it must not reach the next.
static uint32_t generations[FDS];
static struct target targets[LISTENERS];
static int16_t listeners[LISTENERS];
static int listener_count, pair_count, waiting_count, asking_count, is_short, is_up, top, epoll, control = -1, main_pid;
static char buffer[CHUNK];

// The compiler writes calls of these itself.
void *memset(void *to, int value, unsigned long n) { char *at = to; while (n--) *at++ = (char)value; return to; }
void *memcpy(void *to, const void *from, unsigned long n) { char *at = to; const char *source = from; while (n--) *at++ = *source++; return to; }

static unsigned long length_of(const char *text) { unsigned long n = 0; while (text[n]) n++; return n; }
static void fail(const char *what) {
  SYS(N_write, 2, what, length_of(what));
  SYS(N_write, 2, "\n", 1);
  SYS(N_exit_group, 126, 0, 0);
}
static void *pages(unsigned long size) {
  word at = call(N_mmap, 0, (word)size, 3, 0x22, -1, 0);
  return at < 0 && at > -4096 ? 0 : (void *)at;
}

static void watch(int fd, uint16_t events) {
  struct end *end = &ends[fd];
  if (end->watched == events) return;
  struct event event = { events, (uint64_t)generations[fd] << 32 | (uint32_t)fd };
  int how = end->watched == 0 ? 1 : events == 0 ? 2 : 3;
  call(N_epoll_ctl, epoll, how, fd, (word)&event, 0, 0);
  end->watched = events;
}

static struct end *make_end(int fd, enum role role, struct target *to, int peer) {
  struct end *end = &ends[fd];
  memset(end, 0, sizeof *end);
  end->role = (uint8_t)role;
  end->to = to;
  end->peer = (int16_t)peer;
  if (fd > top) top = fd;
  return end;
}

static void drop_pending(struct end *end) {
  if (end->pending) SYS(N_munmap, end->pending, CHUNK, 0);
  end->pending = 0;
}

static void forget(int fd) {
  if (ends[fd].role == WAITING) waiting_count--;
  if (ends[fd].is_asking) asking_count--;
  drop_pending(&ends[fd]);
  memset(&ends[fd], 0, sizeof ends[fd]);
  generations[fd]++;
  SYS(N_close, fd, 0, 0);
}

// Until the program is up only one connection is taken: the rest waits in the kernel, and costs nothing.
static void set_listeners(void) {
  for (int i = 0; i < listener_count; i++) {
    int is_outward = ends[listeners[i]].to->is_unix;
    int is_open = !is_short && pair_count < PAIRS && (is_outward || is_up || asking_count == 0);
    watch(listeners[i], is_open ? IN : 0);
  }
}

static void close_pair(int fd) {
  int peer = ends[fd].peer;
  forget(fd);
  if (peer >= 0) forget(peer);
  pair_count--;
  is_short = 0;
  set_listeners();
}

static int try_connect(struct target *to, int six) {
  int family = to->is_unix ? AF_UNIX : six ? AF_INET6 : AF_INET;
  int fd = (int)SYS(N_socket, family, STREAM | NONBLOCK | CLOEXEC, 0), one = 1;
  if (fd < 0) return fd;
  if (fd >= FDS) { SYS(N_close, fd, 0, 0); return -EAGAIN; }
  char address[128];
  memset(address, 0, sizeof address);
  address[0] = (char)family;
  unsigned long size;
  if (to->is_unix) {
    size = 2 + length_of(to->path) + 1;
    memcpy(address + 2, to->path, size - 2);
  } else {
    address[2] = (char)(to->port >> 8);
    address[3] = (char)to->port;
    if (six) { address[23] = 1; size = 28; } else { address[4] = 127; address[7] = 1; size = 16; }
    call(N_setsockopt, fd, 6, 1, (word)&one, sizeof one, 0);
  }
  word result = SYS(N_connect, fd, address, size);
  if (result < 0 && result != -EINPROGRESS) { SYS(N_close, fd, 0, 0); return (int)result; }
  return fd;
}

// What it sends is read later; that it leaves is seen at once.
static void wait_with(int fd) {
  struct end *end = &ends[fd];
  if (end->role != WAITING) waiting_count++;
  end->role = WAITING;
  end->peer = -1;
  watch(fd, RDHUP);
}

static void begin_connect(int fd) {
  struct end *end = &ends[fd];
  int other = try_connect(end->to, end->six);
  if (other < 0 && end->to->is_unix && other != -EAGAIN) { end->peer = -1; close_pair(fd); return; }
  if (other < 0) { end->six = 0; wait_with(fd); return; }
  if (end->role == WAITING) waiting_count--;
  end->role = END;
  end->peer = (int16_t)other;
  watch(fd, RDHUP);
  make_end(other, CONNECTING, 0, fd);
  watch(other, OUT);
}

static void interest(int fd) {
  struct end *end = &ends[fd], *peer = &ends[end->peer];
  uint16_t events = 0;
  if (!end->sees_end && !peer->pending) events |= IN | RDHUP;
  if (end->pending) events |= OUT;
  watch(fd, events);
}

static void connected(int fd) {
  int error = 0, size = sizeof error, peer = ends[fd].peer;
  struct end *client = &ends[peer];
  call(N_getsockopt, fd, 1, 4, (word)&error, (word)&size, 0);
  if (error) {
    forget(fd);
    client->peer = -1;
    // A program that listens on the newer kind of localhost only is found too.
    client->six = !client->six && !client->to->is_unix;
    if (client->six) begin_connect(peer); else wait_with(peer);
    return;
  }
  ends[fd].role = END;
  if (client->is_asking) asking_count--;
  client->is_asking = 0;
  if (!is_up && !client->to->is_unix) {
    is_up = 1;
    SYS(N_write, control, "r", 1);
    set_listeners();
  }
  interest(fd);
  interest(peer);
}

static void accept_from(int fd) {
  for (int i = 0; i < 64 && ends[fd].watched; i++) {
    int client = (int)call(N_accept4, fd, 0, 0, NONBLOCK | CLOEXEC, 0, 0);
    if (client == -EAGAIN) return;
    if (client < 0 || client >= FDS) {
      if (client >= 0) SYS(N_close, client, 0, 0);
      else is_short = client != -EINTR && client != -ECONNABORTED;
    } else {
      struct target *to = ends[fd].to;
      make_end(client, END, to, -1)->is_asking = !to->is_unix;
      pair_count++;
      asking_count += !to->is_unix;
      begin_connect(client);
    }
    set_listeners();
  }
}

// One side said its last: the other is told when it has taken everything. @returns 0 when the pair is closed
static int pass_end(int fd) {
  struct end *end = &ends[fd], *peer = &ends[end->peer];
  if (!end->sees_end || peer->pending) return 1;
  if (!peer->told_end) SYS(N_shutdown, end->peer, 1, 0);
  peer->told_end = 1;
  // The program reads no more, and whoever connected is still sending: it gets the answer before it hears of that.
  int is_awaited = peer->to != 0 && !peer->is_gone;
  if ((!end->is_gone || is_awaited) && !peer->sees_end) return 1;
  close_pair(fd);
  return 0;
}

// It takes nothing any more. @returns 0 when the pair is closed
static int lose(int fd) {
  if (ends[fd].to) { close_pair(fd); return 0; }
  ends[fd].is_gone = 1;
  drop_pending(&ends[fd]);
  return 1;
}

// @returns 0 when the pair is closed
static int write_pending(int fd) {
  struct end *end = &ends[fd];
  while (end->at < end->length) {
    word n = SYS(N_write, fd, end->pending + end->at, end->length - end->at);
    if (n == -EINTR) continue;
    if (n == -EAGAIN) return 1;
    if (n <= 0) return lose(fd);
    end->at += (uint32_t)n;
  }
  drop_pending(end);
  return pass_end(end->peer);
}

// @returns what is left, or an error
static word write_all(int fd, const char *from, word n) {
  while (n > 0) {
    word wrote = SYS(N_write, fd, from, n);
    if (wrote == -EINTR) continue;
    if (wrote == -EAGAIN) return n;
    if (wrote <= 0) return -1;
    from += wrote;
    n -= wrote;
  }
  return 0;
}

// @returns 0 when the pair is closed
static int carry(int fd) {
  struct end *end = &ends[fd], *peer = &ends[end->peer];
  for (int i = 0; i < 4 && !peer->pending && !end->sees_end; i++) {
    word n = SYS(N_read, fd, buffer, CHUNK);
    if (n == -EAGAIN || n == -EINTR) break;
    if (n < 0) end->is_gone = 1;
    if (n <= 0) { end->sees_end = 1; break; }
    word left = peer->is_gone ? 0 : write_all(end->peer, buffer, n);
    if (left < 0 && !lose(end->peer)) return 0;
    if (left > 0) peer->pending = pages(CHUNK);
    if (left > 0 && !peer->pending) { close_pair(fd); return 0; }
    if (left > 0) {
      memcpy(peer->pending, buffer + (n - left), (unsigned long)left);
      peer->at = 0;
      peer->length = (uint32_t)left;
    }
    if (n < CHUNK) break;
  }
  return pass_end(fd);
}

static void moved(int fd, uint32_t events) {
  struct end *end = &ends[fd];
  int peer = end->peer;
  if (peer < 0 || ends[peer].role != END) {
    if (events & (RDHUP | HUP | ERR)) close_pair(fd);
    return;
  }
  if (events & (HUP | ERR)) {
    // It takes nothing any more; what it said before still counts.
    end->is_gone = 1;
    drop_pending(end);
  }
  if (events & OUT && end->pending && !write_pending(fd)) return;
  if (events & (IN | RDHUP | HUP | ERR) && !carry(fd)) return;
  interest(fd);
  interest(peer);
}

static void reap(int signals) {
  char info[128];
  while (SYS(N_read, signals, info, sizeof info) > 0) {}
  for (;;) {
    int status = 0;
    word pid = call(N_wait4, -1, (word)&status, 1, 0, 0, 0);
    if (pid <= 0) return;
    if (pid == main_pid) SYS(N_exit_group, status & 0x7f ? 128 + (status & 0x7f) : (status >> 8) & 0xff, 0, 0);
  }
}

static void start(char **command) {
  // Whoever made the socket may not have wanted to wait for it.
  SYS(N_fcntl, control, 4, 0);
  uint32_t length = 0;
  char *at = (char *)&length;
  unsigned long left = sizeof length;
  char *variables = 0;
  for (int part = 0; part < 2; part++) {
    while (left > 0) {
      word n = SYS(N_read, control, at, left);
      if (n == -EINTR) continue;
      if (n <= 0) SYS(N_exit_group, 137, 0, 0);
      at += n;
      left -= (unsigned long)n;
    }
    if (part == 0) {
      if (length > 1 << 21) fail("forwarder: the environment is too long");
      left = length;
      at = variables = pages(length + 1);
      if (!variables) fail("forwarder: no memory");
    }
  }
  char **environment = pages((length / 2 + 2) * sizeof(char *));
  if (!environment) fail("forwarder: no memory");
  unsigned long count = 0;
  for (uint32_t i = 0; i < length; i += (uint32_t)length_of(variables + i) + 1) environment[count++] = variables + i;
  environment[count] = 0;
  word pid = call(N_clone, 17, 0, 0, 0, 0, 0);
  if (pid == 0) {
    uint64_t none = 0;
    call(N_sigprocmask, 2, (word)&none, 0, 8, 0, 0);
    SYS(N_execve, command[0], command, environment);
    SYS(N_write, 2, "cannot be started: ", 19);
    fail(command[0]);
  }
  if (pid < 0) fail("forwarder: no process can be started");
  main_pid = (int)pid;
}

static const char *after(const char *text, const char *prefix) {
  while (*prefix) if (*text++ != *prefix++) return 0;
  return text;
}
static const char *number(const char *text, uint64_t *value) {
  *value = 0;
  while (*text >= '0' && *text <= '9') *value = *value * 10 + (uint64_t)(*text++ - '0');
  return text;
}

// The numbers of resources and requests are the kernel's own.
static void set_limit(const char *text) {
  uint64_t resource, both[2];
  text = after(number(text, &resource), "=");
  if (!text) fail("forwarder: an argument is not understood");
  number(text, &both[0]);
  both[1] = both[0];
  if (call(N_prlimit64, 0, (word)resource, (word)both, 0, 0, 0) < 0) fail("forwarder: a limit cannot be set");
}

static void set_up(void) {
  struct { char name[16]; int16_t flags; char rest[22]; } loopback = { "lo", 1, "" };
  word fd = SYS(N_socket, AF_INET, DATAGRAM, 0);
  if (fd < 0 || SYS(N_ioctl, fd, 0x8914, &loopback) < 0) fail("forwarder: the loopback cannot be set up");
  SYS(N_exit_group, 0, 0, 0);
}

// Read-only, no devices, no setuid; the tree is a copy, so the host's own place stays as it is.
static int show_at(const char *folder, const char *place) {
  uint64_t attributes[4] = { 1 | 2 | 4, 0, 0, 0 };
  word tree = SYS(N_open_tree, -100, folder, 1 | CLOEXEC);
  return tree >= 0 && call(N_mount_setattr, tree, (word)"", 0x1000, (word)attributes, sizeof attributes, 0) == 0
    && call(N_move_mount, tree, (word)"", -100, (word)place, 4, 0) == 0;
}

// It stays outside of the box: whoever is inside has no right to mount anything. What is bound at a place is seen there too.
static void graft(int fd, char **places) {
  call(N_prctl, 1, 9, 0, 0, 0, 0);
  // What the box has open is the box's alone.
  if (fd > 0) SYS(N_close_range, 0, fd - 1, 0);
  SYS(N_close_range, fd + 1, ~0u, 0);
  SYS(N_fcntl, fd, 4, 0);
  unsigned long length = 0, at = 0;
  int is_done = 1;
  for (; *places; places++) {
    unsigned long end = at;
    while (end == length || buffer[end]) {
      if (end < length) { end++; continue; }
      word n = SYS(N_read, fd, buffer + length, CHUNK - length);
      if (n == -EINTR) continue;
      if (n <= 0) SYS(N_exit_group, 1, 0, 0);
      length += (unsigned long)n;
    }
    if (end > at && is_done) is_done = show_at(buffer + at, *places);
    at = end + 1;
  }
  SYS(N_write, fd, is_done ? "+" : "!", 1);
  SYS(N_exit_group, !is_done, 0, 0);
}

// Node.js ignores SIGPIPE and SIGXFSZ, and whoever it becomes would go on so.
static void become(char **command, char **environment) {
  uint64_t usual[4] = { 0, 0, 0, 0 };
  call(N_sigaction, 13, (word)usual, 0, 8, 0, 0);
  call(N_sigaction, 25, (word)usual, 0, 8, 0, 0);
  SYS(N_execve, command[0], command, environment);
  SYS(N_write, 2, "cannot be started: ", 19);
  fail(command[0]);
}

static void add_listener(int fd, struct target *to) {
  if (fd < 0 || fd >= FDS || listener_count >= LISTENERS - 1) fail("forwarder: a port cannot be opened");
  make_end(fd, LISTENER, to, -1);
  listeners[listener_count++] = (int16_t)fd;
  watch(fd, IN);
}

static int open_port(int port) {
  int fd = (int)SYS(N_socket, AF_INET, STREAM | NONBLOCK | CLOEXEC, 0), one = 1;
  char address[16] = { AF_INET, 0, (char)(port >> 8), (char)port, 127, 0, 0, 1 };
  call(N_setsockopt, fd, 1, 2, (word)&one, sizeof one, 0);
  if (SYS(N_bind, fd, address, sizeof address) < 0 || SYS(N_listen, fd, BACKLOG, 0) < 0) return -1;
  return fd;
}

static void read_arguments(char **arguments) {
  for (; *arguments && !after(*arguments, "--"); arguments++) {
    const char *text = *arguments, *rest;
    uint64_t from, port;
    if ((rest = after(text, "control:"))) { number(rest, &port); control = (int)port; continue; }
    if ((rest = after(text, "limit:"))) { set_limit(rest); continue; }
    struct target *to = &targets[listener_count];
    int is_given = (rest = after(text, "fd:")) != 0;
    if (!is_given && !(rest = after(text, "tcp:"))) fail("forwarder: an argument is not understood");
    rest = number(rest, &from);
    const char *target = after(rest, "=tcp:");
    if (target) { number(target, &port); to->port = (uint16_t)port; }
    else if ((target = after(rest, "=unix:")) && length_of(target) < 100) { to->is_unix = 1; to->path = target; }
    else fail("forwarder: an argument is not understood");
    if (is_given) {
      SYS(N_fcntl, from, 2, 1);
      SYS(N_fcntl, from, 4, NONBLOCK);
    }
    add_listener(is_given ? (int)from : open_port((int)from), to);
  }
  if (control < 0 || !*arguments || !arguments[1]) fail("forwarder: an argument is missing");
  SYS(N_fcntl, control, 2, 1);
  start(arguments + 1);
}

void begin(word *stack) {
  if (stack[0] == 2 && after((char *)stack[2], "up")) set_up();
  if (stack[0] > 3 && after((char *)stack[2], "anew")) become((char **)(stack + 4), (char **)(stack + 2 + stack[0]));
  if (stack[0] > 3 && after((char *)stack[2], "graft")) {
    uint64_t fd;
    number((char *)stack[3], &fd);
    graft((int)fd, (char **)(stack + 4));
  }
  // The program has the same user: without this it could write its own code in here, by /proc/1/mem, and never stand still.
  call(N_prctl, 4, 0, 0, 0, 0, 0);
  // SIGCHLD comes as something to read; SIGPIPE as an error of `write`.
  uint64_t blocked = 1u << 16 | 1u << 12, child = 1u << 16;
  call(N_sigprocmask, 0, (word)&blocked, 0, 8, 0, 0);
  epoll = (int)SYS(N_epoll_create1, CLOEXEC, 0, 0);
  int signals = (int)call(N_signalfd4, -1, (word)&child, 8, NONBLOCK | CLOEXEC, 0, 0);
  if (epoll < 0 || signals < 0) fail("forwarder: no descriptors");
  make_end(signals, SIGNALS, 0, -1);
  watch(signals, IN);
  read_arguments((char **)(stack + 2));
  make_end(control, CONTROL, 0, -1);
  watch(control, RDHUP);
  struct event events[64];
  for (unsigned turn = 0;; turn++) {
    int count = (int)call(N_epoll_pwait, epoll, (word)events, 64, waiting_count > 0 || is_short ? RETRY_MS : -1, 0, 8);
    for (int i = 0; i < count; i++) {
      int fd = (int)(uint32_t)events[i].data;
      if ((uint32_t)(events[i].data >> 32) != generations[fd]) continue;
      switch (ends[fd].role) {
        case LISTENER: accept_from(fd); break;
        case CONTROL: SYS(N_exit_group, 137, 0, 0); break;
        case SIGNALS: reap(fd); break;
        case CONNECTING: connected(fd); break;
        case WAITING:
        case END: moved(fd, events[i].events); break;
        default: break;
      }
    }
    if (count > 0 && turn % RETRY_TURNS != 0) continue;
    if (is_short) { is_short = 0; set_listeners(); }
    for (int fd = 0; fd <= top && waiting_count > 0; fd++) if (ends[fd].role == WAITING) begin_connect(fd);
  }
}
