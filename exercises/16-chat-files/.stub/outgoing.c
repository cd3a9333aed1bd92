/* outgoing - files on their way from the server.  See outgoing.h. */

#include "outgoing.h"

#include "audience.h"
#include "hub.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BATCH = 4,           /* chunks of one download in one turn */
    TURN = 32,           /* of all downloads */
    NEARLY_EMPTY = 4096, /* bytes in the outbox behind which another batch may be put */
    UNSENT = 16384,      /* bytes that the kernel may hold for such a client: see [lowat] */
};

struct download {
    struct session *session;
    struct vault_file file;
    int64_t offset;        /* of what comes next */
    struct download *next; /* of its session; who has waited for longest comes first */
    struct download *next_ready, **ready; /* in the queue; ready: NULL outside */
};

/* [ready] The queue of those that can go on.  Who cannot be sent anything is not in it: however many those are,
 * nobody walks past them. */
static struct download *first_ready, **last_ready = &first_ready;

/* ---- one download --------------------------------------------------------------------------- */

static struct download *find(const struct session *s, const char *id)
{
    struct download *d = s->downloads;
    while (d != NULL && strcmp(d->file.id, id) != 0)
        d = d->next;
    return d;
}

/* Out of the queue. */
static void take_out(struct download *d)
{
    if (d->ready == NULL)
        return;
    *d->ready = d->next_ready;
    if (d->next_ready != NULL)
        d->next_ready->ready = d->ready;
    else
        last_ready = d->ready;
    d->ready = NULL;
}

/* Out of the list of its session. */
static void leave(struct download *d)
{
    struct download **place = &d->session->downloads;
    while (*place != d)
        place = &(*place)->next;
    *place = d->next;
}

static void end(struct download *d)
{
    take_out(d);
    leave(d);
    free(d);
}

bool outgoing_cancel(const struct session *s, const char *id)
{
    struct download *d = find(s, id);
    if (d == NULL)
        return false;
    end(d);
    return true;
}

void outgoing_gone(const struct session *s)
{
    for (struct download *d = s->downloads, *next; d != NULL; d = next) {
        next = d->next;
        end(d);
    }
}

/* Yours: who may fetch a file; some chunks of it into the outbox of its session; a queue of those that can go on;
 * and a call, posted to the reactor, that puts chunks for each in the queue, once in a turn. */

void outgoing_before_output(struct hub *hub)
{
    /* Yours: are there downloads that can go on in the next turn?  Not among all: who is to_flush? */
    (void)hub;
}

void outgoing_get(struct call *c, const char *id, int64_t offset)
{
    /* Yours: who asks, and from where?  Then the first chunk, and a place among the session's downloads: the
     * client may say nothing more and still gets all of it, as long as there is one. */
    (void)id;
    (void)offset;
    call_error(c, "no_such_file", "There are no files yet.");
}
