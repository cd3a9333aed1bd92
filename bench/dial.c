/* dial - open many connections to one server.  See dial.h. */

#include "dial.h"

#include "die.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SPARE_FILES = 16,  /* descriptors for all else */
    LAST_SOURCE = 254, /* source addresses 127.0.0.1 to 127.0.0.254 */
};

static struct sockaddr_storage server;
static socklen_t server_length;
static unsigned n_source = 1; /* the last byte of the source address, see next_source */

void dial_server(const char *host, unsigned long port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char service[8];
    snprintf(service, sizeof service, "%lu", port);
    int error = getaddrinfo(host, service, &hints, &list);
    if (error != 0) {
        errno = 0;
        die("cannot resolve %s: %s", host, gai_strerror(error));
    }
    memcpy(&server, list->ai_addr, list->ai_addrlen);
    server_length = list->ai_addrlen;
    freeaddrinfo(list);
}

void dial_descriptors(unsigned long count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    errno = 0;
    if (count + SPARE_FILES > limit.rlim_cur)
        die("%lu connections need %lu descriptors, and the limit is %lu (see ulimit -n)", count,
            count + SPARE_FILES, (unsigned long)limit.rlim_cur);
}

/* Choose the source address: the kernel's choice until it has no port left for it, then 127.0.0.2
 * and on, each of which has as many ports again.  Returns false when there is no other. */
static bool next_source(void)
{
    const struct sockaddr_in *to = (const struct sockaddr_in *)&server;
    if (server.ss_family != AF_INET || ntohl(to->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET ||
        n_source == LAST_SOURCE)
        return false;
    n_source++;
    return true;
}

static int connect_from_source(int fd)
{
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (n_source > 1) {
        struct sockaddr_in from = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + n_source)};
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&from, sizeof from) == -1)
            return -1;
    }
    return connect(fd, (struct sockaddr *)&server, server_length);
}

int dial_start(void)
{
    do {
        int fd = socket(server.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd == -1)
            return -1;
        if (connect_from_source(fd) == 0 || errno == EINPROGRESS)
            return fd;
        int saved = errno;
        close(fd);
        errno = saved;
    } while (errno == EADDRNOTAVAIL && next_source());
    return -1;
}

int dial_outcome(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
        return errno;
    return error;
}
