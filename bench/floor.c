/*
 * floor - what the kernel alone asks for a message: the least that any server can cost.
 *
 * One thread holds both ends of one loopback connection, sends a message there and back, and never
 * waits.  A round trip is two sends and two receives, so half of it is what an echo server cannot
 * do without: one recv and one send.
 */

#include "die.h"
#include "net.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static unsigned long size = 64;
static unsigned long messages = 100000;

static void pass(int from, int to, char *message)
{
    if (net_write_all(from, message, size) == -1 || net_read_all(to, message, size) == -1)
        die("cannot pass a message");
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"size", "BYTES", OPTION_NUMBER, &size, 1, 65536, "of a message"},
        {"messages", "N", OPTION_NUMBER, &messages, 1, 1000000000, "round trips"},
        {0},
    };
    options_parse(argc, argv, "the kernel's own cost of a message", options, NULL);
    int lfd = net_listen_or_die("127.0.0.1", "0", 1);
    char port[8];
    snprintf(port, sizeof port, "%d", net_local_port(lfd));
    int near = net_connect_or_die("127.0.0.1", port);
    int far = accept(lfd, NULL, NULL);
    if (far == -1)
        die("accept");
    char *message = calloc_or_die(1, size);
    clock_t begin = clock();
    for (unsigned long i = 0; i < messages; i++) {
        pass(near, far, message);
        pass(far, near, message);
    }
    double cpu_us = (double)(clock() - begin) * 1e6 / CLOCKS_PER_SEC;
    printf("%lu round trips of %lu bytes: %.3f us of CPU for half of one\n", messages, size,
           cpu_us / 2 / (double)messages);
    free(message);
    close(near);
    close(far);
    close(lfd);
    return 0;
}
