/*
 * The course says: these are echo servers.
 *
 * Its two examples, in C, as they stand: the select loop of its section 2.2, and the epoll loop of
 * 2.4.  What is an exception there, which nobody catches, ends the process here.
 *
 *   - select: a client that sends and does not read.  A send that takes only a part loses the rest;
 *     one that takes nothing is an exception.
 *   - epoll: a client that resets its connection.  recv is an exception.
 *   - epoll: a slow reader.  It loses nothing, since it waits for EPOLLOUT before each send of at
 *     most 1,024 bytes, and for EPOLLIN only after it: a pending reply is not overwritten.
 *
 * Compare with: server.c, at [partial-send] and [backpressure].
 */

#include "claim.h"
#include "clock.h"
#include "die.h"
#include "net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHUNK = 1024, /* bytes that the examples receive at once */
    ATTEMPTS = 50,
    SLOW_BYTES = 8 << 20,
    PIECE = 16384,
    PATIENCE = 10 /* seconds for anything to happen */
};

static const struct claim claim = {
    "its two examples are echo servers",
    "not to copy: they drop data at a partial send, and one client's failure ends them"};

/* What an example has done, in memory that it shares with the one who watches. */
static volatile struct seen {
    long received, sent, partial;
} * seen;

/* ---- the examples ----------------------------------------------------------------------------- */

/* An exception that nobody catches. */
static long or_raise(long result)
{
    if (result == -1)
        _exit(errno == EAGAIN ? EAGAIN : EXIT_FAILURE);
    return result;
}

static long receive(int fd, char data[CHUNK])
{
    long n = or_raise(recv(fd, data, CHUNK, 0));
    seen->received += n;
    return n;
}

/* sock.send(data): what it returns, the bytes that were taken, is not looked at. */
static void send_some(int fd, const char *data, long size)
{
    long n = or_raise(send(fd, data, (size_t)size, MSG_NOSIGNAL));
    seen->partial += n < size;
    seen->sent += n;
}

static int accept_one(int lfd)
{
    int cfd = (int)or_raise(accept(lfd, NULL, NULL));
    net_set_nonblocking(cfd);
    return cfd;
}

static void select_example(int lfd)
{
    fd_set inputs;
    FD_ZERO(&inputs);
    FD_SET(lfd, &inputs);
    for (;;) {
        fd_set readable = inputs;
        or_raise(select(FD_SETSIZE, &readable, NULL, NULL, NULL));
        for (int fd = 0; fd < FD_SETSIZE; fd++) {
            char data[CHUNK];
            long n;
            if (!FD_ISSET(fd, &readable))
                continue;
            if (fd == lfd) {
                int cfd = accept_one(lfd);
                FD_SET(cfd, &inputs);
            } else if ((n = receive(fd, data)) > 0) {
                send_some(fd, data, n);
            } else {
                FD_CLR(fd, &inputs);
                close(fd);
            }
        }
    }
}

static void control(int epfd, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    or_raise(epoll_ctl(epfd, operation, fd, &event));
}

static void epoll_example(int lfd)
{
    static char requests[FD_SETSIZE][CHUNK];
    static long sizes[FD_SETSIZE];
    int epfd = (int)or_raise(epoll_create1(0));
    control(epfd, EPOLL_CTL_ADD, lfd, EPOLLIN);
    for (;;) {
        struct epoll_event events[64];
        int count = (int)or_raise(epoll_wait(epfd, events, 64, 1000));
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == lfd) {
                control(epfd, EPOLL_CTL_ADD, accept_one(lfd), EPOLLIN);
            } else if (events[i].events & EPOLLIN) {
                sizes[fd] = receive(fd, requests[fd]);
                if (sizes[fd] > 0)
                    control(epfd, EPOLL_CTL_MOD, fd, EPOLLOUT);
                else
                    close(fd);
            } else if (events[i].events & EPOLLOUT) {
                send_some(fd, requests[fd], sizes[fd]);
                control(epfd, EPOLL_CTL_MOD, fd, EPOLLIN);
            }
        }
    }
}

/* ---- one of them, and its clients --------------------------------------------------------------- */

struct subject {
    pid_t pid;
    char port[16];
    int end; /* readable when it has ended */
};

static struct subject start(void (*example)(int lfd))
{
    struct subject s;
    int end[2];
    int lfd = net_listen_or_die("127.0.0.1", "0", 5);
    if (net_set_nonblocking(lfd) == -1 || pipe(end) == -1)
        die("pipe");
    snprintf(s.port, sizeof s.port, "%d", net_local_port(lfd));
    *seen = (struct seen){0};
    if ((s.pid = fork()) == -1)
        die("fork");
    if (s.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(end[0]);
        example(lfd);
    }
    close(lfd);
    close(end[1]);
    s.end = end[0];
    return s;
}

/* Has it ended within so many milliseconds? */
static bool ended(const struct subject *s, int ms)
{
    return poll(&(struct pollfd){.fd = s->end, .events = POLLIN}, 1, ms) == 1;
}

/* End it, if it has not ended by itself.  Returns its exit status, or -1 if it was still there. */
static int stop(const struct subject *s)
{
    int status = 0;
    kill(s->pid, SIGKILL);
    if (waitpid(s->pid, &status, 0) == -1)
        die("waitpid");
    close(s->end);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Connect with a small buffer, so that the example's own fills soon. */
static int client(const struct subject *s)
{
    static const struct timeval patience = {.tv_sec = PATIENCE};
    static const int small = 8192, yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(s->port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == -1 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == -1 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == -1 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == -1 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) == -1)
        die("cannot connect");
    return fd;
}

/* Send without reading until a send of the example was partial, or it has ended, which it may do
 * first: then false.  Each chunk waits until the one before has been received and answered. */
static bool send_until_partial(const struct subject *s, int fd, size_t chunk, long *sent)
{
    static const char data[CHUNK];
    while (seen->partial == 0) {
        if (net_write_all(fd, data, chunk) == -1)
            return false;
        *sent += (long)chunk;
        int64_t deadline = clock_now() + PATIENCE * 1000000000LL;
        while (seen->partial == 0 && seen->sent < *sent) {
            if (ended(s, 0))
                return false;
            if (clock_now() > deadline)
                die("timed out after %d s waiting for the select example to answer", PATIENCE);
            sched_yield();
        }
    }
    return true;
}

/* Read until the stream ends, or `most` bytes.  Returns how many. */
static long read_up_to(int fd, long most)
{
    static char piece[PIECE];
    long got = 0;
    while (got < most) {
        long left = most - got;
        ssize_t n = recv(fd, piece, left < PIECE ? (size_t)left : PIECE, 0);
        if (n <= 0)
            break;
        got += n;
    }
    return got;
}

/* The bytes that the select example drops at its first partial send and is still there: it has gone
 * on and has closed in good order.  Where it ends before that comes, it is tried with chunks of
 * another size.  died: how often it ended because nothing more was taken. */
static long dropped_by_select(int *died)
{
    long lost = 0;
    for (int attempt = 0; attempt < ATTEMPTS && (lost == 0 || *died == 0); attempt++) {
        struct subject s = start(select_example);
        int fd = client(&s);
        long sent = 0;
        bool partial = send_until_partial(&s, fd, CHUNK - 31 * (size_t)(attempt % 16), &sent);
        if (partial && lost == 0) {
            shutdown(fd, SHUT_WR);
            lost = sent - read_up_to(fd, sent);
        } else { /* go on sending, and read nothing */
            while (!ended(&s, 0) && net_write_all(fd, "?", 1) == 0)
                ;
        }
        close(fd);
        *died += stop(&s) == EAGAIN;
    }
    return lost;
}

/* Does a reset end the epoll example, and the connection of a client that did nothing? */
static bool reset_ends_epoll(void)
{
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct subject s = start(epoll_example);
    int bystander = client(&s), fd = client(&s);
    char byte;
    if (net_write_all(bystander, "?", 1) == -1 || net_read_all(bystander, &byte, 1) != 1 ||
        net_write_all(fd, "?", 1) == -1 || net_read_all(fd, &byte, 1) != 1)
        die("no echo");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    bool gone = ended(&s, PATIENCE * 1000) && recv(bystander, &byte, 1, 0) <= 0;
    close(bystander);
    return stop(&s) != -1 && gone;
}

/* The bytes that a slow reader misses from the epoll example: it reads a quarter of what it sends,
 * until it has sent all. */
static long missing_from_epoll(void)
{
    static const char piece[PIECE];
    struct subject s = start(epoll_example);
    int fd = client(&s);
    long sent = 0, got = 0;
    while (sent < SLOW_BYTES) {
        ssize_t n = send(fd, piece, sizeof piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? n : 0;
        if (n == -1 && errno != EAGAIN)
            break;
        long owed = sent - got, quarter = n > 0 ? n / 4 : PIECE;
        got += read_up_to(fd, owed < quarter ? owed : quarter);
    }
    shutdown(fd, SHUT_WR);
    got += read_up_to(fd, sent - got);
    close(fd);
    stop(&s);
    return sent - got;
}

int main(void)
{
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED)
        die("mmap");
    signal(SIGPIPE, SIG_IGN);
    int died = 0;
    long dropped = dropped_by_select(&died);
    bool gone = reset_ends_epoll();
    long missing = missing_from_epoll();
    claim_end(&claim, dropped > 0 && died > 0 && gone && missing == 0,
              "select's: %ld bytes dropped at a partial send, and a client that does not read %s; "
              "epoll's: one client's reset %s; a slow reader of 8 MiB misses %ld bytes",
              dropped, died > 0 ? "ends it" : "does not end it",
              gone ? "ends it for all" : "does not end it", missing);
}
