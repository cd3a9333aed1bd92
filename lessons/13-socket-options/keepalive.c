/*
 * SO_KEEPALIVE: notice that a silent peer is gone.
 *
 * After TCP_KEEPIDLE seconds of silence the kernel sends a probe every TCP_KEEPINTVL seconds, which a
 * live peer acknowledges; TCP_KEEPCNT unanswered ones end the connection with ETIMEDOUT.  Only
 * silence counts: while something that was sent is not acknowledged, retransmission is in charge
 * (tcp_retries2: a quarter of an hour), and TCP_USER_TIMEOUT is what shortens that.
 *
 * The peer vanishes without a word: it is a host of its own (network.h), and loses its address.
 * Where no such host may be made, a filter on its socket drops all that arrives.
 */

#include "clock.h"
#include "die.h"
#include "network.h"
#include "options.h"
#include "plain.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned long idle = 1;
static unsigned long interval = 1;
static unsigned long count = 3;
static bool use_filter = false;

/* A connection, and what it does after its peer has vanished. */
struct subject {
    const char *name;
    bool keepalive;
    bool speaks;         /* sends a byte, which nobody acknowledges */
    bool alive;          /* its peer does not vanish */
    unsigned timeout_ms; /* TCP_USER_TIMEOUT; 0 leaves it */
    struct pair p;
    int64_t since; /* it was connected: the silence is no older */
    int probes;    /* unanswered so far */
    bool ended;
};

enum { ALIVE, OFF, SILENT, SPEAKING, LIMITED, SUBJECTS };

static struct subject subjects[SUBJECTS] = {
    [ALIVE] = {.name = "peer alive", .keepalive = true, .alive = true},
    [OFF] = {.name = "silent, keepalive off"},
    [SILENT] = {.name = "silent", .keepalive = true},
    [SPEAKING] = {.name = "a byte unacknowledged", .keepalive = true, .speaks = true},
    [LIMITED] = {.name = "... TCP_USER_TIMEOUT 2 s",
                 .keepalive = true,
                 .speaks = true,
                 .timeout_ms = 2000},
};

static void set(int fd, int level, int option, unsigned long value)
{
    const int number = (int)value;
    if (setsockopt(fd, level, option, &number, sizeof number) == -1)
        die("setsockopt");
}

/* [keepalive] The times are of this connection alone; without them the system's hold: two hours. */
static void set_options(const struct subject *s)
{
    set(s->p.near, IPPROTO_TCP, TCP_KEEPIDLE, idle);
    set(s->p.near, IPPROTO_TCP, TCP_KEEPINTVL, interval);
    set(s->p.near, IPPROTO_TCP, TCP_KEEPCNT, count);
    set(s->p.near, SOL_SOCKET, SO_KEEPALIVE, s->keepalive);
    if (s->timeout_ms > 0)
        set(s->p.near, IPPROTO_TCP, TCP_USER_TIMEOUT, s->timeout_ms);
}

static void print_settings(const char *name, int fd)
{
    int first = option_get(fd, IPPROTO_TCP, TCP_KEEPIDLE);
    int every = option_get(fd, IPPROTO_TCP, TCP_KEEPINTVL);
    int probes = option_get(fd, IPPROTO_TCP, TCP_KEEPCNT);
    printf("%-8s %12d %11d s %11d s %11d %11d s\n", name, option_get(fd, SOL_SOCKET, SO_KEEPALIVE),
           first, every, probes, first + every * probes);
}

/* Let whatever arrives at a socket be dropped, before TCP sees it.  See socket(7). */
static void drop_all(int fd)
{
    struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
    const struct sock_fprog program = {.len = 1, .filter = &none};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == -1)
        die("SO_ATTACH_FILTER");
}

/* Connect those whose peers will vanish: to the far host, or where there is none, to this one. */
static void connect_subjects(const struct network *n)
{
    if (n != NULL && network_enter(n->far) == -1)
        die("cannot go to the far host");
    int lfd = plain_listen(n != NULL ? NETWORK_FAR : "127.0.0.1");
    if (n != NULL && network_enter(n->near) == -1)
        die("cannot go to the near host");
    for (int i = 0; i < SUBJECTS; i++) {
        struct subject *s = &subjects[i];
        if (s->alive)
            continue;
        s->since = clock_now();
        s->p.near = plain_connect(lfd);
        s->p.far = plain_accept(lfd);
        set_options(s);
    }
    close(lfd);
}

/* No FIN, no reset: from now on nothing that is sent is answered. */
static void vanish(const struct network *n)
{
    if (n != NULL && (network_enter(n->far) == -1 || network_drop_address() == -1))
        die("cannot take the address away");
    for (int i = 0; i < SUBJECTS; i++) {
        const struct subject *s = &subjects[i];
        if (n == NULL && !s->alive)
            drop_all(s->p.far);
        if (s->speaks && send(s->p.near, "?", 1, 0) == -1)
            die("send");
    }
}

static double seconds_since(int64_t then)
{
    return (double)(clock_now() - then) / 1e9;
}

/* Report what is new about a connection. */
static void look_at(struct subject *s)
{
    const double seconds = seconds_since(s->since);
    int probes = tcp_state(s->p.near).tcpi_probes;
    if (probes > s->probes)
        printf("%6.2f s  %-25s probe %d is on its way\n", seconds, s->name, probes);
    s->probes = probes;
    char byte;
    ssize_t n = recv(s->p.near, &byte, 1, MSG_DONTWAIT);
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return;
    s->ended = true;
    printf("%6.2f s  %-25s %s\n", seconds, s->name, n == -1 ? strerror(errno) : "end of stream");
}

static void print_rest(void)
{
    for (int i = 0; i < SUBJECTS; i++) {
        struct tcp_info info = tcp_state(subjects[i].p.near);
        if (!subjects[i].ended)
            printf("%6.2f s  %-25s still connected; heard of the peer %.1f s ago; sent again %u "
                   "times\n",
                   seconds_since(subjects[i].since), subjects[i].name,
                   info.tcpi_last_ack_recv / 1000.0, info.tcpi_total_retrans);
        close(subjects[i].p.near);
        close(subjects[i].p.far);
    }
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"idle", "S", OPTION_NUMBER, &idle, 1, 60, "silence before the first probe"},
        {"interval", "S", OPTION_NUMBER, &interval, 1, 60, "between probes"},
        {"count", "N", OPTION_NUMBER, &count, 1, 60, "unanswered probes that end it"},
        {"filter", NULL, OPTION_FLAG, &use_filter, 0, 0, "make no hosts: drop what arrives"},
        {0},
    };
    options_parse(argc, argv, "SO_KEEPALIVE: notice that a peer is gone", options, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%-8s %12s %13s %13s %11s %13s\n", "", "SO_KEEPALIVE", "TCP_KEEPIDLE", "TCP_KEEPINTVL",
           "TCP_KEEPCNT", "ends it after");
    subjects[ALIVE].since = clock_now();
    subjects[ALIVE].p = plain_pair();
    print_settings("default", subjects[ALIVE].p.near);
    set_options(&subjects[ALIVE]);
    print_settings("set", subjects[ALIVE].p.near);

    struct network hosts;
    const struct network *n = &hosts;
    if (use_filter || network_open(&hosts) == -1) {
        printf("\nNo network of its own (%s): a filter drops all that arrives at the peers.\n",
               use_filter ? "--filter" : strerror(errno));
        n = NULL;
    } else {
        printf("\nThe peers are on a host of their own, " NETWORK_FAR
               ", which loses that address.\n");
    }
    connect_subjects(n);
    vanish(n);

    const double limit = (double)(idle + interval * count) + 0.7, patience = 5;
    for (int64_t start = clock_now();
         seconds_since(start) < limit ||
         (!subjects[SILENT].ended && seconds_since(start) < limit + patience);
         pause_briefly())
        for (int i = 0; i < SUBJECTS; i++)
            if (!subjects[i].ended)
                look_at(&subjects[i]);
    print_rest();
    errno = 0;
    if (!subjects[SILENT].ended)
        die("the probes did not end the connection");
    return 0;
}
