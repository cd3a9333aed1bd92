/*
 * net - TCP sockets: open, connect, name, and move whole buffers.
 *
 * Interface:
 *   net_listen, net_connect            a socket that listens, one that is connected
 *   net_set_nonblocking                O_NONBLOCK on an open descriptor
 *   net_local_text, net_peer_text      the two ends of a socket as text
 *   net_local_port                     the port that the kernel chose
 *   net_read_all, net_write_all        a whole buffer through a blocking socket
 *   net_accept_again                   what to do when accept(2) has failed
 *   net_descriptor_limit               one more than the highest descriptor number
 *
 * A function here returns -1 with errno set and prints nothing; only those whose
 * name ends in _or_die print one line and exit with status 1.  None of them waits
 * for readiness: that is what the lessons are about.
 */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Room for the longest text: "[" IPv6 with a scope "]:65535" and the final 0. */
enum { NET_TEXT_SIZE = 80 };

/*
 * net_listen - open a TCP listener.
 *
 * host, port  where to listen: IPv4, IPv6 or a name; port "0" lets the kernel choose
 *             (see net_local_port)
 * backlog     connections that may wait for accept(2); the kernel caps it at somaxconn
 *
 * The listener is blocking and close-on-exec.  It has SO_REUSEADDR, so that a restart is
 * not refused while old connections are in TIME_WAIT, and TCP_NODELAY, which every
 * accepted socket inherits: a small reply is not held back for an acknowledgement.
 *
 * Returns the listening descriptor, or -1 with errno set; a name that cannot be
 * resolved is EADDRNOTAVAIL.  Nothing is left open on failure.  See listen(2), getaddrinfo(3).
 */
int net_listen(const char *host, const char *port, int backlog);
int net_listen_or_die(const char *host, const char *port, int backlog);

/* net_listen_with - the same with one more option of SOL_SOCKET switched on before bind(2), such as
 * SO_REUSEPORT; see socket(7). */
int net_listen_with(const char *host, const char *port, int backlog, int option);

/*
 * net_connect - connect a blocking TCP socket, trying each address of a name in turn.
 *
 * Returns the connected descriptor (close-on-exec, TCP_NODELAY), or -1 with the errno of
 * the last attempt; a name that cannot be resolved is EADDRNOTAVAIL.  See connect(2).
 */
int net_connect(const char *host, const char *port);
int net_connect_or_die(const char *host, const char *port);

/* net_set_nonblocking - add O_NONBLOCK to fd.  Returns 0, or -1 with errno.  See fcntl(2). */
int net_set_nonblocking(int fd);

/*
 * net_address_text - write an address as numbers: "127.0.0.1:8888", "[::1]:8888".
 *
 * text  receives the text, "unknown" if the address has no such form
 *
 * Returns text, so that it can stand in a printf.  Never asks a name server.
 */
const char *net_address_text(const struct sockaddr *address, socklen_t length,
                             char text[NET_TEXT_SIZE]);

/* net_local_text, net_peer_text - the near and the far end of a socket, as net_address_text
 * writes them; "unknown" once the socket is no longer connected. */
const char *net_local_text(int fd, char text[NET_TEXT_SIZE]);
const char *net_peer_text(int fd, char text[NET_TEXT_SIZE]);

/* net_local_port - the port that fd is bound to, in host byte order, or -1 with errno. */
int net_local_port(int fd);

/*
 * net_read_all - read exactly size bytes from a blocking socket, unless the stream ends.
 *
 * Returns the bytes read: size, or fewer if the peer closed first (0: it closed at once);
 * -1 with errno on an error.  Goes on after EINTR.
 */
ssize_t net_read_all(int fd, void *buffer, size_t size);

/*
 * net_write_all - write exactly size bytes to a blocking socket.
 *
 * Returns 0, or -1 with errno, EPIPE included: no SIGPIPE is raised.  Goes on after EINTR
 * and after a partial write.
 */
int net_write_all(int fd, const void *buffer, size_t size);

/*
 * net_accept_again - decide, from errno, what a server does after accept(2) has failed.
 *
 * A connection that died in the queue, or a signal, is no reason to stop: accept again.
 * Out of descriptors (EMFILE, ENFILE), the connection stays in the queue and the listener
 * stays ready, so that a loop would spin.  A descriptor held in reserve is given up, one
 * waiting client is accepted with it and closed - a clear answer - and the reserve is taken
 * back.  Short of memory, the kernel gets a pause of 10 ms; so does a caller with a blocking
 * listener who is out of descriptors while nobody waits, for accept fails at once even then.
 *
 * Returns true if accept is worth calling again now, false if the caller should return to
 * its wait: nothing is queued (EAGAIN), the listener is shut down, or memory is short.
 * The reserve belongs to the thread that called net_reserve_descriptor.
 */
bool net_accept_again(int lfd);

/* net_reserve_descriptor - take the reserve that net_accept_again gives up when there are no
 * descriptors left.  Returns 0, or -1 with errno. */
int net_reserve_descriptor(void);

/* net_descriptor_limit - one more than the highest descriptor number that this process can
 * get: the soft RLIMIT_NOFILE, which is lowered to 2^20 where it is higher, so that a table
 * indexed by descriptor stays small.  See getrlimit(2). */
size_t net_descriptor_limit(void);

#endif
