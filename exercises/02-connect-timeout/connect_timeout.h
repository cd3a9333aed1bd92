/*
 * connect_timeout - connect, with a deadline.  Yours to write, in connect_timeout.c.
 */
#ifndef CONNECT_TIMEOUT_H
#define CONNECT_TIMEOUT_H

#include <sys/socket.h>

/*
 * connect_timeout - open a stream socket and connect it, or give up after timeout_ms.
 *
 * address, length  where to: of any family that has stream sockets
 * timeout_ms       milliseconds that the attempt may take in all, whatever signals arrive meanwhile
 *
 * Returns a connected descriptor, blocking and close-on-exec, which the caller closes; or -1 with
 * errno: ETIMEDOUT if it was not decided in time, else what the attempt itself failed with, such as
 * ECONNREFUSED.  Nothing is left open on failure.  See connect(2), EINPROGRESS; socket(7), SO_ERROR.
 */
int connect_timeout(const struct sockaddr *address, socklen_t length, int timeout_ms);

#endif
