/*
 * plain - TCP sockets on which nothing is set, for programs that look at one option each.
 *
 * Interface:
 *   plain_address             an IPv4 address and a port
 *   plain_socket, plain_listen, plain_connect, plain_accept
 *                             what the system calls of these names give
 *   plain_pair                both ends of a connection on 127.0.0.1
 *   plain_in_time_wait        whether the kernel still remembers a connection
 *   option_get, tcp_state     an option that is an int; what TCP knows of a connection
 *   deadline_in, pause_until  for what the kernel does soon, and announces to nobody
 *
 * net_listen and net_connect of common set two of the options shown here; these set none.  All of it
 * is start-up: a failure prints one line and exits with status 1.
 */
#ifndef PLAIN_H
#define PLAIN_H

#include <linux/tcp.h> /* not <netinet/tcp.h>: its struct tcp_info lacks the newer half */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Both ends of a connection: the one whose options are looked at, and its peer. */
struct pair {
    int near;
    int far;
};

/* plain_address - an IPv4 address in digits, and a port in host byte order; with port 0 bind(2)
 * takes a free one. */
struct sockaddr_in plain_address(const char *ip, int port);

/* plain_socket - a new TCP socket, blocking and close-on-exec; the caller closes it. */
int plain_socket(void);

/* plain_listen - a listener on a free port of an address; net_local_port says which. */
int plain_listen(const char *ip);

/* plain_connect - a new socket that is connected to a listener. */
int plain_connect(int lfd);

/* plain_accept - the next connection of a listener, which has one or soon will. */
int plain_accept(int lfd);

/* plain_pair - a connection that nothing else knows; the near end has connected. */
struct pair plain_pair(void);

/* plain_in_time_wait - whether the connection from one port to another of this machine, which both ends
 * have closed, is remembered as TIME_WAIT once it is over: by /proc/net/tcp, see proc(5). */
bool plain_in_time_wait(int port, int peer_port);

/* option_get - an option's value, as getsockopt(2) tells it now. */
int option_get(int fd, int level, int option);

/* tcp_state - TCP_INFO of a connection; zero where the kernel is too old to know.  See tcp(7). */
struct tcp_info tcp_state(int fd);

/* deadline_in - the time, by clock_now, at which so many seconds have passed. */
int64_t deadline_in(double seconds);

/* pause_briefly - sleep for 1 ms. */
void pause_briefly(void);

/* pause_until - sleep for 1 ms between two looks; once the deadline has passed, say that it timed
 * out waiting for what, and exit with status 1. */
void pause_until(int64_t deadline, const char *what);

#endif
