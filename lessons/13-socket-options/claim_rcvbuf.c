/*
 * The course says: SO_RCVBUF sets the receive buffer.
 *
 * The kernel doubles what was asked for, since it counts its own overhead against it.  And the scale
 * by which a connection multiplies its window is agreed on when it is made, from the size that the
 * buffer has then: a socket that was given a small one keeps a window of at most 64 KiB, however large
 * the buffer becomes later.  So set it before listen or connect; see tcp(7) and RFC 7323.
 */

#include "claim.h"
#include "die.h"
#include "net.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SMALL = 16384, LARGE = 1000000, TURNS = 100, PIECE = 65536, PATIENCE_MS = 10000 };

static const struct claim claim = {
    "SO_RCVBUF sets the receive buffer",
    "half true: it is doubled, and shapes the window only if set before listen or connect"};

static void set_buffer(int fd, int size)
{
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == -1)
        die("SO_RCVBUF");
}

static int buffer(int fd)
{
    int size = 0;
    socklen_t length = sizeof size;
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length) == -1)
        die("SO_RCVBUF");
    return size;
}

static void await(int fd, short event)
{
    struct pollfd watched = {.fd = fd, .events = event};
    errno = 0;
    if (poll(&watched, 1, PATIENCE_MS) != 1)
        die("timed out after %d ms waiting for bytes to pass", PATIENCE_MS);
}

/* The largest window that the reader grants the writer while much is sent and read. */
static unsigned largest_window(int writer, int reader)
{
    static char piece[PIECE];
    unsigned largest = 0;
    if (net_set_nonblocking(writer) == -1 || net_set_nonblocking(reader) == -1)
        die("O_NONBLOCK");
    for (int i = 0; i < TURNS; i++) {
        struct tcp_info info = {0};
        socklen_t length = sizeof info;
        await(writer, POLLOUT);
        while (send(writer, piece, sizeof piece, 0) > 0)
            ;
        await(reader, POLLIN);
        while (recv(reader, piece, sizeof piece, 0) > 0)
            ;
        if (getsockopt(writer, IPPROTO_TCP, TCP_INFO, &info, &length) == -1)
            die("TCP_INFO");
        largest = info.tcpi_snd_wnd > largest ? info.tcpi_snd_wnd : largest;
    }
    return largest;
}

/* The window of a connection whose reader's buffer was set to one size before listen, and to another
 * after accept (0: not again).  got: what getsockopt said each time. */
static unsigned window(int before, int after, int got[2])
{
    char port[16];
    int lfd = net_listen_or_die("127.0.0.1", "0", 1);
    snprintf(port, sizeof port, "%d", net_local_port(lfd));
    set_buffer(lfd, before); /* nobody has connected yet: as good as before listen */
    got[0] = buffer(lfd);
    int writer = net_connect_or_die("127.0.0.1", port);
    int reader = accept(lfd, NULL, NULL);
    if (reader == -1)
        die("accept");
    if (after > 0)
        set_buffer(reader, after);
    got[1] = buffer(reader);
    unsigned largest = largest_window(writer, reader);
    close(writer);
    close(reader);
    close(lfd);
    return largest;
}

int main(void)
{
    int late[2], early[2];
    unsigned late_window = window(SMALL, LARGE, late);
    unsigned early_window = window(LARGE, 0, early);
    claim_end(
        &claim,
        late[0] == 2 * SMALL && late[1] == early[1] && late_window <= UINT16_MAX &&
            early_window > UINT16_MAX,
        "asked %d, got %d; then asked %d, got %d: a window of %u bytes at most; the same asked "
        "before listen: %u",
        SMALL, late[0], LARGE, late[1], late_window, early_window);
}
