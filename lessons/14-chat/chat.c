/* chat - the chat room as a program.  See chat.h. */

#include "chat.h"

#include "../10-reactor/reactor.h"
#include "die.h"
#include "dispatch.h"
#include "hub.h"
#include "net.h"
#include "notice.h"
#include "room_limits.h"
#include "server.h"
#include "transport.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    OPTIONS_MAX = 48, /* of the room and its extensions */
    ACCEPTS = 256,    /* clients accepted in one turn */
    SPARE = 64        /* descriptors that are not for clients in the room */
};

static const char *backend;
static const char *config;
static double stats_every = 0;

static const struct option_spec own_options[] = {
    {"backend", "NAME", OPTION_TEXT, &backend, 0, 0, "how to wait: epoll, poll or select"},
    {"config", "FILE", OPTION_FILE, &config, 0, 0, "a file of these options, one a line"},
    {"stats", "S", OPTION_DECIMAL, &stats_every, 0, 1000000,
     "seconds between lines of counters; 0: only at SIGUSR1"},
    {0},
};

static struct reactor *reactor;
static struct hub hub;
static int listener = -1;

/* ---- options -------------------------------------------------------------------------------- */

static int add_options(struct option_spec *all, int count, const struct option_spec *some)
{
    for (; some != NULL && some->name != NULL && count < OPTIONS_MAX; some++)
        all[count++] = *some;
    return count;
}

static void parse_options(int argc, char **argv, const char *summary,
                          const struct extension *const *extensions)
{
    struct option_spec all[OPTIONS_MAX + 1] = {{0}};
    int count = add_options(all, 0, own_options);
    count = add_options(all, count, limits_options);
    for (; *extensions != NULL; extensions++)
        count = add_options(all, count, (*extensions)->options);
    server_options(argc, argv, summary, all);
}

/* Room for the clients that are promised: the descriptors must suffice, and the backend's set. */
static void lower_max_clients(void)
{
    size_t most = net_descriptor_limit();
    if (*backend == 's' && most > FD_SETSIZE)
        most = FD_SETSIZE;
    most = most > 2 * (size_t)SPARE ? most - SPARE : most / 2;
    if (limits.max_clients > most) {
        fprintf(stderr,
                "max-clients is lowered from %lu to %zu: no more descriptors (ulimit -n%s)\n",
                limits.max_clients, most, *backend == 's' ? ", FD_SETSIZE" : "");
        limits.max_clients = most;
    }
}

/* ---- what the loop calls -------------------------------------------------------------------- */

/* [acceptor] */
static void accept_clients(struct reactor *r, int lfd, unsigned events, void *context)
{
    (void)events;
    (void)context;
    for (int i = 0; i < ACCEPTS; i++) { /* the others are waited for as well */
        int cfd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (cfd == -1) {
            if (server_accept_again(lfd))
                continue;
            return;
        }
        char peer[NET_TEXT_SIZE];
        server_report("client %d: connected from %s", cfd, net_peer_text(cfd, peer));
        hub_accept(
            &hub, (struct connection){.transport = &transport_socket, .reactor = r, .number = cfd});
    }
}

static void end_turn(struct reactor *r, void *context)
{
    (void)context;
    hub_turn(&hub);
    if (hub.closing && hub_is_empty(&hub))
        reactor_stop(r);
}

static void stop_now(struct reactor *r, void *context)
{
    (void)context;
    reactor_stop(r);
}

/* The first signal ends it in good order, a second one at once. */
static void stop(struct reactor *r, void *context)
{
    static struct reactor_timer drain;
    (void)context;
    if (hub.closing) {
        reactor_stop(r);
        return;
    }
    reactor_unwatch(r, listener);
    close(listener);
    listener = -1;
    hub_close_all(&hub);
    if (reactor_timer_start(r, &drain, (int64_t)(limits.drain_timeout * 1000), stop_now, NULL) ==
        -1)
        reactor_stop(r);
}

static void print_stats(struct reactor *r, void *context)
{
    (void)r;
    (void)context;
    hub_print_stats(&hub);
}

static void print_stats_again(struct reactor *r, void *context)
{
    hub_print_stats(&hub);
    reactor_timer_start(r, context, (int64_t)(stats_every < 0.01 ? 10 : stats_every * 1000),
                        print_stats_again, context);
}

/* ---- from start to end ---------------------------------------------------------------------- */

int chat_run(int argc, char **argv, const char *summary, const char *model,
             const struct extension *const *extensions)
{
    static struct reactor_timer stats;
    backend = reactor_backends[0];
    parse_options(argc, argv, summary, extensions);
    if ((reactor = reactor_new(backend)) == NULL) {
        if (errno == EINVAL)
            options_fail("--backend: '%s' is not one of epoll, poll, select", backend);
        die("cannot make a reactor");
    }
    lower_max_clients();
    notice_time();       /* what libraries read from files at their first call is read now ... */
    json_object_seed(0); /* ... and not when descriptors have run out */
    listener = server_listen(SO_REUSEADDR);
    if (net_set_nonblocking(listener) == -1)
        die("cannot make the listener nonblocking");
    if (hub_init(&hub, reactor, extensions) == -1)
        die("cannot make the lobby");
    if (reactor_watch(reactor, listener, REACTOR_READ, accept_clients, NULL) == -1 ||
        reactor_signal(reactor, SIGINT, stop, NULL) == -1 ||
        reactor_signal(reactor, SIGTERM, stop, NULL) == -1 ||
        reactor_signal(reactor, SIGUSR1, print_stats, NULL) == -1)
        die("cannot watch the listener and the signals");
    if (stats_every > 0)
        print_stats_again(reactor, &stats);
    reactor_each_turn(reactor, end_turn, NULL);
    const struct extension *const *e = extensions;
    for (; *e != NULL; e++)
        if ((*e)->start != NULL && (*e)->start(&hub) == -1)
            die("cannot start %s", (*e)->name);
    server_ready(listener, model);

    if (reactor_run(reactor) == -1)
        die("cannot wait with %s", backend);

    hub_free(&hub);
    while (e > extensions)
        if ((*--e)->stop != NULL)
            (*e)->stop(&hub);
    reactor_free(reactor);
    if (listener != -1)
        close(listener);
    return 0;
}
