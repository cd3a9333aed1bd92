/*
 * hello - hold a short conversation with a server: the client that `make watch` shows.
 *
 * Connects, sends a line, reads the one that comes back, ends its own direction and reads the end of
 * the other.  The line is "hello", and its echo is expected, unless another one is given.
 * It pauses before each step, so that the server, slow as it is under strace, is seen waiting.
 */

#include "die.h"
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PAUSE_MS = 100,  /* before each step */
    PATIENCE_S = 10, /* for an answer */
};

static void pause_before_the_next_step(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: hello HOST PORT [LINE]\n");
        return 2;
    }
    char line[256];
    char reply[4096] = "";
    size_t size = (size_t)snprintf(line, sizeof line, "%s\n", argc == 4 ? argv[3] : "hello");

    pause_before_the_next_step();
    int fd = net_connect_or_die(argv[1], argv[2]);
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

    pause_before_the_next_step();
    if (size >= sizeof line || net_write_all(fd, line, size) == -1)
        die("cannot send");
    size_t got = 0;
    ssize_t n = 0;
    do {
        n = net_read_all(fd, reply + got, 1);
        got += n == 1;
    } while (n == 1 && reply[got - 1] != '\n' && got < sizeof reply - 1);
    if (n == -1 && errno == EAGAIN) {
        errno = 0;
        die("timed out after %d s waiting for the reply", PATIENCE_S);
    }
    if (n != 1 || (argc == 3 && strcmp(reply, line) != 0)) {
        errno = n == -1 ? errno : 0;
        die("no reply came back");
    }

    pause_before_the_next_step();
    shutdown(fd, SHUT_WR);
    n = net_read_all(fd, reply, 1);
    if (n != 0) {
        errno = n == -1 && errno != EAGAIN ? errno : 0;
        die("the server did not close within %d s", PATIENCE_S);
    }
    close(fd);
    pause_before_the_next_step();
    return 0;
}
