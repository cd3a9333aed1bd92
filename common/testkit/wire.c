/* wire - a connection as a test sees it.  See wire.h. */

#include "wire.h"

#include "fault.h"
#include "wait.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Wait until the handshake is over, and ask how it went. */
static bool connected(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (!wait_ready(fd, POLLOUT, wait_deadline(), "a connection"))
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
        error = errno;
    return error == 0 || fault("cannot connect: %s", strerror(error));
}

static int connect_to(const struct addrinfo *to, int window)
{
    const int on = 1;
    const int ethernet = 1448; /* the kernel makes its buffers for so many segments */
    int fd = socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        fault("cannot open a socket: %s", strerror(errno));
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (window > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
        setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &ethernet, sizeof ethernet);
    }
    bool done = connect(fd, to->ai_addr, to->ai_addrlen) == 0;
    if (!done && errno != EINPROGRESS)
        fault("cannot connect: %s", strerror(errno));
    else if (done || connected(fd))
        return fd;
    close(fd);
    return -1;
}

int wire_connect(const char *host, const char *port, int window)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(host, port, &hints, &list);
    if (error != 0) {
        fault("%s port %s: %s", host, port, gai_strerror(error));
        return -1;
    }
    int fd = connect_to(list, window);
    freeaddrinfo(list);
    return fd;
}

bool wire_send(int fd, const void *bytes, size_t size)
{
    int64_t deadline = wait_deadline();
    for (size_t done = 0; done < size;) {
        if (!wait_ready(fd, POLLOUT, deadline, "room to send"))
            return false;
        ssize_t n = send(fd, (const char *)bytes + done, size - done, MSG_NOSIGNAL);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return fault("cannot send after %zu of %zu bytes: %s", done, size, strerror(errno));
    }
    return true;
}

bool wire_receive(int fd, void *buffer, size_t size)
{
    int64_t deadline = wait_deadline();
    for (size_t done = 0; done < size;) {
        if (!wait_ready(fd, POLLIN, deadline, "bytes"))
            return fault("%s (got %zu of %zu)", fault_text(), done, size);
        ssize_t n = recv(fd, (char *)buffer + done, size - done, 0);
        if (n == 0)
            return fault("end of file after %zu of %zu bytes", done, size);
        if (n > 0)
            done += (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return fault("cannot receive after %zu of %zu bytes: %s", done, size, strerror(errno));
    }
    return true;
}

bool wire_expect_end(int fd)
{
    char byte;
    if (!wait_ready(fd, POLLIN, wait_deadline(), "end of file"))
        return false;
    ssize_t n = recv(fd, &byte, 1, 0);
    if (n > 0)
        return fault("got a byte where the end of file was expected");
    return n == 0 || fault("got '%s' where the end of file was expected", strerror(errno));
}

bool wire_expect_gone(int fd)
{
    int64_t deadline = wait_deadline();
    char buffer[16384];
    for (;;) {
        if (!wait_ready(fd, POLLIN, deadline, "end of file or a reset"))
            return false;
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
            return true;
    }
}

void wire_reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}
