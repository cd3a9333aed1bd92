/*
 * fuzz_dispatch - the chat room from bytes in to bytes out, without a socket and without a clock.
 *
 * The input is a script, so that a seed can be read and a finding be written down.  A line is a step:
 * the digit of a client, what happens to it, and the rest of the line:
 *
 *   0:{"type":"ping"}   client 0 sends this line, and the server reads it
 *   0*...               the same, read byte by byte
 *   0&...               the same, but read together with what it sends next
 *   0+...               it sends this without an end of line
 *   0@                  what all clients have sent and nobody has read is read, in one turn
 *   0$   0!             its end of file; its reset
 *   0<ab7               how its writes go from now on, one each, the last for good: a all, b EAGAIN,
 *                       i EINTR, p EPIPE, r ECONNRESET, k 1000 bytes, 1 to 9 so many
 *   0>                  it can be written to
 *   0~...               it sends this line, and if the answer is made elsewhere, goes on before it is there
 *   0t                  a hundred seconds pass for it
 *   0x                  the next change of what is watched fails
 *   0c                  the server ends
 *   =r                  on the first line: lines are limited in their rate
 *
 * Beside what the sanitizers see, it is checked after every turn that the hub's books are right, and of
 * every line that the server writes that it is one JSON object that fits what this client knows by
 * now: who is in its rooms, and which rooms these are.  What is said is numbered on the way, so that one
 * that is lost, doubled or out of order is noticed too.
 */

#include "fuzz_dispatch.h"

#include "../../10-reactor/reactor.h"
#include "../dispatch.h"
#include "../hub.h"
#include "../room.h"
#include "../room_limits.h"
#include "../session.h"
#include "../transport.h"
#include "clock.h"
#include "server.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS = 6, AGE_S = 100, ANSWER_S = 10, EXTENSIONS_MAX = 8 };

struct client {
    bool open;
    bool want_fails; /* the next time */
    bool eof;
    bool finished;   /* the server's end of file */
    int read_error;  /* when all is read; or 0 */
    unsigned wanted; /* events that the server waits for */
    struct session *session;

    char *sent; /* and not yet read: sent_size bytes */
    size_t sent_size, sent_capacity;
    size_t chunk;       /* read at once, at most */
    const char *writes; /* how they go: writes_left letters */
    size_t writes_left;

    char *said; /* what the server has written to it */
    size_t said_size, said_capacity;
    size_t checked;   /* bytes of it */
    struct view view; /* what it knows from that */
};

static struct client clients[CLIENTS];
static struct hub hub;
static struct reactor *reactor;
static json_t *spoken;      /* how many messages in each room, by its name */
static json_int_t said = 0; /* and in all */

#define REQUIRE(condition)                                                          \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

static void append(char **bytes, size_t *size, size_t *capacity, const void *more, size_t count)
{
    if (*size + count > *capacity) {
        *capacity = 2 * (*size + count);
        *bytes = realloc(*bytes, *capacity);
        REQUIRE(*bytes != NULL);
    }
    if (count > 0)
        memcpy(*bytes + *size, more, count);
    *size += count;
}

/* ---- the transport -------------------------------------------------------------------------- */

static struct client *client_of(const struct connection *c)
{
    struct client *p = &clients[c->number];
    REQUIRE(p->open);
    return p;
}

static ssize_t stub_read(struct connection *c, void *buffer, size_t size)
{
    struct client *p = client_of(c);
    size_t n = p->sent_size;
    if (n > size)
        n = size;
    if (n > p->chunk)
        n = p->chunk;
    if (n > 0) {
        memcpy(buffer, p->sent, n);
        p->sent_size -= n;
        memmove(p->sent, p->sent + n, p->sent_size);
        return (ssize_t)n;
    }
    errno = p->read_error != 0 ? p->read_error : EAGAIN;
    return p->eof ? 0 : -1;
}

/* How many bytes the next write may take; -1 with errno: none. */
static ssize_t write_goes(struct client *p)
{
    char how = p->writes_left > 0 ? *p->writes : 'a';
    if (p->writes_left > 1 || how == 'i') { /* interrupted for ever is a loop for ever */
        p->writes++;
        p->writes_left--;
    }
    errno = how == 'b' ? EAGAIN : how == 'i' ? EINTR : how == 'p' ? EPIPE : ECONNRESET;
    if (strchr("bipr", how) != NULL && how != '\0')
        return -1;
    return how == 'k' ? 1000 : how >= '1' && how <= '9' ? how - '0' : SSIZE_MAX;
}

static ssize_t stub_write(struct connection *c, const struct iovec *vector, int count)
{
    struct client *p = client_of(c);
    REQUIRE(!p->finished && count > 0);
    ssize_t most = write_goes(p);
    ssize_t taken = 0;
    for (int i = 0; i < count && most > taken; i++) {
        size_t n = vector[i].iov_len;
        REQUIRE(n > 0);
        if (n > (size_t)(most - taken))
            n = (size_t)(most - taken);
        append(&p->said, &p->said_size, &p->said_capacity, vector[i].iov_base, n);
        taken += (ssize_t)n;
    }
    return most == -1 ? -1 : taken;
}

static int stub_want(struct connection *c, unsigned events)
{
    struct client *p = client_of(c);
    p->session = c->session;
    if (p->want_fails && events != p->wanted) {
        p->want_fails = false;
        errno = ENOMEM;
        return -1;
    }
    p->wanted = events;
    return 0;
}

static void stub_finish(struct connection *c)
{
    struct client *p = client_of(c);
    REQUIRE(!p->finished);
    p->finished = true;
}

static void stub_close(struct connection *c)
{
    struct client *p = client_of(c);
    free(p->sent);
    free(p->said);
    view_free(&p->view);
    *p = (struct client){0};
}

static const struct transport stub = {stub_read, stub_write, stub_want, stub_finish, stub_close};

/* ---- what the server says ------------------------------------------------------------------- */

/* An extension of the room: every message gets its number in the room and its number in all. */
static void number_message(struct room *r, json_t *message)
{
    json_int_t n = json_integer_value(json_object_get(spoken, r->name.text)) + 1;
    json_object_set_new(spoken, r->name.text, json_integer(n));
    json_object_set_new(message, "in_room", json_integer(n));
    json_object_set_new(message, "in_all", json_integer(++said));
}

static const struct extension numbering = {.name = "numbering", .before_broadcast = number_message};

/* Whoever speaks HTTP or TLS is answered in these. */
static bool is_foreign(const struct client *p)
{
    static const char http[] = "HTTP/1.1 400 ";
    size_t n = sizeof http - 1;
    return p->said_size >= 1 &&
           (p->said[0] == 21 || (p->said_size >= n && memcmp(p->said, http, n) == 0));
}

static void check_said(struct client *p)
{
    if (is_foreign(p))
        return;
    const char *newline;
    while (p->checked < p->said_size &&
           (newline = memchr(p->said + p->checked, '\n', p->said_size - p->checked)) != NULL) {
        const char *line = p->said + p->checked;
        size_t length = (size_t)(newline - line);
        json_error_t error;
        json_t *message = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
        REQUIRE(message != NULL);
        view_hear(&p->view, message);
        json_decref(message);
        p->checked += length + 1;
    }
}

/* ---- the hub's books ------------------------------------------------------------------------ */

static size_t check_room(const struct room *r)
{
    size_t crossing = 0;
    REQUIRE(r->hub == &hub && !r->dirty);
    REQUIRE(r->count > 0 || r == hub.lobby);
    for (size_t i = 0; i < r->count; i++) {
        const struct session *s = r->seats[i].session;
        REQUIRE(session_joined(s) && session_in_room(s, r));
        REQUIRE(i == 0 || strcmp(r->seats[i - 1].session->name.text, s->name.text) < 0);
        crossing += s->room_count >= 2;
    }
    REQUIRE(r->crossing == crossing);
    return r->count;
}

static size_t check_outbox(const struct outbox *o)
{
    const struct span *spans = o->many != NULL ? o->many : o->few;
    size_t bytes = 0;
    for (uint32_t i = o->first; i < o->first + o->count; i++) {
        REQUIRE(spans[i].start < spans[i].end && spans[i].end <= spans[i].chunk->used);
        bytes += spans[i].end - spans[i].start;
    }
    REQUIRE(bytes == o->bytes);
    return bytes;
}

static void check_hub(void)
{
    size_t all = 0, open = 0, joined = 0, memberships = 0, seats = 0, blocked = 0;
    REQUIRE(hub.dirty == NULL && hub.to_flush == NULL && hub.dead == NULL);
    for (const struct session *s = hub.sessions; s != NULL; s = s->next) {
        size_t waits = check_outbox(&s->out);
        all++;
        open += s->state == SESSION_OPEN;
        joined += session_joined(s);
        memberships += s->room_count;
        blocked += s->blocked;
        REQUIRE(s->state != SESSION_DEAD && (waits == 0 || s->blocked));
        REQUIRE(session_joined(s) == (s->room_count > 0) || s->state == SESSION_OPEN);
        REQUIRE(!session_joined(s) || hub_find_user(&hub, s->name.text) == s);
        REQUIRE(s->state != SESSION_OPEN || waits <= limits.send_queue + s->grace);
        REQUIRE(s->held_size <= limits.max_line + 2 || s->throttled || s->paused || s->waiting);
    }
    REQUIRE(all == hub.session_count && open == hub.open_count && joined == hub.users.count);
    for (size_t i = 0; i < hub.rooms.chain_count; i++)
        for (const struct name *n = hub.rooms.chains[i]; n != NULL; n = n->next)
            seats += check_room((const struct room *)n);
    REQUIRE(seats == memberships);
    for (const struct session *s = hub.slowest; s != NULL; s = s->next_slow)
        blocked--;
    REQUIRE(blocked == 0);
}

static void turn_over(struct reactor *r, void *context)
{
    (void)context;
    reactor_stop(r);
}

static void wake_up(struct reactor *r, void *context)
{
    (void)r;
    (void)context;
}

/* What extensions have posted to the loop is called. */
static void turn_reactor(void)
{
    if (fuzz_room.extensions[0] == NULL)
        return;
    reactor_each_turn(reactor, turn_over, NULL);
    REQUIRE(reactor_post(reactor, wake_up, NULL) == 0 && reactor_run(reactor) == 0);
    hub_turn(&hub);
}

static void end_turn(void)
{
    hub_turn(&hub);
    turn_reactor();
    check_hub();
    for (int i = 0; i < CLIENTS; i++)
        check_said(&clients[i]);
}

/* An answer that is being made elsewhere comes, soon. */
static void await_answer(const struct client *p)
{
    int64_t deadline = clock_now() + (int64_t)ANSWER_S * 1000000000;
    while (p->open && p->session->waiting) {
        REQUIRE(clock_now() < deadline);
        end_turn();
    }
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void come(struct client *p)
{
    *p = (struct client){.open = true, .chunk = SIZE_MAX, .view.more = fuzz_room.hear};
    hub_accept(&hub, (struct connection){
                         .transport = &stub, .reactor = reactor, .number = (int)(p - clients)});
    end_turn();
}

static bool is_readable(const struct client *p)
{
    return p->open && (p->wanted & REACTOR_READ) != 0 &&
           (p->sent_size > 0 || p->eof || p->read_error != 0);
}

/* The server reads until it has read all, or does not want to. */
static void read_all(struct client *p, size_t chunk, bool waits)
{
    p->chunk = chunk;
    while (is_readable(p)) {
        session_ready(p->session, REACTOR_READ);
        end_turn();
        if (waits)
            await_answer(p);
    }
    p->chunk = SIZE_MAX;
}

static void read_together(void)
{
    for (int i = 0; i < CLIENTS; i++)
        if (is_readable(&clients[i]))
            session_ready(clients[i].session, REACTOR_READ);
    end_turn();
}

/* Whatever is due within AGE_S seconds is due now. */
static void age(struct session *s)
{
    int64_t ns = (int64_t)AGE_S * 1000000000;
    if (s->timer.place == 0)
        return;
    s->since -= ns;
    s->heard -= ns;
    s->credit -= ns;
    reactor_timer_cancel(reactor, &s->timer);
    s->timer.call(reactor, s);
    end_turn();
}

/* Text of a script, with the word for each $$. */
static void send_text(struct client *p, const char *text, size_t length)
{
    const char *found;
    while (fuzz_room.word != NULL && (found = memmem(text, length, "$$", 2)) != NULL) {
        size_t before = (size_t)(found - text);
        append(&p->sent, &p->sent_size, &p->sent_capacity, text, before);
        append(&p->sent, &p->sent_size, &p->sent_capacity, fuzz_room.word(),
               strlen(fuzz_room.word()));
        text = found + 2;
        length -= before + 2;
    }
    append(&p->sent, &p->sent_size, &p->sent_capacity, text, length);
}

static void step(const char *line, size_t length)
{
    if (length < 2 || line[0] < '0' || line[0] > '9')
        return;
    struct client *p = &clients[(line[0] - '0') % CLIENTS];
    char what = line[1];
    const char *rest = line + 2;
    length -= 2;
    if (!p->open && !hub.closing)
        come(p);
    if (!p->open)
        return;
    if (strchr(":*&+~", what) != NULL)
        send_text(p, rest, length);
    if (strchr(":*&~", what) != NULL)
        append(&p->sent, &p->sent_size, &p->sent_capacity, "\n", 1);
    switch (what) {
    case '$':
        p->eof = true;
        break;
    case '!':
        p->read_error = ECONNRESET;
        break;
    case 'x':
        p->want_fails = true;
        break;
    case '@':
        read_together();
        return;
    case '<':
        p->writes = rest;
        p->writes_left = length;
        return;
    case '>':
        if ((p->wanted & REACTOR_WRITE) != 0) {
            session_ready(p->session, REACTOR_WRITE);
            end_turn();
        }
        break;
    case 't':
        age(p->session);
        break;
    case 'c':
        if (!hub.closing) {
            hub_close_all(&hub);
            end_turn();
        }
        break;
    default:
        break;
    }
    if (what != '&')
        read_all(p, what == '*' ? 1 : SIZE_MAX, what != '~');
}

static void set_up(bool rate)
{
    static const struct extension *extensions[EXTENSIONS_MAX + 2] = {&numbering};
    for (size_t i = 0; i < EXTENSIONS_MAX && fuzz_room.extensions[i] != NULL; i++)
        extensions[i + 1] = fuzz_room.extensions[i];
    if (reactor == NULL) {
        char *arguments[] = {"fuzz_dispatch", "--quiet", NULL};
        server_options(2, arguments, "", NULL);
        reactor = reactor_new("epoll");
        REQUIRE(reactor != NULL);
    }
    limits = (struct limits){.max_clients = CLIENTS - 1,
                             .max_line = 1024,
                             .max_bad_lines = 4,
                             .max_rooms = 3,
                             .join_timeout = 15,
                             .idle_timeout = 60,
                             .ping_timeout = 30,
                             .rate = rate ? 1 : 0,
                             .burst = 4,
                             .send_queue = 4096,
                             .send_queue_total = 256 << 10,
                             .drain_timeout = 10};
    spoken = json_object();
    REQUIRE(hub_init(&hub, reactor, extensions) == 0);
    if (fuzz_room.begin != NULL)
        fuzz_room.begin(&hub);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data;
    const char *end = at + size;
    set_up(size >= 2 && memcmp(at, "=r", 2) == 0);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline != NULL ? newline : end) - at);
        step(at, length);
        at += length + (newline != NULL);
    }
    hub_free(&hub);
    json_decref(spoken);
    for (int i = 0; i < CLIENTS; i++)
        REQUIRE(!clients[i].open);
    REQUIRE(chunk_memory == 0);
    return 0;
}
