/* Says that it listens, and looks at nobody. */

#include "server.h"

#include <unistd.h>

int main(int argc, char **argv)
{
    int lfd = server_start(argc, argv, "a server that only listens", NULL);
    server_stop_on_signals(lfd);
    server_ready(lfd, "null");
    while (!server_stopping)
        sleep(1);
    return 0;
}
