/*
 * server - what every server of the kit does in the same way, before and after it waits.
 *
 * Interface:
 *   server_start              options, SIGPIPE, the listener; server_options and server_listen
 *                             are its halves
 *   server_ready              the line that says where it listens
 *   server_stop_on_signals    SIGINT and SIGTERM end the loop, without a race
 *   server_report             one line about a client, unless --quiet
 *   server_refuse             one line about a client turned away, at most one a second
 *   server_accept_again       what to do when accept(2) has failed
 *   server_work               the CPU time that --work asks for
 */
#ifndef SERVER_H
#define SERVER_H

#include "options.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Set once SIGINT or SIGTERM has arrived.  Any thread may get the signal, so it is atomic, as C11
 * (7.14.1.1) allows a handler: a volatile sig_atomic_t is for one thread alone. */
extern atomic_bool server_stopping;

/*
 * server_start - parse the command line that all servers share, and open the listener.
 *
 * summary  one line for --help
 * more     a table of further options, or NULL
 *
 * Ignores SIGPIPE, so that a send to a closed connection is an EPIPE and not the end of the
 * process.  Returns the listening descriptor, blocking; exits 2 on bad usage, 1 if it cannot listen.
 */
int server_start(int argc, char **argv, const char *summary, const struct option_spec *more);

/*
 * server_options, server_listen - the two halves of server_start, for a server that needs several
 * listeners on one port.
 *
 * option  an option of SOL_SOCKET to switch on before bind(2), such as SO_REUSEPORT
 *
 * If --port is 0, the kernel chooses the first listener's port, and the others get the same.
 */
void server_options(int argc, char **argv, const char *summary, const struct option_spec *more);
int server_listen(int option);

/* server_ready - print "listening on 127.0.0.1:8888 (model)" on standard output, flushed: from
 * now on a client is accepted. */
void server_ready(int lfd, const char *model);

/*
 * server_stop_on_signals - let SIGINT and SIGTERM end the server.
 *
 * A handler that only sets a flag comes too late if the server has just tested the flag and is
 * about to wait.  This one also shuts the listener down: whoever waits on it, in accept(2) or
 * for readiness, wakes up, and whoever is about to wait does not.  See shutdown(2), and
 * signal-safety(7): both things that the handler does are allowed there.
 */
void server_stop_on_signals(int lfd);

/* server_stop_also - name the one client that a blocking server is serving, so that the signal
 * shuts it down as well; -1 for none.  Not for use with more than one thread. */
void server_stop_also(int cfd);

/* server_report - print one line about a client on standard error, unless --quiet was given.
 * Safe to call from several threads. */
void server_report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* server_refuse - print why a client was turned away, --quiet or not, but at most one line a
 * second: a full server is no reason to fill a disk. */
void server_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* server_accept_again - net_accept_again, and a line (see server_refuse) if it had to turn a client
 * away because there are no descriptors left. */
bool server_accept_again(int lfd);

/* server_work - burn the microseconds of this thread's CPU time that --work asks for, once for
 * each chunk received: the stand-in for a request that has to be computed. */
void server_work(void);

#endif
