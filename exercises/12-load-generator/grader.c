/*
 * Grader of 12-load-generator.
 *
 * The grader is the echo server.  It counts connections and messages, and as it is told it holds echoes
 * back, cuts them into pieces, swaps a byte or goes away: so it knows what the generator must find.
 */

#include "grader/grade.h"

#include "clock.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MB = 1024 * 1024,
    LINES = 128,    /* connections, at most */
    TIMES = 128,    /* messages whose times are kept */
    MS = 1000000,   /* nanoseconds */
    IDLE_MS = 20,   /* a generator that rests so long has seen what was sent */
    STUCK_MS = 700, /* one that rests so long waits for something that will not come */
    WINDOW = 65536  /* bytes that a narrow server holds for one connection */
};

/* What may happen to an echo. */
enum mishap { NONE, SWAP_FIRST, SWAP_MIDDLE, SWAP_LAST, END_BEFORE, END_WITHIN, RESET_WITHIN };

/* What the generator is told to do, and how the server is to behave meanwhile. */
struct orders {
    size_t connections, messages, size;
    bool all_first; /* answer nobody until all are connected */
    bool halves;    /* half of an echo; when the generator rests, the others, byte by byte */
    bool
        narrow; /* small buffers, and bytes echoed as they come: who does not read is not read from */
    int pause_ms; /* between the first byte of a message and the second */
    int (*hold_ms)(size_t line, size_t message); /* before its echo; NULL: none */
    enum mishap (*mishap)(size_t line, size_t message);
};

/* One connection, as the server has it. */
struct line {
    int fd;          /* -1: closed */
    size_t messages; /* echoed whole */
    size_t got;      /* bytes of the next one that have come */
    size_t given;    /* and gone back */
    size_t allowed;  /* and may have gone back by now */
    int64_t due;     /* nothing is done before */
    int64_t came;    /* the first byte of that message */
    int64_t begun;   /* it cannot have begun before */
    size_t ended;    /* the number of the message before it, plus 1, until its end is known */
    char *bytes;
};

/* The bounds of what one message took, as the generator must have measured it: not less than from the
 * first byte that came to the last that went back; not more than from when it can have begun to when
 * the next one came, or the end. */
struct span {
    int64_t least, most;
};

struct server {
    struct trial *t;
    const struct orders *o;
    int lfd;
    struct line lines[LINES];
    size_t accepted, echoed;
    int64_t nobody;           /* when nobody was connected whom we had not accepted */
    struct span spans[TIMES]; /* of the messages, in the order of their echoes */
    int64_t first, last;      /* the first byte had come, and the last one had not yet gone back */
    int64_t started, ended;   /* the program */
};

/* What the generator printed. */
struct figures {
    double messages, seconds, qps, p50_us, p99_us, max_us, errors;
};

/* ---- the server --------------------------------------------------------------------------------- */

/* Accept whoever is there. */
static bool lines_open(struct server *s)
{
    for (;;) {
        int64_t before = clock_now();
        int fd = accept4(s->lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd == -1) {
            s->nobody = before;
            return true;
        }
        if (s->accepted == s->o->connections) {
            close(fd);
            return trial_fail(s->t, -1, "it opened connection %zu, and was told to open %zu",
                              s->accepted + 1, s->accepted);
        }
        struct line *l = &s->lines[s->accepted++];
        *l = (struct line){.fd = fd, .begun = s->nobody, .bytes = malloc(s->o->size)};
        if (l->bytes == NULL)
            return trial_fault(s->t, "out of memory");
    }
}

/* What the generator does next on this connection shows that it knows of the last echo. */
static void line_knows(struct server *s, struct line *l)
{
    if (l->ended > 0)
        s->spans[l->ended - 1].most += clock_now();
    l->ended = 0;
}

static void line_close(struct line *l, bool reset)
{
    if (l->fd != -1 && reset)
        wire_reset(l->fd);
    else if (l->fd != -1)
        close(l->fd);
    l->fd = -1;
}

static enum mishap line_mishap(const struct server *s, const struct line *l)
{
    return s->o->mishap == NULL ? NONE : s->o->mishap((size_t)(l - s->lines), l->messages);
}

/* A message has come whole: decide about its echo. */
static void line_answer(struct server *s, struct line *l)
{
    enum mishap m = line_mishap(s, l);
    size_t half = l->got / 2;
    if (s->o->hold_ms != NULL)
        l->due = clock_now() + (int64_t)s->o->hold_ms((size_t)(l - s->lines), l->messages) * MS;
    l->allowed = s->o->halves || m == END_WITHIN || m == RESET_WITHIN ? half : l->got;
    if (m == SWAP_FIRST || m == SWAP_MIDDLE || m == SWAP_LAST)
        l->bytes[m == SWAP_FIRST ? 0 : m == SWAP_MIDDLE ? half : l->got - 1] ^= 1;
    else if (m == END_BEFORE)
        line_close(l, false);
}

static void line_read(struct server *s, struct line *l)
{
    bool pause = s->o->pause_ms > 0 && l->got == 0;
    ssize_t n = recv(l->fd, l->bytes + l->got, pause ? 1 : s->o->size - l->got, 0);
    if (n == -1 && errno == EAGAIN)
        return;
    line_knows(s, l);
    if (n <= 0) {
        line_close(l, false);
        return;
    }
    int64_t now = clock_now();
    s->first = s->first == 0 ? now : s->first;
    l->came = l->got == 0 ? now : l->came;
    l->due = pause ? now + (int64_t)s->o->pause_ms * MS : 0;
    l->got += (size_t)n;
    if (s->o->narrow)
        l->allowed = l->got;
    else if (l->got == s->o->size)
        line_answer(s, l);
}

static void line_write(struct server *s, struct line *l)
{
    bool bytewise = s->o->halves && l->given >= s->o->size / 2;
    int64_t now = clock_now();
    ssize_t n = send(l->fd, l->bytes + l->given, bytewise ? 1 : l->allowed - l->given,
                     MSG_NOSIGNAL);
    if (n == -1 && errno != EAGAIN)
        line_close(l, false);
    if (n <= 0)
        return;
    l->given += (size_t)n;
    if (l->given == s->o->size) {
        s->last = now;
        if (s->echoed < TIMES) {
            s->spans[s->echoed] = (struct span){now - l->came, -l->begun};
            l->ended = s->echoed + 1;
        }
        l->begun = now;
        s->echoed++;
        l->messages++;
        l->got = l->given = l->allowed = 0;
    } else if (l->given == l->allowed && line_mishap(s, l) != NONE) {
        line_close(l, line_mishap(s, l) == RESET_WITHIN);
    }
}

static short line_wants(const struct server *s, const struct line *l, int64_t now)
{
    if (l->fd == -1)
        return 0;
    if (l->got == s->o->size) { /* its echo is due, and till then not a byte more may come */
        bool held = now < l->due || (s->o->all_first && s->accepted < s->o->connections);
        return l->given < l->allowed && !held ? POLLIN | POLLOUT : POLLIN;
    }
    if (now < l->due)
        return 0;
    short events = l->got - l->given < WINDOW ? POLLIN : 0;
    return l->given < l->allowed ? events | POLLOUT : events;
}

/* Do what is possible on one connection. */
static bool line_step(struct server *s, struct line *l, short events)
{
    char byte;
    if (l->got == s->o->size && recv(l->fd, &byte, 1, MSG_PEEK) == 1)
        return trial_fail(s->t, -1,
                          "connection %zu: message %zu began when %zu of %zu bytes of the echo of "
                          "message %zu had been sent: a message begins when the echo of the one "
                          "before has come whole",
                          (size_t)(l - s->lines) + 1, l->messages + 2, l->given, s->o->size,
                          l->messages + 1);
    if (events & POLLOUT)
        line_write(s, l);
    else if (l->got < s->o->size)
        line_read(s, l);
    else
        line_close(l, false);
    return true;
}

/* It rests, and nothing is due: what has it not done? */
static bool stuck(struct server *s)
{
    size_t open = 0;
    for (size_t i = 0; i < s->accepted; i++) {
        const struct line *l = &s->lines[i];
        if (l->fd != -1 && l->got > 0 && l->got < s->o->size)
            return trial_fail(
                s->t, -1,
                "connection %zu: %zu of %zu bytes of message %zu were sent, %zu bytes "
                "of its echo taken, and now nothing moves: what send did not take has "
                "to be sent later, and the echo read meanwhile",
                i + 1, l->got, s->o->size, l->messages + 1, l->given);
        open += l->fd != -1;
    }
    if (s->accepted < s->o->connections && open > 0)
        return trial_fail(
            s->t, -1,
            "%zu of %zu connections are open, and it waits for an answer: all have to "
            "be open before the first one has its answer",
            open, s->o->connections);
    return trial_fail(s->t, -1,
                      "%zu of %zu messages were echoed, %zu connections are open, and it does not "
                      "end",
                      s->echoed, s->o->connections * s->o->messages, open);
}

/* Nothing has moved for a while.  Sets *waits if something is due, or has now become possible. */
static bool rest(struct server *s, int64_t since, bool *waits)
{
    int64_t now = clock_now();
    *waits = false;
    for (size_t i = 0; i < s->accepted; i++)
        *waits = *waits || (s->lines[i].fd != -1 && s->lines[i].due >= since);
    if (*waits || (!s->o->halves && now - since < (int64_t)STUCK_MS * MS))
        return true;
    if (!trial_quiet(s->t, IDLE_MS)) {
        struct pollfd out = {.fd = s->t->out};
        return poll(&out, 1, 0) == 1 || trial_fail(s->t, -1, "%s", fault_text());
    }
    for (size_t i = 0; s->o->halves && i < s->accepted; i++) {
        struct line *l = &s->lines[i];
        *waits = *waits || (l->got == s->o->size && l->allowed < l->got);
        l->allowed = l->got == s->o->size ? l->got : 0;
    }
    return *waits || now - since < (int64_t)STUCK_MS * MS;
}

/* Serve until the program closes its output. */
static bool serve(struct server *s)
{
    struct pollfd polled[LINES + 2];
    int64_t moved = clock_now();
    for (bool waits = false;;) {
        size_t count = s->accepted;
        int64_t now = clock_now();
        int timeout = IDLE_MS;
        polled[LINES] = (struct pollfd){.fd = s->t->out};
        polled[LINES + 1] = (struct pollfd){.fd = s->lfd, .events = POLLIN};
        for (size_t i = 0; i < LINES; i++) {
            const struct line *l = &s->lines[i];
            polled[i] = (struct pollfd){.fd = -1};
            if (i < count && l->fd != -1)
                polled[i] = (struct pollfd){.fd = l->fd, .events = line_wants(s, l, now)};
            if (i < count && l->due > now && l->due < now + (int64_t)timeout * MS)
                timeout = (int)((l->due - now) / MS) + 1;
        }
        int n = poll(polled, LINES + 2, timeout);
        if (n == 0 && !rest(s, moved, &waits) && poll(polled, LINES + 2, 0) == 0)
            return stuck(s);
        if (n > 0 || waits)
            moved = clock_now();
        if (polled[LINES].revents != 0)
            return true;
        if (!lines_open(s))
            return false;
        for (size_t i = 0; i < count; i++)
            if (polled[i].revents != 0 && !line_step(s, &s->lines[i], polled[i].revents))
                return false;
    }
}

/* ---- a run -------------------------------------------------------------------------------------- */

/* A listener; a narrow one has small buffers and the segments of an Ethernet. */
static int open_listener(bool narrow)
{
    const int buffer = 32768, ethernet = 1448;
    int fd = net_listen("127.0.0.1", "0", LINES);
    if (fd == -1 || net_set_nonblocking(fd) == -1)
        return -1;
    if (narrow) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
        setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &ethernet, sizeof ethernet);
    }
    return fd;
}

static bool spawn(struct trial *t, const struct orders *o, int port)
{
    char number[4][24];
    snprintf(number[0], sizeof number[0], "%d", port);
    snprintf(number[1], sizeof number[1], "%zu", o->connections);
    snprintf(number[2], sizeof number[2], "%zu", o->messages);
    snprintf(number[3], sizeof number[3], "%zu", o->size);
    trial_step(t, "loadgen --connections %s --messages %s --size %s", number[1], number[2],
               number[3]);
    return trial_spawn(t, "loadgen",
                       SUBJECT_ARGS("--port", number[0], "--connections", number[1], "--messages",
                                    number[2], "--size", number[3]));
}

/* It ended without its lines: say how, and mark the call that made it give up, if one did. */
static bool no_figure(struct trial *t, const char *name)
{
    const char *said = trial_errors(t);
    const struct call *c;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL; n++)
        if (t->status != 0 && c->fault == 0 &&
            ((c->name == CALL_recv && c->result == 0) ||
             (c->result == -1 && (c->error == ECONNREFUSED || c->error == ECONNRESET))))
            trial_mark(t, n,
                       "it gave up here: the failure of a connection is one error, and the "
                       "others go on");
    return trial_fail(t, -1,
                      "it printed no line '%s NUMBER', but %.400s, and exited with status %d%s%.*s",
                      name, t->text[0] != '\0' ? t->text : "nothing", t->status,
                      said[0] != '\0' ? ", having said: " : "", (int)strcspn(said, "\n"), said);
}

/* Take one figure out of the lines that the program printed. */
static bool figure(struct trial *t, const char *name, double *value)
{
    size_t length = strlen(name);
    for (const char *at = t->text; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        char *end;
        if (strncmp(at, name, length) == 0 && at[length] == ' ') {
            *value = strtod(at + length, &end);
            if (end > at + length && *end == '\n')
                return true;
        }
    }
    return no_figure(t, name);
}

static bool figures(struct trial *t, struct figures *f)
{
    return figure(t, "messages", &f->messages) && figure(t, "seconds", &f->seconds) &&
           figure(t, "qps", &f->qps) && figure(t, "p50_us", &f->p50_us) &&
           figure(t, "p99_us", &f->p99_us) && figure(t, "max_us", &f->max_us) &&
           figure(t, "errors", &f->errors);
}

/* Run the generator on a server that follows the orders, and read what it printed. */
static bool run(struct trial *t, struct server *s, const struct orders *o, struct figures *f)
{
    *s = (struct server){.t = t, .o = o, .lfd = open_listener(o->narrow), .nobody = clock_now()};
    if (s->lfd == -1) {
        trial_fault(t, "the grader cannot listen: %s", strerror(errno));
        return false;
    }
    s->started = clock_now();
    bool good = spawn(t, o, net_local_port(s->lfd)) && serve(s) && trial_end(t);
    s->ended = clock_now();
    for (size_t i = 0; i < s->accepted; i++) {
        line_knows(s, &s->lines[i]);
        line_close(&s->lines[i], false);
        free(s->lines[i].bytes);
    }
    close(s->lfd);
    return good && figures(t, f);
}

/* It counted as many messages and errors as there were, and its status says whether there were any.
 * why  what the errors were */
static bool counts(struct trial *t, const struct figures *f, size_t messages, size_t errors,
                   const char *why)
{
    int status = errors > 0;
    if (f->errors != (double)errors)
        return trial_fail(t, -1, "it printed 'errors %.0f'; %s", f->errors, why);
    if (f->messages != (double)messages)
        return trial_fail(t, -1, "it printed 'messages %.0f'; %zu were echoed whole and right%s",
                          f->messages, messages,
                          errors > 0 ? ", for a connection that fails is closed" : "");
    return t->status == status ||
           trial_fail(t, -1, "it exited with status %d, not %d, though %s", t->status, status, why);
}

/* A run in which nothing goes wrong. */
static bool run_well(struct trial *t, struct server *s, const struct orders *o, struct figures *f)
{
    if (!run(t, s, o, f))
        return false;
    for (size_t i = 0; i < o->connections; i++)
        if (i >= s->accepted || s->lines[i].messages != o->messages)
            return trial_fail(t, -1,
                              "it ended with %zu of %zu connections opened; on connection %zu, %zu "
                              "of %zu messages were echoed",
                              s->accepted, o->connections, i + 1,
                              i < s->accepted ? s->lines[i].messages : 0, o->messages);
    return counts(t, f, o->connections * o->messages, 0, "no connection failed");
}

/* ---- the closed loop ---------------------------------------------------------------------------- */

static int hold_a_little(size_t line, size_t message)
{
    (void)line;
    return message == 0 ? IDLE_MS : 0;
}

static void every_message(struct trial *t)
{
    static const struct orders some = {
        .connections = 7, .messages = 13, .size = 1000, .hold_ms = hold_a_little};
    static const struct orders many = {.connections = 100, .messages = 100, .size = 64};
    struct server s;
    struct figures f = {0};
    trial_expect(t, "so many messages on each connection, one at a time, and as many counted");
    if (run_well(t, &s, &some, &f) && run_well(t, &s, &many, &f))
        trial_pass(t,
                   "7 x 13 messages of 1000 bytes and 100 x 100 of 64, each after the echo of the "
                   "one before");
}

static void all_at_once(struct trial *t)
{
    static const struct orders o = {
        .connections = 100, .messages = 3, .size = 64, .all_first = true};
    struct server s;
    struct figures f = {0};
    trial_step(t, "the server answers nobody until 100 are connected");
    trial_expect(t, "100 connections, all open at the same time");
    if (run_well(t, &s, &o, &f))
        trial_pass(t, "all %zu connections were open before the first answer", s.accepted);
}

static void pieces(struct trial *t)
{
    static const struct orders o = {.connections = 10, .messages = 4, .size = 64, .halves = true};
    struct server s;
    struct figures f = {0};
    trial_step(t, "the server sends half of each echo, waits, and sends the rest byte by byte");
    trial_expect(t, "that a message ends with the last byte of its echo");
    if (run_well(t, &s, &o, &f))
        trial_pass(t, "%zu echoes came in up to 33 pieces, and each was waited for", s.echoed);
}

static void big(struct trial *t)
{
    static const struct orders o = {
        .connections = 2, .messages = 2, .size = 6 * MB, .narrow = true};
    struct server s;
    struct figures f = {0};
    trial_step(t, "the server has small buffers, and stops reading from who does not read");
    trial_expect(t, "both directions at the same time, until all is through");
    if (run_well(t, &s, &o, &f))
        trial_pass(t, "%zu messages of 6 MB went through a server that holds 64 KB of each",
                   s.echoed);
}

/* ---- time --------------------------------------------------------------------------------------- */

static void message_time(struct trial *t)
{
    enum { PAUSE_MS = 150 };
    static const struct orders o = {
        .connections = 2, .messages = 1, .size = 6 * MB, .narrow = true, .pause_ms = PAUSE_MS};
    struct server s;
    struct figures f = {0};
    trial_step(t, "the server reads the first byte of a message, and the others %d ms later",
               PAUSE_MS);
    trial_expect(t, "that this message took %d ms at least: it has begun with its first byte",
                 PAUSE_MS);
    if (!run_well(t, &s, &o, &f))
        return;
    if (f.p50_us < PAUSE_MS * 1000 - 1)
        trial_fail(t, -1,
                   "it printed 'p50_us %.0f', and each message took at least %d ms: take the time "
                   "before the first byte is sent, not when the last one is; and in microseconds",
                   f.p50_us, PAUSE_MS);
    else
        trial_pass(t, "a message that took at least %d ms is printed as %.0f us", PAUSE_MS,
                   f.p50_us);
}

static int hold_first(size_t line, size_t message)
{
    (void)line;
    return message == 0 ? 100 : 0;
}

static void seconds_and_qps(struct trial *t)
{
    static const struct orders o = {
        .connections = 10, .messages = 50, .size = 64, .hold_ms = hold_first};
    struct server s;
    struct figures f = {0};
    trial_step(t, "the server holds the first echo of each connection for 100 ms");
    trial_expect(t, "seconds from the first byte to the last, and qps = messages / seconds");
    if (!run_well(t, &s, &o, &f))
        return;
    double least = (double)(s.last - s.first) / 1e9, most = (double)(s.ended - s.started) / 1e9;
    double qps = f.seconds > 0 ? f.messages / f.seconds : 0;
    if (f.seconds < least - 2e-6 || f.seconds > most)
        trial_fail(t, -1,
                   "it printed 'seconds %.6f'; %.6f went by between the first byte that came and "
                   "the last that went back, and %.6f while the program ran: the time runs from "
                   "before the first message is sent until the last echo has come",
                   f.seconds, least, most);
    else if (f.qps < qps * 0.99 - 1 || f.qps > qps * 1.01 + 1)
        trial_fail(t, -1, "it printed 'qps %.0f'; %.0f messages in %.6f seconds are %.0f", f.qps,
                   f.messages, f.seconds, qps);
    else
        trial_pass(t, "%.0f messages in %.6f s (the server saw %.6f) are %.0f a second", f.messages,
                   f.seconds, least, f.qps);
}

/* ---- percentiles -------------------------------------------------------------------------------- */

static int unit_ms; /* of the holds: the longer, the less a busy machine blurs them */

/* Of 100 messages one is held, and another for longer.  Neither the order of the answers nor that of the
 * connections is the order of the times. */
static int hold_two(size_t line, size_t message)
{
    return message != 1 ? 0 : line == 3 ? unit_ms : line == 7 ? 3 * unit_ms : 0;
}

/* Of 10 messages 5 are held. */
static int hold_half(size_t line, size_t message)
{
    (void)message;
    return line % 2 == 0 ? unit_ms : 0;
}

/* Of 11 messages 5 are held, and one for longer. */
static int hold_more(size_t line, size_t message)
{
    (void)message;
    return line == 2 ? 3 * unit_ms : line % 2 == 0 ? unit_ms : 0;
}

/* A run, and which ranks are to be told from their neighbours in it. */
struct arranged {
    struct orders orders;
    struct {
        bool below, above;
    } p50, p99;
    const char *text;
};

static int by_least(const void *left, const void *right)
{
    int64_t a = ((const struct span *)left)->least, b = ((const struct span *)right)->least;
    return (a > b) - (a < b);
}

static int by_most(const void *left, const void *right)
{
    int64_t a = ((const struct span *)left)->most, b = ((const struct span *)right)->most;
    return (a > b) - (a < b);
}

/* The bounds of each rank: the smallest time is not less than the smallest lower bound, and so on. */
static void rank_all(struct server *s, struct span ranks[TIMES])
{
    qsort(s->spans, s->echoed, sizeof *s->spans, by_least);
    for (size_t i = 0; i < s->echoed; i++)
        ranks[i].least = s->spans[i].least;
    qsort(s->spans, s->echoed, sizeof *s->spans, by_most);
    for (size_t i = 0; i < s->echoed; i++)
        ranks[i].most = s->spans[i].most;
}

/* What is printed lies within the bounds of its rank: false with a verdict if it does not. */
static bool rank_is_right(struct trial *t, size_t n, const struct span *ranks, unsigned p,
                          double us)
{
    size_t rank = (n * p + 99) / 100;
    const struct span *r = &ranks[rank - 1];
    if (us >= (double)r->least / 1000 - 1 && us <= (double)r->most / 1000 + 1)
        return true;
    char name[16] = "max_us";
    if (p < 100)
        snprintf(name, sizeof name, "p%u_us", p);
    return trial_fail(
        t, -1,
        "it printed '%s %.0f'; in order of size, that is time %zu of %zu, and took %lld "
        "to %lld us; the longest of all took at least %lld",
        name, us, rank, n, (long long)r->least / 1000, (long long)r->most / 1000,
        (long long)ranks[n - 1].least / 1000);
}

/* Whether the neighbours of a rank cannot have taken as long, or as short. */
static bool is_apart(const struct span *ranks, size_t n, unsigned p, bool below, bool above)
{
    const struct span *r = &ranks[(n * p + 99) / 100 - 1];
    return (!below || r->least > r[-1].most) && (!above || r->most < r[1].least);
}

/* Returns false with a verdict.  *sharp: whether a rank beside the right one would have been noticed. */
static bool percentiles_of(struct trial *t, const struct arranged *a, bool *sharp)
{
    static struct server s;
    struct span ranks[TIMES] = {{0, 0}};
    struct figures f = {0};
    size_t n = a->orders.connections * a->orders.messages;
    trial_step(t, "of its %s: %d and %d ms", a->text, unit_ms, 3 * unit_ms);
    if (!run_well(t, &s, &a->orders, &f))
        return false;
    rank_all(&s, ranks);
    *sharp = is_apart(ranks, n, 50, a->p50.below, a->p50.above) &&
             is_apart(ranks, n, 99, a->p99.below, a->p99.above);
    return rank_is_right(t, n, ranks, 50, f.p50_us) && rank_is_right(t, n, ranks, 99, f.p99_us) &&
           rank_is_right(t, n, ranks, 100, f.max_us);
}

static void percentiles(struct trial *t)
{
    static const struct arranged all[] = {
        {.orders = {.connections = 20, .messages = 5, .size = 64, .hold_ms = hold_two},
         .p99 = {.below = true, .above = true},
         .text = "100 echoes one is held, and one for longer"},
        {.orders = {.connections = 10, .messages = 1, .size = 64, .hold_ms = hold_half},
         .p50 = {.above = true},
         .text = "10 echoes 5 are held"},
        {.orders = {.connections = 11, .messages = 1, .size = 64, .hold_ms = hold_more},
         .p50 = {.below = true},
         .p99 = {.below = true},
         .text = "11 echoes 5 are held, and one for longer"},
    };
    enum { RUNS = sizeof all / sizeof all[0], SHORTEST_MS = 150, LONGEST_MS = 2400 };
    trial_expect(t, "nearest rank: the time at rank ceil(p / 100 * n), in order of size");
    for (int i = 0; i < RUNS; i++) {
        bool sharp = false;
        for (unit_ms = SHORTEST_MS; !sharp && unit_ms <= LONGEST_MS; unit_ms *= 2)
            if (!percentiles_of(t, &all[i], &sharp))
                return;
        if (!sharp) {
            trial_inconclusive(t,
                               "the machine is so busy that times which differ by %d ms cannot be "
                               "told apart",
                               LONGEST_MS);
            return;
        }
    }
    trial_pass(t, "p50, p99 and max of %d arranged runs, each at its very rank", RUNS);
}

/* ---- errors ------------------------------------------------------------------------------------- */

enum { FAILING = 3, GOOD_BEFORE = 4 };

static enum mishap swap(size_t line, size_t message)
{
    static const enum mishap of[] = {[3] = SWAP_FIRST, [7] = SWAP_MIDDLE, [11] = SWAP_LAST};
    return line < sizeof of / sizeof of[0] && message == GOOD_BEFORE ? of[line] : NONE;
}

static enum mishap leave(size_t line, size_t message)
{
    static const enum mishap of[] = {[3] = END_BEFORE, [7] = END_WITHIN, [11] = RESET_WITHIN};
    return line < sizeof of / sizeof of[0] && message == GOOD_BEFORE ? of[line] : NONE;
}

/* Three of 20 connections fail at their fifth message of ten; the others go on to their end. */
static bool survives(struct trial *t, enum mishap (*mishap)(size_t line, size_t message),
                     const char *why)
{
    const struct orders o = {.connections = 20, .messages = 10, .size = 64, .mishap = mishap};
    struct server s;
    struct figures f = {0};
    trial_expect(t, "3 errors, exit status 1, and all answers of the other 17 connections");
    if (!run(t, &s, &o, &f))
        return false;
    for (size_t i = 0; i < o.connections; i++)
        if (mishap(i, GOOD_BEFORE) == NONE &&
            (i >= s.accepted || s.lines[i].messages != o.messages))
            return trial_fail(t, -1,
                              "connection %zu, which was not to blame, got %zu of %zu echoes",
                              i + 1, i < s.accepted ? s.lines[i].messages : 0, o.messages);
    return counts(t, &f, (o.connections - FAILING) * o.messages + FAILING * GOOD_BEFORE, FAILING,
                  why);
}

static void wrong_byte(struct trial *t)
{
    trial_step(t,
               "on 3 of 20 connections one byte of echo 5 is wrong: the first, one in the middle, "
               "the last");
    if (survives(t, swap, "on 3 connections a byte of an echo was wrong"))
        trial_pass(t, "3 wrong bytes, 3 errors, exit status 1; the other 17 connections finished");
}

static void lost_connection(struct trial *t)
{
    trial_step(t,
               "3 of 20 connections are lost at message 5: closed, closed within the echo, reset");
    if (survives(t, leave, "3 connections were lost"))
        trial_pass(t, "3 lost connections, 3 errors, exit status 1; the other 17 finished");
}

static void refused(struct trial *t)
{
    static const struct orders o = {.connections = 3, .messages = 2, .size = 64};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct server s;
    struct figures f = {0};
    trial_expect(t, "no error with a server; 3 errors and exit status 1 without");
    if (!run_well(t, &s, &o, &f))
        return;
    /* Bound, so that nobody else takes the port, and not listening. */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || bind(fd, (struct sockaddr *)&address, sizeof address) == -1) {
        trial_fault(t, "the grader cannot bind a port: %s", strerror(errno));
        return;
    }
    trial_step(t, "the same on a port where nobody listens");
    if (spawn(t, &o, net_local_port(fd)) && trial_end(t) && figures(t, &f) &&
        counts(t, &f, 0, 3, "3 connections were refused"))
        trial_pass(t, "3 refused connections are 3 errors and exit status 1");
    close(fd);
}

/* ---- main --------------------------------------------------------------------------------------- */

static const struct check checks[] = {
    {"every-message", "each connection sends its messages, one at a time", 1, NULL, TRIAL_ADDRESS,
     every_message, 60},
    {"all-at-once", "all connections are open at the same time", 1, "every-message", TRIAL_ADDRESS,
     all_at_once, 60},
    {"pieces", "an echo that comes in pieces is waited for", 1, "every-message", TRIAL_ADDRESS,
     pieces, 60},
    {"big", "a message that send does not take whole goes through", 1, "every-message",
     TRIAL_ADDRESS, big, 60},
    {"message-time", "a message's time begins before its first byte is sent", 1, "every-message",
     TRIAL_ADDRESS, message_time, 60},
    {"seconds-and-qps", "the whole time, and messages a second", 1, "every-message", TRIAL_ADDRESS,
     seconds_and_qps, 60},
    {"percentiles", "p50, p99 and max by nearest rank", 1, "every-message", TRIAL_ADDRESS,
     percentiles, 90},
    {"lost-connection", "a lost connection is an error, and the others go on", 1, "every-message",
     TRIAL_ADDRESS, lost_connection, 60},
    {"wrong-byte", "a wrong byte is an error, wherever it stands", 1, "every-message",
     TRIAL_ADDRESS, wrong_byte, 60},
    {"refused", "where nobody listens, each connection is an error", 1, "every-message",
     TRIAL_ADDRESS, refused, 60},
    {0},
};

int main(int argc, char **argv)
{
    static const struct exercise exercise = {
        "12-load-generator", "100 connections of 100 messages: time, QPS and percentiles", checks};
    return grade_main(argc, argv, &exercise);
}
