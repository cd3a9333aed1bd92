/* Accepts everybody, and closes. */

#include "server.h"

#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int lfd = server_start(argc, argv, "a server that closes at once", NULL);
    server_stop_on_signals(lfd);
    server_ready(lfd, "null");
    while (!server_stopping) {
        int cfd = accept(lfd, NULL, NULL);
        if (cfd != -1)
            close(cfd);
    }
    return 0;
}
