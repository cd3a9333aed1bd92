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

#ifdef STUB
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
#else
/* Behind all others of its session. */
static void append(struct download *d)
{
    struct download **last = &d->session->downloads;
    while (*last != NULL)
        last = &(*last)->next;
    *last = d;
    d->next = NULL;
}

static int count(const struct session *s)
{
    int n = 0;
    for (const struct download *d = s->downloads; d != NULL; d = d->next)
        n++;
    return n;
}

/* Put up to so many chunks into the outbox.  The file is opened for each batch: a download whose client does
 * not read costs no descriptor.  Returns 0, or -1 with errno. */
static int put(struct download *d, struct call *c, int chunks)
{
    unsigned char bytes[BATCH * FILES_CHUNK];
    int64_t left = d->file.size - d->offset;
    size_t size = (size_t)chunks * FILES_CHUNK;
    if (left < (int64_t)size)
        size = (size_t)left;
    int fd = openat(vault_folder(), d->file.id, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1)
        return -1;
    ssize_t n = pread(fd, bytes, size, d->offset);
    close(fd);
    if (n != (ssize_t)size)
        return -1;
    struct session *s = d->session;
    size_t at = 0;
    do {
        size_t part = size - at < FILES_CHUNK ? size - at : FILES_CHUNK;
        file_wire_put(s, c, &d->file, d->offset, bytes + at, part);
        d->offset += (int64_t)part;
        at += part;
    } while (at < size);
    /* [paced] What is put here is no more than it takes: nobody is a slow consumer for it, however short its
     * queue may be. */
    if (s->grace < s->out.bytes)
        s->grace = s->out.bytes;
    return 0;
}

/* ---- who may -------------------------------------------------------------------------------- */

static bool may_fetch(const struct session *s, const struct vault_file *f)
{
    if (f->addressee[0] != '\0')
        return strcasecmp(f->addressee, s->name.text) == 0;
    return audience_room(s, f) != NULL;
}

/* ---- all of them, once a turn --------------------------------------------------------------- */

static bool posted; /* go_on has been */

static bool can_go_on(const struct session *s)
{
    return s->state == SESSION_OPEN && !s->blocked;
}

/* Behind all others in the queue. */
static void put_in(struct download *d)
{
    if (d->ready != NULL)
        return;
    d->next_ready = NULL;
    d->ready = last_ready;
    *last_ready = d;
    last_ready = &d->next_ready;
}

static void take_turn(struct download *d)
{
    leave(d); /* the others of its session come first next time */
    append(d);
    /* [still] Who leaves the room gets nothing more of it. */
    if (!may_fetch(d->session, &d->file)) {
        file_wire_end(d->session, d->file.id, NULL, NULL);
        end(d);
    } else if (put(d, NULL, BATCH) == -1) {
        file_wire_end(d->session, d->file.id, "busy", "The file cannot be read just now.");
        end(d);
    } else if (d->offset == d->file.size) {
        end(d);
    }
}

/* [turns] Who has had his turn comes back behind those who have not, so that nobody waits for ever, however
 * many there are. */
static void go_on(struct reactor *r, void *context)
{
    (void)r;
    (void)context;
    int left = TURN;
    posted = false;
    while (first_ready != NULL && left > 0) {
        struct download *d = first_ready;
        take_out(d);
        if (!can_go_on(d->session) || d->session->out.bytes > NEARLY_EMPTY)
            continue;
        left -= BATCH;
        take_turn(d);
    }
}

/* [no-spin] Only while somebody can be sent something.  Who was taken out of the queue is not looked for among
 * all: it comes back when its outbox is about to be sent, behind its last chunks, or behind what was said to it,
 * or as its connection has become writable.  Of a session there is one in the queue, the first. */
void outgoing_before_output(struct hub *hub)
{
    for (const struct session *s = hub->to_flush; s != NULL; s = s->next_flush)
        if (s->downloads != NULL && can_go_on(s))
            put_in(s->downloads);
    if (!posted)
        posted = first_ready != NULL && reactor_post(hub->reactor, go_on, NULL) == 0;
}

/* ---- the request ---------------------------------------------------------------------------- */

/* [lowat] The kernel would take some megabytes for a client that reads slowly, and what is said later would
 * wait behind them.  What it has not sent yet is bounded by this: see tcp(7).  A connection that is no socket
 * has nothing of the kind, and goes without. */
static void bound_unsent(const struct session *s)
{
    const int bytes = UNSENT;
    setsockopt(s->connection.number, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

void outgoing_get(struct call *c, const char *id, int64_t offset)
{
    struct session *s = c->session;
    struct vault_file f;
    /* One answer, whether there is no such file or it is not for the requester. */
    if (vault_find(id, &f) != 1 || !may_fetch(s, &f)) {
        call_error(c, "no_such_file", "There is no file with this id for you.");
        return;
    }
    if (offset > f.size) {
        call_error(c, "bad_request", "The offset lies behind the end of the file.");
        return;
    }
    struct download *d = count(s) < FILES_DOWNLOADS && find(s, id) == NULL ? malloc(sizeof *d)
                                                                           : NULL;
    if (d == NULL) {
        call_error(c, "busy", "Too many downloads, or one of this file goes on already.");
        return;
    }
    *d = (struct download){.session = s, .file = f, .offset = offset};
    bound_unsent(s);
    if (put(d, c, 1) == -1)
        call_error(c, "busy", "The file cannot be read just now.");
    else if (d->offset < f.size) {
        append(d);
        return;
    }
    free(d);
}
#endif
