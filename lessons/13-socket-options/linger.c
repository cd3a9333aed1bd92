/*
 * SO_LINGER: what close does with what is not sent yet, and how long it takes.
 *
 * By default close returns at once and the kernel goes on sending.  With a time it waits, at most for
 * so long, until the peer's kernel has acknowledged everything - even on a nonblocking socket, which
 * is why an event loop cannot use it.  With the time 0 it throws away what is unsent and resets the
 * connection; nothing stays in TIME_WAIT.
 */

#include "clock.h"
#include "die.h"
#include "net.h"
#include "options.h"
#include "plain.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char bytes[65536];

/* The peer: reads nothing for a while, then everything. */
struct reader {
    int fd;
    long wait_ms; /* before the first read */
    size_t got;   /* bytes, until the end */
    int error;    /* how it ended: 0 is the end of the stream */
};

static void *read_late(void *arg)
{
    struct reader *r = arg;
    char buf[65536];
    nanosleep(&(struct timespec){r->wait_ms / 1000, r->wait_ms % 1000 * 1000000}, NULL);
    ssize_t n;
    while ((n = recv(r->fd, buf, sizeof buf, 0)) > 0)
        r->got += (size_t)n;
    r->error = n == 0 ? 0 : errno;
    return NULL;
}

/* A connection whose far end has room for little.  The near end does not block. */
static struct pair small_pair(void)
{
    const int size = 32 * 1024;
    int lfd = plain_listen("127.0.0.1");
    struct pair p;
    if (setsockopt(lfd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == -1)
        die("SO_RCVBUF");
    p.near = plain_connect(lfd);
    p.far = plain_accept(lfd);
    close(lfd);
    if (net_set_nonblocking(p.near) == -1)
        die("cannot make a socket nonblocking");
    return p;
}

/* Send until the kernel takes no more.  Returns the bytes that it has taken. */
static size_t fill(int fd)
{
    size_t sent = 0;
    ssize_t n;
    while ((n = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL)) > 0)
        sent += (size_t)n;
    if (errno != EAGAIN)
        die("send");
    return sent;
}

/* [close-time] Close with unsent data while the peer does not read yet, and print what each saw. */
static void show(const char *name, struct linger linger, long wait_ms)
{
    struct pair p = small_pair();
    socklen_t length = sizeof linger;
    if (setsockopt(p.near, SOL_SOCKET, SO_LINGER, &linger, length) == -1 ||
        getsockopt(p.near, SOL_SOCKET, SO_LINGER, &linger, &length) == -1)
        die("SO_LINGER");
    int near_port = net_local_port(p.near);
    int far_port = net_local_port(p.far);
    size_t sent = fill(p.near);

    struct reader r = {.fd = p.far, .wait_ms = wait_ms};
    pthread_t thread;
    errno = pthread_create(&thread, NULL, read_late, &r);
    if (errno != 0)
        die("cannot start a thread");
    int64_t start = clock_now();
    int outcome = close(p.near);
    double ms = (double)(clock_now() - start) / 1e6;
    int error = outcome == -1 ? errno : 0;
    pthread_join(thread, NULL);
    close(p.far);

    printf("%-10s {%d, %d} %7ld ms %9.1f ms  %-8s %9zu %9zu  %-24s %s\n", name, linger.l_onoff,
           linger.l_linger, wait_ms, ms, error == 0 ? "0" : strerror(error), sent, sent - r.got,
           r.error == 0 ? "end of stream" : strerror(r.error),
           plain_in_time_wait(near_port, far_port) ? "yes" : "no");
}

int main(int argc, char **argv)
{
    options_parse(argc, argv, "SO_LINGER: default, timed and reset", NULL, NULL);
    printf("%-17s %10s %12s  %-8s %9s %9s  %-24s %s\n", "SO_LINGER", "peer reads", "close takes",
           "returns", "sent", "lost", "the peer sees", "TIME_WAIT");
    show("default", (struct linger){0, 0}, 200);
    show("timed", (struct linger){1, 3}, 200);
    show("timed out", (struct linger){1, 1}, 2000);
    show("reset", (struct linger){1, 0}, 200);
    return 0;
}
