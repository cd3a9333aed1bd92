/*
 * link - a connection to a server of lines, on the reactor: opened within a time limit, opened again
 * when it is lost.
 *
 * Interface:
 *   link_new, link_free       resolve the server's name, begin to connect; the end
 *   link_send                 queue one line
 *   link_lose                 give the connection up, to open it again
 *   link_settled              the server has let us in: the next pause is a short one again
 *   link_pause_reading        for who cannot take more lines now
 *   link_queued               the bytes that the server has not taken
 *   link_last                 do not connect again
 *
 * Nothing here blocks but link_new, which asks for the name's addresses.  Pauses grow from 1 s to
 * 30 s, each longer by up to a quarter at random, so that a thousand clients that lost one server do
 * not come back in the same moment.
 */
#ifndef LINK_H
#define LINK_H

#include "../10-reactor/reactor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LINK_LINE_MAX = 1 << 20,  /* a longer line of the server is a reason to leave */
    LINK_QUEUE_MAX = 1 << 18, /* bytes queued for a server that does not read */
};

struct link;

/* Who is told.  None may free the link. */
struct link_events {
    /* The connection is there. */
    void (*opened)(void *context);
    /* A line has come, without its end; it has a final 0 and may hold others. */
    void (*line)(void *context, const char *line, size_t length);
    /* It could not be opened, or is lost, and why.  Tried again in pause_ms; never, if that is -1. */
    void (*closed)(void *context, const char *why, int64_t pause_ms);
};

/*
 * link_new - a link to a server, tried at once.
 *
 * limit_ms  the time that connecting to one of the name's addresses may take
 *
 * A first attempt that fails is the only one: who has just started the program can say it better.
 * Events come from the loop; `closed` also from link_lose.
 *
 * Returns the link, to be freed with link_free; or NULL with errno, EADDRNOTAVAIL if the name cannot
 * be resolved.
 */
struct link *link_new(struct reactor *r, const char *host, const char *port, int64_t limit_ms,
                      const struct link_events *events, void *context);

void link_free(struct link *l);

/* link_send - queue size bytes, which end with a newline, and send what the kernel takes.  Returns
 * 0; or -1 with errno: ENOTCONN, ENOBUFS if the server has left too much unread, ENOMEM. */
int link_send(struct link *l, const char *bytes, size_t size);

/* link_lose - give the connection up for a reason, as if it had been lost. */
void link_lose(struct link *l, const char *why);

void link_settled(struct link *l);
void link_pause_reading(struct link *l, bool pause);
size_t link_queued(const struct link *l);
void link_last(struct link *l);

#endif
