/*
 * SO_REUSEADDR: restart a server while connections of its last life are in TIME_WAIT.
 *
 * The end that closes first stays in TIME_WAIT for a minute, so that a late segment does not end up
 * in a new connection, and keeps its port.  The option says that a new listener may have that port
 * all the same.  On Linux both lives must have said so: what is in TIME_WAIT keeps the flag of the
 * listener that it came from.  It does not let two live listeners share a port: compare with
 * reuseport.c.
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

/* Returns a socket bound to this address, or -1 with errno. */
static int bind_to(const char *ip, int port, bool reuse)
{
    int fd = plain_socket();
    const int on = 1;
    if (reuse && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1)
        die("SO_REUSEADDR"); /* [before-bind] it is bind that asks: later is too late */
    struct sockaddr_in address = plain_address(ip, port);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* A first life: serve one client, and close before it does.  Returns the port, of which one
 * connection is now in TIME_WAIT. */
static int live_once(bool reuse)
{
    int lfd = bind_to("127.0.0.1", 0, reuse);
    if (lfd == -1 || listen(lfd, 1) == -1)
        die("cannot listen on 127.0.0.1");
    int port = net_local_port(lfd);
    int client = plain_connect(lfd);
    int client_port = net_local_port(client);
    int cfd = plain_accept(lfd);
    char byte;
    close(cfd); /* the first FIN is ours, and so is the TIME_WAIT */
    if (net_read_all(client, &byte, 1) != 0)
        die("the client has not seen the end");
    close(client);
    close(lfd);
    errno = 0;
    if (!plain_in_time_wait(port, client_port))
        die("the connection is not in TIME_WAIT");
    return port;
}

/* Print what came of it, and close it. */
static bool outcome(int fd)
{
    printf("%s\n", fd == -1 ? strerror(errno) : "allowed");
    if (fd != -1)
        close(fd);
    return fd != -1;
}

static const char *with(bool reuse)
{
    return reuse ? "with" : "without";
}

/* The same again for each combination: only the last one is allowed. */
static bool restart_into_time_wait(void)
{
    bool allowed = false;
    printf("A connection of the port is in TIME_WAIT:\n  %-14s %-14s bind\n", "first life",
           "second life");
    for (int i = 0; i < 4; i++) {
        bool before = i & 2;
        bool after = i & 1;
        int port = live_once(before);
        printf("  %-14s %-14s ", with(before), with(after));
        allowed = outcome(bind_to("127.0.0.1", port, after));
    }
    return allowed;
}

/* [two-listeners] With a listener alive on 127.0.0.1, the option opens no port that is shut. */
static void beside_a_live_listener(void)
{
    int lfd = bind_to("127.0.0.1", 0, true);
    if (lfd == -1 || listen(lfd, 1) == -1)
        die("cannot listen on 127.0.0.1");
    int port = net_local_port(lfd);
    printf("\nSO_REUSEADDR reads back as %d.  Beside a live listener on 127.0.0.1, which has it:\n",
           option_get(lfd, SOL_SOCKET, SO_REUSEADDR));
    printf("  %-29s ", "127.0.0.1 with");
    outcome(bind_to("127.0.0.1", port, true));
    printf("  %-29s ", "0.0.0.0   with");
    outcome(bind_to("0.0.0.0", port, true));
    printf("  %-29s ", "127.0.0.2 without");
    outcome(bind_to("127.0.0.2", port, false));
    close(lfd);
}

int main(int argc, char **argv)
{
    options_parse(argc, argv, "SO_REUSEADDR: restart into TIME_WAIT", NULL, NULL);
    bool allowed = restart_into_time_wait();
    beside_a_live_listener();
    errno = 0;
    if (!allowed)
        die("bind was refused although both lives had SO_REUSEADDR");
    return 0;
}
