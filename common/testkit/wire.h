/*
 * wire - a connection as a test sees it: every wait has an end.
 *
 * Interface:
 *   wire_connect       a nonblocking socket, connected
 *   wire_send          all of it
 *   wire_receive       exactly so many bytes
 *   wire_expect_end    end of file and nothing before it
 *   wire_expect_gone   end of file or a reset, whatever comes before it
 *   wire_reset         close with a reset
 *
 * Each waits for as long as wait_patience says and returns false with a fault if it was in vain.
 */
#ifndef TESTKIT_WIRE_H
#define TESTKIT_WIRE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * wire_connect - connect to a server.
 *
 * host, port  as text: numbers or names, see net_connect
 * window      bytes of the receive buffer (SO_RCVBUF), so that little is in flight to a client
 *             who does not read; the segments are those of an Ethernet then, and not the 64 KB
 *             of loopback; 0 for what the kernel gives
 *
 * Returns the descriptor, nonblocking and close-on-exec with TCP_NODELAY, or -1 with a fault.
 */
int wire_connect(const char *host, const char *port, int window);

bool wire_send(int fd, const void *bytes, size_t size);
bool wire_receive(int fd, void *buffer, size_t size);
bool wire_expect_end(int fd);
bool wire_expect_gone(int fd);

/* wire_reset - close fd so that the other side gets a reset and not an end of file: with a
 * linger time of 0, see socket(7). */
void wire_reset(int fd);

#endif
