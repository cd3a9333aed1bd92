/* plain - TCP sockets on which nothing is set.  See plain.h. */

#include "plain.h"

#include "clock.h"
#include "die.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct sockaddr_in plain_address(const char *ip, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, ip, &address.sin_addr) != 1)
        die("%s is no address", ip);
    return address;
}

int plain_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        die("socket");
    return fd;
}

int plain_listen(const char *ip)
{
    int lfd = plain_socket();
    struct sockaddr_in address = plain_address(ip, 0);
    if (bind(lfd, (struct sockaddr *)&address, sizeof address) == -1 ||
        listen(lfd, SOMAXCONN) == -1)
        die("cannot listen on %s", ip);
    return lfd;
}

int plain_connect(int lfd)
{
    int fd = plain_socket();
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    if (getsockname(lfd, (struct sockaddr *)&address, &length) == -1 ||
        connect(fd, (struct sockaddr *)&address, length) == -1)
        die("cannot connect");
    return fd;
}

int plain_accept(int lfd)
{
    int cfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
    if (cfd == -1)
        die("accept");
    return cfd;
}

struct pair plain_pair(void)
{
    int lfd = plain_listen("127.0.0.1");
    int near = plain_connect(lfd);
    int far = plain_accept(lfd);
    close(lfd);
    return (struct pair){near, far};
}

/* One look at the table: "sl local:port remote:port state ...", in hexadecimal.  Returns the state,
 * as the kernel's enum has it, or 0 if the connection is not there. */
static unsigned state_of(int port, int peer_port)
{
    FILE *table = fopen("/proc/net/tcp", "re");
    if (table == NULL)
        die("/proc/net/tcp");
    unsigned found = 0;
    char line[256];
    while (found == 0 && fgets(line, sizeof line, table) != NULL) {
        unsigned local = 0;
        unsigned remote = 0;
        unsigned state = 0;
        if (sscanf(line, " %*u: %*x:%x %*x:%x %x", &local, &remote, &state) == 3 &&
            local == (unsigned)port && remote == (unsigned)peer_port)
            found = state;
    }
    fclose(table);
    return found;
}

bool plain_in_time_wait(int port, int peer_port)
{
    const unsigned gone = 0, time_wait = 6; /* TCP_TIME_WAIT */
    unsigned state = state_of(port, peer_port);
    for (int64_t deadline = deadline_in(10); state != gone && state != time_wait;) {
        pause_until(deadline, "a connection to be over");
        state = state_of(port, peer_port);
    }
    return state == time_wait;
}

int option_get(int fd, int level, int option)
{
    int value = 0;
    socklen_t length = sizeof value;
    if (getsockopt(fd, level, option, &value, &length) == -1)
        die("getsockopt");
    return value;
}

struct tcp_info tcp_state(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == -1)
        die("TCP_INFO");
    return info;
}

int64_t deadline_in(double seconds)
{
    return clock_now() + (int64_t)(seconds * 1e9);
}

void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

void pause_until(int64_t deadline, const char *what)
{
    errno = 0;
    if (clock_now() > deadline)
        die("timed out waiting for %s", what);
    pause_briefly();
}
