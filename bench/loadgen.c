/*
 * loadgen - put an echo server under load, check every byte, time every message.
 *
 * One thread, one epoll set, edge-triggered, and as few instructions a message as can be: it shares
 * the machine with the server that it measures.  What one connection sends is an endless stream
 * cut from one table of random bytes, each connection's at a place of its own; so nothing is copied
 * to send a message, and one memcmp tells a byte that is wrong, lost, or somebody else's.
 *
 * A message's time runs from just before it is sent - in an open loop (--rate), from when it was
 * due - until its last byte has been checked.  In a closed loop the next message starts at that
 * very moment, so that mean latency times QPS is the number of connections (Little's law).
 */

#include "clock.h"
#include "dial.h"
#include "die.h"
#include "options.h"
#include "samples.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    PERIOD = 65521,   /* bytes until a stream repeats: a prime, so that messages do not line up */
    PIECE = 65536,    /* bytes sent or received by one call at most */
    EVENTS = 512,     /* ready descriptors taken at once */
    CONNECTING = 256, /* connections being opened at the same time */
    TICK_MS = 100,    /* how often a wait is interrupted to look at the clock */
};

struct connection {
    int fd;                /* -1: not open */
    bool connected, idle;  /* idle: opened only to be there */
    bool waiting;          /* open loop: in the ring of those that can take a message */
    unsigned long started; /* messages; those not recorded included */
    unsigned long answered;
    size_t unsent;          /* bytes of started messages that the kernel has not taken */
    size_t missing;         /* bytes of the oldest unanswered message that are still to come */
    uint32_t out_at, in_at; /* where the stream stands in the table, to send and to check */
    int64_t *times;         /* when the messages in flight were sent or due: a ring of --pipeline */
};

static const char *host = "127.0.0.1";
static unsigned long port = 8888;
static unsigned long n_connections = 100;
static unsigned long n_messages = 100;
static unsigned long size = 64;
static unsigned long pipeline = 1;
static double rate = 0;
static double duration = 0;
static unsigned long n_idle = 0;
static unsigned long warmup = 0;
static double timeout = 10;
static bool json = false;

static char table[PERIOD + PIECE]; /* the streams' bytes; the tail repeats the beginning */
static char buf[PIECE];
static struct connection *connections; /* those with traffic first, then the idle ones */
static int epfd, timer;

static unsigned long n_open;     /* connected and not closed again, without the idle ones */
static unsigned long n_unopened; /* still connecting */
static unsigned long n_in_flight;
static unsigned long n_started; /* messages, of all connections */
static unsigned long errors;
static struct samples samples;
static int64_t begin, end; /* when the first recorded message started, and the last ended */
static int64_t deadline;   /* no message starts later; 0: none */
static int64_t silence;    /* since the last byte or connection arrived, see turn */
static volatile sig_atomic_t interrupted;

/* Open loop: message number k is due at rate_begin + k / rate and goes to the connection that has
 * waited longest; while all are busy it waits, and its time runs. */
static struct connection **ring;
static unsigned long ring_first, ring_count;
static int64_t rate_begin;

/* Say what went wrong the first time, and count the rest. */
static void fault(const struct connection *c, unsigned long count, const char *what)
{
    if (errors == 0)
        fprintf(stderr, "loadgen: connection %ld: %s\n", (long)(c - connections) + 1, what);
    errors += count;
}

static void connection_close(struct connection *c)
{
    if (c->connected && !c->idle) {
        n_open--;
        n_in_flight -= c->started - c->answered;
    }
    c->connected = false;
    close(c->fd);
    c->fd = -1;
}

/* The connection is of no more use: every message in flight is a lost reply. */
static void connection_fail(struct connection *c, const char *what)
{
    unsigned long lost = c->started - c->answered;
    fault(c, lost > 0 ? lost : 1, what);
    connection_close(c);
}

static uint32_t advance(uint32_t at, size_t n)
{
    return (uint32_t)((at + n) % PERIOD);
}

/* Send what has been started, as far as the kernel takes it. */
static void connection_send(struct connection *c)
{
    while (c->unsent > 0) {
        ssize_t n = send(c->fd, table + c->out_at, c->unsent < PIECE ? c->unsent : PIECE,
                         MSG_NOSIGNAL);
        if (n >= 0) {
            c->unsent -= (size_t)n;
            c->out_at = advance(c->out_at, (size_t)n);
        } else if (errno == EAGAIN) {
            return; /* an edge comes when there is room */
        } else if (errno != EINTR) {
            connection_fail(c, strerror(errno));
            return;
        }
    }
}

/* Start one message, whose time runs from `since`; -1: it is not recorded. */
static void message_start(struct connection *c, int64_t since)
{
    if (since != -1 && begin == 0)
        begin = since;
    if (n_in_flight == 0)
        silence = 0;
    if (c->missing == 0)
        c->missing = size;
    c->times[c->started % pipeline] = since;
    c->started++;
    c->unsent += size;
    n_started++;
    n_in_flight++;
}

static bool over(int64_t now)
{
    return interrupted || (deadline > 0 && now >= deadline);
}

/* A connection that has its share of answers is done: the server owes it nothing more, and has not
 * closed it either. */
static void connection_done(struct connection *c)
{
    ssize_t n = recv(c->fd, buf, sizeof buf, 0);
    if (n >= 0)
        fault(c, 1, n > 0 ? "more bytes came back than were sent" : "closed by the server");
    else if (errno != EAGAIN)
        fault(c, 1, strerror(errno));
    connection_close(c);
}

/* Closed loop: keep --pipeline messages in flight until the connection has sent its share. */
static void connection_fill(struct connection *c, int64_t now)
{
    bool more = !over(now);
    while (more && c->started - c->answered < pipeline &&
           (duration > 0 || c->started < warmup + n_messages))
        message_start(c, c->started < warmup ? -1 : now);
    if (c->started == c->answered)
        connection_done(c);
    else
        connection_send(c);
}

/* Open loop: the connection can take a message.  Into the ring, if it is not there already. */
static void connection_offer(struct connection *c)
{
    if (c->waiting || !c->connected || c->started - c->answered == pipeline)
        return;
    c->waiting = true;
    ring[(ring_first + ring_count++) % n_connections] = c;
}

/* Open loop: how many messages there are in all. */
static unsigned long open_loop_total(void)
{
    if (duration == 0)
        return (warmup + n_messages) * n_connections;
    unsigned long whole = (unsigned long)(duration * rate);
    return (double)whole < duration * rate ? whole + 1 : whole;
}

/* Open loop: when the next message is due. */
static int64_t next_due(void)
{
    return rate_begin + (int64_t)((double)n_started * 1e9 / rate);
}

/* Open loop: hand out every message that is due, and set the timer for the next. */
static void hand_out(int64_t now)
{
    while (n_started < open_loop_total() && ring_count > 0 && !interrupted) {
        int64_t due = next_due();
        if (due > now) {
            struct itimerspec at = {.it_value = {due / 1000000000, due % 1000000000}};
            timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
            return;
        }
        struct connection *c = ring[ring_first];
        ring_first = (ring_first + 1) % n_connections;
        ring_count--;
        c->waiting = false;
        if (!c->connected)
            continue;
        message_start(c, n_started < warmup * n_connections ? -1 : due);
        connection_send(c);
        connection_offer(c);
    }
}

/* n bytes of answers have arrived in buf: check them, and record the messages that are whole. */
static bool connection_check(struct connection *c, size_t n, int64_t now)
{
    size_t owed = c->started == c->answered
                      ? 0
                      : c->missing + (c->started - c->answered - 1) * size - c->unsent;
    if (n > owed || memcmp(buf, table + c->in_at, n) != 0) {
        connection_fail(c, n > owed ? "more bytes came back than were sent" : "a wrong byte");
        return false;
    }
    c->in_at = advance(c->in_at, n);
    while (n > 0 && n >= c->missing) {
        n -= c->missing;
        int64_t since = c->times[c->answered % pipeline];
        if (since != -1) {
            samples_add(&samples, now - since);
            end = now;
        }
        c->answered++;
        n_in_flight--;
        c->missing = c->started > c->answered ? size : 0;
    }
    c->missing -= n;
    return true;
}

/* ended: the end of the stream is there already, behind the bytes. */
static void connection_receive(struct connection *c, bool ended)
{
    ssize_t n = 0;
    do {
        n = recv(c->fd, buf, sizeof buf, 0);
        if (n == -1 && errno == EAGAIN)
            return;
        if (n == -1 && errno != EINTR)
            connection_fail(c, strerror(errno));
        if (n == 0)
            connection_fail(c, c->started > c->answered ? "closed before its reply was whole"
                                                        : "closed by the server");
        if (n > 0) {
            int64_t now = clock_now();
            silence = 0;
            if (!connection_check(c, (size_t)n, now))
                return;
            if (rate > 0)
                connection_offer(c);
            else
                connection_fill(c, now);
        }
        /* A short read was all there is (epoll(7)), and what comes later is a new edge. */
    } while (c->connected && (n == -1 || n == sizeof buf || ended));
}

static void connection_open(struct connection *c)
{
    c->fd = dial_start();
    if (c->fd == -1) {
        fault(c, 1, strerror(errno));
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &event) == -1)
        die("cannot watch connection %ld", (long)(c - connections) + 1);
    n_unopened++;
}

static void connection_opened(struct connection *c, uint32_t events)
{
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0)
        return;
    n_unopened--;
    int error = dial_outcome(c->fd);
    if (error != 0) {
        connection_fail(c, strerror(error));
        return;
    }
    c->connected = true;
    if (!c->idle)
        n_open++;
    silence = 0;
}

static void connection_ready(struct connection *c, uint32_t events)
{
    if (c->fd == -1)
        return; /* closed earlier in this batch: only main's timeouts do that */
    if (!c->connected) {
        connection_opened(c, events);
        return;
    }
    if (events & EPOLLOUT && c->unsent > 0)
        connection_send(c);
    if (c->connected && events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        connection_receive(c, events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

/* Wait for events and handle them.  Returns the time after it.  A turn adds to the silence what it has
 * waited, but never much more than a tick: when this process itself did not get to run - the machine
 * is busy, or was suspended - the server is not to blame. */
static int64_t turn(void)
{
    struct epoll_event events[EVENTS];
    int64_t before = clock_now();
    int n = epoll_wait(epfd, events, EVENTS, TICK_MS);
    int64_t waited = clock_now() - before;
    silence += waited < 2 * TICK_MS * 1000000L ? waited : 2 * TICK_MS * 1000000L;
    for (int i = 0; i < n; i++)
        if (events[i].data.ptr != NULL) /* else the timer: it only has to end the wait */
            connection_ready(events[i].data.ptr, events[i].events);
    return clock_now();
}

static bool stalled(void)
{
    return (double)silence > timeout * 1e9;
}

/* Close whatever is still waiting for something, each as an error of its own. */
static void give_up(const char *what)
{
    for (unsigned long i = 0; i < n_idle + n_connections; i++) {
        struct connection *c = &connections[i];
        if (c->fd != -1 && (!c->connected || c->started > c->answered))
            connection_fail(c, what);
    }
    n_unopened = 0;
}

/* Open every connection, the idle ones first, a few at a time so that the listener's queue does not
 * overflow. */
static void open_all(void)
{
    unsigned long next = 0;
    while ((next < n_idle + n_connections || n_unopened > 0) && !interrupted) {
        while (next < n_idle + n_connections && n_unopened < CONNECTING)
            connection_open(&connections[next++]);
        if (n_unopened == 0)
            continue;
        turn();
        if (stalled())
            give_up("timed out while connecting");
    }
}

static void show_progress(int64_t now)
{
    static int64_t next = 0;
    if (now < next)
        return;
    next = now + TICK_MS * 1000000L;
    double seconds = (double)(now - begin) / 1e9;
    fprintf(stderr, "\r%.1f s  %zu messages  %.0f/s  %lu errors \033[K", seconds, samples.count,
            seconds > 0 ? (double)samples.count / seconds : 0, errors);
}

/* Closed loop: each connection goes on by itself until it has its share and closes. */
static bool closed_loop_running(void)
{
    return n_open > 0;
}

/* What was due in time is still sent when --duration is over, but for no more than --timeout. */
static bool open_loop_running(int64_t now)
{
    bool late = deadline > 0 && (double)(now - deadline) > timeout * 1e9;
    return n_in_flight > 0 ||
           (n_open > 0 && n_started < open_loop_total() && !interrupted && !late);
}

/* When all is over nothing may have come that nobody asked for, and nobody may be missing. */
static void last_look(void)
{
    for (unsigned long i = 0; i < n_idle + n_connections; i++)
        if (connections[i].connected)
            connection_done(&connections[i]);
    if (rate > 0 && !interrupted && n_started < open_loop_total())
        fault(connections, open_loop_total() - n_started,
              "messages were due that could not be sent");
}

static void run(bool show)
{
    int64_t now = rate_begin = clock_now();
    silence = 0;
    if (duration > 0)
        deadline = now + (int64_t)(duration * 1e9);
    for (unsigned long i = n_idle; i < n_idle + n_connections; i++)
        if (connections[i].connected && rate > 0)
            connection_offer(&connections[i]);
        else if (connections[i].connected)
            connection_fill(&connections[i], clock_now());

    while (rate > 0 ? open_loop_running(now) : closed_loop_running()) {
        if (rate > 0)
            hand_out(now);
        now = turn();
        if (n_in_flight > 0 && stalled())
            give_up("timed out waiting for a reply");
        if (show)
            show_progress(now);
    }
    if (show)
        fprintf(stderr, "\r\033[K");
    last_look();
}

static void print_results(void)
{
    double seconds = samples.count > 0 ? (double)(end - begin) / 1e9 : 0;
    double qps = seconds > 0 ? (double)samples.count / seconds : 0;
    static const unsigned per_mille[] = {500, 900, 990, 999, 1000};
    double us[5];
    samples_sort(&samples);
    for (int i = 0; i < 5; i++)
        us[i] = (double)samples_percentile(&samples, per_mille[i]) / 1e3;
    double mean = samples_mean(&samples) / 1e3;
    if (json) {
        printf("{\"connections\": %lu, \"messages\": %zu, \"size\": %lu, \"seconds\": %.6f, "
               "\"qps\": %.1f, \"mean_us\": %.3f, \"p50_us\": %.3f, \"p90_us\": %.3f, "
               "\"p99_us\": %.3f, \"p999_us\": %.3f, \"max_us\": %.3f, \"errors\": %lu}\n",
               n_connections, samples.count, size, seconds, qps, mean, us[0], us[1], us[2], us[3],
               us[4], errors);
        return;
    }
    printf("%lu connections, %zu messages of %lu bytes in %.3f s\n", n_connections, samples.count,
           size, seconds);
    printf("QPS        %.0f\n", qps);
    printf("latency    mean %.1f  p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f us\n", mean,
           us[0], us[1], us[2], us[3], us[4]);
    printf("in flight  %.1f on average (mean latency x QPS)\n", mean * qps / 1e6);
    printf("errors     %lu\n", errors);
}

/* The table: bytes of a small generator (xorshift), so that no stretch is like another. */
static void fill_table(void)
{
    uint32_t x = 2463534242;
    for (size_t i = 0; i < PERIOD; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        table[i] = (char)(x >> 24);
    }
    for (size_t i = PERIOD; i < sizeof table; i++)
        table[i] = table[i - PERIOD];
}

static void make_connections(void)
{
    connections = calloc_or_die(n_idle + n_connections, sizeof *connections);
    int64_t *times = calloc_or_die(n_connections * pipeline, sizeof *times);
    for (unsigned long i = 0; i < n_idle + n_connections; i++) {
        struct connection *c = &connections[i];
        c->fd = -1;
        c->idle = i < n_idle;
        c->in_at = c->out_at = (uint32_t)(i * 7919 % PERIOD);
        if (!c->idle)
            c->times = times + (i - n_idle) * pipeline;
    }
    ring = calloc_or_die(n_connections, sizeof(struct connection *));
}

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"host", "HOST", OPTION_TEXT, &host, 0, 0, "the server's address or name"},
        {"port", "PORT", OPTION_NUMBER, &port, 1, 65535, "the server's port"},
        {"connections", "N", OPTION_NUMBER, &n_connections, 1, 1000000, "that send messages"},
        {"messages", "N", OPTION_NUMBER, &n_messages, 1, 1000000000, "to send on each"},
        {"size", "BYTES", OPTION_NUMBER, &size, 1, 1 << 26, "of a message"},
        {"pipeline", "N", OPTION_NUMBER, &pipeline, 1, 10000, "in flight on each connection"},
        {"rate", "R", OPTION_DECIMAL, &rate, 0, 100000000,
         "open loop: due a second, in all; 0: closed"},
        {"duration", "S", OPTION_DECIMAL, &duration, 0, 86400,
         "seconds to send, instead of --messages"},
        {"idle", "N", OPTION_NUMBER, &n_idle, 0, 1000000, "connections beside, that send nothing"},
        {"warmup", "N", OPTION_NUMBER, &warmup, 0, 1000000000,
         "messages first on each, not recorded"},
        {"timeout", "S", OPTION_DECIMAL, &timeout, 0, 86400,
         "no byte for so long: replies are lost"},
        {"json", NULL, OPTION_FLAG, &json, 0, 0, "print the results as one JSON object"},
        {0},
    };
    options_parse(argc, argv, "put an echo server under load and check every byte", options, NULL);
    dial_descriptors(n_idle + n_connections);
    dial_server(host, port);
    fill_table();
    make_connections();
    epfd = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    if (epfd == -1 || timer == -1 || epoll_ctl(epfd, EPOLL_CTL_ADD, timer, &event) == -1)
        die("epoll");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);

    open_all();
    run(isatty(STDOUT_FILENO) && isatty(STDERR_FILENO));
    print_results();
    return errors > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
