/*
 * The program that calls your functions: it asks for an answer, receives it in one way after the other,
 * and prints what each took.  Given; there is nothing to change here.
 *
 * The other end of its socket is a thread that answers each request late.  With --port it is a server
 * instead: one that answers "hello" to any byte.  That is how the grader runs it.
 *
 * Compare with: lessons/02-busy-poll/recv_wait.c
 */

#include "clock.h"
#include "die.h"
#include "net.h"
#include "options.h"
#include "wait_times.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char answer[] = "hello";
enum { ANSWER = sizeof answer - 1 };

static const char *host = "127.0.0.1";
static unsigned long port = 0;
static double delay_ms = 200;
static const char *steps = "recv nonblocking recv busy blocking recv";

static int64_t slept_ns, refused_ns; /* the last recv that brought bytes, and the last EAGAIN */

static void *answer_late(void *fd)
{
    const int64_t ns = (int64_t)(delay_ms * 1e6);
    const struct timespec delay = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    char byte;
    while (net_read_all(*(int *)fd, &byte, 1) == 1) {
        nanosleep(&delay, NULL);
        net_write_all(*(int *)fd, answer, ANSWER); /* if nobody waits any more, the read ends it */
    }
    return NULL;
}

static void ask(int fd)
{
    if (net_write_all(fd, "?", 1) == -1)
        die("cannot ask for an answer");
}

/* Wait for the answer without your functions, whether fd is blocking or not. */
static void await_answer(int fd)
{
    char buffer[ANSWER];
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    while (poll(&readable, 1, -1) == -1)
        if (errno != EINTR)
            die("poll");
    if (recv(fd, buffer, sizeof buffer, 0) == -1)
        die("cannot receive the answer");
}

static void step_set(int fd, bool blocking)
{
    if (set_blocking(fd, blocking) == -1)
        die("set_blocking");
    int flags = fcntl(fd, F_GETFL);
    printf("%-12s O_NONBLOCK is %s, O_APPEND %s\n", blocking ? "blocking" : "nonblocking",
           flags & O_NONBLOCK ? "on" : "off", flags & O_APPEND ? "is kept" : "is lost");
}

static void step_receive(int fd, const char *name, struct timing (*receive)(int, void *, size_t))
{
    char buffer[ANSWER] = {0};
    ask(fd);
    errno = EIO; /* as some earlier call may have left it */
    struct timing t = receive(fd, buffer, sizeof buffer);
    if (t.result > 0 && memcmp(buffer, answer, (size_t)t.result) != 0) {
        errno = 0;
        die("the bytes in the buffer are not those that were sent");
    }
    const char *error = t.error == 0 ? "-" : strerrorname_np(t.error);
    printf("%-12s %6zd  %-12s %14.3f us", name, t.result, error != NULL ? error : "?",
           (double)t.ns / 1e3);
    if (receive == busy_recv)
        printf("  EAGAIN %ld times", t.again);
    putchar('\n');
    if (receive == timed_recv && t.result > 0)
        slept_ns = t.ns;
    if (t.result == -1 && t.error == EAGAIN) {
        refused_ns = t.ns;
        await_answer(fd); /* it is still to come */
    }
}

static void step(int fd, const char *name)
{
    if (strcmp(name, "blocking") == 0 || strcmp(name, "nonblocking") == 0) {
        step_set(fd, *name == 'b');
    } else if (strcmp(name, "recv") == 0) {
        step_receive(fd, name, timed_recv);
    } else if (strcmp(name, "busy") == 0) {
        step_receive(fd, name, busy_recv);
    } else if (strcmp(name, "hold") == 0) {
        ask(fd);
        await_answer(fd);
    } else {
        options_fail("--steps: there is no step '%s'", name);
    }
}

static void on_signal(int number)
{
    (void)number; /* it is enough that it has interrupted a call */
}

static int connect_to_server(void)
{
    char service[24];
    snprintf(service, sizeof service, "%lu", port);
    return net_connect_or_die(host, service);
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"steps", "WORDS", OPTION_TEXT, &steps, 0, 0,
         "what to do: recv, busy, nonblocking, blocking, hold"},
        {"delay", "MS", OPTION_DECIMAL, &delay_ms, 0, 60000, "milliseconds until an answer"},
        {"host", "HOST", OPTION_TEXT, &host, 0, 0, "with --port: where the server is"},
        {"port", "PORT", OPTION_NUMBER, &port, 1, 65535, "ask a server, and not an own thread"},
        {0},
    };
    options_parse(argc, argv, "how long recv takes, blocking and nonblocking", options, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line can be read when its step is done */

    int ends[2] = {-1, -1};
    pthread_t thread;
    if (port != 0)
        ends[0] = connect_to_server();
    else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
        die("socketpair");
    if (port == 0 && (errno = pthread_create(&thread, NULL, answer_late, &ends[1])) != 0)
        die("cannot start a thread");

    /* SIGUSR1 interrupts a call: without SA_RESTART recv then fails with EINTR.  And a flag that means
     * nothing to a socket, to see whether set_blocking keeps it. */
    const struct sigaction interrupt = {.sa_handler = on_signal};
    if (sigaction(SIGUSR1, &interrupt, NULL) == -1 ||
        fcntl(ends[0], F_SETFL, fcntl(ends[0], F_GETFL) | O_APPEND) == -1)
        die("cannot prepare");

    char *words = strdup(steps);
    if (words == NULL)
        die("out of memory");
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        step(ends[0], word);
    free(words);
    if (slept_ns > 0 && refused_ns > 0)
        printf("\nrecv took %.0f times as long blocking as nonblocking.\n",
               (double)slept_ns / (double)refused_ns);

    shutdown(ends[0], SHUT_RDWR); /* ends the thread's read */
    if (port == 0) {
        pthread_join(thread, NULL);
        close(ends[1]);
    }
    close(ends[0]);
    return 0;
}
