/*
 * The grader of exercise 10: an echo server that closes whoever is idle.
 *
 * Time is the subject here, so there are clocks; but no check relies on the machine being quick.  Not too
 * early is measured here and holds on the busiest machine.  Too late is not measured: it is seen in the
 * record, when the server goes to sleep although a client's time was over, or for longer than it lasts.
 */

#include "grader/grade.h"

#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    LONG = 60000, /* --idle where nobody is to be closed */
    ROOM = 40000, /* bytes that a server queues for a client, and more */
    PIECE = 1000, /* bytes that a client sends at once */
    DEAF = 20,    /* clients that never read */
    CROWD = 200,  /* clients that come and go */
    SILENT = 20,
    WINDOW = 600, /* ms in which nobody says a word */
    TRIES = 5
};

static int64_t ms_since(int64_t then)
{
    return (clock_now() - then) / 1000000;
}

static bool serve(struct trial *t, int idle_ms, const char *backend)
{
    char ms[16];
    snprintf(ms, sizeof ms, "%d", idle_ms);
    t->patience_ms = idle_ms < LONG ? idle_ms + 3000 : 0; /* it may sleep for as long, rightly */
    trial_step(t, "server --idle %s%s%s", ms, backend != NULL ? " --backend " : "",
               backend != NULL ? backend : "");
    return backend != NULL
               ? trial_serve(t, "server", SUBJECT_ARGS("--idle", ms, "--backend", backend))
               : trial_serve(t, "server", SUBJECT_ARGS("--idle", ms));
}

/* ---- what the record says ----------------------------------------------------------------------- */

static bool is_wait(const struct call *c)
{
    return c->name == CALL_epoll_wait || c->name == CALL_epoll_pwait || c->name == CALL_poll ||
           c->name == CALL_ppoll || c->name == CALL_select || c->name == CALL_pselect;
}

/* The wait that the server is in, or NULL; *number is its number. */
static const struct call *current_wait(struct trial *t, uint64_t *number)
{
    uint64_t next = atomic_load(&t->record->next);
    *number = next - (next > 0);
    const struct call *c = trial_next_call(t, number, CALL_NAMES, -1);
    return c != NULL && is_wait(c) && c->end == 0 ? c : NULL;
}

static bool is_waiting(void *t)
{
    uint64_t number;
    return current_wait(t, &number) != NULL;
}

/* A client as the server knows it; its descriptor may have been another's before. */
struct served {
    int fd;        /* -1: it has not been accepted yet */
    uint64_t from; /* the number of the call that accepted it */
};

static struct served served(struct trial *t, const struct peer *p)
{
    struct served s = {trial_server_fd(t, p->fd), 0};
    const struct call *c;
    for (uint64_t n = 0; s.fd != -1 && (c = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL; n++)
        if ((c->name == CALL_accept || c->name == CALL_accept4) && c->result == s.fd)
            s.from = n;
    return s;
}

static bool was_closed(struct trial *t, struct served s)
{
    return s.fd != -1 && trial_next_call(t, &s.from, CALL_close, s.fd) != NULL;
}

/* What the server has received from a client, or sent to it. */
struct moved {
    int64_t received, sent; /* bytes */
    bool ended;             /* it has received the end of file, too */
    uint64_t last; /* the number of the last call that moved some, or accepted the client */
};

static struct moved moved(struct trial *t, struct served s)
{
    struct moved m = {.last = s.from};
    const struct call *c;
    for (uint64_t n = s.from; s.fd != -1 && (c = trial_next_call(t, &n, CALL_NAMES, s.fd)) != NULL;
         n++) {
        const bool in = c->name >= CALL_recv && c->name <= CALL_readv;
        const bool out = c->name >= CALL_send && c->name <= CALL_writev;
        m.ended = m.ended || (in && c->end != 0 && c->result == 0);
        if ((!in && !out) || c->end == 0 || c->result <= 0)
            continue;
        *(in ? &m.received : &m.sent) += c->result;
        m.last = n;
    }
    return m;
}

/* ---- timers ------------------------------------------------------------------------------------- */

/* The server has done what there was to do, and waits: returns for how long at most, in ms, -1: for
 * ever; or -2 with the verdict. */
static int64_t its_timeout(struct trial *t, uint64_t *number)
{
    for (;;) {
        if (!trial_ok(t, -1, wait_until(is_waiting, t, "the server to wait for its clients")))
            return -2;
        const struct call *c = current_wait(t, number);
        if (c != NULL)
            return c->value;
    }
}

/* The reactor was told to watch a client no longer, and that is all that was done. */
static bool was_forgotten(struct trial *t, struct served s, uint64_t *number)
{
    const struct call *c;
    for (uint64_t n = s.from; (c = trial_next_call(t, &n, CALL_epoll_ctl, s.fd)) != NULL; n++)
        if (c->size == EPOLL_CTL_DEL && c->result == 0) {
            *number = n;
            return !was_closed(t, s);
        }
    return false;
}

static bool fail_forgotten(struct trial *t, const struct peer *p, struct served client,
                           uint64_t number)
{
    trial_mark(t, number, "fd %d is not watched any more, and is never closed", client.fd);
    return trial_fail(t, p->fd,
                      "the server has done with a client, and its descriptor, %d, was never "
                      "closed: close is what the client sees",
                      client.fd);
}

/* Whether the server sleeps with a timer that can be this client's. */
static bool expect_timer(struct trial *t, const struct peer *p, int idle_ms)
{
    uint64_t number;
    int64_t timeout = its_timeout(t, &number);
    if (timeout == -2 || (timeout >= 0 && timeout <= idle_ms))
        return timeout != -2;
    const struct served client = served(t, p);
    if (was_closed(t, client))
        return trial_fail(t, p->fd, "a client was closed long before its time was over");
    if (timeout == -1 && was_forgotten(t, client, &number))
        return fail_forgotten(t, p, client, number);
    if (timeout == -1) {
        trial_mark(t, number, "no time-out: no timer runs, and a client is connected");
        return trial_fail(t, p->fd,
                          "a client is connected, and the server sleeps without a time-out: no "
                          "timer runs that could end this client's time");
    }
    trial_mark(t, number, "--idle is %d ms, and this lasts longer", idle_ms);
    return trial_fail(t, p->fd,
                      "a client's time is %d ms, and the server sleeps for %lld ms: --idle is "
                      "in milliseconds, and so is reactor_timer_start",
                      idle_ms, (long long)timeout);
}

/* Nobody is connected, so there is nothing that could become due; a timer of a client is due within
 * idle_ms. */
static bool expect_no_timer(struct trial *t, int idle_ms)
{
    uint64_t number;
    int64_t timeout = its_timeout(t, &number);
    if (timeout < 0)
        return timeout == -1;
    if (timeout <= idle_ms / 2) { /* all who left came just now */
        trial_mark(t, number, "nobody is connected: there is nothing to wake for");
        return trial_fail(t, -1,
                          "nobody is connected any more, and the server sleeps for %lld ms only, "
                          "where a client's time is %d: without a client it is to sleep until one "
                          "comes",
                          (long long)timeout, idle_ms);
    }
    trial_mark(t, number, "nobody is connected: whose timer is it?");
    return trial_fail(t, -1,
                      "nobody is connected any more, and the server has a timer that is due in "
                      "%lld ms: that of a client that has left was not cancelled, and will be "
                      "called for memory that is no longer the client's",
                      (long long)timeout);
}

/* ---- how a client's time ends ------------------------------------------------------------------- */

enum ending { NOT_YET, CLOSED, WRONG };

/* A client is watched, until it is closed or a time has come. */
struct watch {
    struct trial *t;
    const struct peer *p;
    int idle_ms;
    bool deaf;       /* it does not read, and so sees no end of file; the record must tell */
    int64_t until;   /* look no longer; 0: without end */
    const char *why; /* it is to be closed */
    enum ending ending;
};

/* The server sleeps: what does that say of a client that is connected still?  One without a timer will
 * never be closed; and nor will one whose time was over already when this sleep began.  The timer was
 * started before the first sleep after the last byte, so this holds however slow the machine is. */
static bool sleeps_on(const struct watch *w, const struct call *c, uint64_t number)
{
    struct trial *t = w->t;
    const struct served client = served(t, w->p);
    if (client.fd == -1 || number < client.from || was_closed(t, client))
        return false;
    if (c->value == -1 || c->value > 2 * w->idle_ms)
        return !expect_timer(t, w->p, w->idle_ms);
    const struct call *first;
    uint64_t n = moved(t, client).last;
    while ((first = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL && !is_wait(first))
        n++;
    const int64_t over = first != NULL ? (c->start - first->start) / 1000000 : 0;
    if (over <= 3 * w->idle_ms)
        return false;
    if (was_forgotten(t, client, &number))
        return !fail_forgotten(t, w->p, client, number);
    trial_mark(t, number, "it went to sleep again, and a client's time was over");
    return !trial_fail(t, w->p->fd,
                       "%lld ms after its last byte a client is connected still, and its time "
                       "is %d ms: %s",
                       (long long)over, w->idle_ms, w->why);
}

static bool has_ended(void *argument)
{
    struct watch *w = argument;
    struct pollfd client = {.fd = w->p->fd, .events = POLLIN};
    char byte;
    uint64_t number;
    const struct call *c = current_wait(w->t, &number);
    if (w->deaf && was_closed(w->t, served(w->t, w->p))) {
        w->ending = CLOSED;
    } else if (!w->deaf && poll(&client, 1, 0) > 0) {
        ssize_t n = recv(client.fd, &byte, 1, 0);
        w->ending = n == 0 ? CLOSED : WRONG;
        if (n != 0)
            trial_fail(w->t, client.fd, "%s, where a client that is idle gets an end of file",
                       n == -1 ? strerror(errno) : "a byte came that the client had not sent");
    } else if (c != NULL && sleeps_on(w, c, number)) {
        w->ending = WRONG;
    }
    return w->ending != NOT_YET || (w->until != 0 && clock_now() >= w->until);
}

static enum ending watch_end(struct watch *w)
{
    if (!trial_ok(w->t, w->p->fd, wait_until(has_ended, w, "the client to be closed")))
        w->ending = WRONG;
    return w->ending;
}

/* A client's time has begun at `since` at the earliest: it must end, and not before it is over. */
static bool expect_end(struct trial *t, const struct peer *p, int idle_ms, int64_t since)
{
    struct watch w = {.t = t, .p = p, .idle_ms = idle_ms, .why = "when it is over, close it"};
    if (watch_end(&w) != CLOSED)
        return false;
    int64_t lasted = ms_since(since);
    return lasted >= idle_ms ||
           trial_fail(t, p->fd, "the client was closed after %lld ms, and its time is %d ms",
                      (long long)lasted, idle_ms);
}

static bool expect_closed(struct trial *t, const struct peer *p, int idle_ms)
{
    struct watch w = {.t = t,
                      .p = p,
                      .idle_ms = idle_ms,
                      .deaf = true,
                      .why = "that it is owed bytes is no reason to wait, it does not read"};
    return watch_end(&w) == CLOSED;
}

/* ---- clients ------------------------------------------------------------------------------------ */

/* A client that nobody watches has its number from one that the reactor still thinks it watches. */
static bool is_watched(struct trial *t, struct served s)
{
    const struct call *c;
    if (s.fd == -1 || trial_count(t, CALL_epoll_ctl) == 0)
        return true;
    for (uint64_t n = s.from; (c = trial_next_call(t, &n, CALL_epoll_ctl, s.fd)) != NULL; n++)
        if (c->size == EPOLL_CTL_ADD && c->result == 0)
            return true;
    return false;
}

/* What failed is told, of the first of some clients that is not watched, or of the first. */
static bool fail_unserved(struct trial *t, const struct peer *peers, int count)
{
    char what[256];
    snprintf(what, sizeof what, "%s", fault_text());
    for (int i = 0; i < count; i++) {
        struct served s = served(t, &peers[i]);
        if (is_watched(t, s))
            continue;
        trial_mark(t, s.from, "no epoll_ctl(ADD %d) follows", s.fd);
        return trial_fail(t, peers[i].fd,
                          "a client was not served: %s.  The reactor still watches the last "
                          "client that had its number, %d: reactor_unwatch comes before close",
                          what, s.fd);
    }
    return trial_fail(t, peers[0].fd, "a client was not served: %s", what);
}

/* Send bytes, and get them back. */
static bool exchange(struct trial *t, struct peer *p, size_t size)
{
    return peer_exchange(p, size) || fail_unserved(t, p, 1);
}

/* Somebody is served: what is closed or silent is not so because the server is gone. */
static bool still_serves(struct trial *t)
{
    struct peer p;
    trial_step(t, "another client sends 1000 bytes, and reads");
    if (!trial_peer(t, &p) || !exchange(t, &p, 1000))
        return false;
    peer_close(&p);
    return true;
}

struct wish {
    struct trial *t;
    const struct peer *p;
    struct served client;
};

/* It is not served any more. */
static bool is_lost(const struct wish *w)
{
    const struct served client = served(w->t, w->p);
    return client.fd != -1 && was_closed(w->t, client);
}

static bool is_received(void *argument)
{
    const struct wish *w = argument;
    return is_lost(w) ||
           (is_waiting(w->t) && moved(w->t, served(w->t, w->p)).received == (int64_t)w->p->sent);
}

static bool is_end_received(void *argument)
{
    const struct wish *w = argument;
    return is_waiting(w->t) && moved(w->t, w->client).ended;
}

static bool is_gone(void *argument)
{
    const struct wish *w = argument;
    return was_closed(w->t, w->client);
}

/* A client has left, and the server has closed its side. */
static bool expect_gone(struct trial *t, struct served client)
{
    struct wish w = {t, NULL, client};
    return trial_ok(t, -1, wait_until(is_gone, &w, "the server to close a client that has left"));
}

static bool send_and_see(struct trial *t, struct peer *p, size_t size)
{
    struct wish w = {t, p, {-1, 0}};
    const int64_t since = clock_now();
    if (!is_lost(&w) && (!trial_ok(t, p->fd, peer_send(p, size)) ||
                         !trial_ok(t, p->fd, wait_until(is_received, &w, "the server to receive"))))
        return false;
    return !is_lost(&w) || trial_fail(t, p->fd,
                                      "a client that was sending was closed: its last byte came "
                                      "less than %lld ms before",
                                      (long long)ms_since(since) + 1);
}

/* Connect a client that does not read, and let it send `piece` bytes at a time until the server can send
 * it nothing more; and then `more` bytes, which the server receives and has to keep. */
static bool fill_to_the_queue(struct trial *t, struct peer *p, size_t piece, size_t more)
{
    if (!trial_ok(t, -1, peer_open_narrow(p, &t->s)))
        return false;
    do
        if (!send_and_see(t, p, piece))
            return false;
    while (moved(t, served(t, p)).sent == (int64_t)p->sent);
    return more == 0 || send_and_see(t, p, more);
}

/* ---- the checks --------------------------------------------------------------------------------- */

static bool is_asleep(void *t)
{
    return trial_asleep_in(t, trial_model_epoll.numbers, -1) == 1;
}

/* One thread, which sleeps in epoll_wait with a time-out, and nowhere else. */
static void judge_model(struct trial *t)
{
    static const enum call_name others[] = {CALL_select, CALL_pselect,   CALL_poll, CALL_ppoll,
                                            CALL_usleep, CALL_nanosleep, CALL_sleep};
    struct peer p;
    trial_expect(t, "the echo; and then a sleep in epoll_wait, until the client's time is over");
    if (!serve(t, LONG, NULL))
        return;
    trial_step(t, "a client connects, sends 1000 bytes and reads");
    if (!trial_peer(t, &p) || !exchange(t, &p, 1000) || !expect_timer(t, &p, INT32_MAX))
        return;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (trial_count(t, others[i]) > 0) {
            trial_fail(t, -1, "it waits elsewhere, too, and not in the reactor alone");
            return;
        }
    const struct trial_view *view = trial_look(t);
    if (view->processes != 1 || view->threads != 1) {
        trial_fail(t, -1, "it has %d threads in %d processes; here one thread serves all",
                   view->threads, view->processes);
        return;
    }
    bool told = view->tasks[0].call != -1 || view->tasks[0].state != 'S';
    if (told && !trial_ok(t, -1, wait_until(is_asleep, t, "it to sleep in epoll_wait")))
        return;
    uint64_t number;
    int64_t timeout = its_timeout(t, &number);
    if (timeout != -2 && trial_stop(t))
        trial_pass(t, "one thread, asleep in epoll_wait for at most %lld of %d ms",
                   (long long)timeout, LONG);
}

/* One who never says a word, and one who does. */
static void judge_closes_idle(struct trial *t)
{
    enum { IDLE = 300, BACKENDS = 3 };
    static const char *const backends[BACKENDS] = {"epoll", "poll", "select"};
    long long lasted[BACKENDS];
    struct peer mute, p;
    for (int i = 0; i < BACKENDS; i++) {
        trial_expect(t, "end of file after %d ms, and nothing before it", IDLE);
        if (!serve(t, IDLE, backends[i]))
            return;
        trial_step(t, "a client connects, and sends nothing");
        int64_t mute_since = clock_now();
        if (!trial_peer(t, &mute) || !expect_end(t, &mute, IDLE, mute_since))
            return;
        trial_step(t, "a client sends 1000 bytes, reads, and then is silent");
        int64_t since = clock_now();
        if (!trial_peer(t, &p) || !exchange(t, &p, 1000) || !expect_end(t, &p, IDLE, since))
            return;
        lasted[i] = (long long)ms_since(since);
        trial_expect(t, "service for who comes next, with the same descriptor");
        if (!still_serves(t) || !trial_stop(t))
            return;
        peer_close(&mute);
        peer_close(&p);
    }
    trial_pass(t,
               "closed after %lld ms (epoll), %lld ms (poll), %lld ms (select); its time was %d ms",
               lasted[0], lasted[1], lasted[2], IDLE);
}

static long switches(struct trial *t)
{
    const struct trial_view *view = trial_look(t);
    long sum = 0;
    for (int i = 0; i < view->task_count; i++)
        sum += view->tasks[i].switches;
    return sum;
}

static void judge_no_spin(struct trial *t)
{
    static struct peer peers[SILENT];
    uint64_t number;
    int64_t since = clock_now();
    trial_expect(t, "one sleep, until the first one's time is over (%d ms)", LONG);
    if (!serve(t, LONG, NULL))
        return;
    trial_step(t, "%d clients send 100 bytes, and then are silent for %d ms", SILENT, WINDOW);
    if (!trial_peers(t, peers, SILENT) ||
        !trial_ok(t, peers[0].fd, peers_exchange(peers, SILENT, 100)) ||
        !expect_timer(t, &peers[0], LONG))
        return;
    uint64_t calls = atomic_load(&t->record->next);
    long before = switches(t);
    poll(NULL, 0, WINDOW);
    long woken = switches(t) - before;
    calls = atomic_load(&t->record->next) - calls;
    for (int i = 0; i < SILENT; i++)
        if (was_closed(t, served(t, &peers[i]))) {
            trial_fail(t, peers[i].fd, "a client was closed within %lld ms, and its time is %d ms",
                       (long long)ms_since(since), LONG);
            return;
        }
    if (woken > 2 || calls > 4) {
        int64_t timeout = its_timeout(t, &number);
        trial_mark(t, number, "nobody's time was over: sleep until the first one's is");
        trial_fail(t, -1,
                   "nothing happened for %d ms, and the server woke %ld times, to sleep for %lld "
                   "ms: the timers of the reactor wake it when there is something to do",
                   WINDOW, woken, (long long)timeout);
        return;
    }
    if (trial_ok(t, peers[0].fd, peers_exchange(peers, SILENT, 100)) && trial_stop(t))
        trial_pass(t, "%d silent clients, %d ms: it woke %ld times, and made %llu calls", SILENT,
                   WINDOW, woken, (unsigned long long)calls);
}

static void judge_reset_cancels(struct trial *t)
{
    enum { IDLE = 600 };
    static const char *const ways[] = {"closes", "resets", "says that it has finished"};
    struct peer old, next;
    for (int i = 0; i < 3; i++) {
        trial_expect(t, "that its timer is cancelled");
        if (!serve(t, LONG, NULL) || !trial_peer(t, &old) || !exchange(t, &old, 100))
            return;
        struct served client = served(t, &old);
        trial_step(t, "a client sends 100 bytes, reads, and %s", ways[i]);
        if (i == 2 && !trial_ok(t, old.fd, peer_finish(&old) && peer_expect_end(&old)))
            return;
        if (i == 1)
            peer_reset(&old);
        else
            peer_close(&old);
        if (!expect_gone(t, client) || !expect_no_timer(t, LONG))
            return;
    }
    trial_expect(t, "that the next one, with the same descriptor, has its own time, of %d ms",
                 IDLE);
    if (!serve(t, IDLE, NULL) || !trial_peer(t, &old) || !exchange(t, &old, 100))
        return;
    struct served client = served(t, &old);
    trial_step(t, "a client is silent for %d ms, and leaves; another comes", IDLE / 2);
    poll(NULL, 0, IDLE / 2);
    peer_close(&old);
    if (!expect_gone(t, client))
        return;
    int64_t since = clock_now();
    if (trial_peer(t, &next) && exchange(t, &next, 100) && expect_end(t, &next, IDLE, since) &&
        still_serves(t) && trial_stop(t))
        trial_pass(t,
                   "no timer is left of one that closed, reset or finished; the next one on "
                   "descriptor %d had its %d ms",
                   client.fd, IDLE);
}

/* The first send to a client of which the kernel took a part; or NULL. */
static const struct call *cut_send(struct trial *t, struct served client, uint64_t *number)
{
    const struct call *c;
    *number = client.from;
    for (; (c = trial_next_call(t, number, CALL_NAMES, client.fd)) != NULL; ++*number)
        if (c->name >= CALL_send && c->name <= CALL_writev && c->result > 0 && c->result < c->size)
            break;
    return c;
}

/* Receive all that is owed.  If bytes are missing, a send took a part for which it was not asked again. */
static bool receive_all(struct trial *t, struct peer *p, struct served client)
{
    if (peer_receive(p, p->sent - p->received) && peer_expect_end(p))
        return true;
    uint64_t n;
    const struct call *c = cut_send(t, client, &n);
    if (c != NULL && strncmp(fault_text(), "wrong byte", 10) == 0)
        trial_mark(t, n, "the kernel took %lld of %lld bytes: the others are to be kept",
                   (long long)c->result, (long long)c->size);
    return trial_fail(t, p->fd, "%s", fault_text());
}

/* [cut] The kernel's last send before its room is used up takes a part, or by chance all: how the bytes
 * lie in its buffers decides.  So clients come, with pieces of other sizes, until it took a part. */
static void judge_every_byte(struct trial *t)
{
    enum { CLIENTS = 3, BYTES = 500000 };
    static const size_t pieces[] = {3001, 1000, 4999, 7001, 1361, 6007, 2503, 5501};
    static struct peer peers[CLIENTS];
    trial_expect(t, "every byte back, in order");
    if (!serve(t, LONG, NULL))
        return;
    trial_step(t, "%d clients send %d bytes each, and read", CLIENTS, BYTES);
    if (!trial_peers(t, peers, CLIENTS) ||
        !trial_ok(t, peers[0].fd, peers_exchange(peers, CLIENTS, BYTES)))
        return;
    peers_close(peers, CLIENTS);
    struct peer *p = &peers[0];
    trial_step(t,
               "a client sends more than can be sent back, says that it has finished, and reads");
    trial_expect(t, "all that it is owed, and then end of file, at once");
    bool cut = false;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0] && !cut; i++) {
        uint64_t number;
        if (!fill_to_the_queue(t, p, pieces[i], ROOM) || !trial_ok(t, p->fd, peer_finish(p)))
            return;
        struct wish w = {t, p, served(t, p)};
        cut = cut_send(t, w.client, &number) != NULL;
        if (!trial_ok(t, p->fd, wait_until(is_end_received, &w, "the server to receive the end")) ||
            !receive_all(t, p, w.client))
            return;
        peer_close(p);
    }
    if (trial_stop(t))
        trial_pass(t, "%d of %d bytes came back; and %llu more, after a half-close",
                   CLIENTS * BYTES, CLIENTS * BYTES, (unsigned long long)p->sent);
}

/* A client sends a byte every idle / 3 ms, for 3 times as long as it may be silent.  Returns CLOSED if
 * it was, NOT_YET if it lives; *late: the grader's own fault, for it did not get to send in time. */
static enum ending keep_busy(struct trial *t, struct peer *p, int idle_ms, bool reads, bool *late)
{
    int64_t begin = clock_now(), last = begin;
    struct served client = served(t, p);
    while (ms_since(begin) < 3 * idle_ms) {
        poll(NULL, 0, idle_ms / 3);
        int64_t now = clock_now();
        bool done = !was_closed(t, client) && (reads ? peer_exchange(p, 1) : peer_send(p, 1));
        *late = ms_since(last) > idle_ms * 9 / 10;
        if (!done || was_closed(t, client))
            return CLOSED;
        last = now;
    }
    return NOT_YET;
}

static void judge_not_before(struct trial *t)
{
    enum { IDLE = 750 };
    struct peer p, deaf = {.fd = -1};
    const struct peer *who = &p; /* the one that was closed */
    bool late = true;
    enum ending ending = CLOSED;
    for (int i = 0; i < TRIES && late && ending == CLOSED; i++) {
        trial_expect(t, "that it lives for 3 times as long as an idle one");
        if (!serve(t, IDLE, NULL) || !trial_peer(t, &p) || !exchange(t, &p, 1))
            return;
        trial_step(t, "a client sends a byte every %d ms, and reads", IDLE / 3);
        who = &p;
        ending = keep_busy(t, &p, IDLE, true, &late);
        if (ending == NOT_YET) {
            if (!fill_to_the_queue(t, &deaf, PIECE, 0))
                return;
            trial_step(t,
                       "a client does not read, so that nothing more can be sent to it, and sends "
                       "a byte every %d ms",
                       IDLE / 3);
            who = &deaf;
            ending = keep_busy(t, &deaf, IDLE, false, &late);
        }
    }
    if (ending == CLOSED && late) {
        trial_inconclusive(t, "this machine is too busy to send a byte every %d ms", IDLE / 3);
    } else if (ending == CLOSED) {
        const struct served client = served(t, who);
        uint64_t n = client.from;
        if (trial_next_call(t, &n, CALL_close, client.fd) != NULL)
            trial_mark(t, n, "its last byte came less than %d ms before", IDLE);
        trial_fail(t, who->fd,
                   "the client was closed, though its last byte came less than %d ms before: "
                   "every byte that comes sets its timer anew",
                   IDLE);
    } else if (trial_ok(t, deaf.fd, peer_receive(&deaf, deaf.sent))) {
        trial_pass(t,
                   "with a byte every %d ms it lived for %d ms; and so it did when its echo had to "
                   "wait",
                   IDLE / 3, 3 * IDLE);
    }
}

static void judge_only_the_idle(struct trial *t)
{
    enum { IDLE = 600 };
    struct peer idle, busy;
    trial_expect(t, "that the silent one is closed, and the other is not");
    if (!serve(t, IDLE, NULL))
        return;
    trial_step(t, "two clients connect and send 100 bytes");
    if (!trial_peer(t, &idle) || !trial_peer(t, &busy))
        return;
    int64_t since = clock_now(), last = since;
    if (!exchange(t, &idle, 100) || !exchange(t, &busy, 100))
        return;
    trial_step(t, "one goes on, every %d ms", IDLE / 4);
    struct watch w = {.t = t,
                      .p = &idle,
                      .idle_ms = IDLE,
                      .why = "what another client sends is nothing to it, each has a timer"};
    do {
        w.until = clock_now() + IDLE / 4 * 1000000;
        if (watch_end(&w) == WRONG)
            return;
        if (peer_exchange(&busy, 1)) {
            last = clock_now();
        } else if (ms_since(last) > IDLE * 9 / 10) {
            trial_inconclusive(t, "this machine is too busy to send a byte every %d ms", IDLE / 4);
            return;
        } else {
            trial_fail(t, busy.fd, "the client that is not silent was closed: %s", fault_text());
            return;
        }
    } while (w.ending == NOT_YET);
    if (ms_since(since) < IDLE) {
        trial_fail(t, idle.fd, "the silent client was closed after %lld ms, and its time is %d ms",
                   (long long)ms_since(since), IDLE);
        return;
    }
    int64_t busy_since = clock_now();
    trial_expect(t, "that the other is closed, too, when it has been silent as long");
    if (exchange(t, &busy, 1) && expect_end(t, &busy, IDLE, busy_since) && still_serves(t))
        trial_pass(t,
                   "the silent one was closed after %lld ms, the other %d ms after its last byte",
                   (long long)(busy_since - since) / 1000000, IDLE);
}

/* Read until the server could send more of what is queued.  Returns false if it cannot come. */
static bool drain(struct trial *t, struct peer *p)
{
    const struct served client = served(t, p);
    const int64_t before = moved(t, client).sent;
    while (moved(t, client).sent == before)
        if (was_closed(t, client) || !peer_receive(p, 1000))
            return false;
    return true;
}

/* A client that reads in its own time: what then goes to it shows that it is there.  *sent: what it took
 * until the server had to queue some. */
static bool slow_reader_lives(struct trial *t, size_t *sent)
{
    enum { IDLE = 1000 };
    struct peer p;
    for (int i = 0; i < TRIES; i++) {
        trial_expect(t, "that it has %d ms from then on, for bytes have moved", IDLE);
        if (!serve(t, IDLE, NULL))
            return false;
        trial_step(t, "a client sends, and reads nothing for %d ms; then it reads some", IDLE / 2);
        if (!fill_to_the_queue(t, &p, PIECE, ROOM))
            return false;
        int64_t last = clock_now();
        *sent = (size_t)p.sent;
        poll(NULL, 0, IDLE / 2);
        int64_t since = clock_now();
        const struct served client = served(t, &p);
        if (!drain(t, &p)) {
            if (ms_since(last) > IDLE * 8 / 10) /* too late: that is not its fault */
                continue;
            return trial_fail(t, p.fd, "what the client had not read yet did not come: %s",
                              fault_text());
        }
        if (!expect_closed(t, &p, IDLE))
            return false;
        uint64_t number = client.from;
        const struct call *c = trial_next_call(t, &number, CALL_close, client.fd);
        if (c->start - since >= (int64_t)IDLE * 1000000)
            return true;
        trial_mark(t, number, "bytes could be sent to it less than %lld ms before",
                   (long long)(c->start - since) / 1000000);
        return trial_fail(t, p.fd,
                          "a client that reads slowly was closed %lld ms after it had begun to "
                          "read, and its time is %d ms: what can be sent to it sets its timer "
                          "anew, too",
                          (long long)(c->start - since) / 1000000, IDLE);
    }
    return trial_inconclusive(t, "this machine is too busy to read within %d ms", IDLE);
}

static void judge_owed(struct trial *t)
{
    enum { IDLE = 600 };
    static struct peer deaf[DEAF];
    size_t size;
    if (!slow_reader_lives(t, &size))
        return;
    trial_expect(t, "their end: nothing comes from them, and nothing can be sent to them");
    if (!serve(t, IDLE, NULL))
        return;
    trial_step(t, "%d clients send %zu bytes, and never read", DEAF, size);
    for (int i = 0; i < DEAF; i++) {
        if (!trial_ok(t, -1, peer_open_narrow(&deaf[i], &t->s)))
            return;
        peer_send(&deaf[i], size); /* if it fails, the server has closed it: see below */
    }
    for (int i = 0; i < DEAF; i++)
        if (!expect_closed(t, &deaf[i], IDLE))
            return;
    if (still_serves(t) && trial_stop(t))
        trial_pass(t,
                   "who reads slowly has its time anew; %d who never read were closed, and nothing "
                   "of them is left",
                   DEAF);
}

static void judge_no_timer_left(struct trial *t)
{
    enum { IDLE = 1000, AT_ONCE = 40 };
    static struct peer peers[AT_ONCE];
    int64_t since[AT_ONCE];
    trial_expect(t, "that nothing is left of them: no descriptor, no memory, no timer");
    if (!serve(t, LONG, NULL))
        return;
    trial_step(t, "%d clients come and send; they leave by closing, resetting or finishing", CROWD);
    for (int round = 0; round < CROWD / AT_ONCE; round++) {
        if (!trial_peers(t, peers, AT_ONCE))
            return;
        for (int i = 0; i < AT_ONCE; i++) {
            if (!trial_ok(t, peers[i].fd, peer_send(&peers[i], 1 + (size_t)i * 100)))
                return;
            if (i % 3 == 0)
                peer_reset(&peers[i]);
            else if (i % 3 == 1)
                peer_finish(&peers[i]);
        }
        peers_close(peers, AT_ONCE);
    }
    if (!still_serves(t) || !trial_ok(t, -1, trial_quiet(t, 200)) || !expect_no_timer(t, LONG) ||
        !trial_stop(t) || !serve(t, IDLE, NULL))
        return;
    trial_step(t, "%d more come, send 100 bytes, and are silent", AT_ONCE);
    for (int i = 0; i < AT_ONCE; i++) {
        since[i] = clock_now();
        if (!trial_peer(t, &peers[i]) || !exchange(t, &peers[i], 100))
            return;
    }
    for (int i = 0; i < AT_ONCE; i++)
        if (!expect_end(t, &peers[i], IDLE, since[i]))
            return;
    peers_close(peers, AT_ONCE);
    if (!expect_no_timer(t, IDLE))
        return;
    trial_step(t, "%d come, and the server is asked to stop", AT_ONCE);
    if (trial_peers(t, peers, AT_ONCE) &&
        (peers_exchange(peers, AT_ONCE, 100) || fail_unserved(t, peers, AT_ONCE)) && trial_stop(t))
        trial_pass(t,
                   "of %d clients that left, %d that were closed and %d that were there at the end "
                   "no timer is left and no memory",
                   CROWD, AT_ONCE, AT_ONCE);
}

static void judge_faults(struct trial *t)
{
    enum { IDLE = 400, CLIENTS = 3, ROUNDS = 3, BYTES = 50000 };
    static struct peer peers[CLIENTS];
    for (int round = 1; round <= ROUNDS; round++) {
        t->faults = (struct fault_plan){.seed = (uint64_t)round,
                                        .kinds = FAULT_SHORT_READ | FAULT_SHORT_WRITE |
                                                 FAULT_EINTR | FAULT_EAGAIN | FAULT_ECONNABORTED};
        trial_expect(t, "every byte back, whatever a call answers; and the end of a client's time");
        if (!serve(t, LONG, NULL))
            return;
        trial_step(t,
                   "%d clients send %d bytes each, and read, while calls are cut short, "
                   "interrupted, or find nothing",
                   CLIENTS, BYTES);
        if (!trial_peers(t, peers, CLIENTS) ||
            !trial_ok(t, peers[0].fd, peers_exchange(peers, CLIENTS, BYTES)))
            return;
        peers_close(peers, CLIENTS);
        if (!serve(t, IDLE, NULL))
            return;
        trial_step(t, "a client sends 1000 bytes, reads, and then is silent");
        int64_t since = clock_now();
        if (!trial_peer(t, &peers[0]) || !exchange(t, &peers[0], 1000) ||
            !expect_end(t, &peers[0], IDLE, since) || !still_serves(t) || !trial_stop(t))
            return;
        peer_close(&peers[0]);
    }
    trial_pass(t, "%d rounds with faults: every byte came back, and the idle were closed", ROUNDS);
}

static const struct check checks[] = {
    {"model", "sleeps in epoll_wait until a client's time is over", 1, NULL, TRIAL_PLAIN,
     judge_model, 0},
    {"closes-idle", "who is silent is closed, and not before its time", 1, "model", TRIAL_PLAIN,
     judge_closes_idle, 0},
    {"no-spin", "sleeps while nothing happens", 1, "model", TRIAL_PLAIN, judge_no_spin, 0},
    {"reset-cancels", "who leaves takes the timer along", 1, "model", TRIAL_PLAIN,
     judge_reset_cancels, 0},
    {"every-byte", "every byte comes back, also after a half-close", 1, "model", TRIAL_ADDRESS,
     judge_every_byte, 0},
    {"not-before", "every byte that comes sets the timer anew", 1, "model", TRIAL_PLAIN,
     judge_not_before, 60},
    {"only-the-idle", "each client has a timer of its own", 1, "model", TRIAL_PLAIN,
     judge_only_the_idle, 0},
    {"owed-output", "who reads slowly is not idle, who never reads is", 1, "model", TRIAL_ADDRESS,
     judge_owed, 60},
    {"no-timer-left", "200 clients come and go, and leave nothing behind", 1, "model",
     TRIAL_ADDRESS, judge_no_timer_left, 60},
    {"faults", "short, interrupted and empty calls lose nothing", 1, "model", TRIAL_ADDRESS,
     judge_faults, 60},
    {0},
};

int main(int argc, char **argv)
{
    const struct exercise exercise = {"10-idle-timer", "Timers that close idle clients", checks};
    return grade_main(argc, argv, &exercise);
}
