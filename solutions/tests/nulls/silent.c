/* Accepts everybody, and says nothing. */

#include "server.h"

#include <stddef.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    int lfd = server_start(argc, argv, "a server that says nothing", NULL);
    server_stop_on_signals(lfd);
    server_ready(lfd, "null");
    while (!server_stopping)
        (void)accept(lfd, NULL, NULL);
    return 0;
}
