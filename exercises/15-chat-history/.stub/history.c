/* history - what has been said in a room can be read afterwards.  See history.h. */

#include "history.h"

#include "archive.h"
#include "checkpoint.h"
#include "hub.h"
#include "notice.h"
#include "outbox.h"
#include "room.h"
#include "server.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 1024, /* messages that are kept at once, at most */
    RETRY_MS = 1000,
    ROOM_MOST = 32
};

/* A seq in a message that waits to be sent, as bytes of JSON: ,"seq":17 */
struct seq_text {
    char *at;
    size_t size;
};

static struct archive_limits limits_of_history = {.each = 10000, .all = 1000000};

static const struct option_spec options[] = {
    {"history-keep", "N", OPTION_NUMBER, &limits_of_history.each, 0, 1000000000,
     "messages of a room that are kept; 0: all"},
    {"history-total", "N", OPTION_NUMBER, &limits_of_history.all, 0, 1000000000,
     "messages that are kept in all; 0: all"},
    {0},
};

/* A message that has been said, and is neither sent nor kept as yet. */
struct said {
    struct room *room;
    int64_t seq;
    struct seq_text text, own; /* in the room's copy; in the sender's own, if there is one */
};

static struct {
    bool off;                   /* a batch was lost: what is said is not kept */
    bool told_off;              /* and everybody knows it */
    struct reactor_timer timer; /* to tell it, and then to try again */
    json_t *messages[BATCH];    /* the batch */
    struct said said[BATCH];
    size_t count;
    json_t *next; /* the message that is being said, and will be in the batch; or NULL */
    struct said next_said;
} this;

/* ---- on and off ----------------------------------------------------------------------------- */

static int encode_state(struct hub *hub)
{
    static const char off[] = "The history is off: what is said now is not kept.";
    static const char on[] = "The history is on again: what is said is kept.";
    return hub_encode(hub, json_pack("{ss sb ss ss}", "type", "history_state", "on", !this.off,
                                     "message", this.off ? off : on, "timestamp", notice_time()));
}

/* Tell who joins while it is off. */
static void joined(struct session *s)
{
    if (this.told_off && encode_state(s->hub) == 0)
        session_put(s, s->hub->line, s->hub->line_size);
}

/* Tell everybody who has joined. */
static void tell_all(struct hub *hub)
{
    struct chunk *k = NULL;
    if (encode_state(hub) == -1 || (k = chunk_new(hub->line_size, true)) == NULL)
        return; /* memory is short */
    memcpy(k->bytes, hub->line, hub->line_size);
    k->used = (uint32_t)hub->line_size;
    for (struct session *s = hub->sessions; s != NULL; s = s->next)
        if (session_joined(s))
            session_refer_all(s, k);
    chunk_drop(k);
}

/* The timer: the history is off.  Tell it, and from then on look every second whether it works
 * again. */
static void look_again(struct reactor *r, void *context)
{
    /* Yours: let everybody know that the history is off; and from then on look every RETRY_MS
     * whether it works again, and let them know that.  Each time call checkpoint_ask: it may be all
     * that is needed. */
    (void)r;
    (void)context;
    (void)tell_all;
}

/* ---- the seqs that are on their way --------------------------------------------------------- */

/* Yours: what overwrites a seq. */

/* Where the seq stands in a message: within a string its quotes would have backslashes. */
static struct seq_text find_seq(struct chunk *k, size_t at, size_t size)
{
    static const char key[] = ",\"seq\":";
    char *found = memmem(k->bytes + at, size, key, sizeof key - 1);
    if (found == NULL)
        return (struct seq_text){NULL, 0};
    size_t digits = strspn(found + sizeof key - 1, "0123456789");
    return (struct seq_text){found, sizeof key - 1 + digits};
}

static void forget_batch(void)
{
    while (this.count > 0)
        json_decref(this.messages[--this.count]);
}

/* Yours: what has to be done when a batch is lost. */

/* [commit-before-output] All that was said in this turn, in one transaction; and only then is it
 * sent. */
static void keep_batch(struct hub *hub)
{
    /* Yours: keep all messages of the batch; or let none of their seqs leave.  Then the batch is
     * empty. */
    (void)hub;
    (void)forget_batch;
    (void)find_seq;
    (void)look_again;
}

/* Yours: the seq after the last one of a room, in the batch or in the archive.  The archive forgets
 * a room of which no message is left; r->last is yours, to remember it as long as somebody is in
 * the room. */

static void before_broadcast(struct room *r, json_t *message)
{
    /* Yours: give it its seq, unless the history is off.  It is part of the batch when it has been
     * said. */
    (void)r;
    (void)message;
}

/* [flushed-between] A tape that is full is sent in the middle of a turn, and this message was on
 * its way to it: it is not part of the batch that was kept then, or lost.  If lost, it is to have
 * no seq either, for it would be the one after the lost ones. */
static void after_broadcast(struct hub *hub, struct chunk *k, size_t at, size_t size)
{
    /* Yours: the message stands in k, size bytes at `at`, and is part of the batch now.  Remember
     * where its seq is.  It may be the copy of a sender, or stand nowhere: see dispatch.h. */
    (void)hub;
    (void)k;
    (void)at;
    (void)size;
}

/* ---- the request ---------------------------------------------------------------------------- */

/* A field that is an integer from 1 to most, if it is there at all.  False after an error. */
static bool call_number(struct call *c, const char *field, int64_t most, int64_t *number)
{
    const json_t *value = json_object_get(c->body, field);
    if (value == NULL)
        return true;
    *number = json_integer_value(value); /* 0 for what is none */
    if (*number >= 1 && *number <= most)
        return true;
    char sentence[96];
    snprintf(sentence, sizeof sentence, "The field '%s' must be an integer, from 1 on%s.", field,
             most == PAGE_MESSAGES ? " and at most 100" : "");
    call_error(c, "bad_request", sentence);
    return false;
}

static void serve_history(struct call *c)
{
    int64_t limit = 50, before = INT64_MAX;
    const char *name = call_name(c, "room", NULL, ROOM_MOST, "bad_room");
    if (name == NULL || !call_number(c, "limit", PAGE_MESSAGES, &limit) ||
        !call_number(c, "before", INT64_MAX, &before))
        return;
    /* Yours: is he in this room?  If so, {"type": "history", "room": ..., "messages": [...],
     * "more": ...}; or the error busy, if it cannot be read. */
    call_error(c, "busy", "The history cannot be read now: try again.");
}

/* ---- the extension -------------------------------------------------------------------------- */

static int start(struct hub *hub)
{
    (void)hub;
    if (archive_open(&limits_of_history) == 0)
        return 0;
    fprintf(stderr, "%s: the history: %s\n", program_invocation_short_name,
            sqlite3_errmsg(store_db()));
    exit(EXIT_FAILURE);
}

static void stop(struct hub *hub)
{
    reactor_timer_cancel(hub->reactor, &this.timer);
    forget_batch();
}

static const struct request requests_of_history[] = {
    {"history", serve_history, false},
    {NULL, NULL, false},
};

const struct extension history = {.name = "history",
                                  .requests = requests_of_history,
                                  .options = options,
                                  .start = start,
                                  .stop = stop,
                                  .before_broadcast = before_broadcast,
                                  .after_broadcast = after_broadcast,
                                  .joined = joined,
                                  .before_output = keep_batch};
