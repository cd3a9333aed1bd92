/*
 * chatload - put a chat room under load, check what everybody gets, time every delivery.
 *
 * One thread, one epoll set, edge-triggered.  What one member says, all members of the room must get,
 * once and in one order: rooms.[ch] knows what is owed to whom.  A delivery's time runs from when the
 * message was handed to its connection - with --rate, from when it was due - until a member has read
 * and checked it.
 *
 * Flat out it is a closed loop: so many messages are in flight in all, and when the last member has
 * got one, the next is sent.  Beside the members there may be others who disturb: who only stay
 * connected, who come and go, who never read, who reset their connection.
 *
 * The same generator drives the peers that the room is compared with; see protocol.h.
 */

#include "clock.h"
#include "counter.h"
#include "dial.h"
#include "die.h"
#include "options.h"
#include "protocol.h"
#include "queue.h"
#include "rooms.h"
#include "samples.h"
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    BUFFER = 1 << 20,  /* bytes received at once at most, and of the longest line */
    OUT_MAX = 1 << 26, /* bytes that wait to be sent on one connection */
    EVENTS = 512,      /* ready descriptors taken at once */
    TICK_MS = 100,     /* how often a wait is interrupted to look at the clock */
    IDLE_ROOM = 10,    /* idle clients share a room with so many, so that few are told of each */
    VISITORS = 8,      /* clients for --churn, and as many for --resets */
    SAMPLES_MAX = 1 << 20, /* latencies kept; beyond, each is kept with half the chance */
    COUNTERS_MAX = 64,     /* threads of a server whose system calls are counted */
    ROOMS_EACH_MAX = 10,   /* rooms that a user of the chat room may be in */
    NAME_SIZE = 16
};

enum kind { MEMBER, IDLE, SILENT, CHURNING, RESETTING, KINDS };
static const char letters[KINDS] = "miskx"; /* a nickname's first letter tells the kind */

struct client {
    int fd; /* -1: not open */
    enum kind kind;
    uint32_t number; /* among its kind */
    bool connected, joined, dirty, probed, leaving;
    uint32_t n_joined;  /* replies to its requests to come in */
    uint32_t turn;      /* messages that it has sent */
    uint64_t mark;      /* what must have come before it leaves */
    struct seat *seats; /* its rooms, --rooms-each of a member and one of a visitor */
    char *part;         /* the beginning of a line whose end has not come */
    size_t part_length;
    struct queue out;
};

static const char *host = "127.0.0.1";
static unsigned long port = 8888;
static const char *protocol_name = "chat";
static unsigned long counts[KINDS] = {100};
static unsigned long n_rooms = 1;
static unsigned long rooms_each = 1;
static unsigned long n_senders = 0;
static unsigned long n_messages = 100;
static unsigned long size = 100;
static unsigned long window = 64;
static double rate = 0;
static double duration = 0;
static double churn = 0;
static double resets = 0;
static double timeout = 10;
static unsigned long at_once = 256;
static unsigned long server_pid = 0;
static bool slices = false;
static bool json = false;

static const struct protocol *protocol;
static unsigned long lanes = 1; /* peers without one order of a room: an order for each sender */
static struct client *clients[KINDS];
static struct client **dirty; /* those with bytes to send */
static size_t n_dirty;
static int epfd, timer;
static char buf[BUFFER];
static volatile sig_atomic_t interrupted;

static unsigned long n_joining, n_joined;
static int64_t notices_due; /* of coming and going that members must still be told */
static unsigned long n_probed;
static unsigned long errors;
static int64_t silence; /* since anything came that was waited for, see turn */
static bool requested;  /* standard input has another line, or its end */

/* One measured slice. */
static struct samples samples;
static unsigned long sample_odds; /* one delivery in so many is kept */
static uint64_t n_started, n_delivered, n_bytes;
static int64_t begin, end, deadline;
static int64_t total_ns, max_ns, in_flight_ns;
static unsigned long n_joins, n_leaves, n_resets, n_slow;
static int64_t schedule; /* when the first message, coming and reset of the schedules was due */
static uint64_t n_churned, n_to_reset;

/* ---- what goes wrong ----------------------------------------------------------------------------- */

static const char *client_name(const struct client *c, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%c%06u", letters[c->kind], c->number % 1000000);
    return name;
}

/* Say what went wrong the first time, and count the rest. */
static void fault(const struct client *c, unsigned long count, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void fault(const struct client *c, unsigned long count, const char *format, ...)
{
    char what[ROOMS_FAULT * 2];
    char name[NAME_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (errors == 0)
        fprintf(stderr, "chatload: %s%s%s\n", c != NULL ? client_name(c, name) : "",
                c != NULL ? ": " : "", what);
    errors += count;
}

static size_t seats_of(const struct client *c)
{
    return c->kind == MEMBER                             ? (lanes > 1 ? lanes : rooms_each)
           : c->kind == CHURNING || c->kind == RESETTING ? 1
                                                         : 0;
}

/* Returns how many messages the client should have got and has not. */
static unsigned long client_close(struct client *c)
{
    unsigned long lost = 0;
    for (size_t i = 0; i < seats_of(c); i++)
        if (c->seats[i].taken)
            lost += rooms_leave(&c->seats[i], 0);
    if (c->joined)
        n_joined--;
    else
        n_joining--;
    close(c->fd);
    c->fd = -1;
    c->connected = c->joined = false;
    free(c->part);
    c->part = NULL;
    c->part_length = 0;
    queue_free(&c->out);
    return lost;
}

/* The client is of no more use: what it was owed is lost. */
static void client_fail(struct client *c, const char *what)
{
    unsigned long lost = client_close(c);
    fault(c, lost > 0 ? lost : 1, "%s", what);
}

/* ---- sending ------------------------------------------------------------------------------------ */

/* Send what is queued, as far as the kernel takes it. */
static void client_flush(struct client *c)
{
    while (c->out.length > 0) {
        ssize_t n = send(c->fd, queue_data(&c->out), c->out.length, MSG_NOSIGNAL);
        if (n >= 0) {
            queue_drop(&c->out, (size_t)n);
        } else if (errno == EAGAIN) {
            return; /* an edge comes when there is room */
        } else if (errno != EINTR) {
            client_fail(c, strerror(errno));
            return;
        }
    }
}

/* Bytes that go out at the end of the turn, with all others of this client. */
static void client_say(struct client *c, const char *bytes, size_t length)
{
    if (length == 0)
        return;
    if (queue_put(&c->out, bytes, length) == -1) {
        client_fail(c, "the server does not read what is sent to it");
        return;
    }
    if (!c->dirty)
        dirty[n_dirty++] = c;
    c->dirty = true;
}

static void flush_all(void)
{
    for (size_t i = 0; i < n_dirty; i++) {
        dirty[i]->dirty = false;
        if (dirty[i]->connected)
            client_flush(dirty[i]);
    }
    n_dirty = 0;
}

/* The name of a room; the idle clients' are others. */
static const char *room_name(uint32_t room, char letter, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%c%u", letter, room);
    return name;
}

static uint32_t room_of(const struct client *c, size_t seat)
{
    return (uint32_t)(lanes > 1 ? seat : (c->number + seat) % n_rooms);
}

static void message_send(struct client *c, int64_t since)
{
    static char content[ROOMS_CONTENT_MAX];
    static char request[ROOMS_CONTENT_MAX + PROTOCOL_EXTRA];
    char name[NAME_SIZE];
    struct seat *seat = &c->seats[lanes > 1 ? c->number : c->turn++ % rooms_each];
    if (begin == 0)
        begin = since;
    if (rooms_in_flight == 0)
        silence = 0;
    rooms_send(seat, c->number, since, content);
    n_started++;
    room_name(lanes > 1 ? 0 : seat->room, 'r', name);
    client_say(c, request, protocol->message(request, name, (struct text){content, size}));
}

/* The next sender, in turn; NULL if none is left. */
static struct client *next_sender(void)
{
    static unsigned long next = 0;
    for (unsigned long i = 0; i < n_senders; i++) {
        struct client *c = &clients[MEMBER][next++ % n_senders];
        if (c->joined)
            return c;
    }
    return NULL;
}

/* How many messages there are in this slice: without end for a closed loop with --duration. */
static uint64_t total(void)
{
    if (duration == 0)
        return n_messages * n_senders;
    return rate > 0 ? (uint64_t)(duration * rate * (double)n_senders) : UINT64_MAX;
}

/* Is there more to send?  A closed loop sends the next at any time; otherwise they are due. */
static bool more_to_send(int64_t now)
{
    return !interrupted && n_started < total() && (duration == 0 || rate > 0 || now < deadline);
}

static int64_t due(uint64_t n, double a_second)
{
    return schedule + (int64_t)((double)n * 1e9 / a_second);
}

static void send_messages(int64_t now)
{
    while (more_to_send(now)) {
        int64_t since = now;
        if (rate > 0)
            since = due(n_started, rate * (double)n_senders);
        if (rate > 0 ? since > now : rooms_in_flight >= window)
            return;
        struct client *c = next_sender();
        if (c == NULL) {
            interrupted = 1; /* the faults have been told */
            return;
        }
        message_send(c, since);
    }
}

/* ---- receiving ---------------------------------------------------------------------------------- */

static bool chosen(void)
{
    static uint32_t x = 2463534242;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return (x & (sample_odds - 1)) == 0;
}

/* Keep the time of a delivery.  When there are too many, half of them are thrown away, at random, and
 * of the coming ones half as many are kept. */
static void record(int64_t ns)
{
    total_ns += ns;
    if (ns > max_ns)
        max_ns = ns;
    if (sample_odds > 1 && !chosen())
        return;
    samples_add(&samples, ns);
    if (samples.count < SAMPLES_MAX)
        return;
    unsigned long odds = sample_odds;
    size_t kept = 0;
    sample_odds = 2;
    for (size_t i = 0; i < samples.count; i++)
        if (chosen())
            samples.values[kept++] = samples.values[i];
    samples.count = kept;
    sample_odds = odds * 2;
}

static void delivered(struct message *m, size_t length, int64_t now)
{
    record(now - m->since);
    n_delivered++;
    n_bytes += length;
    end = now;
    silence = 0;
    if (m->owed == 1)
        in_flight_ns += now - m->since;
    rooms_settle(m);
}

/* Is it the line that must come next in one of the client's rooms?  Returns its length. */
static size_t take_quickly(struct client *c, const char *bytes, size_t length, int64_t now)
{
    for (size_t i = 0; i < seats_of(c); i++) {
        struct message *m = NULL;
        size_t n = c->seats[i].taken ? rooms_next(&c->seats[i], bytes, length, &m) : 0;
        if (n > 0 && m != NULL)
            delivered(m, n, now);
        if (n > 0)
            return n;
    }
    return 0;
}

static struct seat *seat_in(struct client *c, struct text room)
{
    char name[NAME_SIZE];
    for (size_t i = 0; i < seats_of(c); i++)
        if (c->seats[i].taken &&
            (room.bytes == NULL || text_is(room, room_name(c->seats[i].room, 'r', name))))
            return &c->seats[i];
    return NULL;
}

/* The seat for those messages that have the same sender as this one. */
static struct seat *lane_of(struct client *c, struct text content)
{
    unsigned long sender = content.length < ROOMS_CONTENT_MIN ? 0
                                                              : strtoul(content.bytes, NULL, 10);
    return seats_of(c) > 0 && sender < lanes ? &c->seats[sender] : NULL;
}

static void take_message(struct client *c, const char *line, const struct arrival *a, int64_t now)
{
    struct seat *seat = lanes > 1 ? lane_of(c, a->content) : seat_in(c, a->room);
    if (seat == NULL) {
        fault(c, 1, "a message of room '%.*s', in which it is not", (int)a->room.length,
              a->room.bytes != NULL ? a->room.bytes : "");
        return;
    }
    char what[ROOMS_FAULT];
    unsigned long wrong = 0;
    struct message *m = rooms_take(seat, line, a->length, a, what, &wrong);
    if (wrong > 0)
        fault(c, wrong, "%s", what);
    if (m != NULL)
        delivered(m, a->length, now);
}

/* A member is told that somebody has come or gone.  The members themselves come before the first
 * slice; one who never reads may be thrown out at any time. */
static void take_notice(struct client *c, const struct arrival *a)
{
    char name[NAME_SIZE];
    struct seat *seat = c->kind == MEMBER ? seat_in(c, a->room) : NULL;
    const char *kind = a->who.length > 0 ? memchr(letters, *a->who.bytes, KINDS) : NULL;
    if (seat == NULL || kind == NULL || text_is(a->who, client_name(c, name)))
        return;
    bool came = a->kind == ARRIVAL_COMING;
    if (kind == &letters[SILENT] && !came)
        n_slow += seat == rooms[seat->room].seats[0];
    if ((kind == &letters[MEMBER] || kind == &letters[SILENT]) && !came)
        return;
    if (kind != &letters[MEMBER] && came)
        seat->came++;
    if (kind != &letters[MEMBER] && !came)
        seat->went++;
    notices_due--;
    silence = 0;
}

/* All members of a room must be told of a visitor. */
static void expect_notice(uint32_t room, bool came)
{
    notices_due += protocol->announces ? (int64_t)rooms[room].n_members : 0;
    if (came)
        n_joins++;
    else
        n_leaves++;
}

/* The reply to a request to come in. */
static void take_joined(struct client *c, int64_t now)
{
    silence = 0;
    if (c->joined) { /* a visitor, in a room again */
        if (c->kind == CHURNING && c->seats->taken)
            rooms_inside(c->seats, now);
        return;
    }
    if (++c->n_joined < rooms_each && c->kind == MEMBER)
        return;
    c->joined = true;
    n_joining--;
    n_joined++;
    if (c->kind == RESETTING)
        rooms_inside(c->seats, now);
}

static void take_left(struct client *c)
{
    silence = 0;
    if (!c->leaving)
        return;
    c->leaving = false;
    unsigned long lost = rooms_leave(c->seats, c->mark);
    if (lost > 0)
        fault(c, lost, "it has left, and %lu messages from before have not come", lost);
}

/* The reply to a probe; the first one of a nats-server says that the subscription stands. */
static void take_probed(struct client *c, int64_t now)
{
    if (!c->joined) {
        take_joined(c, now);
        return;
    }
    n_probed += !c->probed;
    c->probed = true;
    silence = 0;
}

static void take_arrival(struct client *c, const char *line, const struct arrival *a, int64_t now)
{
    switch (a->kind) {
    case ARRIVAL_MESSAGE:
        take_message(c, line, a, now);
        break;
    case ARRIVAL_JOINED:
        take_joined(c, now);
        break;
    case ARRIVAL_LEFT:
        take_left(c);
        break;
    case ARRIVAL_COMING:
    case ARRIVAL_GOING:
        take_notice(c, a);
        break;
    case ARRIVAL_ASKED:
        client_say(c, protocol->answer, strlen(protocol->answer));
        break;
    case ARRIVAL_PROBED:
        take_probed(c, now);
        break;
    case ARRIVAL_FAULT:
        fault(c, 1, "the server says: %.*s", (int)a->content.length,
              a->content.bytes != NULL ? a->content.bytes : "");
        break;
    case ARRIVAL_PART:
    case ARRIVAL_OTHER:
        break;
    }
}

/* Take what has come; returns how many bytes were whole.  The client may be closed afterwards. */
static size_t client_take(struct client *c, const char *bytes, size_t length, int64_t now)
{
    size_t taken = 0;
    while (taken < length && c->fd != -1) {
        size_t n = take_quickly(c, bytes + taken, length - taken, now);
        if (n == 0) {
            struct arrival a = protocol->read(bytes + taken, length - taken);
            if (a.kind == ARRIVAL_PART)
                break;
            take_arrival(c, bytes + taken, &a, now);
            n = a.length;
        }
        taken += n;
    }
    return taken;
}

/* Keep the beginning of a line until its end comes. */
static bool keep_part(struct client *c, const char *bytes, size_t length)
{
    free(c->part);
    c->part = NULL;
    c->part_length = length;
    if (length == 0)
        return true;
    c->part = malloc(length);
    if (c->part == NULL)
        die("no memory for a line");
    memcpy(c->part, bytes, length);
    return length < BUFFER;
}

/* ended: the end of the stream is there already, behind the bytes. */
static void client_receive(struct client *c, bool ended)
{
    ssize_t n = 0;
    size_t room = 0;
    do {
        size_t kept = c->part_length;
        room = BUFFER - kept;
        if (kept > 0)
            memcpy(buf, c->part, kept);
        n = recv(c->fd, buf + kept, room, 0);
        if (n == -1 && errno == EAGAIN)
            return;
        if (n == -1 && errno != EINTR)
            client_fail(c, strerror(errno));
        if (n == 0)
            client_fail(c, "closed by the server");
        if (n > 0) {
            size_t length = kept + (size_t)n;
            size_t taken = client_take(c, buf, length, clock_now());
            if (c->fd != -1 && (kept > 0 || taken < length) &&
                !keep_part(c, buf + taken, length - taken))
                client_fail(c, "a line without end");
        }
        /* A short read was all there is (epoll(7)), and what comes later is a new edge. */
    } while (c->fd != -1 && (n == -1 || (size_t)n == room || ended));
}

/* ---- connecting ----------------------------------------------------------------------------------- */

static void client_open(struct client *c)
{
    c->n_joined = 0;
    c->leaving = c->probed = false;
    c->fd = dial_start();
    if (c->fd == -1) {
        fault(c, 1, "%s", strerror(errno));
        return;
    }
    n_joining++;
    if (c->kind == SILENT) {
        const int least = 1; /* the kernel has a least: so that it is soon full */
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &event) == -1)
        die("cannot watch a connection");
}

static void client_join(struct client *c)
{
    char request[PROTOCOL_EXTRA];
    char name[NAME_SIZE];
    char room[NAME_SIZE];
    uint32_t first = room_of(c, 0);
    switch (c->kind) {
    case IDLE:
        room_name(c->number / IDLE_ROOM, 'i', room);
        break;
    case CHURNING:
        room_name(c->number, 'k', room);
        break;
    default:
        room_name(first, 'r', room);
    }
    client_say(c, request, protocol->join(request, client_name(c, name), room));
    for (size_t i = 1; c->kind == MEMBER && i < rooms_each; i++)
        client_say(c, request, protocol->enter(request, room_name(room_of(c, i), 'r', room)));
    for (size_t i = 0; c->kind == MEMBER && i < seats_of(c); i++)
        rooms_enter(&c->seats[i], room_of(c, i), true);
    if (c->kind == RESETTING)
        rooms_enter(c->seats, first, false);
    if (c->kind == RESETTING || c->kind == SILENT)
        expect_notice(first, true);
}

static void client_connected(struct client *c, uint32_t events)
{
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0)
        return;
    int error = dial_outcome(c->fd);
    if (error != 0) {
        client_fail(c, strerror(error));
        return;
    }
    c->connected = true;
    silence = 0;
    client_join(c);
}

/* One who never reads is in when its request is out: the others are told, and that is waited for. */
static void silent_ready(struct client *c, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP)) {
        client_close(c); /* thrown out, as it should be */
        return;
    }
    if (!c->joined) {
        c->joined = true;
        n_joining--;
        n_joined++;
    }
}

static void client_ready(struct client *c, uint32_t events)
{
    if (c->fd == -1)
        return; /* closed earlier in this batch */
    if (!c->connected)
        client_connected(c, events);
    else if (c->kind != SILENT && events & EPOLLOUT && c->out.length > 0)
        client_flush(c);
    if (!c->connected)
        return;
    if (c->kind == SILENT)
        silent_ready(c, events);
    else if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        client_receive(c, events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

/* ---- who disturbs --------------------------------------------------------------------------------- */

/* Visitors come and go in turn. */
static void churn_one(void)
{
    char request[PROTOCOL_EXTRA];
    char name[NAME_SIZE];
    struct client *c = &clients[CHURNING][n_churned++ % VISITORS];
    if (!c->joined || c->leaving || (c->seats->taken && c->seats->since == INT64_MAX))
        return; /* it still waits for the last reply */
    if (c->seats->taken) {
        c->leaving = true;
        c->mark = rooms_mark(c->seats);
        expect_notice(c->seats->room, false);
        client_say(c, request, protocol->leave(request, room_name(c->seats->room, 'r', name)));
    } else {
        rooms_enter(c->seats, (uint32_t)(n_churned % n_rooms), false);
        expect_notice(c->seats->room, true);
        client_say(c, request, protocol->enter(request, room_name(c->seats->room, 'r', name)));
    }
}

/* Break the connection as a machine does that crashes, and come again under another name. */
static void reset_one(void)
{
    struct client *c = &clients[RESETTING][n_to_reset++ % VISITORS];
    if (c->joined) {
        struct linger reset = {.l_onoff = 1};
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        expect_notice(c->seats->room, false);
        client_close(c);
        n_resets++;
        c->number += VISITORS;
    } else if (c->fd == -1) {
        client_open(c);
    }
}

/* Whatever is due by the schedules; and set the timer for what comes next. */
static void keep_schedules(int64_t now)
{
    int64_t next = INT64_MAX;
    while (churn > 0 && due(n_churned, churn) <= now)
        churn_one();
    while (resets > 0 && due(n_to_reset, resets) <= now)
        reset_one();
    send_messages(now);
    if (churn > 0 && due(n_churned, churn) < next)
        next = due(n_churned, churn);
    if (resets > 0 && due(n_to_reset, resets) < next)
        next = due(n_to_reset, resets);
    if (rate > 0 && more_to_send(now) && due(n_started, rate * (double)n_senders) < next)
        next = due(n_started, rate * (double)n_senders);
    if (next < INT64_MAX) {
        struct itimerspec at = {.it_value = {next / 1000000000, next % 1000000000}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    }
}

/* ---- waiting ------------------------------------------------------------------------------------- */

/* Send what there is, wait for events and handle them.  A turn adds to the silence what it has
 * waited, but never much more than a tick: when this process itself did not get to run, the server
 * is not to blame. */
static int64_t turn(void)
{
    struct epoll_event events[EVENTS];
    flush_all();
    int64_t before = clock_now();
    int n = epoll_wait(epfd, events, EVENTS, TICK_MS);
    int64_t waited = clock_now() - before;
    silence += waited < 2 * TICK_MS * 1000000L ? waited : 2 * TICK_MS * 1000000L;
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == &requested)
            requested = true;
        else if (events[i].data.ptr != NULL) /* else the timer: it only has to end the wait */
            client_ready(events[i].data.ptr, events[i].events);
    }
    return clock_now();
}

/* Turn until there is nothing left of what is waited for.  Returns false if it does not come. */
static bool wait_until_none(int64_t (*left)(void), const char *what)
{
    silence = 0;
    while (left() > 0 && !interrupted) {
        turn();
        if ((double)silence > timeout * 1e9) {
            fault(NULL, (unsigned long)left(), "timed out after %g s waiting for %lld %s", timeout,
                  (long long)left(), what);
            return false;
        }
    }
    return !interrupted;
}

static int64_t left_joining(void)
{
    return (int64_t)n_joining;
}

static int64_t left_notices(void)
{
    return notices_due > 0 ? notices_due : 0;
}

static int64_t left_probes(void)
{
    return (int64_t)n_joined - (int64_t)n_probed;
}

/* Open the clients of one kind, a few at a time. */
static void open_all(enum kind kind)
{
    silence = 0;
    for (unsigned long i = 0; i < counts[kind] && !interrupted; i++) {
        client_open(&clients[kind][i]);
        while (n_joining >= at_once && (double)silence <= timeout * 1e9 && !interrupted)
            turn();
        if ((double)silence > timeout * 1e9)
            break;
    }
    if (!wait_until_none(left_joining, "clients to join"))
        interrupted = 1;
}

/* Everybody in, and everybody told so. */
static void assemble(void)
{
    open_all(MEMBER);
    for (unsigned long i = 0; i < n_rooms && protocol->announces; i++)
        notices_due += (int64_t)(rooms[i].n_members * (rooms[i].n_members - 1) / 2);
    wait_until_none(left_notices, "notices of members who came");
    open_all(SILENT);
    open_all(CHURNING);
    open_all(IDLE);
    wait_until_none(left_notices, "notices of clients who came");
}

/* ---- one slice ----------------------------------------------------------------------------------- */

struct cost {
    int64_t server, own; /* nanoseconds of CPU time */
    int64_t syscalls;    /* -1: not counted */
    struct machine machine;
    double other_share;
};

static int counters[COUNTERS_MAX];
static int n_counters;

/* Count the system calls of a server that runs, all its threads. */
static void count_syscalls(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%lu/task", server_pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        die("there is no process %lu", server_pid);
    for (const struct dirent *e; (e = readdir(tasks)) != NULL && n_counters < COUNTERS_MAX;) {
        pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
        if (tid > 0)
            counters[n_counters++] = counter_open(tid, false);
    }
    closedir(tasks);
}

static int64_t own_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* What has been used until now. */
static struct cost cost_read(struct tree *t)
{
    struct cost c = {0};
    tree_read(t, (pid_t)server_pid);
    for (int i = 0; i < n_counters; i++) {
        int64_t calls = counter_read(counters[i]);
        c.syscalls = calls == -1 || c.syscalls == -1 ? -1 : c.syscalls + calls;
    }
    c.machine = tree_machine();
    c.own = own_cpu();
    return c;
}

static struct cost cost_since(const struct cost *before, const struct tree *t)
{
    static struct tree now;
    struct cost c = cost_read(&now);
    c.server = tree_cpu(t, &now);
    c.own -= before->own;
    c.syscalls = c.syscalls == -1 ? -1 : c.syscalls - before->syscalls;
    c.other_share = tree_other_share(&before->machine, &c.machine, c.server + c.own);
    return c;
}

static void slice_begin(void)
{
    samples.count = 0;
    sample_odds = 1;
    n_started = n_delivered = n_bytes = 0;
    begin = end = 0;
    total_ns = max_ns = in_flight_ns = 0;
    n_joins = n_leaves = n_resets = n_slow = 0;
    n_churned = n_to_reset = 0;
    schedule = clock_now();
    deadline = schedule + (int64_t)(duration * 1e9);
}

static void show_progress(int64_t now)
{
    static int64_t next = 0;
    if (now < next)
        return;
    next = now + TICK_MS * 1000000L;
    double seconds = (double)(now - schedule) / 1e9;
    fprintf(stderr, "\r%.1f s  %llu deliveries  %.0f/s  %lu errors \033[K", seconds,
            (unsigned long long)n_delivered, seconds > 0 ? (double)n_delivered / seconds : 0,
            errors);
}

/* What has not come until now will not come. */
static void give_up(void)
{
    unsigned long lost = 0;
    unsigned long members = 0;
    uint64_t messages = rooms_in_flight;
    for (unsigned long i = 0; i < counts[MEMBER]; i++) {
        struct client *c = &clients[MEMBER][i];
        unsigned long owed = c->joined ? client_close(c) : 0;
        lost += owed;
        members += owed > 0;
    }
    fault(NULL, lost,
          "timed out after %g s waiting for %lu deliveries of %llu messages to %lu "
          "members",
          timeout, lost, (unsigned long long)messages, members);
}

static void slice_run(bool show)
{
    slice_begin();
    for (int64_t now = schedule; more_to_send(now) || rooms_in_flight > 0;) {
        keep_schedules(now);
        now = turn();
        if (rooms_in_flight > 0 && (double)silence > timeout * 1e9) {
            give_up();
            interrupted = 1;
            break;
        }
        if (show)
            show_progress(now);
    }
    if (show)
        fprintf(stderr, "\r\033[K");
}

/* All members of a room have been told of the same comings and goings. */
static void compare_notices(const struct client *c)
{
    for (size_t i = 0; i < seats_of(c) && c->joined; i++) {
        const struct seat *seat = &c->seats[i];
        const struct seat *first = rooms[seat->room].seats[0];
        if (seat->came != first->came || seat->went != first->went)
            fault(c, 1, "told of %u who came and %u who went, and another of %u and %u", seat->came,
                  seat->went, first->came, first->went);
    }
}

/* When all is over nothing may have come that nobody sent, and nobody may have been told too much or
 * too little.  What comes before the reply to a probe was sent before it. */
static void last_look(void)
{
    if (errors > 0 || interrupted)
        return;
    wait_until_none(left_joining, "clients to join"); /* visitors who have just come again */
    wait_until_none(left_notices, "notices of clients who came or went");
    if (protocol->probe == NULL)
        return;
    for (enum kind kind = 0; kind < KINDS; kind++)
        for (unsigned long i = 0; i < counts[kind]; i++) {
            struct client *c = &clients[kind][i];
            if (c->joined && (kind == SILENT || kind == IDLE))
                n_probed++; /* the one never reads, of the other nothing is wanted */
            else if (c->joined)
                client_say(c, protocol->probe, strlen(protocol->probe));
        }
    wait_until_none(left_probes, "replies to the last question");
    if (notices_due < 0)
        fault(NULL, (unsigned long)-notices_due, "%lld notices too many", -(long long)notices_due);
    for (unsigned long i = 0; i < counts[MEMBER]; i++)
        compare_notices(&clients[MEMBER][i]);
}

static void print_cost(const struct cost *c)
{
    printf(", \"server_cpu_us\": %.1f, \"generator_cpu_us\": %.1f, \"other_share\": %.3f",
           (double)c->server / 1e3, (double)c->own / 1e3, c->other_share);
    if (c->syscalls == -1)
        printf(", \"syscalls\": null");
    else
        printf(", \"syscalls\": %lld", (long long)c->syscalls);
}

static void print_results(const struct cost *c)
{
    static const unsigned per_mille[] = {500, 900, 990, 999};
    double us[4];
    double seconds = n_delivered > 0 ? (double)(end - begin) / 1e9 : 0;
    double deliveries = seconds > 0 ? (double)n_delivered / seconds : 0;
    double mean = n_delivered > 0 ? (double)total_ns / (double)n_delivered / 1e3 : 0;
    double in_flight = seconds > 0 ? (double)in_flight_ns / 1e9 / seconds : 0;
    double bytes = n_delivered > 0 ? (double)n_bytes / (double)n_delivered : 0;
    samples_sort(&samples);
    for (int i = 0; i < 4; i++)
        us[i] = (double)samples_percentile(&samples, per_mille[i]) / 1e3;
    if (json) {
        printf("{\"clients\": %lu, \"rooms\": %lu, \"idle\": %lu, \"messages\": %llu, "
               "\"size\": %lu, \"deliveries\": %llu, \"line\": %.1f, \"seconds\": %.6f, "
               "\"deliveries_per_second\": %.1f, \"mean_us\": %.3f, \"p50_us\": %.3f, "
               "\"p90_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f, \"max_us\": %.3f, "
               "\"sampled\": %lu, \"in_flight\": %.1f, \"joins\": %lu, \"leaves\": %lu, "
               "\"resets\": %lu, \"slow\": %lu, \"errors\": %lu",
               counts[MEMBER], n_rooms, counts[IDLE], (unsigned long long)n_started, size,
               (unsigned long long)n_delivered, bytes, seconds, deliveries, mean, us[0], us[1],
               us[2], us[3], (double)max_ns / 1e3, sample_odds, in_flight, n_joins, n_leaves,
               n_resets, n_slow, errors);
        if (server_pid > 0)
            print_cost(c);
        puts("}");
        fflush(stdout);
        return;
    }
    printf("%lu clients in %lu room%s, %llu messages of %lu bytes in %.3f s\n", counts[MEMBER],
           n_rooms, n_rooms > 1 ? "s" : "", (unsigned long long)n_started, size, seconds);
    printf("deliveries %llu, %.0f a second, lines of %.0f bytes\n", (unsigned long long)n_delivered,
           deliveries, bytes);
    printf("latency    mean %.1f  p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f us\n", mean,
           us[0], us[1], us[2], us[3], (double)max_ns / 1e3);
    if (sample_odds > 1)
        printf("           percentiles of %zu deliveries, one in %lu, chosen at random\n",
               samples.count, sample_odds);
    printf("in flight  %.1f messages on average\n", in_flight);
    if (counts[CHURNING] + counts[RESETTING] + counts[SILENT] > 0)
        printf("others     %lu joins, %lu leaves, %lu resets, %lu slow ones closed\n", n_joins,
               n_leaves, n_resets, n_slow);
    if (server_pid > 0) {
        double each = n_delivered > 0 ? (double)n_delivered : 1;
        printf("server     %.3f us of CPU a delivery, ", (double)c->server / 1e3 / each);
        if (c->syscalls == -1)
            printf("system calls cannot be counted here\n");
        else
            printf("%.4f system calls\n", (double)c->syscalls / each);
    }
    printf("errors     %lu\n", errors);
}

static void slice(bool show)
{
    static struct tree before;
    struct cost cost = {0};
    if (server_pid > 0)
        cost = cost_read(&before);
    slice_run(show);
    if (server_pid > 0)
        cost = cost_since(&cost, &before);
    if (!slices)
        last_look();
    print_results(&cost);
}

/* With --slices: serve the connections until another line asks for another slice.  Returns false at
 * the end of standard input. */
static bool slice_requested(void)
{
    char byte = 0;
    while (!interrupted) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = &requested};
        epoll_ctl(epfd, EPOLL_CTL_MOD, STDIN_FILENO, &event);
        requested = false;
        while (!requested && !interrupted)
            turn();
        if (interrupted || read(STDIN_FILENO, &byte, 1) != 1)
            return false;
        if (byte == '\n')
            return true;
    }
    return false;
}

/* ---- the end ------------------------------------------------------------------------------------- */

static void make_clients(void)
{
    unsigned long all = 0;
    for (enum kind kind = 0; kind < KINDS; kind++)
        all += counts[kind];
    dial_descriptors(all);
    dirty = calloc_or_die(all, sizeof(struct client *));
    for (enum kind kind = 0; kind < KINDS; kind++) {
        clients[kind] = calloc_or_die(counts[kind] + 1, sizeof *clients[kind]);
        for (unsigned long i = 0; i < counts[kind]; i++) {
            struct client *c = &clients[kind][i];
            *c = (struct client){
                .fd = -1, .kind = kind, .number = (uint32_t)i, .out.limit = OUT_MAX};
            if (seats_of(c) > 0)
                c->seats = calloc_or_die(seats_of(c), sizeof *c->seats);
        }
    }
}

static void free_clients(void)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        for (unsigned long i = 0; i < counts[kind]; i++) {
            if (clients[kind][i].fd != -1)
                client_close(&clients[kind][i]);
            free(clients[kind][i].seats);
        }
        free(clients[kind]);
    }
    free(dirty);
    rooms_free(n_rooms * lanes);
    samples_free(&samples);
}

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"host", "HOST", OPTION_TEXT, &host, 0, 0, "the server's address or name"},
        {"port", "PORT", OPTION_NUMBER, &port, 1, 65535, "the server's port"},
        {"clients", "N", OPTION_NUMBER, &counts[MEMBER], 1, 999999, "members of the rooms"},
        {"rooms", "R", OPTION_NUMBER, &n_rooms, 1, 100000, "over which they are spread"},
        {"rooms-each", "K", OPTION_NUMBER, &rooms_each, 1, ROOMS_EACH_MAX,
         "that each is a member of"},
        {"senders", "N", OPTION_NUMBER, &n_senders, 0, 999999, "clients that send; 0: all"},
        {"messages", "N", OPTION_NUMBER, &n_messages, 1, 1000000000, "that each of them sends"},
        {"duration", "S", OPTION_DECIMAL, &duration, 0, 86400,
         "seconds to send, instead of --messages"},
        {"size", "BYTES", OPTION_NUMBER, &size, ROOMS_CONTENT_MIN, ROOMS_CONTENT_MAX,
         "of a message's content"},
        {"in-flight", "N", OPTION_NUMBER, &window, 1, 1000000,
         "flat out: messages in all that not everybody has got"},
        {"rate", "R", OPTION_DECIMAL, &rate, 0, 1000000,
         "messages a second of each sender; 0: flat out"},
        {"idle", "N", OPTION_NUMBER, &counts[IDLE], 0, 999999,
         "clients in other rooms, who only stay there"},
        {"never-reading", "N", OPTION_NUMBER, &counts[SILENT], 0, 999999,
         "clients in the rooms who read nothing"},
        {"churn", "R", OPTION_DECIMAL, &churn, 0, 100000,
         "a second, of visitors who come to a room or leave it"},
        {"resets", "R", OPTION_DECIMAL, &resets, 0, 100000,
         "a second, of visitors who connect and join, or reset the connection"},
        {"joining", "N", OPTION_NUMBER, &at_once, 1, 100000, "that connect and join at once"},
        {"timeout", "S", OPTION_DECIMAL, &timeout, 0, 86400,
         "nothing came for so long: it is lost"},
        {"protocol", "NAME", OPTION_TEXT, &protocol_name, 0, 0, protocol_names},
        {"server-pid", "PID", OPTION_NUMBER, &server_pid, 0, 1 << 30,
         "say what the load cost this process"},
        {"slices", NULL, OPTION_FLAG, &slices, 0, 0,
         "measure again for each line of standard input"},
        {"json", NULL, OPTION_FLAG, &json, 0, 0, "print the results as one JSON object"},
        {0},
    };
    options_parse(argc, argv, "put a chat room under load and check who gets what", options, NULL);
    protocol = protocol_find(protocol_name);
    if (protocol == NULL)
        options_fail("--protocol: '%s' is none of %s", protocol_name, protocol_names);
    if (rooms_each > n_rooms)
        options_fail("%lu rooms each, and there are %lu", rooms_each, n_rooms);
    if (protocol->enter == NULL && (n_rooms > 1 || churn > 0 || resets > 0 || counts[SILENT] > 0))
        options_fail("one room, and no visitors, with --protocol %s", protocol_name);
    if (n_senders == 0 || n_senders > counts[MEMBER])
        n_senders = counts[MEMBER];
    counts[CHURNING] = churn > 0 ? VISITORS : 0;
    counts[RESETTING] = resets > 0 ? VISITORS : 0;
    lanes = protocol->one_order ? 1 : n_senders;
    rooms_make(n_rooms * lanes, size, protocol->echoes);
    make_clients();
    dial_server(host, port);
    epfd = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event ticks = {.events = EPOLLIN | EPOLLET};
    struct epoll_event lines = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = &requested};
    if (epfd == -1 || timer == -1 || epoll_ctl(epfd, EPOLL_CTL_ADD, timer, &ticks) == -1)
        die("epoll");
    if (slices && epoll_ctl(epfd, EPOLL_CTL_ADD, STDIN_FILENO, &lines) == -1)
        die("--slices needs a pipe or a terminal as standard input");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if (server_pid > 0)
        count_syscalls();

    assemble();
    bool show = !json && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
    if (!slices)
        slice(show);
    while (slices && slice_requested())
        slice(show);
    if (slices)
        last_look();
    free_clients();
    close(timer);
    close(epfd);
    return errors > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
