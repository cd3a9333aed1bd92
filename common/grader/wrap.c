/*
 * wrap - what an instrumented program calls in place of the C library: note the call, perhaps answer it
 * with a fault, else make it.  See record.h.
 *
 * Linked into the student's program alone, with -Wl,@common/grader/wrapped: the linker then takes
 * __wrap_recv for recv, and __real_recv for the C library's.  Without the memory of a grader it only
 * passes calls on.  errno is as the call left it.
 */

#include "record.h"

#include "clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DESCRIPTORS = 65536 };

static struct record *record;
static struct fault_plan plan; /* as it was at the start: the record can be written to */

/* What is known of a descriptor; one above DESCRIPTORS is nobody's. */
static struct {
    bool client;       /* it came from accept, or was connected */
    bool reset;        /* FAULT_RESET has struck it */
    bool maybe_unread; /* reported readable, and not read to the end since */
    bool in_epoll;
    uint64_t data;       /* what epoll was told to report it as */
    uint64_t ordinal;    /* the how manieth client it is */
    uint64_t chances[7]; /* how often each kind of fault could have struck it */
} known[DESCRIPTORS];
static int highest = -1; /* no client has a higher number */

static _Atomic uint64_t chances[7]; /* the same, of calls that are for no one client */
static _Atomic uint64_t clients;
static _Thread_local int thread_id;

/* [first] Run before every constructor of the program's, which is linked behind us, so that it cannot take
 * the memory for itself. */
__attribute__((constructor(101))) static void attach(int argc, char **argv, char **environment)
{
    static const char variable[] = RECORD_VARIABLE "=";
    const size_t length = sizeof variable - 1;
    (void)argc;
    (void)argv;
    for (char **v = environment; *v != NULL; v++) {
        size_t same = 0;
        while (same < length && (*v)[same] == variable[same])
            same++;
        if (same < length)
            continue;
        int fd = 0;
        for (const char *digit = *v + length; *digit >= '0' && *digit <= '9'; digit++)
            fd = fd * 10 + (*digit - '0');
        /* All of it at once, so that the program does not seem to grow as the record fills. */
        void *memory = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                            fd, 0);
        (void)syscall(SYS_close, fd); /* the program finds no descriptor of ours to close */
        for (char *volatile *rest = v; *rest != NULL; rest++) /* else memmove, and a sanitizer's */
            rest[0] = rest[1];                                /* unsetenv */
        struct record *there = memory;
        if (memory != MAP_FAILED && there->magic == RECORD_MAGIC) {
            record = there;
            plan = record->plan;
        }
        return;
    }
}
static bool is_client(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS && known[fd].client;
}

/* ---- noting -------------------------------------------------------------------------------------- */

struct noted {
    struct call *call; /* NULL: nothing is recorded */
    uint64_t serial;
};

static struct noted begin(enum call_name name, int fd, int64_t size, int64_t value)
{
    if (record == NULL)
        return (struct noted){NULL, 0};
    int error = errno;
    if (thread_id == 0)
        thread_id = (int)syscall(SYS_gettid);
    uint64_t number = atomic_fetch_add(&record->next, 1);
    struct call *c = &record->calls[number % RECORD_ROOM];
    atomic_store(&c->serial, 0);
    c->start = clock_now();
    c->end = 0;
    c->name = (int32_t)name;
    c->pid = (int)getpid();
    c->tid = thread_id;
    c->fd = fd;
    c->size = size;
    c->value = value;
    c->buffer = 0;
    c->result = 0;
    c->error = 0;
    c->fault = 0;
    c->port = 0;
    c->unread_fd = -1;
    c->unread = 0;
    c->ready_count = 0;
    atomic_store(&c->serial, number + 1);
    atomic_fetch_add(&record->count[name], 1);
    errno = error;
    return (struct noted){c, number + 1};
}

static struct noted begin_bytes(enum call_name name, int fd, size_t size, const void *buffer)
{
    struct noted n = begin(name, fd, (int64_t)size, 0);
    if (n.call != NULL)
        n.call->buffer = (uint64_t)(uintptr_t)buffer;
    return n;
}

/* Note how it ended.  One that slept until its entry was needed again is left alone. */
static int64_t finish(struct noted n, int64_t result)
{
    if (n.call == NULL)
        return result;
    int error = errno;
    int64_t now = clock_now();
    if (atomic_load(&n.call->serial) == n.serial) {
        n.call->result = result;
        n.call->error = result == -1 ? error : 0;
        n.call->end = now;
        atomic_fetch_add(&record->waited_ns[n.call->name], now - n.call->start);
    }
    errno = error;
    return result;
}

/* ---- faults -------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t n)
{
    n += 0x9e3779b97f4a7c15;
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
    n = (n ^ n >> 27) * 0x94d049bb133111eb;
    return n ^ n >> 31;
}

/* Whether a fault strikes now; *dice is what else is to be left to chance.  The decision follows from the
 * seed, the kind, and how often this kind could have struck: this client, for what one client's calls meet
 * is not to depend on when another's come. */
static bool strike(struct noted n, enum fault_kind kind, uint64_t *dice)
{
    if (n.call == NULL || !(plan.kinds & kind))
        return false;
    int bit = __builtin_ctz(kind);
    int fd = n.call->fd;
    bool of_client = is_client(fd);
    uint64_t chance = of_client ? known[fd].chances[bit]++ : atomic_fetch_add(&chances[bit], 1);
    uint64_t whose = of_client ? known[fd].ordinal : 0;
    *dice = mix(mix(plan.seed ^ (uint64_t)kind << 32 ^ whose << 40) + chance);
    if (*dice % plan.one_in != 0)
        return false;
    *dice = mix(*dice);
    uint64_t before = atomic_fetch_add(&record->faults, 1);
    if (plan.most > 0 && before >= plan.most) {
        atomic_fetch_sub(&record->faults, 1);
        return false;
    }
    n.call->fault |= kind;
    return true;
}

/* Answer with an error in place of the call. */
static bool fails(struct noted n, enum fault_kind kind, int error)
{
    uint64_t dice;
    if (!strike(n, kind, &dice))
        return false;
    errno = error;
    return true;
}

static bool is_nonblocking(int fd)
{
    int error = errno;
    long flags = syscall(SYS_fcntl, fd, F_GETFL);
    errno = error;
    return flags != -1 && flags & O_NONBLOCK;
}

/* The faults that reading and writing have in common; errno says which it is. */
static bool transfer_fails(struct noted n, int fd, bool writes)
{
    if (!is_client(fd) || n.call == NULL || plan.kinds == 0)
        return false;
    if (known[fd].reset || fails(n, FAULT_RESET, 0)) {
        if (!known[fd].reset)
            (void)syscall(SYS_shutdown, fd, SHUT_RDWR); /* so that the client sees an end as well */
        known[fd].reset = true;
        errno = writes ? EPIPE : ECONNRESET;
        return true;
    }
    return fails(n, FAULT_EINTR, EINTR) ||
           (plan.kinds & FAULT_EAGAIN && is_nonblocking(fd) && fails(n, FAULT_EAGAIN, EAGAIN));
}

static size_t shorter_read(struct noted n, int fd, size_t size)
{
    uint64_t dice;
    int there = 0;
    int error = errno;
    if (!is_client(fd) || n.call == NULL || !(plan.kinds & FAULT_SHORT_READ) ||
        ioctl(fd, FIONREAD, &there) == -1) {
        errno = error;
        return size;
    }
    size_t most = (size_t)there < size ? (size_t)there : size;
    if (most < 2 || !strike(n, FAULT_SHORT_READ, &dice))
        return size;
    return 1 + dice % (most - 1);
}

static size_t shorter_write(struct noted n, int fd, size_t size)
{
    uint64_t dice;
    if (!is_client(fd) || size < 2 || !strike(n, FAULT_SHORT_WRITE, &dice))
        return size;
    return 1 + dice % (size - 1);
}

/* ---- reading and writing ------------------------------------------------------------------------- */

/* A read has ended: is there perhaps more? */
static ssize_t after_read(struct noted n, int fd, ssize_t result)
{
    if (is_client(fd) && (result > 0 || (result == -1 && errno == EINTR)))
        known[fd].maybe_unread = true;
    else if (is_client(fd))
        known[fd].maybe_unread = false;
    return (ssize_t)finish(n, result);
}

ssize_t __real_recv(int fd, void *buffer, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags)
{
    struct noted n = begin_bytes(CALL_recv, fd, size, buffer);
    if (!(flags & MSG_PEEK)) {
        if (transfer_fails(n, fd, false))
            return after_read(n, fd, -1);
        size = shorter_read(n, fd, size);
    }
    return after_read(n, fd, __real_recv(fd, buffer, size, flags));
}

/* What recv and its like become where the compiler knows the buffer's size (_FORTIFY_SOURCE). */
ssize_t __wrap___recv_chk(int fd, void *buffer, size_t size, size_t room, int flags);
ssize_t __wrap___recv_chk(int fd, void *buffer, size_t size, size_t room, int flags)
{
    if (size > room)
        abort();
    return __wrap_recv(fd, buffer, size, flags);
}

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
    struct noted n = begin_bytes(CALL_read, fd, size, buffer);
    if (transfer_fails(n, fd, false))
        return after_read(n, fd, -1);
    return after_read(n, fd, __real_read(fd, buffer, shorter_read(n, fd, size)));
}

ssize_t __wrap___read_chk(int fd, void *buffer, size_t size, size_t room);
ssize_t __wrap___read_chk(int fd, void *buffer, size_t size, size_t room)
{
    if (size > room)
        abort();
    return __wrap_read(fd, buffer, size);
}

ssize_t __real_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from,
                        socklen_t *length);
ssize_t __wrap_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from,
                        socklen_t *length);
ssize_t __wrap_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from,
                        socklen_t *length)
{
    struct noted n = begin_bytes(CALL_recvfrom, fd, size, buffer);
    if (!(flags & MSG_PEEK)) {
        if (transfer_fails(n, fd, false))
            return after_read(n, fd, -1);
        size = shorter_read(n, fd, size);
    }
    return after_read(n, fd, __real_recvfrom(fd, buffer, size, flags, from, length));
}

ssize_t __wrap___recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags,
                              struct sockaddr *from, socklen_t *length);
ssize_t __wrap___recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags,
                              struct sockaddr *from, socklen_t *length)
{
    if (size > room)
        abort();
    return __wrap_recvfrom(fd, buffer, size, flags, from, length);
}

ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct noted n = begin(CALL_recvmsg, fd, (int64_t)message->msg_iovlen, flags);
    if (!(flags & MSG_PEEK) && transfer_fails(n, fd, false))
        return after_read(n, fd, -1);
    return after_read(n, fd, __real_recvmsg(fd, message, flags));
}

ssize_t __real_readv(int fd, const struct iovec *pieces, int count);
ssize_t __wrap_readv(int fd, const struct iovec *pieces, int count);
ssize_t __wrap_readv(int fd, const struct iovec *pieces, int count)
{
    struct noted n = begin(CALL_readv, fd, count, 0);
    if (transfer_fails(n, fd, false))
        return after_read(n, fd, -1);
    return after_read(n, fd, __real_readv(fd, pieces, count));
}

ssize_t __real_send(int fd, const void *buffer, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *buffer, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *buffer, size_t size, int flags)
{
    struct noted n = begin_bytes(CALL_send, fd, size, buffer);
    if (transfer_fails(n, fd, true))
        return (ssize_t)finish(n, -1);
    return (ssize_t)finish(n, __real_send(fd, buffer, shorter_write(n, fd, size), flags));
}

ssize_t __real_write(int fd, const void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size)
{
    struct noted n = begin_bytes(CALL_write, fd, size, buffer);
    if (transfer_fails(n, fd, true))
        return (ssize_t)finish(n, -1);
    return (ssize_t)finish(n, __real_write(fd, buffer, shorter_write(n, fd, size)));
}

ssize_t __real_sendto(int fd, const void *buffer, size_t size, int flags, const struct sockaddr *to,
                      socklen_t length);
ssize_t __wrap_sendto(int fd, const void *buffer, size_t size, int flags, const struct sockaddr *to,
                      socklen_t length);
ssize_t __wrap_sendto(int fd, const void *buffer, size_t size, int flags, const struct sockaddr *to,
                      socklen_t length)
{
    struct noted n = begin_bytes(CALL_sendto, fd, size, buffer);
    if (transfer_fails(n, fd, true))
        return (ssize_t)finish(n, -1);
    return (ssize_t)finish(
        n, __real_sendto(fd, buffer, shorter_write(n, fd, size), flags, to, length));
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct noted n = begin(CALL_sendmsg, fd, (int64_t)message->msg_iovlen, flags);
    if (transfer_fails(n, fd, true))
        return (ssize_t)finish(n, -1);
    return (ssize_t)finish(n, __real_sendmsg(fd, message, flags));
}

ssize_t __real_writev(int fd, const struct iovec *pieces, int count);
ssize_t __wrap_writev(int fd, const struct iovec *pieces, int count);
ssize_t __wrap_writev(int fd, const struct iovec *pieces, int count)
{
    struct noted n = begin(CALL_writev, fd, count, 0);
    if (transfer_fails(n, fd, true))
        return (ssize_t)finish(n, -1);
    return (ssize_t)finish(n, __real_writev(fd, pieces, count));
}

/* ---- waiting ------------------------------------------------------------------------------------- */

/* Which client has bytes that are not read, as the program goes to wait? */
static struct noted begin_wait(enum call_name name, int fd, int64_t size, int64_t timeout_ms)
{
    struct noted n = begin(name, fd, size, timeout_ms);
    if (n.call == NULL)
        return n;
    int error = errno;
    for (int client = 0; client <= highest; client++) {
        int there = 0;
        if (known[client].client && known[client].maybe_unread &&
            ioctl(client, FIONREAD, &there) == 0 && there > n.call->unread) {
            n.call->unread_fd = client;
            n.call->unread = there;
        }
    }
    errno = error;
    return n;
}

static void note_ready(struct noted n, int fd, uint32_t events)
{
    if (is_client(fd) && events & POLLIN)
        known[fd].maybe_unread = true;
    if (n.call != NULL && n.call->ready_count < RECORD_MORE)
        n.call->ready[n.call->ready_count++] = (struct call_ready){fd, events};
}

static int64_t milliseconds(const struct timespec *t)
{
    return t == NULL ? -1 : (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
}

static int after_select(struct noted n, int result, int count, const fd_set *readable,
                        const fd_set *writable, const fd_set *exceptional)
{
    int error = errno;
    for (int fd = 0; result > 0 && fd < count && fd < FD_SETSIZE; fd++) {
        uint32_t events = 0;
        if (readable != NULL && FD_ISSET(fd, readable))
            events |= POLLIN;
        if (writable != NULL && FD_ISSET(fd, writable))
            events |= POLLOUT;
        if (exceptional != NULL && FD_ISSET(fd, exceptional))
            events |= POLLPRI;
        if (events != 0)
            note_ready(n, fd, events);
    }
    errno = error;
    return (int)finish(n, result);
}

int __real_select(int count, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout);
int __wrap_select(int count, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout);
int __wrap_select(int count, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout)
{
    int64_t ms = timeout == NULL ? -1 : (int64_t)timeout->tv_sec * 1000 + timeout->tv_usec / 1000;
    struct noted n = begin_wait(CALL_select, -1, count, ms);
    if (fails(n, FAULT_EINTR, EINTR))
        return (int)finish(n, -1);
    return after_select(n, __real_select(count, r, w, x, timeout), count, r, w, x);
}

int __real_pselect(int count, fd_set *r, fd_set *w, fd_set *x, const struct timespec *timeout,
                   const sigset_t *mask);
int __wrap_pselect(int count, fd_set *r, fd_set *w, fd_set *x, const struct timespec *timeout,
                   const sigset_t *mask);
int __wrap_pselect(int count, fd_set *r, fd_set *w, fd_set *x, const struct timespec *timeout,
                   const sigset_t *mask)
{
    struct noted n = begin_wait(CALL_pselect, -1, count, milliseconds(timeout));
    if (fails(n, FAULT_EINTR, EINTR))
        return (int)finish(n, -1);
    return after_select(n, __real_pselect(count, r, w, x, timeout, mask), count, r, w, x);
}

static int after_poll(struct noted n, int result, const struct pollfd *watched, nfds_t count)
{
    int error = errno;
    for (nfds_t i = 0; result > 0 && i < count; i++)
        if (watched[i].fd >= 0 && watched[i].revents != 0)
            note_ready(n, watched[i].fd, (uint32_t)watched[i].revents);
    errno = error;
    return (int)finish(n, result);
}

int __real_poll(struct pollfd *watched, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *watched, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *watched, nfds_t count, int timeout)
{
    struct noted n = begin_wait(CALL_poll, -1, (int64_t)count, timeout);
    if (fails(n, FAULT_EINTR, EINTR))
        return (int)finish(n, -1);
    return after_poll(n, __real_poll(watched, count, timeout), watched, count);
}

int __wrap___poll_chk(struct pollfd *watched, nfds_t count, int timeout, size_t room);
int __wrap___poll_chk(struct pollfd *watched, nfds_t count, int timeout, size_t room)
{
    if (count > room / sizeof *watched)
        abort();
    return __wrap_poll(watched, count, timeout);
}

int __real_ppoll(struct pollfd *watched, nfds_t count, const struct timespec *timeout,
                 const sigset_t *mask);
int __wrap_ppoll(struct pollfd *watched, nfds_t count, const struct timespec *timeout,
                 const sigset_t *mask);
int __wrap_ppoll(struct pollfd *watched, nfds_t count, const struct timespec *timeout,
                 const sigset_t *mask)
{
    struct noted n = begin_wait(CALL_ppoll, -1, (int64_t)count, milliseconds(timeout));
    if (fails(n, FAULT_EINTR, EINTR))
        return (int)finish(n, -1);
    return after_poll(n, __real_ppoll(watched, count, timeout, mask), watched, count);
}

int __wrap___ppoll_chk(struct pollfd *watched, nfds_t count, const struct timespec *timeout,
                       const sigset_t *mask, size_t room);
int __wrap___ppoll_chk(struct pollfd *watched, nfds_t count, const struct timespec *timeout,
                       const sigset_t *mask, size_t room)
{
    if (count > room / sizeof *watched)
        abort();
    return __wrap_ppoll(watched, count, timeout, mask);
}

/* What epoll reports is what it was told: a number, a pointer, anything.  Whose is it? */
static int owner_of(uint64_t data)
{
    if (data < DESCRIPTORS && known[data].in_epoll && known[data].data == data)
        return (int)data;
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        if (known[fd].in_epoll && known[fd].data == data)
            return fd;
    return -1;
}

static int after_epoll(struct noted n, int result, const struct epoll_event *events)
{
    int error = errno;
    for (int i = 0; n.call != NULL && i < result; i++) {
        int fd = owner_of(events[i].data.u64);
        if (fd != -1)
            note_ready(n, fd, events[i].events);
    }
    errno = error;
    return (int)finish(n, result);
}

int __real_epoll_wait(int epfd, struct epoll_event *events, int room, int timeout);
int __wrap_epoll_wait(int epfd, struct epoll_event *events, int room, int timeout);
int __wrap_epoll_wait(int epfd, struct epoll_event *events, int room, int timeout)
{
    struct noted n = begin_wait(CALL_epoll_wait, epfd, room, timeout);
    if (fails(n, FAULT_EINTR, EINTR))
        return (int)finish(n, -1);
    return after_epoll(n, __real_epoll_wait(epfd, events, room, timeout), events);
}

int __real_epoll_pwait(int epfd, struct epoll_event *events, int room, int timeout,
                       const sigset_t *mask);
int __wrap_epoll_pwait(int epfd, struct epoll_event *events, int room, int timeout,
                       const sigset_t *mask);
int __wrap_epoll_pwait(int epfd, struct epoll_event *events, int room, int timeout,
                       const sigset_t *mask)
{
    struct noted n = begin_wait(CALL_epoll_pwait, epfd, room, timeout);
    if (fails(n, FAULT_EINTR, EINTR))
        return (int)finish(n, -1);
    return after_epoll(n, __real_epoll_pwait(epfd, events, room, timeout, mask), events);
}

int __real_epoll_ctl(int epfd, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epfd, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epfd, int operation, int fd, struct epoll_event *event)
{
    struct noted n = begin(CALL_epoll_ctl, fd, operation, event == NULL ? 0 : event->events);
    int result = __real_epoll_ctl(epfd, operation, fd, event);
    if (result == 0 && fd >= 0 && fd < DESCRIPTORS) {
        known[fd].in_epoll = operation != EPOLL_CTL_DEL;
        known[fd].data = event == NULL ? 0 : event->data.u64;
    }
    return (int)finish(n, result);
}

int __real_epoll_create(int size);
int __wrap_epoll_create(int size);
int __wrap_epoll_create(int size)
{
    struct noted n = begin(CALL_epoll_create, -1, size, 0);
    return (int)finish(n, __real_epoll_create(size));
}

int __real_epoll_create1(int flags);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_create1(int flags)
{
    struct noted n = begin(CALL_epoll_create1, -1, 0, flags);
    return (int)finish(n, __real_epoll_create1(flags));
}

/* ---- sockets that come and go -------------------------------------------------------------------- */

static void note_client(int fd)
{
    if (fd < 0 || fd >= DESCRIPTORS)
        return;
    known[fd].client = true;
    known[fd].reset = known[fd].maybe_unread = false;
    known[fd].ordinal = atomic_fetch_add(&clients, 1) + 1;
    memset(known[fd].chances, 0, sizeof known[fd].chances);
    if (fd > highest)
        highest = fd;
}

static bool accept_fails(struct noted n)
{
    return fails(n, FAULT_EINTR, EINTR) || fails(n, FAULT_ECONNABORTED, ECONNABORTED) ||
           fails(n, FAULT_EMFILE, EMFILE);
}

static int after_accept(struct noted n, int cfd)
{
    int error = errno;
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_storage any;
    } peer = {.any.ss_family = AF_UNSPEC};
    socklen_t length = sizeof peer;
    if (cfd >= 0)
        note_client(cfd);
    if (cfd >= 0 && n.call != NULL && getpeername(cfd, (struct sockaddr *)&peer, &length) == 0)
        n.call->port = ntohs(peer.any.ss_family == AF_INET6 ? peer.in6.sin6_port
                                                            : peer.in.sin_port);
    errno = error;
    return (int)finish(n, cfd);
}

int __real_accept(int lfd, struct sockaddr *address, socklen_t *length);
int __wrap_accept(int lfd, struct sockaddr *address, socklen_t *length);
int __wrap_accept(int lfd, struct sockaddr *address, socklen_t *length)
{
    struct noted n = begin(CALL_accept, lfd, 0, 0);
    return accept_fails(n) ? (int)finish(n, -1)
                           : after_accept(n, __real_accept(lfd, address, length));
}

int __real_accept4(int lfd, struct sockaddr *address, socklen_t *length, int flags);
int __wrap_accept4(int lfd, struct sockaddr *address, socklen_t *length, int flags);
int __wrap_accept4(int lfd, struct sockaddr *address, socklen_t *length, int flags)
{
    struct noted n = begin(CALL_accept4, lfd, 0, flags);
    return accept_fails(n) ? (int)finish(n, -1)
                           : after_accept(n, __real_accept4(lfd, address, length, flags));
}

int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    struct noted n = begin(CALL_connect, fd, 0, 0);
    if (n.call != NULL && address != NULL && address->sa_family == AF_INET)
        n.call->port = ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    int result = __real_connect(fd, address, length);
    if (result == 0 || errno == EINPROGRESS)
        note_client(fd);
    return (int)finish(n, result);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    struct noted n = begin(CALL_close, fd, 0, 0);
    if (fd >= 0 && fd < DESCRIPTORS) /* before the number can be somebody else's */
        known[fd].client = known[fd].in_epoll = false;
    return (int)finish(n, __real_close(fd));
}

int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how)
{
    struct noted n = begin(CALL_shutdown, fd, how, 0);
    return (int)finish(n, __real_shutdown(fd, how));
}

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
    struct noted n = begin(CALL_socket, -1, domain, type);
    return (int)finish(n, __real_socket(domain, type, protocol));
}

int __real_bind(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    struct noted n = begin(CALL_bind, fd, 0, 0);
    return (int)finish(n, __real_bind(fd, address, length));
}

int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog)
{
    struct noted n = begin(CALL_listen, fd, backlog, 0);
    return (int)finish(n, __real_listen(fd, backlog));
}

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    struct noted n = begin(CALL_setsockopt, fd, option, level);
    return (int)finish(n, __real_setsockopt(fd, level, option, value, length));
}

int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *length);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *length);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
    struct noted n = begin(CALL_getsockopt, fd, option, level);
    return (int)finish(n, __real_getsockopt(fd, level, option, value, length));
}

/* An argument of any type is passed on as a pointer's worth of bits, as the C library does it. */
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    struct noted n = begin(CALL_fcntl, fd, command, (int64_t)(intptr_t)argument);
    return (int)finish(n, __real_fcntl(fd, command, argument));
}

int __wrap_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return __wrap_fcntl(fd, command, argument);
}

/* ---- processes, threads, time --------------------------------------------------------------------- */

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    struct noted n = begin(CALL_fork, -1, 0, 0);
    pid_t pid = __real_fork();
    if (pid == 0) { /* the parent says how it ended */
        thread_id = 0;
        return 0;
    }
    return (pid_t)finish(n, pid);
}

pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
    struct noted n = begin(CALL_waitpid, pid, 0, options);
    return (pid_t)finish(n, __real_waitpid(pid, status, options));
}

pid_t __real_wait(int *status);
pid_t __wrap_wait(int *status);
pid_t __wrap_wait(int *status)
{
    struct noted n = begin(CALL_wait, -1, 0, 0);
    return (pid_t)finish(n, __real_wait(status));
}

int __real_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number)
{
    struct noted n = begin(CALL_kill, pid, number, 0);
    return (int)finish(n, __real_kill(pid, number));
}

int __real_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
int __wrap_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    struct noted n = begin(CALL_sigtimedwait, -1, 0, milliseconds(timeout));
    return (int)finish(n, __real_sigtimedwait(set, info, timeout));
}

int __real_sigwaitinfo(const sigset_t *set, siginfo_t *info);
int __wrap_sigwaitinfo(const sigset_t *set, siginfo_t *info);
int __wrap_sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
    struct noted n = begin(CALL_sigwaitinfo, -1, 0, -1);
    return (int)finish(n, __real_sigwaitinfo(set, info));
}

int __real_nanosleep(const struct timespec *wanted, struct timespec *left);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    struct noted n = begin(CALL_nanosleep, -1, 0, milliseconds(wanted));
    return (int)finish(n, __real_nanosleep(wanted, left));
}

int __real_usleep(useconds_t us);
int __wrap_usleep(useconds_t us);
int __wrap_usleep(useconds_t us)
{
    struct noted n = begin(CALL_usleep, -1, 0, us / 1000);
    return (int)finish(n, __real_usleep(us));
}

unsigned __real_sleep(unsigned seconds);
unsigned __wrap_sleep(unsigned seconds);
unsigned __wrap_sleep(unsigned seconds)
{
    struct noted n = begin(CALL_sleep, -1, 0, (int64_t)seconds * 1000);
    return (unsigned)finish(n, __real_sleep(seconds));
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument)
{
    struct noted n = begin(CALL_pthread_create, -1, 0, 0);
    return (int)finish(n, __real_pthread_create(thread, attributes, function, argument));
}

int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
    struct noted n = begin(CALL_pthread_join, -1, 0, 0);
    return (int)finish(n, __real_pthread_join(thread, result));
}

int __real_pthread_detach(pthread_t thread);
int __wrap_pthread_detach(pthread_t thread);
int __wrap_pthread_detach(pthread_t thread)
{
    struct noted n = begin(CALL_pthread_detach, -1, 0, 0);
    return (int)finish(n, __real_pthread_detach(thread));
}

int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    struct noted n = begin_bytes(CALL_pthread_cond_wait, -1, 0, condition);
    return (int)finish(n, __real_pthread_cond_wait(condition, lock));
}

int __real_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                                  const struct timespec *deadline);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                                  const struct timespec *deadline);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
                                  const struct timespec *deadline)
{
    struct noted n = begin_bytes(CALL_pthread_cond_timedwait, -1, 0, condition);
    return (int)finish(n, __real_pthread_cond_timedwait(condition, lock, deadline));
}

int __real_pthread_cond_signal(pthread_cond_t *condition);
int __wrap_pthread_cond_signal(pthread_cond_t *condition);
int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
    struct noted n = begin_bytes(CALL_pthread_cond_signal, -1, 0, condition);
    return (int)finish(n, __real_pthread_cond_signal(condition));
}

int __real_pthread_cond_broadcast(pthread_cond_t *condition);
int __wrap_pthread_cond_broadcast(pthread_cond_t *condition);
int __wrap_pthread_cond_broadcast(pthread_cond_t *condition)
{
    struct noted n = begin_bytes(CALL_pthread_cond_broadcast, -1, 0, condition);
    return (int)finish(n, __real_pthread_cond_broadcast(condition));
}
