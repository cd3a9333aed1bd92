/* Tests of server: the stop signal's race, the lines on standard error, --work. */

#include "server.h"

#include "clock.h"
#include "net.h"
#include "testkit/fault.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"
#include "testkit/wire.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int start(char *option, char *value)
{
    char *argv[] = {"server", "--port", "0", option, value, NULL};
    int argc = option == NULL ? 3 : value == NULL ? 4 : 5;
    return server_start(argc, argv, "a server", NULL);
}

/* ---- stop --------------------------------------------------------------------------------- */

/* _i chooses the signal.  It comes just before accept: a handler that only sets a flag would leave
 * accept asleep for ever, and the test would time out. */
static int stop_signal(int i)
{
    return i == 0 ? SIGTERM : SIGINT;
}

START_TEST(signal_before_accept)
{
    int lfd = start(NULL, NULL);
    server_stop_on_signals(lfd);
    ck_assert(!server_stopping);
    raise(stop_signal(_i));
    ck_assert(server_stopping);
    ck_assert_int_eq(accept(lfd, NULL, NULL), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert(!net_accept_again(lfd));
    close(lfd);
}
END_TEST

START_TEST(signal_before_a_wait_for_readiness)
{
    int lfd = start(NULL, NULL);
    server_stop_on_signals(lfd);
    raise(stop_signal(_i));
    ck_assert(wait_ready(lfd, POLLIN, wait_deadline(), "the listener that is shut down"));
    close(lfd);
}
END_TEST

/* Let another process send the signal at any moment, many times. */
START_TEST(signal_at_any_moment)
{
    if (SANITIZER_THREAD)
        suite_skip("ThreadSanitizer calls a handler later than the signal comes");
    for (int i = 0; i < 50; i++) {
        int lfd = start(NULL, NULL);
        server_stopping = false;
        server_stop_on_signals(lfd);
        pid_t target = getpid();
        pid_t sender = fork();
        ck_assert_int_ne(sender, -1);
        if (sender == 0) {
            for (volatile int n = 0; n < i * 1000; n++)
                ;
            kill(target, SIGTERM);
            _exit(0);
        }
        while (!server_stopping)
            if (accept(lfd, NULL, NULL) == -1)
                net_accept_again(lfd);
        close(lfd);
        while (waitpid(sender, NULL, 0) == -1 && errno == EINTR)
            ;
    }
}
END_TEST

/* A client of a blocking server is shut down too, whether it is named before the signal or
 * after. */
START_TEST(signal_ends_the_client)
{
    int ends[2];
    char byte;
    int lfd = start(NULL, NULL);
    server_stop_on_signals(lfd);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    if (_i == 0)
        server_stop_also(ends[0]);
    raise(SIGTERM);
    if (_i == 1)
        server_stop_also(ends[0]);
    ck_assert_int_eq(recv(ends[0], &byte, 1, 0), 0);
    ck_assert_int_eq(recv(ends[1], &byte, 1, 0), 0);
    close(ends[0]);
    close(ends[1]);
    close(lfd);
}
END_TEST

/* A client that is no longer named has nothing to do with it: the number may be another's. */
START_TEST(signal_spares_a_former_client)
{
    int ends[2];
    char byte;
    int lfd = start(NULL, NULL);
    server_stop_on_signals(lfd);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    server_stop_also(ends[0]);
    server_stop_also(-1);
    raise(SIGTERM);
    ck_assert_int_eq(send(ends[1], "x", 1, MSG_NOSIGNAL), 1);
    ck_assert_int_eq(recv(ends[0], &byte, 1, 0), 1);
    close(ends[0]);
    close(ends[1]);
    close(lfd);
}
END_TEST

START_TEST(sigpipe_is_ignored)
{
    int ends[2];
    int lfd = start(NULL, NULL);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    close(ends[1]);
    ck_assert_int_eq(send(ends[0], "x", 1, 0), -1);
    ck_assert_int_eq(errno, EPIPE);
    close(ends[0]);
    close(lfd);
}
END_TEST

/* ---- lines -------------------------------------------------------------------------------- */

static void get_ready(void *unused)
{
    (void)unused;
    int lfd = start(NULL, NULL);
    server_ready(lfd, "test");
    _exit(5); /* flushes nothing: the line must be out */
}

START_TEST(ready_line_is_flushed)
{
    struct subject_outcome o;
    int port = 0;
    int end = 0;
    if (!subject_call(&o, get_ready, NULL))
        ck_abort_msg("%s", fault_text());
    ck_assert_int_eq(o.status, 5);
    ck_assert_int_eq(sscanf(o.out, "listening on 127.0.0.1:%d (test)\n%n", &port, &end), 1);
    ck_assert_int_eq(end, (int)strlen(o.out));
    ck_assert_int_gt(port, 0);
    ck_assert_str_eq(o.err, "");
}
END_TEST

static void report(void *option)
{
    start(option, NULL);
    server_report("client %d: %s", 7, "connected");
}

START_TEST(reports_unless_quiet)
{
    struct subject_outcome o;
    if (!subject_call(&o, report, NULL))
        ck_abort_msg("%s", fault_text());
    ck_assert_str_eq(o.err, "client 7: connected\n");
    if (!subject_call(&o, report, "--quiet"))
        ck_abort_msg("%s", fault_text());
    ck_assert_str_eq(o.err, "");
    ck_assert_str_eq(o.out, "");
}
END_TEST

enum { THREADS = 8, LINES = 20 };

static void *report_lines(void *mark)
{
    for (int i = 0; i < LINES; i++)
        server_report("<%c%c%c%c%c>", *(char *)mark, *(char *)mark, *(char *)mark, *(char *)mark,
                      *(char *)mark);
    return NULL;
}

static void report_from_threads(void *unused)
{
    (void)unused;
    pthread_t threads[THREADS];
    char marks[THREADS];
    start(NULL, NULL);
    for (int i = 0; i < THREADS; i++) {
        marks[i] = (char)('a' + i);
        pthread_create(&threads[i], NULL, report_lines, &marks[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

START_TEST(lines_do_not_mix)
{
    struct subject_outcome o;
    if (!subject_call(&o, report_from_threads, NULL))
        ck_abort_msg("%s", fault_text());
    int lines = 0;
    for (const char *line = o.err; *line != '\0'; line += 8, lines++)
        if (line[0] != '<' || strspn(line + 1, (char[]){line[1], '\0'}) != 5 ||
            strncmp(line + 6, ">\n", 2) != 0)
            ck_abort_msg("lines are mixed: %.16s", line);
    ck_assert_int_eq(lines, THREADS * LINES);
}
END_TEST

static void refuse_a_lot(void *unused)
{
    (void)unused;
    start("--quiet", NULL);
    for (int i = 0; i < 1000; i++)
        server_refuse("refused: %d", i);
}

/* A thousand at once are one line, --quiet or not; that they take less than a second is what the
 * second line is for, should they not. */
START_TEST(refuses_in_few_words)
{
    struct subject_outcome o;
    int64_t began = clock_now();
    if (!subject_call(&o, refuse_a_lot, NULL))
        ck_abort_msg("%s", fault_text());
    int64_t seconds = (clock_now() - began) / 1000000000;
    int lines = 0;
    for (const char *c = o.err; (c = strchr(c, '\n')) != NULL; c++)
        lines++;
    ck_assert(strncmp(o.err, "refused: 0\n", 11) == 0);
    ck_assert_int_le(lines, 1 + (int)seconds);
}
END_TEST

/* ---- work --------------------------------------------------------------------------------- */

static int64_t cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

START_TEST(work_burns_cpu_time)
{
    int lfd = start("--work", "3000");
    int64_t before = cpu_now();
    for (int i = 0; i < 10; i++)
        server_work();
    int64_t spent = cpu_now() - before;
    ck_assert_int_ge(spent, 30000000);
    /* Of this thread's own time, so that load does not count; but what the host takes may. */
    ck_assert_int_lt(spent, 300000000);
    close(lfd);
}
END_TEST

START_TEST(no_work_by_default)
{
    int lfd = start(NULL, NULL);
    int64_t before = cpu_now();
    for (int i = 0; i < 1000; i++)
        server_work();
    ck_assert_int_lt(cpu_now() - before, 300000000);
    close(lfd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server");
    TCase *all = tcase_create("server");
    tcase_set_timeout(all, SUITE_TIMEOUT);
    tcase_add_loop_test(all, signal_before_accept, 0, 2);
    tcase_add_loop_test(all, signal_before_a_wait_for_readiness, 0, 2);
    tcase_add_test(all, signal_at_any_moment);
    tcase_add_loop_test(all, signal_ends_the_client, 0, 2);
    tcase_add_test(all, signal_spares_a_former_client);
    tcase_add_test(all, sigpipe_is_ignored);
    tcase_add_test(all, ready_line_is_flushed);
    tcase_add_test(all, reports_unless_quiet);
    tcase_add_test(all, lines_do_not_mix);
    tcase_add_test(all, refuses_in_few_words);
    tcase_add_test(all, work_burns_cpu_time);
    tcase_add_test(all, no_work_by_default);
    suite_add_tcase(suite, all);
    return suite_run("server", suite, NULL);
}
