/*
 * hello - hold a short conversation with an echo server: the client that `make watch` shows.
 *
 * Connects, sends "hello", reads the echo, ends its own direction and reads the end of the other.
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
    if (argc != 3) {
        fprintf(stderr, "usage: hello HOST PORT\n");
        return 2;
    }
    static const char hello[] = "hello\n";
    const size_t size = sizeof hello - 1;
    char echo[sizeof hello];

    pause_before_the_next_step();
    int fd = net_connect_or_die(argv[1], argv[2]);
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

    pause_before_the_next_step();
    if (net_write_all(fd, hello, size) == -1)
        die("cannot send");
    ssize_t n = net_read_all(fd, echo, size);
    if (n == -1 && errno == EAGAIN) {
        errno = 0;
        die("timed out after %d s waiting for the echo", PATIENCE_S);
    }
    if (n != (ssize_t)size || memcmp(echo, hello, size) != 0) {
        errno = n == -1 ? errno : 0;
        die("no echo came back");
    }

    pause_before_the_next_step();
    shutdown(fd, SHUT_WR);
    n = net_read_all(fd, echo, size);
    if (n != 0) {
        errno = n == -1 && errno != EAGAIN ? errno : 0;
        die("the server did not close within %d s", PATIENCE_S);
    }
    close(fd);
    pause_before_the_next_step();
    return 0;
}
