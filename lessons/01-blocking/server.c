/*
 * An echo server that serves one client at a time.
 *
 * The new idea: a blocking call puts the process to sleep until there is something to do.
 * accept waits for a client, recv for its bytes, send for room; whoever else connects waits
 * in the listener's queue until this client is gone.
 *
 * Left out on purpose: a second client at the same time.  That is every other lesson.
 */

#include "server.h"
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 16384 }; /* bytes received at once */

/* [partial-send] send takes what fits into the socket's buffer, which may be less than all.
 * A blocking send waits for room first, but a signal can still cut it short. */
static int send_all(int cfd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(cfd, bytes, size, 0);
        if (n >= 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

/* Echo until the client is done.  Returns why it ended. */
static const char *serve(int cfd)
{
    char buf[CHUNK];
    for (;;) {
        ssize_t n = recv(cfd, buf, sizeof buf, 0); /* [block-in-recv] nobody else is served */
        if (n == 0)
            return "closed by the client";
        if (n > 0) {
            server_work();
            if (send_all(cfd, buf, (size_t)n) == -1)
                return strerror(errno);
        } else if (errno != EINTR) {
            return strerror(errno);
        }
    }
}

int main(int argc, char **argv)
{
    int lfd = server_start(argc, argv, "an echo server that serves one client at a time", NULL);
    server_stop_on_signals(lfd);
    server_ready(lfd, "blocking");

    while (!server_stopping) {
        int cfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
        if (cfd == -1) {
            server_accept_again(lfd);
            continue;
        }
        char peer[NET_TEXT_SIZE];
        server_report("client %d: connected from %s", cfd, net_peer_text(cfd, peer));
        server_stop_also(cfd);
        const char *why = serve(cfd);
        server_stop_also(-1);
        server_report("client %d: %s", cfd, why);
        close(cfd);
    }
    close(lfd);
    return 0;
}
