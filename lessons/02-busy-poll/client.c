/*
 * A client whose calls never wait: it chooses itself where to wait, and for how long.
 *
 * The new idea: a nonblocking connect starts the handshake and returns EINPROGRESS.  The socket
 * becomes writable once the attempt is decided, and SO_ERROR then says how.  The waiting is done in
 * one place, by poll with a time limit: a glimpse of lesson 04.
 *
 * Compare with: the client of 01-blocking
 * Left out on purpose: a name lookup that does not wait.  getaddrinfo may have to ask a name server,
 * and POSIX has no other form of it.
 */

#include "clock.h"
#include "die.h"
#include "net.h"
#include "options.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *host = "127.0.0.1";
static unsigned long port = 8888;
static const char *message = "hello";
static double timeout = 5;
static bool full_queue = false;

static int64_t started;  /* when the program was */
static int64_t deadline; /* of the connection or the exchange that is under way */

/* Print the time, the call, and what came of it. */
__attribute__((format(printf, 2, 3))) static void step(const char *call, const char *format, ...)
{
    printf("%10.3f ms  %-9s ", (double)(clock_now() - started) / 1e6, call);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

/* [time-limit] Sleep until fd is ready for one of the events, or the deadline has passed: then
 * false, with errno ETIMEDOUT.  A signal ends poll early, so what is left is computed anew. */
static bool wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        int64_t left = deadline - clock_now();
        if (left <= 0) {
            step("poll", "nothing within %g s", timeout);
            errno = ETIMEDOUT;
            return false;
        }
        int n = poll(&p, 1, (int)((left + 999999) / 1000000)); /* milliseconds, rounded up */
        if (n == -1 && errno != EINTR)
            die("poll");
        if (n == 1) {
            step("poll", "ready:%s%s%s%s", p.revents & POLLIN ? " POLLIN" : "",
                 p.revents & POLLOUT ? " POLLOUT" : "", p.revents & POLLERR ? " POLLERR" : "",
                 p.revents & POLLHUP ? " POLLHUP" : "");
            return true;
        }
    }
}

/* [so-error] Writable means decided, not connected: fetch the outcome, 0 or an errno. */
static int connect_outcome(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (!wait_for(fd, POLLOUT) || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
        return errno;
    step("SO_ERROR", "%d: %s", error, error == 0 ? "connected" : strerror(error));
    return error;
}

/* Returns a nonblocking socket that is connected to this address, or -1 with errno. */
static int connect_to(const struct addrinfo *to)
{
    int fd = socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, to->ai_protocol);
    if (fd == -1)
        return -1;
    char text[NET_TEXT_SIZE];
    step("socket", "nonblocking, for %s", net_address_text(to->ai_addr, to->ai_addrlen, text));
    deadline = clock_now() + (int64_t)(timeout * 1e9);
    int error = connect(fd, to->ai_addr, to->ai_addrlen) == -1 ? errno : 0;
    if (error == 0) {
        step("connect", "connected at once");
        return fd;
    }
    step("connect", "%s", error == EINPROGRESS ? "EINPROGRESS: under way" : strerror(error));
    if (error == EINPROGRESS ||
        error == EINTR) /* [in-progress] a signal does not undo it, either */
        error = connect_outcome(fd);
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

/* A name may have several addresses: the first that answers within the limit is taken. */
static int connect_to_any(void)
{
    char service[8];
    snprintf(service, sizeof service, "%lu", port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(host, service, &hints, &list);
    if (error != 0) {
        errno = 0;
        die("%s: %s", host, gai_strerror(error));
    }
    int fd = -1;
    for (const struct addrinfo *a = list; a != NULL && fd == -1; a = a->ai_next)
        fd = connect_to(a);
    if (fd == -1)
        die("cannot connect to %s port %lu", host, port);
    freeaddrinfo(list);
    return fd;
}

/* Send and receive, whichever is possible; wait when neither is. */
static void exchange(int fd)
{
    const size_t size = strlen(message);
    char buf[4096];
    deadline = clock_now() + (int64_t)(timeout * 1e9);
    for (size_t sent = 0, received = 0; received < size;) {
        ssize_t n = sent == size ? 0 : send(fd, message + sent, size - sent, MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
            step("send", "%zd bytes", n);
        } else if (n == -1 && errno != EAGAIN && errno != EINTR) {
            die("send");
        }
        n = recv(fd, buf, sizeof buf, 0);
        if (n > 0) {
            if ((size_t)n > sent - received || memcmp(buf, message + received, (size_t)n) != 0) {
                errno = 0;
                die("recv: the echo is not what was sent");
            }
            received += (size_t)n;
            step("recv", "%zd bytes", n);
        } else if (n == 0) {
            errno = 0;
            die("recv: the server closed the connection");
        } else if (errno == EAGAIN) { /* [again] what a blocking recv would have slept for */
            step("recv", "EAGAIN: nothing yet");
            if (!wait_for(fd, sent < size ? POLLIN | POLLOUT : POLLIN))
                die("recv");
        } else if (errno != EINTR) {
            die("recv");
        }
    }
}

/* [full-queue] Make a listener that nobody accepts from, and fill its queue.  The kernel then drops
 * what arrives without a word, as an address does at which there is nobody. */
static void listen_and_fill(void)
{
    const int backlog = 1; /* Linux queues one more */
    int lfd = net_listen_or_die("127.0.0.1", "0", backlog);
    host = "127.0.0.1";
    port = (unsigned long)net_local_port(lfd);
    char service[8];
    snprintf(service, sizeof service, "%lu", port);
    for (int i = 0; i <= backlog; i++)
        net_connect_or_die(host, service);
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"host", "HOST", OPTION_TEXT, &host, 0, 0, "the server's address or name"},
        {"port", "PORT", OPTION_NUMBER, &port, 1, 65535, "the server's port"},
        {"message", "TEXT", OPTION_TEXT, &message, 0, 0, "what to send"},
        {"timeout", "S", OPTION_DECIMAL, &timeout, 0, 86400, "seconds for each connection"},
        {"full-queue", NULL, OPTION_FLAG, &full_queue, 0, 0, "try a listener that never answers"},
        {0},
    };
    options_parse(argc, argv, "a client whose calls never wait", options, NULL);
    if (*message == '\0')
        options_fail("--message: an empty message has no echo to wait for");
    if (full_queue)
        listen_and_fill();
    started = clock_now();
    int fd = connect_to_any();
    exchange(fd);
    close(fd);
    return 0;
}
