/*
 * The program that calls connect_timeout: it tries one address after the other, and proves a connection
 * by a line that must come back.  Given; there is nothing to change here.
 *
 * Compare with: the client of lessons/02-busy-poll, which does both in one file
 */

#include "clock.h"
#include "connect_timeout.h"
#include "die.h"
#include "net.h"
#include "options.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static const char line[] = "hello\n";
enum { LINE = sizeof line - 1 };

static const char *to = "127.0.0.1:8888";
static unsigned long timeout = 1000;
static unsigned long alarm_every = 0;

static volatile sig_atomic_t alarms;

static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

/* Let SIGALRM interrupt whatever sleeps: without SA_RESTART, a poll or recv then fails with EINTR. */
static void strike(unsigned long every_ms)
{
    const struct sigaction action = {.sa_handler = on_alarm};
    const struct timeval every = {.tv_sec = (time_t)(every_ms / 1000),
                                  .tv_usec = (suseconds_t)(every_ms % 1000 * 1000)};
    const struct itimerval timer = {.it_interval = every, .it_value = every};
    if (sigaction(SIGALRM, &action, NULL) == -1 || setitimer(ITIMER_REAL, &timer, NULL) == -1)
        die("cannot set the timer");
}

static int silent_port;

/* Make a listener that never answers: nobody accepts from it, and its queue is full, so that the kernel
 * drops what arrives.  Its descriptors stay open. */
static void make_silent(void)
{
    char port[24];
    int lfd = net_listen_or_die("127.0.0.1", "0", 0); /* Linux queues one more */
    silent_port = net_local_port(lfd);
    snprintf(port, sizeof port, "%d", silent_port);
    net_connect_or_die("127.0.0.1", port);
}

/* Read "127.0.0.1:8888", "silent", or "@name": a UNIX socket in the abstract namespace, see unix(7).
 * Returns the length of the address. */
static socklen_t parse_address(const char *text, struct sockaddr_storage *address)
{
    *address = (struct sockaddr_storage){0};
    if (*text == '@') {
        struct sockaddr_un *local = (struct sockaddr_un *)address;
        size_t length = strnlen(text + 1, sizeof local->sun_path - 1);
        local->sun_family = AF_UNIX;
        memcpy(local->sun_path + 1, text + 1, length); /* behind a 0: there is no such file */
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    }
    struct sockaddr_in *internet = (struct sockaddr_in *)address;
    char host[INET_ADDRSTRLEN];
    unsigned short port;
    if (strcmp(text, "silent") == 0) {
        internet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        port = (unsigned short)silent_port;
    } else if (sscanf(text, "%15[0-9.]:%hu", host, &port) != 2 ||
               inet_pton(AF_INET, host, &internet->sin_addr) != 1) {
        options_fail("--to: '%s' is not 127.0.0.1:8888, silent or @name", text);
    }
    internet->sin_family = AF_INET;
    internet->sin_port = htons(port);
    return sizeof *internet;
}

/* The milliseconds since then. */
static double since_ms(int64_t start)
{
    return (double)(clock_now() - start) / 1e6;
}

/* Send the line and wait until it has come back.  poll waits here, so that it makes no difference
 * whether fd is blocking.  Returns what came of it. */
static const char *exchange(int fd)
{
    char back[LINE];
    size_t received = 0;
    if (net_write_all(fd, line, LINE) == -1)
        return strerror(errno);
    while (received < LINE) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&readable, 1, -1) == 1
                        ? recv(fd, back + received, LINE - received, MSG_DONTWAIT)
                        : -1;
        if (n > 0)
            received += (size_t)n;
        else if (n == 0)
            return "the other end closed the connection";
        else if (errno != EINTR && errno != EAGAIN)
            return strerror(errno);
    }
    return memcmp(back, line, LINE) == 0 ? "hello came back" : "what came back is not hello";
}

static void try(const char *text)
{
    struct sockaddr_storage address;
    socklen_t length = parse_address(text, &address);
    errno = EIO; /* as some earlier call may have left it */
    int64_t start = clock_now();
    int fd = connect_timeout((struct sockaddr *)&address, length, (int)timeout);
    int error = errno;
    double ms = since_ms(start);
    if (fd == -1) {
        const char *name = strerrorname_np(error);
        printf("%-20s %s after %.3f ms\n", text, name != NULL ? name : "?", ms);
        return;
    }
    printf("%-20s connected after %.3f ms, %s, %s\n", text, ms,
           fcntl(fd, F_GETFL) & O_NONBLOCK ? "nonblocking" : "blocking",
           fcntl(fd, F_GETFD) & FD_CLOEXEC ? "close-on-exec" : "kept by exec");
    printf("%-20s %s\n", "", exchange(fd));
    close(fd);
}

/* The number of descriptors that are open. */
static int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        die("/proc/self/fd");
    int count = -3; /* ".", ".." and the folder's own */
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"to", "ADDRESSES", OPTION_TEXT, &to, 0, 0,
         "one after the other: 127.0.0.1:8888,silent,@name"},
        {"timeout", "MS", OPTION_NUMBER, &timeout, 0, 3600000, "milliseconds for each"},
        {"alarm", "MS", OPTION_NUMBER, &alarm_every, 0, 3600000, "a signal so often; 0: none"},
        {0},
    };
    options_parse(argc, argv, "connect with a deadline, and prove it", options, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line can be read when it is known */
    if (alarm_every > 0)
        strike(alarm_every);
    if (strstr(to, "silent") != NULL)
        make_silent();
    int before = descriptors();

    char *addresses = strdup(to);
    if (addresses == NULL)
        die("out of memory");
    char *rest = NULL;
    for (char *a = strtok_r(addresses, ",", &rest); a != NULL; a = strtok_r(NULL, ",", &rest))
        try(a);
    free(addresses);

    printf("%d descriptors are open, %d more than before", descriptors(), descriptors() - before);
    if (alarm_every > 0)
        printf("; %d signals", (int)alarms);
    putchar('\n');
    return 0;
}
