/* net - TCP sockets: open, connect, name, and move whole buffers.  See net.h. */

#include "net.h"

#include "die.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const int on = 1;

/* Resolve host and port for TCP.  The caller frees the list with freeaddrinfo. */
static struct addrinfo *resolve(const char *host, const char *port, int flags)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(host, port, &hints, &list);
    if (error == 0)
        return list;
    if (error == EAI_MEMORY)
        errno = ENOMEM;
    else if (error != EAI_SYSTEM)
        errno = EADDRNOTAVAIL;
    return NULL;
}

/* Close fd without touching errno, which says why it has to be closed. */
static void close_keeping_errno(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
}

static int bind_to(const struct addrinfo *at, int option)
{
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (fd == -1)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == -1 ||
        setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) == -1 ||
        bind(fd, at->ai_addr, at->ai_addrlen) == -1) {
        close_keeping_errno(fd);
        return -1;
    }
    return fd;
}

/* A connect(2) that a signal interrupts goes on by itself: wait until it is decided.  Calling
 * it again says EALREADY while it is under way, and EISCONN once it has succeeded. */
static int connect_whole(int fd, const struct sockaddr *address, socklen_t length)
{
    while (connect(fd, address, length) == -1) {
        if (errno == EISCONN)
            return 0;
        if (errno != EINTR && errno != EALREADY)
            return -1;
    }
    return 0;
}

static int connect_to(const struct addrinfo *to, int option)
{
    (void)option;
    int fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC, to->ai_protocol);
    if (fd == -1)
        return -1;
    if (connect_whole(fd, to->ai_addr, to->ai_addrlen) == -1 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == -1) {
        close_keeping_errno(fd);
        return -1;
    }
    return fd;
}

/* A name may have several addresses: the first that opens is taken. */
static int open_first(struct addrinfo *list, int (*open_one)(const struct addrinfo *, int),
                      int option)
{
    if (list == NULL)
        return -1;
    int fd = -1;
    for (const struct addrinfo *a = list; a != NULL && fd == -1; a = a->ai_next)
        fd = open_one(a, option);
    int saved = errno;
    freeaddrinfo(list);
    errno = saved;
    return fd;
}

int net_listen(const char *host, const char *port, int backlog)
{
    return net_listen_with(host, port, backlog, SO_REUSEADDR);
}

int net_listen_with(const char *host, const char *port, int backlog, int option)
{
    int fd = open_first(resolve(host, port, AI_PASSIVE), bind_to, option);
    if (fd != -1 && listen(fd, backlog) == -1) {
        close_keeping_errno(fd);
        return -1;
    }
    return fd;
}

int net_listen_or_die(const char *host, const char *port, int backlog)
{
    int fd = net_listen(host, port, backlog);
    if (fd == -1)
        die("cannot listen on %s port %s", host, port);
    return fd;
}

int net_connect(const char *host, const char *port)
{
    return open_first(resolve(host, port, 0), connect_to, 0);
}

int net_connect_or_die(const char *host, const char *port)
{
    int fd = net_connect(host, port);
    if (fd == -1)
        die("cannot connect to %s port %s", host, port);
    return fd;
}

int net_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

const char *net_address_text(const struct sockaddr *address, socklen_t length,
                             char text[NET_TEXT_SIZE])
{
    char host[NET_TEXT_SIZE - 9];
    char port[6];
    if (getnameinfo(address, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(text, NET_TEXT_SIZE, "unknown");
    else
        snprintf(text, NET_TEXT_SIZE, address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
                 port);
    return text;
}

static const char *end_text(int fd, int (*get_end)(int, struct sockaddr *, socklen_t *),
                            char text[NET_TEXT_SIZE])
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    if (get_end(fd, (struct sockaddr *)&address, &length) == -1)
        length = 0;
    return net_address_text((struct sockaddr *)&address, length, text);
}

const char *net_local_text(int fd, char text[NET_TEXT_SIZE])
{
    return end_text(fd, getsockname, text);
}

const char *net_peer_text(int fd, char text[NET_TEXT_SIZE])
{
    return end_text(fd, getpeername, text);
}

int net_local_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) == -1)
        return -1;
    if (address.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    errno = EAFNOSUPPORT;
    return -1;
}

ssize_t net_read_all(int fd, void *buffer, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = recv(fd, (char *)buffer + done, size - done, 0);
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)done;
}

int net_write_all(int fd, const void *buffer, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = send(fd, (const char *)buffer + done, size - done, MSG_NOSIGNAL);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return -1;
    }
    return 0;
}

static _Thread_local int reserve = -1;

int net_reserve_descriptor(void)
{
    if (reserve == -1)
        reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return reserve == -1 ? -1 : 0;
}

/* accept(2) looks for a free descriptor first, and says EMFILE even with nobody in the queue. */
static bool nobody_waits(int lfd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    return getsockopt(lfd, IPPROTO_TCP, TCP_INFO, &info, &length) == -1 ||
           info.tcpi_unacked == 0; /* of a listener: the length of its queue */
}

static void refuse_one(int lfd)
{
    close(reserve);
    reserve = -1;
    int cfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
    if (cfd != -1)
        close(cfd);
    net_reserve_descriptor();
}

bool net_accept_again(int lfd)
{
    switch (errno) {
    case EAGAIN:
    case EBADF:
    case EINVAL:
        return false;
    case EMFILE:
    case ENFILE:
        if (reserve != -1 && !nobody_waits(lfd)) {
            refuse_one(lfd);
            return true;
        }
        if (fcntl(lfd, F_GETFL) & O_NONBLOCK && reserve != -1)
            return false; /* the caller waits for readiness, and is not blocked in accept */
        /* fall through */
    case ENOBUFS:
    case ENOMEM:
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000L}, NULL);
        net_reserve_descriptor();
        return false;
    default:
        return true; /* EINTR, ECONNABORTED, or an error of that one connection: see accept(2) */
    }
}

size_t net_descriptor_limit(void)
{
    const rlim_t most = (rlim_t)1 << 20;
    struct rlimit limit = {0};
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur > most) {
        limit.rlim_cur = most;
        setrlimit(RLIMIT_NOFILE, &limit); /* cannot fail: it lowers the soft limit */
    }
    return (size_t)limit.rlim_cur;
}
