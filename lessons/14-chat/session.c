/* session - one client: its connection, from the first byte to the last.  See session.h. */

#include "session.h"

#include "clock.h"
#include "dispatch.h"
#include "hub.h"
#include "notice.h"
#include "room.h"
#include "room_limits.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECES = 64,             /* spans in one system call */
    ANSWERS_HIGH = 64 << 10, /* with so much waiting for it, a client's next line waits as well */
    /* how long a client that was told good-bye may take to close; and when the server ends */
    LINGER_MS = 1000,
    LINGER_LAST_MS = 100,
    SECOND = 1000000000
};

static reactor_call tick;

/* ---- its beginning -------------------------------------------------------------------------- */

static bool wants_to_read(const struct session *s)
{
    return s->state == SESSION_LINGERING ||
           (s->state == SESSION_OPEN && !s->eof && !s->throttled && !s->paused && !s->waiting);
}

/* What it waits for now, told to the transport. */
static void watch(struct session *s)
{
    unsigned events = (s->blocked ? REACTOR_WRITE : 0) | (wants_to_read(s) ? REACTOR_READ : 0);
    if (s->state != SESSION_DEAD && s->connection.transport->want(&s->connection, events) == -1)
        session_die(s, "connection lost");
}

static int64_t after(int64_t time, double seconds)
{
    return time + (int64_t)(seconds * SECOND);
}

/* [rate] A line is worth 1/rate seconds.  credit is the time at which the lines so far would all have
 * come if they had come evenly; a client may be ahead of that by a burst.  One that is further ahead
 * is not read from until its time has come: TCP slows the sender, and nothing is lost. */
static int64_t line_ns(void)
{
    const double slowest = 0.001; /* a line in a quarter of an hour: the product below must fit */
    return (int64_t)(SECOND / (limits.rate > slowest ? limits.rate : slowest));
}

static int64_t next_line_due(const struct session *s)
{
    return s->credit - ((int64_t)limits.burst - 1) * line_ns();
}

/* When its time is over: to join, to say something, to close; 0: never. */
static int64_t deadline(const struct session *s)
{
    if (s->state == SESSION_FINISHING)
        return after(s->since, limits.drain_timeout);
    if (s->state == SESSION_LINGERING)
        return s->since + (s->hub->closing ? LINGER_LAST_MS : LINGER_MS) * (SECOND / 1000);
    if (s->waiting)
        return 0; /* it waits for us, and not we for it */
    if (!session_joined(s))
        return limits.join_timeout > 0 ? after(s->since, limits.join_timeout) : 0;
    if (s->pinged)
        return after(s->heard, limits.ping_timeout);
    return limits.idle_timeout > 0 ? after(s->heard, limits.idle_timeout) : 0;
}

/* The next time at which there is something to do; 0: never. */
static int64_t next_due(const struct session *s)
{
    int64_t due = deadline(s);
    if (s->throttled && (due == 0 || next_line_due(s) < due))
        return next_line_due(s);
    return due;
}

/* Let the timer run to what is due next.  One that runs to an earlier time is left alone: it will
 * find nothing due and come here again.  So a line that puts the idle time off costs nothing. */
static void schedule(struct session *s)
{
    int64_t due = next_due(s);
    if (due == 0 || s->state == SESSION_DEAD || (s->timer.place != 0 && s->timer.due <= due))
        return;
    int64_t left = due - clock_now();
    int64_t left_ms = left > 0 ? (left + 999999) / 1000000 : 0;
    if (reactor_timer_start(s->hub->reactor, &s->timer, left_ms, tick, s) == -1)
        session_die(s, "connection lost");
}

/* [wipe] Give back memory that holds what was received: where secrets come by, without them. */
static void release(const struct session *s, char *bytes, size_t size)
{
    if (bytes != NULL && s->hub->wipes)
        explicit_bzero(bytes, size);
    free(bytes);
}

struct session *session_new(struct hub *hub, struct connection connection)
{
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->hub = hub;
    s->connection = connection;
    s->connection.session = s;
    s->since = s->heard = hub_now(hub);
    watch(s);
    schedule(s);
    return s;
}

void session_free(struct session *s)
{
    reactor_timer_cancel(s->hub->reactor, &s->timer);
    s->connection.transport->close(&s->connection);
    outbox_free(&s->out);
    free(s->rooms);
    release(s, s->held, s->held_size);
    free(s);
}

/* ---- its end -------------------------------------------------------------------------------- */

void session_leave_rooms(struct session *s, const char *reason)
{
    if (!session_joined(s))
        return;
    while (s->room_count > 0) {
        struct room *r = s->rooms[s->room_count - 1];
        room_leave(r, s);
        if (!s->hub->closing) /* everybody goes: nobody is left to be told */
            notice_left(r, s->name.text, reason);
    }
    names_remove(&s->hub->users, &s->name);
    server_report("client %d (%s): left: %s", s->connection.number, s->name.text, reason);
    s->name.text[0] = '\0';
}

static void end(struct session *s, enum session_state state)
{
    if (s->state == SESSION_OPEN)
        s->hub->open_count--;
    s->state = state;
    s->since = hub_now(s->hub);
    s->throttled = s->paused = s->waiting = false;
    release(s, s->held, s->held_size);
    s->held = NULL;
    s->held_size = 0;
}

void session_die(struct session *s, const char *reason)
{
    if (s->state == SESSION_DEAD)
        return;
    s->reason = reason;
    end(s, SESSION_DEAD);
    hub_bury_later(s);
}

void session_finish(struct session *s, const char *reason, const char *bye)
{
    if (s->state != SESSION_OPEN)
        return;
    if (bye != NULL)
        notice_bye(s, bye);
    if (s->state != SESSION_OPEN)
        return; /* memory was short */
    s->reason = reason;
    session_leave_rooms(s, reason);
    if (s->state != SESSION_OPEN)
        return; /* the notices of its leaving filled a tape, and at its flush the connection was lost */
    end(s, SESSION_FINISHING);
    hub_flush_later(s);
    schedule(s);
}

/* All is sent.  Closed now, with bytes of the client unread, the connection would be reset, and what
 * was sent last might be lost on the way: so the client closes first, for a while. */
static void linger(struct session *s)
{
    if (s->eof) {
        session_die(s, s->reason);
        return;
    }
    s->connection.transport->finish(&s->connection);
    end(s, SESSION_LINGERING);
    watch(s);
    schedule(s);
}

/* ---- what it is sent ------------------------------------------------------------------------ */

void session_refer(struct session *s, struct chunk *k, uint32_t from, uint32_t to)
{
    if (s->state != SESSION_OPEN)
        return;
    if (outbox_refer(&s->out, k, from, to) == -1)
        session_die(s, "connection lost");
    else if (s->out.count > 0)
        hub_flush_later(s);
}

/* What its rooms owe it comes first: see [one-order]. */
static void settle(struct session *s)
{
    for (uint32_t i = 0; i < s->room_count; i++)
        room_settle_one(s->rooms[i], s);
}

void session_refer_all(struct session *s, struct chunk *k)
{
    settle(s);
    session_refer(s, k, 0, k->used);
    s->hub->stats.out++;
}

void session_put(struct session *s, const char *bytes, size_t size)
{
    if (s->state != SESSION_OPEN)
        return;
    settle(s);
    if (outbox_put(&s->out, bytes, size) == -1) {
        session_die(s, "connection lost");
        return;
    }
    if (size > s->grace && size > limits.send_queue / 4)
        s->grace = size;
    s->hub->stats.out++;
    hub_flush_later(s);
}

void session_flush(struct session *s)
{
    const struct transport *t = s->connection.transport;
    while (!s->blocked && s->out.count > 0 && s->state != SESSION_DEAD) {
        struct iovec vector[PIECES];
        int count = outbox_vector(&s->out, vector, PIECES);
        size_t before = s->out.bytes;
        ssize_t n = t->write(&s->connection, vector, count);
        if (n >= 0) {
            outbox_sent(&s->out, (size_t)n);
            if (s->eof) /* it cannot speak any more: that it reads is its sign of life */
                s->heard = hub_now(s->hub);
            bool whole = s->out.bytes == 0 || count == PIECES;
            if (whole && before > s->out.bytes)
                continue;
        } else if (errno == EINTR) {
            continue;
        } else if (errno != EAGAIN) {
            session_die(s, "connection lost");
            return;
        }
        s->blocked = true; /* a short write: asking again at once would only be told EAGAIN */
        hub_slow(s);
        watch(s);
    }
    if (s->out.count == 0) {
        s->grace = 0;
        if (s->state == SESSION_FINISHING)
            linger(s);
    } else if (s->out.bytes > limits.send_queue + s->grace && s->state == SESSION_OPEN) {
        s->hub->stats.slow++;
        session_die(s, "slow consumer");
    }
}

/* ---- what it sends -------------------------------------------------------------------------- */

static bool may_serve(struct session *s)
{
    if (s->waiting)
        return false;
    if (s->out.bytes > ANSWERS_HIGH) {
        s->paused =
            true; /* [answers] who asks faster than he reads the answers waits for himself */
        hub_flush_later(s);
        return false;
    }
    if (limits.rate <= 0)
        return true;
    int64_t now = hub_now(s->hub);
    if (now < next_line_due(s)) {
        s->throttled = true;
        return false;
    }
    s->credit = (s->credit > now ? s->credit : now) + line_ns();
    return true;
}

/* [other-protocols] Somebody who speaks HTTP or TLS to us is told so in his own terms, and nothing of
 * what follows is looked at: a web page must not make its reader's browser chat. */
static bool is_other_protocol(struct session *s, const char *bytes, size_t size, bool whole_line)
{
    static const char page[] = "HTTP/1.1 400 Bad Request\r\n"
                               "Content-Type: text/plain\r\n"
                               "Content-Length: 58\r\n"
                               "Connection: close\r\n\r\n"
                               "This is a chat room: it speaks JSON, one object on a line\n";
    static const char alert[] = {21, 3, 1, 0,
                                 2,  2, 40}; /* fatal, handshake_failure: RFC 5246, 7.2 */
    if (size > 0 && bytes[0] == 22) {
        session_put(s, alert, sizeof alert);
        return true;
    }
    bool too_long = !whole_line && size > limits.max_line;
    if (size == 0 || bytes[0] == '\r' || !(whole_line || too_long))
        return false; /* nothing to judge by as yet */
    s->greeted = true;
    size_t method = 0;
    while (method < size && bytes[method] >= 'A' && bytes[method] <= 'Z')
        method++;
    if (method == 0 || method == size || bytes[method] != ' ' ||
        !(too_long || memmem(bytes, size, " HTTP/", strlen(" HTTP/")) != NULL))
        return false;
    session_put(s, page, sizeof page - 1);
    return true;
}

/* Serve the lines among these bytes, as far as that is allowed now.  Returns how many bytes are done
 * with. */
static size_t serve_lines(struct session *s, const char *bytes, size_t size)
{
    size_t at = 0;
    while (at < size && s->state == SESSION_OPEN) {
        const char *line = bytes + at;
        const char *newline = memchr(line, '\n', size - at);
        size_t length = newline != NULL ? (size_t)(newline - line) : size - at;
        if (s->discarding) {
            s->discarding = newline == NULL;
            at += length + (newline != NULL);
            continue;
        }
        if (!s->greeted && is_other_protocol(s, line, length, newline != NULL)) {
            session_finish(s, "connection lost", NULL);
            break;
        }
        if (newline == NULL && length <= limits.max_line + 1)
            break; /* with a "\r" it may still fit */
        if (!may_serve(s))
            break;
        s->hub->stats.in++;
        s->heard = hub_now(s->hub);
        s->pinged = false;
        at += length + (newline != NULL);
        if (newline != NULL && length > 0 && line[length - 1] == '\r')
            length--;
        s->discarding = newline == NULL;
        dispatch_line(s, line, length);
    }
    return at;
}

/* What is held and what has come behind it, as one piece that is the caller's; NULL short of
 * memory. */
static char *take_held(struct session *s, const char *bytes, size_t size)
{
    char *all = malloc(s->held_size + size);
    if (all == NULL)
        return NULL;
    memcpy(all, s->held, s->held_size);
    if (size > 0)
        memcpy(all + s->held_size, bytes, size);
    release(s, s->held, s->held_size);
    return all;
}

/* Serve what is held, and size bytes that have come behind it; hold what must wait. */
static void serve(struct session *s, const char *bytes, size_t size)
{
    char *held = NULL;
    if (s->held != NULL) {
        held = take_held(s, bytes, size);
        if (held == NULL) {
            session_die(s, "connection lost");
            return;
        }
        bytes = held;
        size += s->held_size;
        s->held = NULL;
        s->held_size = 0;
    }
    size_t done = serve_lines(s, bytes, size);
    if (s->state == SESSION_OPEN && done < size) {
        if (held != NULL) {
            memmove(held, held + done, size - done);
            if (s->hub->wipes) /* what has been moved still stands there, too */
                explicit_bzero(held + size - done, done);
        } else if ((held = malloc(size - done)) != NULL) {
            memcpy(held, bytes + done, size - done);
        } else {
            session_die(s, "connection lost");
        }
        if (held != NULL) {
            s->held = held;
            s->held_size = size - done;
        }
    } else {
        release(s, held, size);
    }
    /* [half-close] The client has sent its last line and may still be reading: it gets its answers, also
     * those that take many turns. */
    if (s->eof && !s->throttled && !s->paused && !s->waiting && s->downloads == NULL)
        session_finish(s, "connection lost", NULL);
}

static void receive(struct session *s)
{
    struct hub *hub = s->hub;
    ssize_t n = s->connection.transport->read(&s->connection, hub->input, hub->input_size);
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return;
    if (s->state == SESSION_LINGERING) {
        if (n <= 0)
            session_die(s, s->reason);
    } else if (n == -1) {
        session_die(s, "connection lost");
    } else {
        server_work();
        s->eof = n == 0;
        serve(s, hub->input, (size_t)n);
    }
    if (hub->wipes && n > 0) /* also what nobody listens to any more */
        explicit_bzero(hub->input, (size_t)n);
}

void session_ready(struct session *s, unsigned events)
{
    hub_now(s->hub);
    if (events & REACTOR_WRITE && s->blocked) {
        s->blocked = false;
        hub_not_slow(s);
        hub_flush_later(s);
    }
    if (events & REACTOR_READ && wants_to_read(s))
        receive(s);
    watch(s);
    schedule(s);
}

void session_resume(struct session *s)
{
    if (!(s->paused || s->eof) || s->out.bytes > ANSWERS_HIGH || s->state != SESSION_OPEN)
        return;
    s->paused = false;
    serve(s, NULL, 0);
    watch(s);
    schedule(s);
}

void session_hold(struct session *s)
{
    s->waiting = true;
}

void session_release(struct session *s)
{
    if (!s->waiting || s->state != SESSION_OPEN)
        return;
    s->waiting = false;
    serve(s, NULL, 0);
    watch(s);
    schedule(s);
}

void session_unmetered(struct session *s)
{
    if (limits.rate > 0)
        s->credit -= line_ns();
}

/* ---- time ----------------------------------------------------------------------------------- */

/* Something may be due. */
static void tick(struct reactor *r, void *context)
{
    (void)r;
    struct session *s = context;
    int64_t now = hub_now(s->hub);
    if (s->throttled && now >= next_line_due(s)) {
        s->throttled = false;
        serve(s, NULL, 0);
    }
    int64_t due = deadline(s);
    if (due != 0 && now >= due && s->state != SESSION_DEAD) {
        if (s->state != SESSION_OPEN) {
            session_die(s, s->reason);
        } else if (!session_joined(s) || s->pinged || s->eof) {
            session_finish(s, "timeout", "timeout");
        } else {
            s->pinged = true;
            s->heard = now;
            notice_ping(s);
        }
    }
    watch(s);
    schedule(s);
}

/* ---- its rooms ------------------------------------------------------------------------------ */

int session_add_room(struct session *s, struct room *r)
{
    if (s->room_count == s->room_capacity) {
        uint32_t capacity = s->room_capacity > 0 ? 2 * s->room_capacity : 1;
        struct room **rooms = realloc(s->rooms, capacity * sizeof(struct room *));
        if (rooms == NULL)
            return -1;
        s->rooms = rooms;
        s->room_capacity = capacity;
    }
    s->rooms[s->room_count++] = r;
    if (s->room_count == 2)
        s->rooms[0]->crossing++;
    if (s->room_count >= 2)
        r->crossing++;
    return 0;
}

void session_remove_room(struct session *s, struct room *r)
{
    uint32_t i = 0;
    while (s->rooms[i] != r)
        i++;
    if (s->room_count >= 2)
        r->crossing--;
    if (s->room_count == 2)
        s->rooms[1 - i]->crossing--;
    s->room_count--;
    memmove(&s->rooms[i], &s->rooms[i + 1], (s->room_count - i) * sizeof(struct room *));
}

bool session_in_room(const struct session *s, const struct room *r)
{
    for (uint32_t i = 0; i < s->room_count; i++)
        if (s->rooms[i] == r)
            return true;
    return false;
}
