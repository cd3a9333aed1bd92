/*
 * dial - open many connections to one server, as a load generator does.
 *
 * Interface:
 *   dial_server        whom to call          dial_descriptors   have enough of them
 *   dial_start         begin a connection    dial_outcome       whether it came about
 *
 * One source address has some 28,000 ports for one server.  When they are used up, the next
 * connections come from 127.0.0.2, then 127.0.0.3, and so on.
 */
#ifndef DIAL_H
#define DIAL_H

/* dial_server - look the server up; the connections of dial_start go there.  Exits if there is no
 * such host. */
void dial_server(const char *host, unsigned long port);

/* dial_descriptors - raise the descriptor limit as far as it goes.  Exits, and says so, if that is
 * not enough for count connections and a few descriptors more. */
void dial_descriptors(unsigned long count);

/*
 * dial_start - begin to connect a nonblocking socket, with TCP_NODELAY and close-on-exec.
 *
 * Returns the descriptor, whose outcome is there when it is writable or has an error; or -1 with
 * errno.  See connect(2).
 */
int dial_start(void);

/* dial_outcome - 0 if the connection stands, else the errno of why not. */
int dial_outcome(int fd);

#endif
