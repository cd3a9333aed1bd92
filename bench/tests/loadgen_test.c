/*
 * loadgen_test - does the load generator notice every way in which a server can be wrong?
 *
 * Each lie is told by a small server in a process of its own; the same server, honest, must pass.
 */

#include "../samples.h"
#include "net.h"
#include "testkit/fault.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 64, STALL_MS = 400 };

static char loadgen[4096];
static char epoll_server[4096];

/* ---- liars -------------------------------------------------------------------------------------- */

/* Echo count messages, or until the stream ends.  Returns false when it has ended. */
static bool echo(int cfd, int count)
{
    char message[SIZE];
    for (int i = 0; i < count; i++)
        if (net_read_all(cfd, message, SIZE) < SIZE || net_write_all(cfd, message, SIZE) == -1)
            return false;
    return true;
}

static void honest(int cfd)
{
    while (echo(cfd, 1))
        ;
}

static void wrong_byte(int cfd)
{
    char message[SIZE];
    echo(cfd, 3);
    net_read_all(cfd, message, SIZE);
    message[SIZE - 1] ^= 1;
    net_write_all(cfd, message, SIZE);
    honest(cfd);
}

static void old_message(int cfd)
{
    char message[SIZE];
    net_read_all(cfd, message, SIZE);
    while (net_write_all(cfd, message, SIZE) == 0 && recv(cfd, (char[SIZE]){0}, SIZE, 0) > 0)
        ;
}

static void short_and_close(int cfd)
{
    char message[SIZE];
    echo(cfd, 3);
    net_read_all(cfd, message, SIZE);
    net_write_all(cfd, message, SIZE - 1);
}

static void wait_for_end(int cfd)
{
    while (recv(cfd, (char[SIZE]){0}, SIZE, 0) > 0)
        ;
}

static void short_and_silent(int cfd)
{
    short_and_close(cfd);
    wait_for_end(cfd);
}

static void silent(int cfd)
{
    wait_for_end(cfd);
}

static void reset(int cfd)
{
    echo(cfd, 3);
    net_read_all(cfd, (char[SIZE]){0}, SIZE);
    setsockopt(cfd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
}

static void one_byte_more(int cfd)
{
    char message[SIZE + 1] = "";
    echo(cfd, 3);
    net_read_all(cfd, message, SIZE);
    net_write_all(cfd, message, SIZE + 1);
    honest(cfd);
}

/* More than was sent, behind the last message, when nobody waits for anything any more. */
static void one_byte_more_at_the_end(int cfd)
{
    char message[SIZE + 1] = "";
    echo(cfd, 9);
    net_read_all(cfd, message, SIZE);
    net_write_all(cfd, message, SIZE + 1);
    wait_for_end(cfd);
}

static void close_at_once(int cfd)
{
    (void)cfd;
}

/* Serve one connection after the other until killed. */
static pid_t start_liar(void (*serve)(int), char port[8])
{
    int lfd = net_listen("127.0.0.1", "0", 64);
    ck_assert_int_ne(lfd, -1);
    snprintf(port, 8, "%d", net_local_port(lfd));
    pid_t pid = fork();
    ck_assert_int_ne(pid, -1);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        for (;;) {
            int cfd = accept(lfd, NULL, NULL);
            serve(cfd);
            close(cfd);
        }
    }
    close(lfd);
    return pid;
}

static void stop_liar(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- what loadgen says ---------------------------------------------------------------------------- */

/* A number out of its JSON object. */
static double field(const struct subject_outcome *o, const char *name)
{
    char key[32];
    snprintf(key, sizeof key, "\"%s\": ", name);
    const char *at = strstr(o->out, key);
    ck_assert_msg(at != NULL, "no %s in: %s%s", key, o->out, o->err);
    return strtod(at + strlen(key), NULL);
}

static void run_loadgen(struct subject_outcome *o, const char *const arguments[])
{
    ck_assert_msg(subject_run(o, loadgen, arguments), "%s", fault_text());
}

struct lie {
    const char *name;
    void (*serve)(int);
    int errors;
    const char *said;
    const char *timeout; /* seconds: short only for those that keep silent */
};

static const struct lie lies[] = {
    {"wrong byte", wrong_byte, 1, "a wrong byte", "10"},
    {"an old message again", old_message, 1, "a wrong byte", "10"},
    {"short reply, then closed", short_and_close, 1, "closed before its reply was whole", "10"},
    {"short reply, then silence", short_and_silent, 1, "timed out waiting for a reply", "0.3"},
    {"silence", silent, 1, "timed out waiting for a reply", "0.3"},
    {"reset", reset, 1, "Connection reset by peer", "10"},
    {"one byte more", one_byte_more, 1, "more bytes came back than were sent", "10"},
    /* an end of file, or a reset: whichever is first */
    {"closed at once", close_at_once, 1, NULL, "10"},
};
enum { LIES = sizeof lies / sizeof lies[0] };

START_TEST(notices_the_lie)
{
    const struct lie *lie = &lies[_i];
    struct subject_outcome o;
    char port[8];
    pid_t liar = start_liar(lie->serve, port);
    run_loadgen(&o, SUBJECT_ARGS("--port", port, "--connections", "1", "--messages", "10",
                                 "--timeout", lie->timeout, "--json"));
    stop_liar(liar);
    ck_assert_msg(o.status == 1, "%s: exit %d", lie->name, o.status);
    ck_assert_msg(field(&o, "errors") == lie->errors, "%s: %s", lie->name, o.out);
    ck_assert_msg(lie->said == NULL || strstr(o.err, lie->said), "%s: said %s", lie->name, o.err);
}
END_TEST

START_TEST(believes_the_honest)
{
    struct subject_outcome o;
    char port[8];
    pid_t server = start_liar(honest, port);
    run_loadgen(&o,
                SUBJECT_ARGS("--port", port, "--connections", "3", "--messages", "10", "--json"));
    stop_liar(server);
    ck_assert_msg(o.status == 0, "exit %d: %s", o.status, o.err);
    ck_assert_str_eq(o.err, "");
    ck_assert(field(&o, "errors") == 0);
    ck_assert(field(&o, "messages") == 30);
    ck_assert(field(&o, "connections") == 3);
    ck_assert(field(&o, "size") == SIZE);
}
END_TEST

/* The byte may arrive just after the last reply has been read: asked often, it must be seen. */
START_TEST(notices_a_byte_more_at_the_end)
{
    struct subject_outcome o;
    char port[8];
    pid_t liar = start_liar(one_byte_more_at_the_end, port);
    run_loadgen(&o,
                SUBJECT_ARGS("--port", port, "--connections", "20", "--messages", "10", "--json"));
    stop_liar(liar);
    ck_assert_int_eq(o.status, 1);
    ck_assert_msg(strstr(o.err, "more bytes came back than were sent"), "said %s", o.err);
}
END_TEST

START_TEST(counts_every_lost_reply)
{
    struct subject_outcome o;
    char port[8];
    pid_t liar = start_liar(silent, port);
    run_loadgen(&o, SUBJECT_ARGS("--port", port, "--connections", "2", "--pipeline", "4",
                                 "--timeout", "0.3", "--json"));
    stop_liar(liar);
    ck_assert_int_eq(o.status, 1);
    ck_assert_msg(field(&o, "errors") == 8, "%s", o.out);
    ck_assert(field(&o, "messages") == 0);
}
END_TEST

START_TEST(counts_every_refused_connection)
{
    struct subject_outcome o;
    char port[8];
    int lfd = net_listen("127.0.0.1", "0", 1);
    snprintf(port, sizeof port, "%d", net_local_port(lfd));
    close(lfd); /* nobody listens there any more */
    run_loadgen(&o, SUBJECT_ARGS("--port", port, "--connections", "5", "--json"));
    ck_assert_int_eq(o.status, 1);
    ck_assert_msg(field(&o, "errors") == 5, "%s", o.out);
    ck_assert_msg(strstr(o.err, "Connection refused"), "said %s", o.err);
}
END_TEST

START_TEST(notices_a_lost_idle_connection)
{
    struct subject_outcome o;
    char port[8];
    /* The idle connection is served first, and closed; then the other one is served well. */
    pid_t liar = start_liar(close_at_once, port);
    run_loadgen(&o, SUBJECT_ARGS("--port", port, "--connections", "1", "--idle", "1", "--messages",
                                 "5", "--json"));
    stop_liar(liar);
    ck_assert_int_eq(o.status, 1);
    ck_assert_msg(field(&o, "errors") == 2, "%s", o.out);
}
END_TEST

/* ---- how it counts --------------------------------------------------------------------------------- */

/* Start lesson 05, which is honest, and run loadgen on it. */
static void run_on_server(struct subject_outcome *o, const char *const arguments[])
{
    struct subject server;
    ck_assert_msg(subject_start(&server, epoll_server, SUBJECT_ARGS("--port", "0", "--quiet"), 0),
                  "%s", fault_text());
    const char *all[32] = {"--port", server.port, "--json"};
    for (int i = 0; arguments[i] != NULL; i++)
        all[i + 3] = arguments[i];
    run_loadgen(o, all);
    ck_assert_msg(subject_stop(&server), "%s", fault_text());
}

START_TEST(counts_messages)
{
    struct subject_outcome o;
    run_on_server(&o, SUBJECT_ARGS("--connections", "10", "--messages", "7", "--warmup", "3"));
    ck_assert_msg(o.status == 0 && field(&o, "messages") == 70, "%s%s", o.out, o.err);
    run_on_server(&o, SUBJECT_ARGS("--connections", "10", "--messages", "7", "--pipeline", "5"));
    ck_assert_msg(o.status == 0 && field(&o, "messages") == 70, "%s%s", o.out, o.err);
    run_on_server(&o, SUBJECT_ARGS("--connections", "10", "--messages", "7", "--rate", "1000"));
    ck_assert_msg(o.status == 0 && field(&o, "messages") == 70, "%s%s", o.out, o.err);
    run_on_server(&o, SUBJECT_ARGS("--connections", "5", "--messages", "3", "--idle", "50",
                                   "--size", "300000"));
    ck_assert_msg(o.status == 0 && field(&o, "messages") == 15, "%s%s", o.out, o.err);
    run_on_server(&o, SUBJECT_ARGS("--connections", "3", "--messages", "5", "--size", "1"));
    ck_assert_msg(o.status == 0 && field(&o, "messages") == 15, "%s%s", o.out, o.err);
}
END_TEST

/* The law is of what goes on for long.  In one second, a beginning or an end in which the machine is
 * busy with something else counts; a generator that counts wrongly never obeys it. */
START_TEST(obeys_littles_law)
{
    struct subject_outcome o;
    double in_flight = 0;
    for (int i = 0; i < 3 && (in_flight <= 95 || in_flight >= 105); i++) {
        run_on_server(&o, SUBJECT_ARGS("--connections", "100", "--duration", "1"));
        in_flight = field(&o, "mean_us") * field(&o, "qps") / 1e6;
    }
    ck_assert_msg(in_flight > 95 && in_flight < 105, "%.1f in flight, not 100: %s", in_flight,
                  o.out);
}
END_TEST

START_TEST(keeps_the_rate)
{
    struct subject_outcome o;
    run_on_server(&o, SUBJECT_ARGS("--connections", "10", "--rate", "500", "--duration", "1"));
    ck_assert_msg(field(&o, "messages") == 500, "%s", o.out);
    ck_assert_msg(field(&o, "qps") < 600, "faster than asked: %s", o.out);
}
END_TEST

static void stall_once(int cfd)
{
    echo(cfd, 100);
    usleep(STALL_MS * 1000); /* the fault under test: the server stands still */
    honest(cfd);
}

/* 1000 a second for a second, and a stall of 0.4 s in it: four messages in ten are late.  A closed
 * loop would send one message into the stall and call it a single slow one. */
START_TEST(an_open_loop_does_not_hide_a_stall)
{
    struct subject_outcome o;
    char port[8];
    pid_t server = start_liar(stall_once, port);
    run_loadgen(&o, SUBJECT_ARGS("--port", port, "--connections", "1", "--rate", "1000",
                                 "--duration", "1", "--json"));
    stop_liar(server);
    ck_assert_int_eq(o.status, 0);
    ck_assert_msg(field(&o, "p90_us") > STALL_MS * 500, "the stall is hidden: %s", o.out);

    server = start_liar(stall_once, port);
    run_loadgen(&o,
                SUBJECT_ARGS("--port", port, "--connections", "1", "--duration", "1", "--json"));
    stop_liar(server);
    ck_assert_msg(field(&o, "max_us") > STALL_MS * 1000, "%s", o.out);
    ck_assert_msg(field(&o, "p90_us") < STALL_MS * 500, "%s", o.out);
}
END_TEST

START_TEST(percentiles_are_exact)
{
    struct samples s = {0};
    ck_assert_int_eq(samples_percentile(&s, 500), 0);
    enum { COUNT = 1000 };
    for (int i = 0; i < COUNT; i++) /* 1 to 1000 million, in a mixed order */
        samples_add(&s, (int64_t)(i * 389 % COUNT + 1) * 1000000);
    samples_sort(&s);
    for (unsigned per_mille = 1; per_mille <= 1000; per_mille++)
        ck_assert_int_eq(samples_percentile(&s, per_mille), (int64_t)per_mille * 1000000);
    ck_assert(samples_mean(&s) == 500500000);
    samples_free(&s);
    samples_add(&s, 7);
    samples_sort(&s);
    ck_assert_int_eq(samples_percentile(&s, 500), 7);
    ck_assert_int_eq(samples_percentile(&s, 1000), 7);
    samples_free(&s);
}
END_TEST

/* ---- its limits -------------------------------------------------------------------------------------- */

START_TEST(says_when_descriptors_do_not_suffice)
{
    struct subject_outcome o;
    char command[5000];
    snprintf(command, sizeof command, "ulimit -n 64; exec '%s' --connections 100", loadgen);
    ck_assert(subject_run(&o, "/bin/sh", SUBJECT_ARGS("-c", command)));
    ck_assert_int_eq(o.status, 1);
    ck_assert_msg(strstr(o.err, "100 connections need") && strstr(o.err, "the limit is 64"),
                  "said %s", o.err);
}
END_TEST

/* Press ctrl-C, after a hundred messages: the process group gets it, of which only loadgen does not
 * ignore it. */
static void interrupt(int cfd)
{
    echo(cfd, 100);
    kill(0, SIGINT);
    honest(cfd);
}

START_TEST(interrupted_it_prints_what_it_has)
{
    struct subject_outcome o;
    char port[8];
    signal(SIGINT, SIG_IGN);
    pid_t server = start_liar(interrupt, port);
    run_loadgen(&o,
                SUBJECT_ARGS("--port", port, "--connections", "1", "--duration", "60", "--json"));
    stop_liar(server);
    ck_assert_msg(field(&o, "messages") > 0 && field(&o, "errors") == 0, "%s", o.out);
    ck_assert_msg(field(&o, "seconds") < 30, "%s", o.out);
}
END_TEST

/* A network of its own in which a source address has ten ports. */
static bool few_ports(void)
{
    if (unshare(CLONE_NEWNET) == -1)
        return false;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    bool up = ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
    close(fd);
    FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "we");
    if (range == NULL)
        return false;
    fprintf(range, "40000 40009");
    return fclose(range) == 0 && up;
}

START_TEST(takes_another_source_address_when_ports_run_out)
{
    if (!few_ports())
        suite_skip("no right to make a network namespace");
    struct subject_outcome o;
    struct subject server;
    ck_assert(subject_start(&server, epoll_server, SUBJECT_ARGS("--port", "30000", "--quiet"), 0));
    run_loadgen(&o, SUBJECT_ARGS("--port", "30000", "--connections", "35", "--json"));
    ck_assert_msg(o.status == 0 && field(&o, "messages") == 3500, "%s%s", o.out, o.err);
    ck_assert(subject_stop(&server));
}
END_TEST

int main(int argc, char **argv)
{
    (void)argc;
    /* build/bench/tests/loadgen_test: the programs stand two folders up. */
    char *here = realpath(argv[0], NULL);
    for (int i = 0; i < 3 && here != NULL; i++)
        *strrchr(here, '/') = '\0';
    snprintf(loadgen, sizeof loadgen, "%s/bench/loadgen", here != NULL ? here : "");
    snprintf(epoll_server, sizeof epoll_server, "%s/lessons/05-epoll-lt/server",
             here != NULL ? here : "");
    free(here);

    Suite *suite = suite_create("loadgen");
    TCase *lying = tcase_create("lying servers");
    tcase_set_timeout(lying, SUITE_TIMEOUT);
    tcase_add_loop_test(lying, notices_the_lie, 0, LIES);
    tcase_add_test(lying, believes_the_honest);
    tcase_add_test(lying, notices_a_byte_more_at_the_end);
    tcase_add_test(lying, counts_every_lost_reply);
    tcase_add_test(lying, counts_every_refused_connection);
    tcase_add_test(lying, notices_a_lost_idle_connection);
    suite_add_tcase(suite, lying);
    TCase *counting = tcase_create("counting");
    tcase_set_timeout(counting, SUITE_TIMEOUT);
    tcase_add_test(counting, counts_messages);
    tcase_add_test(counting, obeys_littles_law);
    tcase_add_test(counting, keeps_the_rate);
    tcase_add_test(counting, an_open_loop_does_not_hide_a_stall);
    tcase_add_test(counting, percentiles_are_exact);
    suite_add_tcase(suite, counting);
    TCase *limits = tcase_create("limits");
    tcase_set_timeout(limits, SUITE_TIMEOUT);
    tcase_add_test(limits, says_when_descriptors_do_not_suffice);
    tcase_add_test(limits, interrupted_it_prints_what_it_has);
    tcase_add_test(limits, takes_another_source_address_when_ports_run_out);
    suite_add_tcase(suite, limits);
    return suite_run("bench/loadgen", suite, NULL);
}
