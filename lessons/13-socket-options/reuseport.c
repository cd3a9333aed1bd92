/*
 * SO_REUSEPORT: several live listeners on one port.
 *
 * The kernel picks the listener by a hash of the connection's addresses and ports.  That spreads; it
 * does not balance: who is busy gets as many as who is idle.  A connection belongs to its listener
 * from the SYN on, so those that wait in a queue die with it.
 *
 * Compare with: reuseaddr.c; lesson 11 stands on it
 */

#include "die.h"
#include "net.h"
#include "options.h"
#include "plain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENERS = 4, MOST = 400 };

static int listeners[LISTENERS];
static int clients[MOST];

/* Returns a nonblocking listener, or -1 with errno.  Each of a group must have the option, and all
 * must belong to one user. */
static int listen_on(int port, bool reuse)
{
    int lfd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (lfd == -1)
        die("socket");
    const int on = 1;
    if (reuse && setsockopt(lfd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == -1)
        die("SO_REUSEPORT");
    struct sockaddr_in address = plain_address("127.0.0.1", port);
    if (bind(lfd, (struct sockaddr *)&address, sizeof address) == 0 && listen(lfd, MOST) == 0)
        return lfd;
    int saved = errno;
    close(lfd);
    errno = saved;
    return -1;
}

/* Close by reset, so that hundreds of connections do not stay behind in TIME_WAIT: see linger.c. */
static void close_at_once(int fd)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == -1)
        die("SO_LINGER");
    close(fd);
}

/* Connect, and wait until all are in a queue: connect can return a moment before that. */
static void fill_queues(int count, unsigned queued[LISTENERS])
{
    for (int i = 0; i < count; i++)
        clients[i] = plain_connect(listeners[0]);
    unsigned sum = 0;
    for (int64_t deadline = deadline_in(10); sum < (unsigned)count;) {
        pause_until(deadline, "all to be queued");
        sum = 0;
        for (int i = 0; i < LISTENERS; i++)
            sum += queued[i] = tcp_state(listeners[i]).tcpi_unacked; /* of a listener: its queue */
    }
}

/* Take all that wait at a listener.  Returns how many. */
static int drain(int lfd)
{
    for (int count = 0;;) {
        int cfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
        if (cfd != -1) {
            close_at_once(cfd);
            count++;
        } else if (errno == EAGAIN) {
            return count;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            die("accept");
        }
    }
}

/* [spread] Print how many connections each listener gets, none of which accepts any meanwhile. */
static void spread(int count)
{
    unsigned queued[LISTENERS];
    unsigned most = 0;
    fill_queues(count, queued);
    printf("%11d ", count);
    for (int i = 0; i < LISTENERS; i++) {
        printf(" %5u", queued[i]);
        most = queued[i] > most ? queued[i] : most;
        drain(listeners[i]);
    }
    printf("   the busiest has %.2f times its share\n", (double)most * LISTENERS / count);
    for (int i = 0; i < count; i++)
        close(clients[i]);
}

static bool is_reset(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == ECONNRESET;
}

/* [closed-queue] Close a listener while connections wait at all of them: who is still served? */
static void close_one(int count)
{
    unsigned queued[LISTENERS];
    fill_queues(count, queued);
    close(listeners[0]);
    int served = 0;
    for (int i = 1; i < LISTENERS; i++)
        served += drain(listeners[i]); /* and resets them, in its turn */

    int ended = 0;
    for (int64_t deadline = deadline_in(10); ended < count;) {
        pause_until(deadline, "all to be reset");
        for (int i = 0; i < count; i++)
            if (clients[i] != -1 && is_reset(clients[i])) {
                close(clients[i]);
                clients[i] = -1;
                ended++;
            }
    }
    printf("\n%d more are queued, %u of them at a listener that is closed: %d are reset, the other "
           "%d served.\n",
           count, queued[0], ended - served, served);
}

int main(int argc, char **argv)
{
    options_parse(argc, argv, "SO_REUSEPORT: several listeners on one port", NULL, NULL);
    listeners[0] = listen_on(0, true);
    if (listeners[0] == -1)
        die("cannot listen on 127.0.0.1");
    int port = net_local_port(listeners[0]);
    printf("SO_REUSEPORT reads back as %d.  A second listener on the port:\n",
           option_get(listeners[0], SOL_SOCKET, SO_REUSEPORT));
    printf("  without it  %s\n", listen_on(port, false) == -1 ? strerror(errno) : "allowed");
    for (int i = 1; i < LISTENERS; i++)
        if ((listeners[i] = listen_on(port, true)) == -1)
            die("a listener with SO_REUSEPORT was refused");
    printf("  with it     allowed\n\nconnections   to each of %d listeners\n", LISTENERS);
    spread(10);
    spread(100);
    spread(MOST);
    close_one(MOST / 2);
    return 0;
}
