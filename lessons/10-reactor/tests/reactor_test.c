/*
 * reactor_test - what the loop keeps, on each of its backends.
 *
 * The server on it is under the same suite as all others; here stands what no client can provoke.
 */

#include "../reactor.h"
#include "clock.h"
#include "testkit/fault.h"
#include "testkit/proc.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BACKENDS = 3, TIMERS = 10000, POSTS = 1000 };

static struct reactor *open_reactor(int backend)
{
    struct reactor *r = reactor_new(reactor_backends[backend]);
    ck_assert_msg(r != NULL, "%s: %s", reactor_backends[backend], strerror(errno));
    return r;
}

static void open_pair(int ends[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

static void stop_call(struct reactor *r, void *context)
{
    (void)context;
    reactor_stop(r);
}

/* Run the loop until somebody stops it; after patience, the test does. */
static void run(struct reactor *r)
{
    struct reactor_timer limit = {0};
    int64_t begin = clock_now();
    ck_assert_int_eq(
        reactor_timer_start(r, &limit, (int64_t)(wait_patience * 1000), stop_call, NULL), 0);
    ck_assert_int_eq(reactor_run(r), 0);
    reactor_timer_cancel(r, &limit);
    ck_assert_msg(clock_now() - begin < (int64_t)(wait_patience * 1e9),
                  "timed out after %g s waiting for the loop to stop", wait_patience);
}

/* ---- descriptors -------------------------------------------------------------------------------- */

struct seen {
    int calls;
    unsigned events;
};

static void see_and_stop(struct reactor *r, int fd, unsigned events, void *context)
{
    (void)fd;
    struct seen *seen = context;
    seen->calls++;
    seen->events = events;
    reactor_stop(r);
}

START_TEST(reports_what_is_asked_for)
{
    struct reactor *r = open_reactor(_i);
    int ends[2];
    open_pair(ends);
    struct seen seen = {0};
    ck_assert_int_eq(reactor_watch(r, ends[0], REACTOR_WRITE, see_and_stop, &seen), 0);
    run(r);
    ck_assert_uint_eq(seen.events, REACTOR_WRITE);

    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(reactor_watch(r, ends[0], REACTOR_READ | REACTOR_WRITE, see_and_stop, &seen),
                     0);
    run(r);
    ck_assert_uint_eq(seen.events, REACTOR_READ | REACTOR_WRITE);

    /* Level-triggered: what was not read is reported again. */
    ck_assert_int_eq(reactor_watch(r, ends[0], REACTOR_READ, see_and_stop, &seen), 0);
    run(r);
    run(r);
    ck_assert_int_eq(seen.calls, 4);
    ck_assert_uint_eq(seen.events, REACTOR_READ);
    reactor_unwatch(r, ends[0]);
    reactor_free(r);
}
END_TEST

START_TEST(reports_a_hang_up_as_what_is_asked_for)
{
    struct reactor *r = open_reactor(_i);
    int ends[2];
    open_pair(ends);
    close(ends[1]);
    struct seen seen = {0};
    ck_assert_int_eq(reactor_watch(r, ends[0], REACTOR_READ, see_and_stop, &seen), 0);
    run(r);
    ck_assert_uint_eq(seen.events, REACTOR_READ);
    ck_assert_int_eq(reactor_watch(r, ends[0], REACTOR_WRITE, see_and_stop, &seen), 0);
    run(r);
    ck_assert_uint_eq(seen.events, REACTOR_WRITE);
    reactor_free(r);
}
END_TEST

START_TEST(pauses_and_resumes)
{
    struct reactor *r = open_reactor(_i);
    int ends[2];
    open_pair(ends);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    close(ends[1]); /* bytes and a hang-up, of which nothing may be said */
    struct seen seen = {0};
    struct reactor_timer timer = {0};
    ck_assert_int_eq(reactor_watch(r, ends[0], REACTOR_READ, see_and_stop, &seen), 0);
    ck_assert_int_eq(reactor_watch(r, ends[0], 0, see_and_stop, &seen), 0);
    ck_assert_int_eq(reactor_timer_start(r, &timer, 20, stop_call, NULL), 0);
    run(r);
    ck_assert_int_eq(seen.calls, 0);
    ck_assert_int_eq(reactor_watch(r, ends[0], REACTOR_READ, see_and_stop, &seen), 0);
    run(r);
    ck_assert_int_eq(seen.calls, 1);
    reactor_free(r);
}
END_TEST

START_TEST(refuses_what_it_cannot_watch)
{
    ck_assert_ptr_null(reactor_new("kqueue"));
    ck_assert_int_eq(errno, EINVAL);

    struct reactor *r = open_reactor(_i);
    ck_assert_int_eq(reactor_watch(r, -1, REACTOR_READ, see_and_stop, NULL), -1);
    ck_assert_int_eq(errno, EBADF);

    int ends[2];
    open_pair(ends);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int high = fcntl(ends[0], F_DUPFD_CLOEXEC, 1500); /* past FD_SETSIZE */
    if (high == -1)
        suite_skip("no descriptor number past FD_SETSIZE to be had");
    struct seen seen = {0};
    int watched = reactor_watch(r, high, REACTOR_WRITE, see_and_stop, &seen);
    if (strcmp(reactor_backends[_i], "select") == 0) {
        ck_assert_int_eq(watched, -1);
        ck_assert_int_eq(errno, ERANGE);
        ck_assert_int_eq(reactor_watch(r, ends[0], REACTOR_WRITE, see_and_stop, &seen), 0);
    } else {
        ck_assert_int_eq(watched, 0);
    }
    run(r);
    ck_assert_int_eq(seen.calls, 1);
    reactor_free(r);
}
END_TEST

/* ---- [closed-in-batch] ----------------------------------------------------------------------------- */

/* Two descriptors become ready while the process stands still, so that both are in one batch.  The
 * handler that comes first closes the other one, opens a third that gets the same number, and watches
 * it: the event that is left in the batch is not the new one's.  What happens is told through a
 * pipe: 'f' first handler, 'N' the new one's handler called. */
struct batch {
    int near[2], far[2]; /* near[i] is watched, far[i] is the parent's end */
    int fresh[2];        /* the pair that takes the closed number */
    int report;
    bool closed;
};

static void tell(const struct batch *b, char what)
{
    if (write(b->report, &what, 1) != 1)
        _exit(1);
}

static void fresh_ready(struct reactor *r, int fd, unsigned events, void *context)
{
    (void)r;
    (void)events;
    const struct batch *b = context;
    char byte;
    ssize_t n = read(fd, &byte, 1);
    tell(b, n == 1 && byte == 'p' ? 'P' : 'N');
}

static void first_ready(struct reactor *r, int fd, unsigned events, void *context)
{
    (void)events;
    struct batch *b = context;
    if (b->closed) {
        tell(b, '2'); /* the closed one's handler: must not happen */
        return;
    }
    b->closed = true;
    int other = fd == b->near[0] ? b->near[1] : b->near[0];
    reactor_unwatch(r, fd);
    reactor_unwatch(r, other);
    close(other);
    int again = dup(b->fresh[0]);
    if (again != other || reactor_watch(r, again, REACTOR_READ, fresh_ready, b) == -1)
        tell(b, 'X');
    tell(b, 'f');
}

static _Noreturn void batch_child(int backend, struct batch *b)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct reactor *r = reactor_new(reactor_backends[backend]);
    if (r == NULL || reactor_watch(r, b->near[0], REACTOR_READ, first_ready, b) == -1 ||
        reactor_watch(r, b->near[1], REACTOR_READ, first_ready, b) == -1)
        _exit(1);
    tell(b, 'r');
    reactor_run(r);
    _exit(1);
}

static char told(int fd)
{
    char byte = '?';
    ck_assert_msg(wait_ready(fd, POLLIN, wait_deadline(), "the loop's report"), "%s", fault_text());
    ck_assert_int_eq(read(fd, &byte, 1), 1);
    return byte;
}

START_TEST(an_old_event_never_reaches_a_new_descriptor)
{
    struct batch b = {.closed = false};
    int report[2];
    for (int i = 0; i < 2; i++) {
        int ends[2];
        open_pair(ends);
        b.near[i] = ends[0];
        b.far[i] = ends[1];
    }
    open_pair(b.fresh);
    ck_assert_int_eq(pipe(report), 0);
    b.report = report[1];
    pid_t pid = fork();
    if (pid == 0)
        batch_child(_i, &b);
    ck_assert_int_eq(told(report[0]), 'r');

    ck_assert_msg(proc_freeze(pid), "%s", fault_text());
    ck_assert_int_eq(write(b.far[0], "x", 1), 1);
    ck_assert_int_eq(write(b.far[1], "x", 1), 1);
    ck_assert_msg(proc_thaw(pid), "%s", fault_text());
    ck_assert_int_eq(told(report[0]), 'f');

    /* The probe that must succeed; anything told before it is the bug. */
    ck_assert_int_eq(write(b.fresh[1], "p", 1), 1);
    ck_assert_msg(told(report[0]) == 'P', "the old event was delivered to the new descriptor");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
END_TEST

/* ---- timers ---------------------------------------------------------------------------------------- */

struct alarm {
    struct reactor_timer timer;
    int64_t due;
    bool cancelled;
};

static struct alarm alarms[TIMERS];
static int fired, expected;
static int64_t last_due;

static void ring(struct reactor *r, void *context)
{
    struct alarm *a = context;
    ck_assert(!a->cancelled);
    ck_assert_msg(clock_now() >= a->due, "early");
    ck_assert_msg(a->timer.due >= last_due, "out of order");
    last_due = a->timer.due;
    if (++fired == expected)
        reactor_stop(r);
}

START_TEST(ten_thousand_timers)
{
    struct reactor *r = open_reactor(_i);
    uint32_t x = 1;
    for (int i = 0; i < TIMERS; i++) {
        x = x * 1664525 + 1013904223;
        int64_t delay = x >> 16 & 63;
        alarms[i].due = clock_now() + delay * 1000000;
        ck_assert_int_eq(reactor_timer_start(r, &alarms[i].timer, delay, ring, &alarms[i]), 0);
    }
    for (int i = 0; i < TIMERS; i += 3) {
        reactor_timer_cancel(r, &alarms[i].timer);
        reactor_timer_cancel(r, &alarms[i].timer); /* twice is nothing */
        alarms[i].cancelled = true;
    }
    for (int i = 1; i < TIMERS; i += 3) { /* set anew: still once */
        alarms[i].due = clock_now() + 30 * 1000000;
        ck_assert_int_eq(reactor_timer_start(r, &alarms[i].timer, 30, ring, &alarms[i]), 0);
    }
    expected = TIMERS - (TIMERS + 2) / 3;
    run(r);
    ck_assert_int_eq(fired, expected);
    reactor_free(r);
}
END_TEST

static void ring_again(struct reactor *r, void *context)
{
    struct alarm *a = context;
    if (++fired == 5)
        reactor_stop(r);
    else
        ck_assert_int_eq(reactor_timer_start(r, &a->timer, 0, ring_again, a), 0);
}

START_TEST(a_timer_may_start_itself_again)
{
    struct reactor *r = open_reactor(_i);
    ck_assert_int_eq(reactor_timer_start(r, &alarms[0].timer, 1, ring_again, &alarms[0]), 0);
    run(r);
    ck_assert_int_eq(fired, 5);
    reactor_free(r);
}
END_TEST

/* ---- other threads, signals ------------------------------------------------------------------------- */

static int posted[POSTS];
static int next_post;

static void take_post(struct reactor *r, void *context)
{
    ck_assert_ptr_eq(context, &posted[next_post]);
    if (++next_post == POSTS)
        reactor_stop(r);
}

static void *post_all(void *reactor)
{
    for (int i = 0; i < POSTS; i++)
        ck_assert_int_eq(reactor_post(reactor, take_post, &posted[i]), 0);
    return NULL;
}

START_TEST(calls_posted_from_a_thread_arrive_in_order)
{
    struct reactor *r = open_reactor(_i);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, post_all, r), 0);
    run(r);
    pthread_join(thread, NULL);
    ck_assert_int_eq(next_post, POSTS);
    ck_assert_int_eq(reactor_post(r, take_post, NULL), 0); /* freed with the reactor */
    reactor_free(r);
}
END_TEST

static void count_signal(struct reactor *r, void *context)
{
    ++*(int *)context;
    reactor_stop(r);
}

START_TEST(signals_arrive_in_the_loop)
{
    struct reactor *r = open_reactor(_i);
    int usr1 = 0;
    int usr2 = 0;
    ck_assert_int_eq(reactor_signal(r, SIGUSR1, count_signal, &usr1), 0);
    ck_assert_int_eq(reactor_signal(r, SIGUSR2, count_signal, &usr2), 0);
    kill(getpid(), SIGUSR1);
    run(r);
    ck_assert_int_eq(usr1, 1);
    ck_assert_int_eq(usr2, 0);
    kill(getpid(), SIGUSR2);
    run(r);
    ck_assert_int_eq(usr2, 1);
    ck_assert_int_eq(reactor_signal(r, 0, count_signal, &usr1), -1);
    ck_assert_int_eq(errno, EINVAL);
    reactor_free(r);
}
END_TEST

struct turns {
    int fd;
    int handled, ended;
};

static void count_handled(struct reactor *r, int fd, unsigned events, void *context)
{
    struct turns *t = context;
    eventfd_t count;
    ck_assert_uint_eq(events, REACTOR_READ);
    ck_assert_int_eq(eventfd_read(fd, &count), 0);
    ck_assert_int_eq(t->ended, t->handled); /* each turn before this one has ended */
    t->handled++;
    (void)r;
}

/* Write again until there have been three turns. */
static void end_turn(struct reactor *r, void *context)
{
    struct turns *t = context;
    ck_assert_int_eq(t->handled, ++t->ended);
    if (t->ended < 3)
        ck_assert_int_eq(eventfd_write(t->fd, 1), 0);
    else
        reactor_stop(r);
}

START_TEST(each_turn_ends_behind_its_handlers)
{
    struct reactor *r = open_reactor(_i);
    struct turns t = {.fd = eventfd(1, EFD_NONBLOCK)};
    ck_assert_int_eq(reactor_watch(r, t.fd, REACTOR_READ, count_handled, &t), 0);
    reactor_each_turn(r, end_turn, &t);
    run(r);
    ck_assert_int_eq(t.ended, 3);
    reactor_free(r);
    close(t.fd);
}
END_TEST

START_TEST(a_stop_before_the_run_is_not_lost)
{
    struct reactor *r = open_reactor(_i);
    reactor_stop(r);
    run(r);
    reactor_free(r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reactor");
    TCase *backends = tcase_create("backends");
    tcase_set_timeout(backends, SUITE_TIMEOUT);
    tcase_add_loop_test(backends, reports_what_is_asked_for, 0, BACKENDS);
    tcase_add_loop_test(backends, reports_a_hang_up_as_what_is_asked_for, 0, BACKENDS);
    tcase_add_loop_test(backends, pauses_and_resumes, 0, BACKENDS);
    tcase_add_loop_test(backends, refuses_what_it_cannot_watch, 0, BACKENDS);
    tcase_add_loop_test(backends, an_old_event_never_reaches_a_new_descriptor, 0, BACKENDS);
    tcase_add_loop_test(backends, ten_thousand_timers, 0, BACKENDS);
    tcase_add_loop_test(backends, a_timer_may_start_itself_again, 0, BACKENDS);
    tcase_add_loop_test(backends, calls_posted_from_a_thread_arrive_in_order, 0, BACKENDS);
    tcase_add_loop_test(backends, signals_arrive_in_the_loop, 0, BACKENDS);
    tcase_add_loop_test(backends, each_turn_ends_behind_its_handlers, 0, BACKENDS);
    tcase_add_loop_test(backends, a_stop_before_the_run_is_not_lost, 0, BACKENDS);
    suite_add_tcase(suite, backends);
    return suite_run("lessons/10-reactor", suite, NULL);
}
