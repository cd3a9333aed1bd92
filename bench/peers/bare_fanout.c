/*
 * bare_fanout - what the kernel alone asks for a room: the least that any chat server can cost.
 *
 * One room, an epoll loop.  A line that comes from a member is counted, and at the end of the turn
 * as many prepared lines go to all members, in one send for each.  Nothing is parsed, nothing is
 * kept: who does not read in time is closed.
 */

#include "die.h"
#include "net.h"
#include "server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, CHUNK = 65536, LINES_MAX = 4096 };

static unsigned long line_length = 190;
static int *members; /* their descriptors, dense */
static size_t *places;
static size_t n_members;
static int epfd;
static char *lines; /* LINES_MAX prepared lines */

static void member_close(int fd)
{
    places[members[--n_members]] = places[fd];
    members[places[fd]] = members[n_members];
    close(fd);
}

static void accept_members(int lfd)
{
    for (;;) {
        int fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd == -1)
            return;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == -1)
            die("epoll_ctl");
        places[fd] = n_members;
        members[n_members++] = fd;
        send(fd, "joined\n", 7, 0); /* the socket is empty: it cannot fail but for a reset */
    }
}

/* Returns the lines that came. */
static size_t member_read(int fd)
{
    static char buf[CHUNK];
    ssize_t n = recv(fd, buf, sizeof buf, 0);
    if (n <= 0) {
        member_close(fd);
        return 0;
    }
    size_t count = 0;
    for (const char *at = buf; (at = memchr(at, '\n', (size_t)(buf + n - at))) != NULL; at++)
        count++;
    return count;
}

static void fan_out(size_t count)
{
    size_t length = count * line_length;
    for (size_t i = n_members; i-- > 0;) /* from the end: a close moves the last one up */
        if (send(members[i], lines, length, 0) != (ssize_t)length)
            member_close(members[i]);
}

int main(int argc, char **argv)
{
    const struct option_spec more[] = {
        {"line", "BYTES", OPTION_NUMBER, &line_length, 2, 65536, "of a prepared line"},
        {0},
    };
    int lfd = server_start(argc, argv, "write prepared lines to all clients", more);
    if (net_set_nonblocking(lfd) == -1)
        die("cannot make the listener nonblocking");
    members = calloc_or_die(net_descriptor_limit(), sizeof *members);
    places = calloc_or_die(net_descriptor_limit(), sizeof *places);
    lines = calloc_or_die(LINES_MAX, line_length);
    memset(lines, 'x', LINES_MAX * line_length);
    for (size_t i = 1; i <= LINES_MAX; i++)
        lines[i * line_length - 1] = '\n';
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.fd = lfd}};
    epfd = epoll_create1(EPOLL_CLOEXEC);
    if (epfd == -1 || epoll_ctl(epfd, EPOLL_CTL_ADD, lfd, events) == -1)
        die("epoll");
    server_stop_on_signals(lfd);
    server_ready(lfd, "bare fan-out");

    while (!server_stopping) {
        size_t count = 0;
        int n = epoll_wait(epfd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == lfd)
                accept_members(lfd);
            else
                count += member_read(events[i].data.fd);
        }
        for (; count > LINES_MAX; count -= LINES_MAX)
            fan_out(LINES_MAX);
        if (count > 0)
            fan_out(count);
    }
    while (n_members > 0)
        member_close(members[0]);
    free(members);
    free(places);
    free(lines);
    close(epfd);
    close(lfd);
    return 0;
}
