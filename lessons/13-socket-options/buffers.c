/*
 * SO_RCVBUF and SO_SNDBUF: what is asked for, what the kernel makes of it, and what that does.
 *
 * The kernel doubles the number, since it counts its own structures too, caps it at
 * net.core.rmem_max and wmem_max, and stops tuning the buffer by itself.  The factor by which a
 * window is scaled is agreed on in the handshake (RFC 7323), from the buffer of that moment: a
 * listener's option, which accepted sockets inherit, is in time; on the accepted socket it is late.
 */

#include "clock.h"
#include "die.h"
#include "net.h"
#include "options.h"
#include "plain.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KB = 1024, MB = 1024 * KB, CHUNK = 64 * KB };

static const double slice = 0.15; /* seconds for each row of throughput */
static char chunk[CHUNK];

static void buffer_set(int fd, int option, int size)
{
    if (size != 0 && setsockopt(fd, SOL_SOCKET, option, &size, sizeof size) == -1)
        die("setsockopt");
}

/* [doubled] What is read back is not what was asked for. */
static bool asked_and_given(void)
{
    static const int sizes[] = {1, 16 * KB, 128 * KB, MB, 64 * MB};
    bool doubled = false;
    int fd = plain_socket();
    printf("%12s %12s %12s\n", "asked for", "SO_RCVBUF", "SO_SNDBUF");
    printf("%12s %12d %12d\n", "(default)", option_get(fd, SOL_SOCKET, SO_RCVBUF),
           option_get(fd, SOL_SOCKET, SO_SNDBUF));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        buffer_set(fd, SO_RCVBUF, sizes[i]);
        buffer_set(fd, SO_SNDBUF, sizes[i]);
        int received = option_get(fd, SOL_SOCKET, SO_RCVBUF);
        printf("%12d %12d %12d\n", sizes[i], received, option_get(fd, SOL_SOCKET, SO_SNDBUF));
        doubled = doubled || received == 2 * sizes[i];
    }
    close(fd);
    return doubled;
}

/* A connection with the sizes (0: leave it) set on the far side before and after the handshake. */
static struct pair pair_with(int before, int after)
{
    int lfd = plain_listen("127.0.0.1");
    buffer_set(lfd, SO_RCVBUF, before);
    struct pair p;
    p.near = plain_connect(lfd);
    p.far = plain_accept(lfd);
    buffer_set(p.far, SO_RCVBUF, after);
    close(lfd);
    return p;
}

/* [window] Send to somebody who does not read: how much is he offered, and how much does he take? */
static void fill(const char *name, int before, int after)
{
    struct pair p = pair_with(before, after);
    const int quiet = 50; /* looks, 1 ms apart, at which nothing has moved: it is full */
    unsigned window = 0;
    int received = 0;
    int seen = -1;
    for (int unmoved = 0; unmoved < quiet; pause_briefly()) {
        unsigned offered = tcp_state(p.near).tcpi_snd_wnd;
        window = offered > window ? offered : window;
        while (send(p.near, chunk, sizeof chunk, MSG_DONTWAIT) > 0)
            ;
        if (errno != EAGAIN)
            die("send");
        if (ioctl(p.far, FIONREAD, &received) == -1)
            die("FIONREAD");
        unmoved = received == seen ? unmoved + 1 : 0;
        seen = received;
    }
    printf("%-30s %9d %9d %14u %12d\n", name, option_get(p.far, SOL_SOCKET, SO_RCVBUF),
           tcp_state(p.far).tcpi_rcv_wscale, window, received);
    close(p.near);
    close(p.far);
}

static void *read_all(void *fd)
{
    char *buf = malloc(CHUNK);
    while (buf != NULL && recv(*(int *)fd, buf, CHUNK, 0) > 0)
        ;
    free(buf);
    return NULL;
}

/* Megabytes a second through buffers of one size (0: as the kernel tunes them). */
static double throughput(int size)
{
    struct pair p = pair_with(size, 0);
    buffer_set(p.near, SO_SNDBUF, size);
    pthread_t thread;
    errno = pthread_create(&thread, NULL, read_all, &p.far);
    if (errno != 0)
        die("cannot start a thread");
    double sent = 0;
    int64_t start = clock_now();
    int64_t deadline = deadline_in(slice);
    while (clock_now() < deadline) {
        ssize_t n = send(p.near, chunk, sizeof chunk, 0);
        if (n == -1)
            die("send");
        sent += (double)n;
    }
    double seconds = (double)(clock_now() - start) / 1e9;
    close(p.near);
    pthread_join(thread, NULL);
    close(p.far);
    return sent / seconds / 1e6;
}

int main(int argc, char **argv)
{
    options_parse(argc, argv, "SO_RCVBUF, SO_SNDBUF: asked, doubled, effective", NULL, NULL);
    bool doubled = asked_and_given();

    printf("\n%-30s %9s %9s %14s %12s\n", "SO_RCVBUF, peer never reads", "read back", "scale",
           "largest window", "bytes taken");
    fill("never set", 0, 0);
    fill("16 KB before listen", 16 * KB, 0);
    fill("16 KB before, 2 MB after", 16 * KB, 2 * MB);
    fill("2 MB before listen", 2 * MB, 0);
    fill("16 KB after accept", 0, 16 * KB);

    printf("\n%-30s %9s\n", "SO_RCVBUF and SO_SNDBUF", "MB/s");
    static const int sizes[] = {4 * KB, 16 * KB, 64 * KB, 256 * KB, MB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        printf("%-30d %9.0f\n", sizes[i], throughput(sizes[i]));
    printf("%-30s %9.0f\n", "never set", throughput(0));
    errno = 0;
    if (!doubled)
        die("nothing that was asked for was doubled");
    return 0;
}
