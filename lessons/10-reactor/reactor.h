/*
 * reactor - one thread that waits for everything at once and calls whoever it concerns.
 *
 * Interface:
 *   reactor_new, reactor_free            a loop, on one of the backends
 *   reactor_run, reactor_stop            turn until told to stop
 *   reactor_watch, reactor_unwatch       a handler for a descriptor
 *   reactor_timer_start, _cancel         a call when a time has come
 *   reactor_signal                       a call when a signal has arrived
 *   reactor_each_turn                    a call at the end of every turn
 *   reactor_post                         a call in the loop's thread, from any thread
 *
 * Handlers run one at a time in the thread that runs the loop, and must not block.
 *
 * [closed-in-batch] A handler may do to any descriptor what it likes - unwatch and close it, open
 * another that gets the same number, watch that one - also if an event of the old descriptor stands
 * later in the same batch.  That event is never delivered: a handler is called only for events that
 * the kernel has reported since the descriptor was watched, and only for those still asked for.
 *
 * But for reactor_post, everything is to be called from the loop's thread.  Functions that can
 * fail return -1 with errno.
 */
#ifndef REACTOR_H
#define REACTOR_H

#include <stddef.h>
#include <stdint.h>

struct reactor;

/* What a descriptor can be ready for.  An error or a hang-up is reported as whatever is asked for:
 * the read or write that follows tells which it is. */
enum { REACTOR_READ = 1, REACTOR_WRITE = 2 };

typedef void reactor_handler(struct reactor *r, int fd, unsigned events, void *context);
typedef void reactor_call(struct reactor *r, void *context);

/* The backends' names, the default one first, NULL at the end. */
extern const char *const reactor_backends[];

/*
 * reactor_new - make a loop.
 *
 * backend  a name of reactor_backends
 *
 * Returns the reactor, to be freed with reactor_free; or NULL with errno, EINVAL for a name that is
 * not there.
 */
struct reactor *reactor_new(const char *backend);

/* reactor_free - release the loop.  Descriptors that are watched stay open: they are their
 * owner's.  Calls posted and not made are dropped. */
void reactor_free(struct reactor *r);

/* reactor_run - wait and call handlers until one calls reactor_stop.  Returns 0, or -1 with errno if
 * waiting failed. */
int reactor_run(struct reactor *r);

/* reactor_stop - let reactor_run return after the running handler, without calling another; called
 * before reactor_run, it lets that return at once. */
void reactor_stop(struct reactor *r);

/*
 * reactor_watch - call handler(r, fd, events, context) whenever fd is ready, level-triggered.
 *
 * events  REACTOR_READ, REACTOR_WRITE or both; 0 pauses it: nothing is reported, not even a hang-up
 *
 * Called again for the same fd it changes events, handler and context; with nothing changed it
 * costs no system call.  Fails with ENOMEM, with ERANGE if the backend cannot watch such a number,
 * or with an error of epoll_ctl(2).
 */
int reactor_watch(struct reactor *r, int fd, unsigned events, reactor_handler *handler,
                  void *context);

/* reactor_unwatch - forget fd; nothing if it is not watched.  To be called before close(2). */
void reactor_unwatch(struct reactor *r, int fd);

/* A timer: storage is the caller's, all zero bytes before its first start, and must stay where it is
 * while it runs. */
struct reactor_timer {
    int64_t due;  /* nanoseconds of CLOCK_MONOTONIC */
    size_t place; /* in the reactor's heap, from 1; 0: not running */
    reactor_call *call;
    void *context;
};

/*
 * reactor_timer_start - call call(r, context) once, delay_ms milliseconds from now and not before.
 *
 * A timer that runs is set anew.  Costs O(log n) among n timers.  Fails with ENOMEM.
 */
int reactor_timer_start(struct reactor *r, struct reactor_timer *t, int64_t delay_ms,
                        reactor_call *call, void *context);

/* reactor_timer_cancel - stop a timer; nothing if it does not run.  O(log n). */
void reactor_timer_cancel(struct reactor *r, struct reactor_timer *t);

/*
 * reactor_signal - call call(r, context) in the loop whenever the signal has arrived.
 *
 * The signal is blocked for this thread and those that it starts from now on, and fetched through
 * signalfd(2).
 */
int reactor_signal(struct reactor *r, int number, reactor_call *call, void *context);

/* reactor_each_turn - call call(r, context) at the end of each turn, after all handlers and timers,
 * before the loop waits again: the place for what many handlers have put off.  One call; another
 * takes its place, NULL none. */
void reactor_each_turn(struct reactor *r, reactor_call *call, void *context);

/*
 * reactor_post - call call(r, context) in the loop's thread, soon; from any thread.
 *
 * Wakes the loop up.  Calls are made in the order posted.  Fails with ENOMEM.
 */
int reactor_post(struct reactor *r, reactor_call *call, void *context);

#endif
