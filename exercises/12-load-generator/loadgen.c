/*
 * A load generator for echo servers: how many messages a second, and how long each takes.
 *
 * The new idea: the other end of the wire.  One thread holds all connections and waits with poll; on
 * each, a closed loop (闭环): send a message, wait for the whole of its echo, check every byte, send
 * the next.  A slow message then shows in its own time, and nowhere else.
 *
 * Compare with: bench/loadgen.c, which also has an open loop, pipelines and a fraction of the cost.
 */

#include "clock.h"
#include "die.h"
#include "net.h"
#include "options.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PIECE = 65536, /* bytes received at once, at most */
    SHIFTS = 251   /* different messages there are */
};

struct connection {
    int fd;                 /* -1: closed */
    unsigned long answered; /* messages whose echo has come whole */
    size_t sent, received;  /* bytes of the message that is under way, and of its echo */
    int64_t begun;          /* when that message was */
};

static const char *host = "127.0.0.1";
static unsigned long port = 8888;
static unsigned long n_connections = 100;
static unsigned long n_messages = 100; /* on each connection */
static unsigned long size = 64;        /* bytes of a message */

/* A message is `size` bytes of these, from a place of its own (less than SHIFTS), so that a byte of
 * another message is noticed. */
static char *pattern;
static struct connection *connections;
static struct pollfd *polled; /* polled[i] belongs to connections[i]; poll skips an fd of -1 */

static int64_t *times;         /* nanoseconds that each answered message took */
static size_t n_times;         /* and how many were answered */
static unsigned long n_errors; /* connections that failed */
static int64_t begin, end; /* just before the first message was begun, and after the last echo */

/* Yours: a connection that fails, one message that is begun, and the two directions of it.  A
 * connection fails if it is refused, lost, or echoes a wrong byte: that is one error, it is closed,
 * and the others go on.  One that has all its answers is closed, too. */

/* Open every connection before the first message is sent, so that all are there at once. */
static void open_all(void)
{
    /* Yours: net_connect and net_set_nonblocking, see common/net.h; one that cannot be opened has
     * failed.  As it stands, there is none. */
    for (size_t i = 0; i < n_connections; i++)
        connections[i].fd = -1;
}

static void run(void)
{
    /* Yours: begin a message on each connection, then wait for all at once, until every connection is
     * closed.  `begin` and `end` are the times that QPS is counted by. */
    for (size_t i = 0; i < n_connections; i++)
        polled[i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
}

/* nearest_rank - the smallest of the times that at least p per cent of all do not exceed (p is 1 to
 * 100); 0 if there are none. */
static int64_t nearest_rank(unsigned p)
{
    /* Yours: in order of size, the time at rank ceil(p / 100 * n), counted from 1. */
    (void)p;
    return 0;
}

static void report(void)
{
    double seconds = (double)(end - begin) / 1e9;
    double qps = 0; /* Yours; and, before it is asked, what nearest_rank needs. */
    printf("messages %zu\n", n_times);
    printf("seconds %.6f\n", seconds);
    printf("qps %.0f\n", qps);
    printf("p50_us %.0f\n", (double)nearest_rank(50) / 1000);
    printf("p99_us %.0f\n", (double)nearest_rank(99) / 1000);
    printf("max_us %.0f\n", (double)nearest_rank(100) / 1000);
    printf("errors %lu\n", n_errors);
}

static void prepare(void)
{
    connections = calloc_or_die(n_connections, sizeof *connections);
    polled = calloc_or_die(n_connections, sizeof *polled);
    times = calloc_or_die(n_connections * n_messages, sizeof *times);
    pattern = calloc_or_die(size + SHIFTS, 1);
    for (size_t i = 0; i < size + SHIFTS; i++)
        pattern[i] = (char)(i * 2654435761U >> 13); /* without a short period */
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"host", "HOST", OPTION_TEXT, &host, 0, 0, "the server's address or name"},
        {"port", "PORT", OPTION_NUMBER, &port, 1, 65535, "the server's port"},
        {"connections", "N", OPTION_NUMBER, &n_connections, 1, 100000, "all open at once"},
        {"messages", "N", OPTION_NUMBER, &n_messages, 1, 1000000, "on each connection"},
        {"size", "BYTES", OPTION_NUMBER, &size, 1, 1UL << 30, "of a message"},
        {0},
    };
    options_parse(argc, argv, "put an echo server under load, and time every message", options,
                  NULL);
    prepare();
    open_all();
    run();
    report();
    free(pattern);
    free(times);
    free(polled);
    free(connections);
    return n_errors == 0 ? 0 : 1;
}
