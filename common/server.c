/* server - what every server of the kit does in the same way.  See server.h. */

#include "server.h"

#include "clock.h"
#include "die.h"
#include "net.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BACKLOG = 4096 };

static const char *host = "127.0.0.1";
static unsigned long port = 8888;
static unsigned long work_us = 0;
static bool quiet = false;

static const struct option_spec shared_options[] = {
    {"host", "HOST", OPTION_TEXT, &host, 0, 0, "address or name to listen on"},
    {"port", "PORT", OPTION_NUMBER, &port, 0, 65535, "port to listen on; 0 takes a free one"},
    {"work", "USEC", OPTION_NUMBER, &work_us, 0, 10000000, "CPU microseconds to burn per chunk"},
    {"quiet", NULL, OPTION_FLAG, &quiet, 0, 0, "do not report connections on standard error"},
    {0},
};

atomic_bool server_stopping = false;

/* What the handler shuts down: the listener, and the client of a blocking server. */
static volatile sig_atomic_t stop_listener = -1;
static volatile sig_atomic_t stop_client = -1;

void server_options(int argc, char **argv, const char *summary, const struct option_spec *more)
{
    options_parse(argc, argv, summary, shared_options, more);
    signal(SIGPIPE, SIG_IGN);
}

int server_listen(int option)
{
    char service[8];
    snprintf(service, sizeof service, "%lu", port);
    int lfd = net_listen_with(host, service, BACKLOG, option);
    if (lfd == -1)
        die("cannot listen on %s port %s", host, service);
    if (net_reserve_descriptor() == -1)
        die("cannot reserve a descriptor");
    port = (unsigned long)net_local_port(lfd);
    return lfd;
}

int server_start(int argc, char **argv, const char *summary, const struct option_spec *more)
{
    server_options(argc, argv, summary, more);
    return server_listen(SO_REUSEADDR);
}

void server_ready(int lfd, const char *model)
{
    char where[NET_TEXT_SIZE];
    printf("listening on %s (%s)\n", net_local_text(lfd, where), model);
    fflush(stdout);
}

static void stop(int signal_number)
{
    (void)signal_number;
    int saved = errno;
    server_stopping = true;
    if (stop_listener != -1)
        shutdown(stop_listener, SHUT_RDWR);
    if (stop_client != -1)
        shutdown(stop_client, SHUT_RDWR);
    errno = saved;
}

void server_stop_on_signals(int lfd)
{
    stop_listener = lfd;
    struct sigaction action = {.sa_handler = stop};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void server_stop_also(int cfd)
{
    stop_client = cfd;
    if (server_stopping && cfd != -1)
        shutdown(cfd, SHUT_RDWR); /* the signal came before we said which client */
}

__attribute__((format(printf, 1, 0))) static void print_line(const char *format, va_list arguments)
{
    char line[512];
    vsnprintf(line, sizeof line, format, arguments);
    fprintf(stderr, "%s\n", line); /* one write(2): lines of several threads do not mix */
}

void server_report(const char *format, ...)
{
    if (quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
}

void server_refuse(const char *format, ...)
{
    static _Atomic int64_t next = 0;
    int64_t now = clock_now();
    if (now < next)
        return;
    next = now + 1000000000;
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
}

bool server_accept_again(int lfd)
{
    int error = errno;
    bool again = net_accept_again(lfd);
    if (again && (error == EMFILE || error == ENFILE))
        server_refuse("refused: %s (see ulimit -n)", strerror(error));
    return again;
}

void server_work(void)
{
    if (work_us == 0)
        return;
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    int64_t end = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + (int64_t)work_us * 1000;
    while ((int64_t)t.tv_sec * 1000000000 + t.tv_nsec < end)
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
}
