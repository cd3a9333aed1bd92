/*
 * A client that shows how long each blocking call waits.
 *
 * connect waits for the other end's kernel, send for room in the socket's buffers, recv for the
 * server's bytes.  A call is named before it is made and its time is printed after it: a line that
 * stays unfinished says where the process sleeps.
 *
 * Compare with: the client of 02-busy-poll, which chooses itself where to wait, and how long.
 * Left out on purpose: receiving while there is something left to send.  A thread that sleeps in
 * send cannot, and a large --size shows it.
 */

#include "clock.h"
#include "die.h"
#include "net.h"
#include "options.h"

#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *host = "127.0.0.1";
static unsigned long port = 8888;
static const char *message = "hello";
static unsigned long size = 0;
static unsigned long count = 1;
static double hold = 0;
static double timeout = 0;

static int64_t called;

static void before(const char *call)
{
    printf("%-8s", call);
    fflush(stdout);
    called = clock_now();
}

static void after(void)
{
    printf("%12.3f ms  ", (double)(clock_now() - called) / 1e6);
}

/* End the unfinished line and the program; error is the reason, an errno or 0. */
static _Noreturn void fail(const char *what, int error)
{
    puts("failed");
    fflush(stdout);
    errno = error == EAGAIN ? ETIMEDOUT : error; /* see [time-limit] */
    die("%s", what);
}

static struct timeval seconds(double s)
{
    time_t whole = (time_t)s;
    return (struct timeval){.tv_sec = whole, .tv_usec = (suseconds_t)((s - (double)whole) * 1e6)};
}

/* Returns a socket that is connected to this address, or -1 with errno. */
static int connect_to(const struct addrinfo *to)
{
    int fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC, to->ai_protocol);
    if (fd == -1)
        return -1;
    /* [time-limit] Even a blocking call can be told to give up: recv and send then fail with
     * EAGAIN, connect with EINPROGRESS.  A limit of 0 is none. */
    struct timeval limit = seconds(timeout);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == -1 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == -1)
        die("cannot set a time limit");

    char text[NET_TEXT_SIZE];
    before("connect");
    int status;
    do /* a signal does not undo the attempt: called again, connect goes on waiting for it */
        status = connect(fd, to->ai_addr, to->ai_addrlen);
    while (status == -1 && errno == EINTR);
    int error = errno;
    after();
    printf("%s %s\n", status == 0 ? "connected to" : "no connection to",
           net_address_text(to->ai_addr, to->ai_addrlen, text));
    if (status == 0)
        return fd;
    close(fd);
    errno = error == EINPROGRESS ? ETIMEDOUT : error;
    return -1;
}

/* A name may have several addresses: the first that answers is taken. */
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

/* [block-in-send] send returns when the kernel has its copy of the bytes, not when anybody has read
 * them; it sleeps only while the buffers at both ends are full. */
static void send_message(int fd)
{
    before("send");
    for (size_t done = 0; done < size;) {
        ssize_t n = send(fd, message + done, size - done, MSG_NOSIGNAL);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            fail("send", errno);
    }
    after();
    printf("%lu bytes\n", size);
}

/* [block-in-recv] recv sleeps until there is something, and returns what there is: the echo may
 * come in pieces. */
static void recv_echo(int fd)
{
    static char buf[65536];
    unsigned long pieces = 0;
    before("recv");
    for (size_t done = 0; done < size;) {
        ssize_t n = recv(fd, buf, size - done < sizeof buf ? size - done : sizeof buf, 0);
        if (n > 0) {
            if (memcmp(buf, message + done, (size_t)n) != 0)
                fail("recv: the echo is not what was sent", 0);
            done += (size_t)n;
            pieces++;
        } else if (n == 0) {
            fail("recv: the server closed the connection", 0);
        } else if (errno != EINTR) {
            fail("recv", errno);
        }
    }
    after();
    printf("%lu bytes in %lu piece%s\n", size, pieces, pieces == 1 ? "" : "s");
}

/* Replace the message by one of size bytes. */
static char *long_message(void)
{
    char *bytes = calloc_or_die(size, 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)('a' + i % 26);
    return bytes;
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"host", "HOST", OPTION_TEXT, &host, 0, 0, "the server's address or name"},
        {"port", "PORT", OPTION_NUMBER, &port, 1, 65535, "the server's port"},
        {"message", "TEXT", OPTION_TEXT, &message, 0, 0, "what to send"},
        {"size", "BYTES", OPTION_NUMBER, &size, 0, 1UL << 30, "send so many letters instead"},
        {"count", "N", OPTION_NUMBER, &count, 0, 1000000000, "messages, one after the other"},
        {"hold", "S", OPTION_DECIMAL, &hold, 0, 86400, "seconds to stay connected at the end"},
        {"timeout", "S", OPTION_DECIMAL, &timeout, 0, 86400,
         "seconds to wait in a call; 0: no end"},
        {0},
    };
    options_parse(argc, argv, "a client that shows how long each blocking call waits", options,
                  NULL);
    char *letters = size > 0 ? long_message() : NULL;
    if (letters != NULL)
        message = letters;
    else if ((size = strlen(message)) == 0)
        options_fail("--message: an empty message has no echo to wait for");

    int fd = connect_to_any();
    for (unsigned long i = 0; i < count; i++) {
        send_message(fd);
        recv_echo(fd);
    }
    if (hold > 0) {
        before("hold");
        struct timeval time = seconds(hold);
        nanosleep(&(struct timespec){.tv_sec = time.tv_sec, .tv_nsec = time.tv_usec * 1000}, NULL);
        after();
        puts("connected, silent");
    }
    close(fd);
    free(letters);
    return 0;
}
