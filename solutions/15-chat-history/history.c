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
#ifdef STUB
    /* Yours: let everybody know that the history is off; and from then on look every RETRY_MS
     * whether it works again, and let them know that.  Each time call checkpoint_ask: it may be all
     * that is needed. */
    (void)r;
    (void)context;
    (void)tell_all;
#else
    struct hub *hub = context;
    if (!this.told_off) {
        this.told_off = true;
        tell_all(hub);
    } else if (archive_writable() == 0) {
        this.off = this.told_off = false;
        tell_all(hub);
        return;
    }
    checkpoint_ask(); /* it may be all that is needed */
    reactor_timer_start(r, &this.timer, RETRY_MS, look_again, hub); /* see [short-of-memory] */
#endif
}

/* ---- the seqs that are on their way --------------------------------------------------------- */

#ifdef STUB
/* Yours: what overwrites a seq. */
#else
static void blank(struct seq_text t)
{
    if (t.size > 0)
        memset(t.at, ' ', t.size);
}
#endif

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

#ifdef STUB
/* Yours: what has to be done when a batch is lost. */
#else
/* The batch is kept: so far has each of its rooms come.  See [no-gap]. */
static void note_batch(void)
{
    for (size_t i = 0; i < this.count; i++)
        this.said[i].room->last = this.said[i].seq;
}

/* The batch is lost: no seq of it may leave. */
static void lose(const char *why)
{
    server_refuse("the history is off: %s", why);
    for (size_t i = 0; i < this.count; i++) {
        blank(this.said[i].text);
        blank(this.said[i].own);
    }
    this.off = true;
}

/* [not-now] That it is off is told in the next turn: somebody is being served, and hub->line may be
 * in use.  [short-of-memory] Each turn sees to it that the timer runs: it could not be started, and
 * nobody else would ever turn the history on again. */
static void watch_state(struct hub *hub)
{
    if (this.off && this.timer.place == 0)
        reactor_timer_start(hub->reactor, &this.timer, 0, look_again, hub);
}
#endif

/* [commit-before-output] All that was said in this turn, in one transaction; and only then is it
 * sent. */
static void keep_batch(struct hub *hub)
{
#ifdef STUB
    /* Yours: keep all messages of the batch; or let none of their seqs leave.  Then the batch is
     * empty. */
    (void)hub;
    (void)forget_batch;
    (void)find_seq;
    (void)look_again;
#else
    if (this.count > 0 && archive_keep(this.messages, this.count) == -1)
        lose(sqlite3_errmsg(store_db()));
    else
        note_batch();
    forget_batch();
    watch_state(hub);
#endif
}

#ifdef STUB
/* Yours: the seq after the last one of a room, in the batch or in the archive.  The archive forgets
 * a room of which no message is left; r->last is yours, to remember it as long as somebody is in
 * the room. */
#else
/* [no-gap] The last seq of a room that was kept; -1 if it cannot be read.  The archive forgets a
 * room of which no message is left, and it would go on above all that were forgotten: so who is in
 * it, and has seen a seq, would see the next one jump.  It is remembered as long as the room is. */
static int64_t last_kept(struct room *r)
{
    if (r->last == 0) {
        int64_t last = archive_last(r->name.text);
        if (last == -1)
            return -1;
        r->last = last;
    }
    return r->last;
}

/* The seq after the last one of a room: in the batch, or kept; -1 if that cannot be read. */
static int64_t next_seq(struct room *r)
{
    for (size_t i = this.count; i > 0; i--)
        if (this.said[i - 1].room == r)
            return this.said[i - 1].seq + 1;
    int64_t last = last_kept(r);
    return last != -1 ? last + 1 : -1;
}
#endif

static void before_broadcast(struct room *r, json_t *message)
{
#ifdef STUB
    /* Yours: give it its seq, unless the history is off.  It is part of the batch when it has been
     * said. */
    (void)r;
    (void)message;
#else
    if (this.count == BATCH)
        keep_batch(r->hub);
    if (this.off)
        return;
    int64_t seq = next_seq(r);
    if (seq == -1 || json_object_set_new(message, "seq", json_integer(seq)) == -1) {
        lose(sqlite3_errmsg(store_db()));
        forget_batch();
        return;
    }
    this.next = json_incref(message);
    this.next_said = (struct said){.room = r, .seq = seq};
#endif
}

/* [flushed-between] A tape that is full is sent in the middle of a turn, and this message was on
 * its way to it: it is not part of the batch that was kept then, or lost.  If lost, it is to have
 * no seq either, for it would be the one after the lost ones. */
static void after_broadcast(struct hub *hub, struct chunk *k, size_t at, size_t size)
{
#ifdef STUB
    /* Yours: the message stands in k, size bytes at `at`, and is part of the batch now.  Remember
     * where its seq is.  It may be the copy of a sender, or stand nowhere: see dispatch.h. */
    (void)hub;
    (void)k;
    (void)at;
    (void)size;
#else
    (void)hub;
    json_t *next = this.next;
    this.next = NULL;
    if (k == NULL || this.off) {
        if (k != NULL)
            blank(find_seq(k, at, size));
        json_decref(next);
    } else if (next != NULL) {
        this.messages[this.count] = next;
        this.said[this.count] = this.next_said;
        this.said[this.count++].text = find_seq(k, at, size);
    } else if (this.count > 0) {
        this.said[this.count - 1].own = find_seq(k, at, size);
    }
#endif
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
#ifdef STUB
    /* Yours: is he in this room?  If so, {"type": "history", "room": ..., "messages": [...],
     * "more": ...}; or the error busy, if it cannot be read. */
    call_error(c, "busy", "The history cannot be read now: try again.");
#else
    struct room *r = room_find(c->hub, name);
    if (r == NULL || !session_in_room(c->session, r)) {
        call_error(c, "not_in_room", "You are not in this room.");
        return;
    }
    /* [own-words] Whoever speaks and asks in the same turn would miss what he has just said. */
    keep_batch(c->hub);
    last_kept(r); /* he sees it: from now on it is remembered */
    json_t *page = archive_page(name, (size_t)limit, before);
    json_t *reply = page != NULL ? json_pack("{ss ss}", "type", "history", "room", name) : NULL;
    if (reply == NULL || json_object_update(reply, page) == -1)
        call_error(c, "busy", "The history cannot be read now: try again.");
    else
        call_reply(c, json_incref(reply));
    json_decref(reply);
    json_decref(page);
#endif
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
