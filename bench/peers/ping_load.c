/*
 * ping_load - the same light load for a redis-server and for an echo server.
 *
 * Every connection sends redis's PING, waits for the answer, and sends the next.  redis answers with
 * seven bytes, an echo server with the fourteen that it got: --reply says how many to wait for.
 * redis-benchmark could drive both as well, but it costs twice as much CPU a request as either
 * server, and on one core with them it empties their caches.
 */

#include "die.h"
#include "net.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, REPLY_MAX = 64 };

struct connection {
    int fd;
    unsigned long left;    /* requests that are not answered yet */
    unsigned long missing; /* bytes of this answer */
};

static const char request[] = "*1\r\n$4\r\nPING\r\n";
static unsigned long reply = 7;

static void ask(struct connection *c)
{
    c->missing = reply;
    if (net_write_all(c->fd, request, sizeof request - 1) == -1)
        die("cannot send");
}

/* Returns true once the connection has all its answers. */
static bool take(struct connection *c)
{
    char buf[REPLY_MAX];
    ssize_t n = recv(c->fd, buf, sizeof buf, 0);
    if (n <= 0 || (size_t)n > c->missing)
        die("no answer, or one of the wrong length");
    c->missing -= (size_t)n;
    if (c->missing > 0)
        return false;
    if (--c->left == 0)
        return true;
    ask(c);
    return false;
}

int main(int argc, char **argv)
{
    unsigned long port = 6379;
    unsigned long count = 100;
    unsigned long messages = 100;
    const struct option_spec options[] = {
        {"port", "PORT", OPTION_NUMBER, &port, 1, 65535, "the server's port on 127.0.0.1"},
        {"connections", "N", OPTION_NUMBER, &count, 1, 10000, "at the same time"},
        {"messages", "N", OPTION_NUMBER, &messages, 1, 1000000000, "to send on each"},
        {"reply", "BYTES", OPTION_NUMBER, &reply, 1, REPLY_MAX, "of one answer"},
        {0},
    };
    options_parse(argc, argv, "PING a redis-server, or an echo server", options, NULL);
    char service[8];
    snprintf(service, sizeof service, "%lu", port);
    struct connection *connections = calloc_or_die(count, sizeof *connections);
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned long i = 0; i < count; i++) {
        struct connection *c = &connections[i];
        c->fd = net_connect_or_die("127.0.0.1", service);
        c->left = messages;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &event) == -1)
            die("epoll_ctl");
    }
    for (unsigned long i = 0; i < count; i++)
        ask(&connections[i]);
    for (unsigned long open = count; open > 0;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epfd, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            if (take(events[i].data.ptr)) {
                close(((struct connection *)events[i].data.ptr)->fd);
                open--;
            }
    }
    free(connections);
    close(epfd);
    return 0;
}
