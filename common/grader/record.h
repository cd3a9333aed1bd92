/*
 * record - what a student's program asked of the kernel, in memory that the grader reads as well.
 *
 * An instrumented program is linked with wrap.c and `-Wl,@common/grader/wrapped`: each call of the list
 * below goes through a wrapper, which notes it here and may answer it with a fault instead of making
 * it.  The grader makes the memory, says which faults it wants, and reads what stands here while the
 * program runs and when it has ended.
 *
 * The program can write here, too: so nothing here decides about points that the grader does not also
 * see from outside, at the other end of the socket or in /proc.
 */
#ifndef GRADER_RECORD_H
#define GRADER_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The environment variable with the descriptor of the memory. */
#define RECORD_VARIABLE "GRADER_RECORD"

/* clang-format off */
/* Every call that is recorded: CALL_recv and so on. */
#define RECORD_CALLS(X)                                                                            \
    X(socket) X(bind) X(listen) X(connect) X(accept) X(accept4) X(shutdown) X(close)               \
    X(recv) X(read) X(recvfrom) X(recvmsg) X(readv)                                                \
    X(send) X(write) X(sendto) X(sendmsg) X(writev)                                                \
    X(select) X(pselect) X(poll) X(ppoll)                                                          \
    X(epoll_create) X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(epoll_pwait)                     \
    X(fcntl) X(setsockopt) X(getsockopt)                                                           \
    X(fork) X(waitpid) X(wait) X(kill) X(sigtimedwait) X(sigwaitinfo)                              \
    X(nanosleep) X(usleep) X(sleep)                                                                \
    X(pthread_create) X(pthread_join) X(pthread_detach) X(pthread_cond_wait)                       \
    X(pthread_cond_timedwait) X(pthread_cond_signal) X(pthread_cond_broadcast)

enum call_name {
#define RECORD_ENUM(name) CALL_##name,
    RECORD_CALLS(RECORD_ENUM)
#undef RECORD_ENUM
    CALL_NAMES
};
/* clang-format on */

/* The faults that a wrapper can answer with, as bits. */
enum fault_kind {
    FAULT_SHORT_READ = 1,  /* a recv gets fewer bytes than are there */
    FAULT_SHORT_WRITE = 2, /* a send takes fewer bytes than there is room for */
    FAULT_EINTR = 4,       /* recv, send, accept or a wait is interrupted before it did anything */
    FAULT_EAGAIN = 8,      /* recv or send of a nonblocking client finds nothing, or no room */
    FAULT_ECONNABORTED = 16, /* accept: the client has gone again */
    FAULT_EMFILE = 32,       /* accept: no descriptor is left */
    FAULT_RESET = 64         /* recv or send: the connection is reset, and stays so */
};

/* Which faults are wanted.  The same plan and the same calls give the same faults. */
struct fault_plan {
    uint64_t seed;
    uint32_t kinds;  /* bits of enum fault_kind; 0: none */
    uint32_t one_in; /* a call that can fail does so once in so many, on average */
    uint32_t most;   /* faults in all, at most; 0: no limit */
};

enum {
    RECORD_ROOM = 16384, /* calls kept: the last ones */
    RECORD_MORE = 6,     /* descriptors that a wait found ready, kept of each call */
    RECORD_MAGIC = 0x63616c6c
};

/* A descriptor that was ready, or given, and for what: events as poll(2) names them, also of select
 * and epoll. */
struct call_ready {
    int32_t fd;
    uint32_t events;
};

/* One call. */
struct call {
    _Atomic uint64_t serial; /* from 1; 0 while the entry is being written */
    int64_t start;           /* clock_now */
    int64_t end;             /* clock_now; 0: it has not returned */
    int32_t name;            /* enum call_name */
    int32_t pid, tid;        /* as the program itself sees them */
    int32_t fd;              /* what it was done to, or -1; of fork, kill, waitpid: the process */
    int64_t size;    /* bytes asked for, or descriptors watched, or the option or operation */
    int64_t value;   /* timeout in ms (-1: none), flags, or events asked for */
    uint64_t buffer; /* where the bytes stand */
    int64_t result;
    int32_t error;     /* errno, if result is -1 */
    uint32_t fault;    /* the enum fault_kind that was answered, or 0 */
    int32_t port;      /* of accept: the client's port */
    int32_t unread_fd; /* of a wait: a client with bytes that were not read when it began, or -1 */
    int64_t unread;    /* and how many */
    int32_t ready_count; /* descriptors in ready[], at most RECORD_MORE */
    struct call_ready ready[RECORD_MORE];
};

struct record {
    uint32_t magic;
    struct fault_plan plan;  /* the grader's */
    _Atomic uint64_t next;   /* calls ever noted */
    _Atomic uint64_t faults; /* faults ever answered */
    _Atomic uint64_t count[CALL_NAMES];
    _Atomic int64_t waited_ns[CALL_NAMES]; /* time spent in calls that have returned */
    struct call calls[RECORD_ROOM];        /* call number n (from 0) stands at n % RECORD_ROOM */
};

#endif
