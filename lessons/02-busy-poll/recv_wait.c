/*
 * What it costs to wait for a byte: in a blocking recv, by asking a nonblocking one again and again,
 * and by letting poll say when it is there.
 *
 * Another thread answers every request after --delay.  Each row of the table is one request and the
 * wait for its answer; CPU is the time for which this thread was running and not asleep.
 */

#include "clock.h"
#include "die.h"
#include "net.h"
#include "options.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct way {
    const char *name;
    int flags;  /* MSG_DONTWAIT: as O_NONBLOCK, for this one call */
    bool poll;  /* wait with poll first */
    bool again; /* until the byte is there */
};

static const struct way ways[] = {
    {"blocking", 0, false, false},
    {"nonblocking, once", MSG_DONTWAIT, false, false},
    {"nonblocking, until it is there", MSG_DONTWAIT, false, true},
    {"nonblocking, after poll", MSG_DONTWAIT, true, false},
};

static double delay_ms = 200;

static void *answer_late(void *fd)
{
    const int64_t ns = (int64_t)(delay_ms * 1e6);
    const struct timespec delay = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    char byte;
    while (net_read_all(*(int *)fd, &byte, 1) == 1) {
        nanosleep(&delay, NULL);
        net_write_all(*(int *)fd, &byte, 1); /* it fails once nobody waits: so does the next read */
    }
    return NULL;
}

static int64_t cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Ask for a byte, wait for it in one way, and print what that took. */
static void measure(const struct way *way, int fd)
{
    char byte = '?';
    if (net_write_all(fd, &byte, 1) == -1)
        die("send");
    long calls = 0;
    ssize_t n;
    int64_t wall = clock_now();
    int64_t cpu = cpu_now();
    if (way->poll && poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1) == -1)
        die("poll");
    do {
        n = recv(fd, &byte, 1, way->flags);
        calls++;
    } while (n == -1 && errno == EAGAIN && way->again);
    bool nothing = n == -1 && errno == EAGAIN;
    cpu = cpu_now() - cpu;
    wall = clock_now() - wall;
    if (n != 1 && !nothing)
        die("recv");

    printf("%-31s %10ld %12.3f %10.3f %14.3f  %s\n", way->name, calls, (double)wall / 1e6,
           (double)cpu / 1e6, (double)wall / 1e3 / (double)calls, nothing ? "EAGAIN" : "1 byte");
    if (nothing && net_read_all(fd, &byte, 1) != 1) /* the answer is still to come */
        die("recv");
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"delay", "MS", OPTION_DECIMAL, &delay_ms, 0, 60000, "milliseconds until the answer"},
        {0},
    };
    options_parse(argc, argv, "what it costs to wait for a byte", options, NULL);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
        die("socketpair");
    pthread_t thread;
    errno = pthread_create(&thread, NULL, answer_late, &ends[1]);
    if (errno != 0)
        die("cannot start a thread");

    printf("The answer comes after %g ms.\n\n", delay_ms);
    printf("%-31s %10s %12s %10s %14s  %s\n", "recv", "calls", "waited ms", "CPU ms", "us a call",
           "outcome");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        measure(&ways[i], ends[0]);

    shutdown(ends[0], SHUT_RDWR); /* ends the thread's read */
    pthread_join(thread, NULL);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
