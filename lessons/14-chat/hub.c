/* hub - what the sessions of one server share, and the end of each turn.  See hub.h. */

#include "hub.h"

#include "clock.h"
#include "dispatch.h"
#include "notice.h"
#include "reserve.h"
#include "room.h"
#include "room_limits.h"
#include "server.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REFUSALS = 32, /* sessions beyond max-clients whose own good-bye is waited for */
    INPUT = 16384  /* bytes received at once */
};

int hub_init(struct hub *hub, struct reactor *reactor, const struct extension *const *extensions)
{
    *hub = (struct hub){.reactor = reactor, .extensions = extensions, .input_size = INPUT};
    if (names_init(&hub->users, true) == -1 || names_init(&hub->rooms, false) == -1 ||
        reserve_init(limits.max_line) == -1 || (hub->input = malloc(INPUT)) == NULL ||
        (hub->last_tape = room_new_tape()) == NULL ||
        (hub->lobby = room_open(hub, "lobby")) == NULL) {
        hub_free(hub);
        return -1;
    }
    return 0;
}

int64_t hub_now(struct hub *hub)
{
    if (hub->turn_started == 0)
        hub->turn_started = clock_now();
    return hub->turn_started;
}

/* ---- who is there --------------------------------------------------------------------------- */

struct session *hub_find_user(const struct hub *hub, const char *nickname)
{
    struct name *n = names_find(&hub->users, nickname);
    return n != NULL ? (struct session *)((char *)n - offsetof(struct session, name)) : NULL;
}

/* Say why, as far as one call can, and close. */
static void turn_away(struct hub *hub, struct connection connection, const char *code,
                      const char *sentence)
{
    server_refuse("refused: %s", sentence);
    hub->stats.refused++;
    if (hub_encode(hub, json_pack("{ss ss ss ss}", "type", "error", "code", code, "message",
                                  sentence, "timestamp", notice_time())) == 0)
        connection.transport->write(
            &connection, &(struct iovec){.iov_base = hub->line, .iov_len = hub->line_size}, 1);
    connection.transport->close(&connection);
}

void hub_accept(struct hub *hub, struct connection connection)
{
    static const char full_sentence[] = "The server has as many clients as it may have.";
    bool full = hub->open_count >= limits.max_clients;
    /* Those who say good-bye and do not close have descriptors, too: see SPARE in chat.c. */
    bool crowded = hub->session_count >= limits.max_clients + REFUSALS;
    struct session *s = crowded ? NULL : session_new(hub, connection);
    if (s == NULL) {
        if (crowded)
            turn_away(hub, connection, "server_full", full_sentence);
        else
            turn_away(hub, connection, "busy", "Memory is short: try again.");
        return;
    }
    s->next = hub->sessions;
    if (s->next != NULL)
        s->next->previous = s;
    hub->sessions = s;
    hub->session_count++;
    hub->open_count++;
    s->serial = ++hub->stats.connected;
    if (full) {
        struct call c = {.hub = hub, .session = s};
        hub->stats.refused++;
        call_error(&c, "server_full", full_sentence);
        session_finish(s, "connection lost", NULL);
    }
}

static void bury(struct session *s)
{
    struct hub *hub = s->hub;
    session_leave_rooms(s, s->reason);
    for (const struct extension *const *e = hub->extensions; *e != NULL; e++)
        if ((*e)->gone != NULL)
            (*e)->gone(s);
    server_report("client %d: closed: %s", s->connection.number, s->reason);
    if (s->blocked)
        hub_not_slow(s);
    if (s->previous != NULL)
        s->previous->next = s->next;
    else
        hub->sessions = s->next;
    if (s->next != NULL)
        s->next->previous = s->previous;
    hub->session_count--;
    session_free(s);
}

/* ---- lists ---------------------------------------------------------------------------------- */

void hub_flush_later(struct session *s)
{
    if (s->to_flush)
        return;
    s->to_flush = true;
    s->next_flush = s->hub->to_flush;
    s->hub->to_flush = s;
}

void hub_bury_later(struct session *s)
{
    s->next_dead = s->hub->dead;
    s->hub->dead = s;
}

void hub_slow(struct session *s)
{
    struct hub *hub = s->hub;
    s->next_slow = NULL;
    s->previous_slow = hub->last_slow;
    if (hub->last_slow != NULL)
        hub->last_slow->next_slow = s;
    else
        hub->slowest = s;
    hub->last_slow = s;
}

void hub_not_slow(struct session *s)
{
    struct hub *hub = s->hub;
    if (s->previous_slow != NULL)
        s->previous_slow->next_slow = s->next_slow;
    else
        hub->slowest = s->next_slow;
    if (s->next_slow != NULL)
        s->next_slow->previous_slow = s->previous_slow;
    else
        hub->last_slow = s->previous_slow;
}

/* ---- encoding ------------------------------------------------------------------------------- */

/* Let hub->line hold size bytes. */
static int reserve(struct hub *hub, size_t size)
{
    if (size <= hub->line_capacity)
        return 0;
    size_t capacity = hub->line_capacity > 0 ? hub->line_capacity : 1024;
    while (capacity < size)
        capacity *= 2;
    char *line = realloc(hub->line, capacity);
    if (line == NULL)
        return -1;
    hub->line = line;
    hub->line_capacity = capacity;
    return 0;
}

int hub_encode(struct hub *hub, json_t *message)
{
    int made = -1;
    size_t size = json_dumpb(message, hub->line, hub->line_capacity, JSON_COMPACT);
    if (size > 0 && size + 1 > hub->line_capacity && reserve(hub, size + 1) == 0)
        size = json_dumpb(message, hub->line, hub->line_capacity, JSON_COMPACT);
    if (size > 0 && size + 1 <= hub->line_capacity) {
        hub->line[size] = '\n';
        hub->line_size = size + 1;
        made = 0;
    }
    hub->line_failed = made == -1;
    json_decref(message);
    return made;
}

static void append(struct hub *hub, const char *bytes, size_t size)
{
    if (hub->line_failed || reserve(hub, hub->line_size + size) == -1) {
        hub->line_failed = true;
        return;
    }
    memcpy(hub->line + hub->line_size, bytes, size);
    hub->line_size += size;
}

void hub_list_begin(struct hub *hub, const char *key)
{
    char begin[64];
    if (!hub->line_failed)
        hub->line_size -= strlen("}\n");
    int size = snprintf(begin, sizeof begin, ",\"%s\":[", key);
    append(hub, begin, (size_t)size);
}

void hub_list_add(struct hub *hub, const char *value, size_t size)
{
    if (!hub->line_failed && hub->line[hub->line_size - 1] != '[')
        append(hub, ",", 1);
    append(hub, value, size);
}

int hub_list_end(struct hub *hub)
{
    append(hub, "]}\n", 3);
    return hub->line_failed ? -1 : 0;
}

/* ---- the end of a turn ---------------------------------------------------------------------- */

static void before_output(struct hub *hub)
{
    for (const struct extension *const *e = hub->extensions; *e != NULL; e++)
        if ((*e)->before_output != NULL)
            (*e)->before_output(hub);
}

/* In the middle of a turn: nobody is resumed, for somebody is being served. */
void hub_flush(struct hub *hub)
{
    before_output(hub);
    struct session *list = hub->to_flush;
    hub->to_flush = NULL;
    for (struct session *s = list, *next; s != NULL; s = next) {
        next = s->next_flush;
        s->to_flush = false;
        session_flush(s);
        if (s->paused || s->eof)
            hub_flush_later(s); /* the end of the turn resumes it */
    }
}

/* A tape that was referred to when its room was swept stays until something is said there: now it is
 * asked for. */
static void sweep_all(struct hub *hub)
{
    for (size_t i = 0; i < hub->rooms.chain_count; i++)
        for (struct name *n = hub->rooms.chains[i]; n != NULL; n = n->next) {
            struct room *r = (struct room *)n;
            if (!r->dirty && r->count > 0)
                room_sweep(r);
        }
}

/* [memory-in-all] What all queues hold together is bounded as well.  Who has been slow for longest
 * goes first. */
static void bound_memory(struct hub *hub)
{
    if (chunk_memory > limits.send_queue_total)
        sweep_all(hub);
    struct session *s = hub->slowest;
    while (chunk_memory > limits.send_queue_total && s != NULL) {
        struct session *next = s->next_slow;
        if (s->state == SESSION_OPEN)
            hub->stats.slow++;
        session_die(s, "slow consumer");
        outbox_free(&s->out);
        s = next;
    }
}

/* Settle every room where something was said.  Returns them as a list, to be swept. */
static struct room *settle(struct hub *hub)
{
    struct room *list = hub->dirty;
    hub->dirty = NULL;
    hub->written = NULL;
    for (struct room *r = list; r != NULL; r = r->next_dirty) {
        room_settle(r);
        r->dirty = false;
    }
    return list;
}

/* Flush every session that waits for it.  Returns those whose next lines may now be served. */
static struct session *flush(struct hub *hub)
{
    struct session *list = hub->to_flush;
    struct session *resumable = NULL;
    hub->to_flush = NULL;
    for (struct session *s = list, *next; s != NULL; s = next) {
        next = s->next_flush;
        s->to_flush = false;
        session_flush(s);
        if (s->paused || s->eof) {
            s->next_resumed = resumable;
            resumable = s;
        }
    }
    return resumable;
}

static void sweep(struct room *list)
{
    for (struct room *r = list, *next; r != NULL; r = next) {
        next = r->next_dirty;
        room_sweep(r);
    }
}

/* The dead ones at this moment; none of them waits to be flushed, for that has just been done. */
static void bury_all(struct hub *hub)
{
    struct session *list = hub->dead;
    hub->dead = NULL;
    for (struct session *s = list, *next; s != NULL; s = next) {
        next = s->next_dead;
        bury(s);
    }
}

void hub_turn(struct hub *hub)
{
    while (hub->dirty != NULL || hub->to_flush != NULL || hub->dead != NULL) {
        struct room *rooms = settle(hub);
        before_output(hub);
        struct session *resumable = flush(hub);
        sweep(rooms);
        bound_memory(hub);
        for (struct session *s = resumable; s != NULL; s = s->next_resumed)
            session_resume(s);
        if (hub->to_flush == NULL)
            bury_all(hub);
    }
    if (hub->turn_started != 0) {
        int64_t took = clock_now() - hub->turn_started;
        hub->stats.turns++;
        hub->stats.turn_sum_ns += took;
        if (took > hub->stats.turn_max_ns)
            hub->stats.turn_max_ns = took;
        hub->turn_started = 0;
    }
}

/* ---- the end -------------------------------------------------------------------------------- */

void hub_close_all(struct hub *hub)
{
    hub_turn(hub);
    hub->closing = true;
    for (struct session *s = hub->sessions; s != NULL; s = s->next)
        session_finish(s, "server closing", "server closing");
    hub_turn(hub);
}

bool hub_is_empty(const struct hub *hub)
{
    return hub->sessions == NULL;
}

static void free_rooms(struct hub *hub)
{
    for (size_t i = 0; hub->rooms.chains != NULL && i < hub->rooms.chain_count; i++)
        for (struct name *n = hub->rooms.chains[i], *next; n != NULL; n = next) {
            next = n->next;
            struct room *r = (struct room *)n;
            if (r->tape != NULL)
                chunk_drop(r->tape);
            free(r->seats);
            free(r);
        }
}

void hub_free(struct hub *hub)
{
    hub->closing = true;
    for (struct session *s = hub->sessions; s != NULL; s = s->next)
        session_die(s, "server closing");
    bury_all(hub);
    free_rooms(hub);
    if (hub->spare_tape != NULL)
        chunk_drop(hub->spare_tape);
    if (hub->last_tape != NULL)
        chunk_drop(hub->last_tape);
    names_free(&hub->users);
    names_free(&hub->rooms);
    free(hub->line);
    free(hub->input);
    reserve_free();
}

static size_t memory_of(const struct chunk *k)
{
    return k != NULL ? sizeof *k + k->capacity : 0;
}

/* What waits to be sent: the tapes that are kept do not. */
static size_t queued(const struct hub *hub)
{
    return chunk_memory - memory_of(hub->spare_tape) - memory_of(hub->last_tape);
}

void hub_print_stats(struct hub *hub)
{
    const struct stats *t = &hub->stats;
    size_t rooms = hub->rooms.count;
    fprintf(stderr,
            "stats: clients %zu, rooms %zu, messages in %llu, messages out %llu, queued %zu bytes, "
            "slow consumers closed %llu, connected %llu, refused %llu, turns %llu, "
            "loop time mean %.1f us, max %.1f us\n",
            hub->open_count, rooms, (unsigned long long)t->in, (unsigned long long)t->out,
            queued(hub), (unsigned long long)t->slow, (unsigned long long)t->connected,
            (unsigned long long)t->refused, (unsigned long long)t->turns,
            t->turns > 0 ? (double)t->turn_sum_ns / (double)t->turns / 1e3 : 0,
            (double)t->turn_max_ns / 1e3);
}
