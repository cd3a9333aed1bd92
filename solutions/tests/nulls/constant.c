/* Answers everybody alike, whatever comes. */

#include "server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1024 };

int main(int argc, char **argv)
{
    struct pollfd set[ROOM];
    nfds_t count = 1;
    int lfd = server_start(argc, argv, "a server that has one answer", NULL);
    server_stop_on_signals(lfd);
    server_ready(lfd, "null");
    set[0] = (struct pollfd){.fd = lfd, .events = POLLIN};
    while (!server_stopping && poll(set, count, -1) != -1) {
        if (set[0].revents & POLLIN && count < ROOM) {
            int cfd = accept(lfd, NULL, NULL);
            if (cfd != -1)
                set[count++] = (struct pollfd){.fd = cfd, .events = POLLIN};
        }
        for (nfds_t i = 1; i < count; i++) {
            char buf[4096];
            if (set[i].revents == 0)
                continue;
            if (recv(set[i].fd, buf, sizeof buf, 0) > 0 && send(set[i].fd, "hello\n", 6, 0) != -1)
                continue;
            close(set[i].fd);
            set[i--] = set[--count];
        }
    }
    return 0;
}
