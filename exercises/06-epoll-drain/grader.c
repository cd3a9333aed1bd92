/*
 * Grader of 06-epoll-drain.
 *
 * What an edge-triggered server forgets shows only when nothing more comes.  So the server is frozen
 * (SIGSTOP), everything is made to arrive, and then it goes on: it is told once, of all of it.
 */

#include "grader/grade.h"
#include "grader/scene.h"

#include "clock.h"
#include "testkit/proc.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    KB = 1024,
    MB = 1024 * KB,
    CHUNK = 16 * KB,      /* what the server reads at once */
    AT_ONCE = 3 * CHUNK,  /* more than that, and less than a socket's buffer holds at first */
    STEP = 40 * KB,       /* the same, for a client who sends without reading */
    UNREAD_MOST = 64 * MB /* more than all buffers between a client and a server hold */
};

static const char *grouped(uint64_t number)
{
    static char ring[8][32];
    static int next;
    char *text = ring[next++ % 8];
    if (number < 1000)
        snprintf(text, 32, "%llu", (unsigned long long)number);
    else if (number < 1000000)
        snprintf(text, 32, "%llu,%03llu", (unsigned long long)number / 1000,
                 (unsigned long long)number % 1000);
    else
        snprintf(text, 32, "%llu,%03llu,%03llu", (unsigned long long)number / 1000000,
                 (unsigned long long)number / 1000 % 1000, (unsigned long long)number % 1000);
    return text;
}

/* ---- arrangements ------------------------------------------------------------------------------- */

static bool has_arrived(void *argument)
{
    const struct peer *p = argument;
    int left = 0;
    return ioctl(p->fd, SIOCOUTQ, &left) == 0 && left == 0;
}

/* Send, and wait until the server's kernel has it all. */
static bool deliver(struct trial *t, struct peer *p, size_t size)
{
    return trial_ok(t, p->fd,
                    peer_send(p, size) && wait_until(has_arrived, p, "bytes to be delivered"));
}

static bool comes_back(struct trial *t, struct peer *p)
{
    return trial_ok(t, p->fd, peer_receive(p, p->sent - p->received));
}

static bool is_read(const struct call *c)
{
    return c->name == CALL_recv || c->name == CALL_read || c->name == CALL_recvfrom ||
           c->name == CALL_recvmsg || c->name == CALL_readv;
}

/* The bytes that the server has read from one client in its calls number `from` to `until` - 1, and
 * in how many calls. */
static uint64_t bytes_read(struct trial *t, int fd, uint64_t from, uint64_t until, int *calls)
{
    uint64_t sum = 0;
    const struct call *c;
    *calls = 0;
    for (uint64_t n = from; (c = trial_next_call(t, &n, CALL_NAMES, fd)) != NULL && n < until; n++)
        if (is_read(c) && c->end != 0 && c->result > 0) {
            sum += (uint64_t)c->result;
            ++*calls;
        }
    return sum;
}

static bool is_write(const struct call *c)
{
    return c->name >= CALL_send && c->name <= CALL_writev;
}

static bool is_wait(const struct call *c)
{
    return c->name == CALL_epoll_wait || c->name == CALL_epoll_pwait;
}

/* What a wait told of one descriptor, 0 if nothing. */
static uint32_t told_of(const struct call *c, int fd)
{
    for (int i = 0; is_wait(c) && i < c->ready_count; i++)
        if (c->ready[i].fd == fd)
            return c->ready[i].events;
    return 0;
}

static uint64_t next_call(struct trial *t)
{
    return atomic_load(&t->record->next);
}

struct progress {
    struct trial *t;
    int fd, calls; /* wait for so many reads from it */
    uint64_t from;
};

static bool has_read(void *argument)
{
    struct progress *p = argument;
    int calls;
    bytes_read(p->t, p->fd, p->from, UINT64_MAX, &calls);
    return calls >= p->calls;
}

/* ---- model -------------------------------------------------------------------------------------- */

/* The call that said what descriptor fd is watched for is the wrong one. */
static void mark_registration(struct trial *t, int fd, const char *why)
{
    for (uint64_t n = 0; trial_next_call(t, &n, CALL_epoll_ctl, fd) != NULL; n++)
        trial_mark(t, n, "%s", why);
}

static void model(struct trial *t)
{
    struct peer p;
    uint32_t events = 0;
    if (!trial_fingerprint(t, &trial_model_epoll, NULL))
        return;
    trial_step(t, "a client connects, and has an answer to 100 bytes");
    trial_expect(t, "its descriptor in the kernel's set with EPOLLET");
    if (!trial_peer(t, &p) || !trial_ok(t, p.fd, peer_exchange(&p, 100)))
        return;
    int fd = trial_server_fd(t, p.fd);
    if (!trial_watched(t, fd, &events)) {
        trial_fault(t, "cannot read what is watched: /proc/PID/fdinfo has no entry for it");
        return;
    }
    if (!(events & (uint32_t)EPOLLET)) {
        mark_registration(t, fd, "without EPOLLET this is level-triggered");
        trial_fail(t, p.fd,
                   "the kernel's set has descriptor %d for the events 0x%x, without EPOLLET "
                   "(0x80000000)",
                   fd, events);
        return;
    }
    if (strcmp(t->s.model, "epoll-et") != 0) {
        trial_fail(t, -1, "it says that it is '%s', not 'epoll-et'", t->s.model);
        return;
    }
    if (trial_stop(t))
        trial_pass(t, "epoll_wait does the waiting, a client is watched for 0x%x, with EPOLLET",
                   events);
}

/* ---- every byte --------------------------------------------------------------------------------- */

static void every_byte(struct trial *t)
{
    static const uint64_t sizes[] = {1, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 100000, 2 * MB};
    enum { CLIENTS = 3, SIZES = sizeof sizes / sizeof sizes[0] };
    struct peer peers[CLIENTS];
    uint64_t sum = 0;
    trial_expect(t, "each its own bytes, in order");
    if (!trial_serve(t, "server", SUBJECT_ARGS("--turn", "50000")) ||
        !trial_peers(t, peers, CLIENTS))
        return;
    for (int i = 0; i < SIZES; i++) {
        trial_step(t, "%d clients send %s bytes each, and read at the same time", CLIENTS,
                   grouped(sizes[i]));
        if (!trial_ok(t, -1, peers_exchange(peers, CLIENTS, sizes[i])))
            return;
        sum += CLIENTS * sizes[i];
    }
    if (trial_stop(t))
        trial_pass(t, "%s bytes came back to %d clients, each byte right", grouped(sum), CLIENTS);
}

/* ---- told once ---------------------------------------------------------------------------------- */

/* The bytes, and the end if `finish`, arrive while the server cannot look; a client that it knows
 * already, or one that it has yet to accept. */
static bool arrives_unseen(struct trial *t, struct peer *p, size_t size, bool known, bool finish)
{
    bool done = (!known || (trial_peer(t, p) && trial_ok(t, p->fd, peer_exchange(p, 10)))) &&
                scene_freeze(t) && (known || trial_peer(t, p)) && deliver(t, p, size) &&
                (!finish || trial_ok(t, p->fd, peer_finish(p)));
    return done && scene_thaw(t);
}

static void no_lost_wakeup(struct trial *t)
{
    static const char *const turns[] = {"1000000", "16384", "5000"};
    enum { TURNS = sizeof turns / sizeof turns[0], ROUNDS = 4 };
    trial_expect(t, "all of them back, though no byte more is sent");
    for (int i = 0; i < TURNS; i++) {
        if (!trial_serve(t, "server", SUBJECT_ARGS("--turn", turns[i])))
            return;
        for (int round = 0; round < ROUNDS; round++) {
            struct peer p;
            bool known = round % 2 == 0;
            trial_step(t, "server --turn %s: %s bytes of a client %s arrive while it is frozen",
                       turns[i], grouped(AT_ONCE),
                       known ? "that it knows" : "that it has yet to accept");
            if (!arrives_unseen(t, &p, AT_ONCE, known, false) || !comes_back(t, &p))
                return;
            peer_close(&p);
        }
        if (!trial_stop(t))
            return;
    }
    trial_pass(t, "%s bytes that came at once came back %d times, with turns of 1,000,000 to 5,000",
               grouped(AT_ONCE), TURNS * ROUNDS);
}

/* Everything comes back, and the end; if the end does not, a read that was taken for the last one is
 * the reason. */
static bool ends_after(struct trial *t, struct peer *p)
{
    if (!comes_back(t, p))
        return false;
    if (!peer_expect_end(p)) {
        uint64_t last = UINT64_MAX;
        const struct call *c;
        for (uint64_t n = 0;
             (c = trial_next_call(t, &n, CALL_NAMES, trial_server_fd(t, p->fd))) != NULL; n++)
            if (is_read(c))
                last = c->result > 0 ? n : UINT64_MAX;
        if (last != UINT64_MAX)
            trial_mark(t, last,
                       "the end of file stands behind these bytes, and no edge will tell of it: "
                       "read on, until recv returns 0 or EAGAIN");
        return trial_fail(t, p->fd, "%s", fault_text());
    }
    peer_close(p);
    return true;
}

/* What was read from a client and not sent to it, by the calls before number `until`. */
static int64_t queued(struct trial *t, int fd, uint64_t until)
{
    int64_t sum = 0;
    const struct call *c;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL && n < until; n++)
        if ((c->name == CALL_accept || c->name == CALL_accept4) && c->result == fd)
            sum = 0; /* the number was another client's before */
        else if (c->fd == fd && c->end != 0 && c->result > 0)
            sum += is_read(c) ? c->result : is_write(c) ? -c->result : 0;
    return sum;
}

/* Send step by step until something is queued, and little: the server still reads, to the end. */
static bool owes_a_little(struct trial *t, struct peer *p, size_t step)
{
    do
        if (!deliver(t, p, step) || !trial_ok(t, p->fd, trial_quiet(t, 20)))
            return false;
    while (queued(t, trial_server_fd(t, p->fd), UINT64_MAX) <= 0 && p->sent < UNREAD_MOST);
    return true;
}

static void no_lost_end(struct trial *t)
{
    static const size_t sizes[] = {0, 1, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK};
    enum { SIZES = sizeof sizes / sizeof sizes[0], CASES = 2 * SIZES, LITTLE = 10 * KB };
    struct peer p;
    trial_expect(t, "the bytes back, and then the end of file");
    if (!trial_serve(t, "server", SUBJECT_ARGS("--turn", "16384")))
        return;
    for (int i = 0; i < CASES; i++) {
        trial_step(t, "%s bytes and the end of file of a client %s arrive while it is frozen",
                   grouped(sizes[i / 2]), i % 2 ? "that it knows" : "that it has yet to accept");
        if (!arrives_unseen(t, &p, sizes[i / 2], i % 2, true) || !ends_after(t, &p))
            return;
    }
    trial_step(t, "a client with a small window sends until something is queued for it,");
    trial_step(t, "half-closes, and only then reads");
    if (!trial_ok(t, -1, peer_open_narrow(&p, &t->s)) || !owes_a_little(t, &p, LITTLE))
        return;
    uint64_t owed = p.sent;
    if (trial_ok(t, p.fd, peer_finish(&p) && trial_quiet(t, 20)) && ends_after(t, &p) &&
        scene_new_client(t) && trial_stop(t))
        trial_pass(t,
                   "the end that came with 0 to %s bytes was seen %d times; all of %s bytes were "
                   "still sent after a half-close",
                   grouped(2 * CHUNK), CASES, grouped(owed));
}

/* ---- a full queue ------------------------------------------------------------------------------- */

/* Send step by step, and never read, until the server leaves bytes unread that have arrived.  No more
 * are on their way then: nothing but the client's reading can make the server go on. */
static bool fill_queue(struct trial *t, struct peer *p, uint64_t *unread)
{
    int calls, fd = -1;
    for (*unread = 0; *unread == 0;) {
        if (p->sent >= UNREAD_MOST)
            return trial_fail(t, p->fd, "it took %s bytes from a client who reads nothing",
                              grouped(p->sent));
        if (!deliver(t, p, STEP))
            return false;
        if (!trial_quiet(t, 20))
            return trial_fail(t, p->fd, "with a client who does not read it finds no rest: %s",
                              fault_text());
        fd = fd == -1 ? trial_server_fd(t, p->fd) : fd;
        *unread = p->sent - bytes_read(t, fd, 0, UINT64_MAX, &calls);
    }
    return true;
}

/* The client reads, and not all comes back: nobody told the server of room, or it was told and did
 * not use it. */
static void mark_lost_room(struct trial *t, int fd)
{
    uint32_t events = EPOLLOUT;
    const struct call *c;
    uint64_t told = UINT64_MAX;
    if (trial_watched(t, fd, &events) && !(events & EPOLLOUT))
        mark_registration(t, fd, "EPOLLOUT is not asked for: nobody tells it of room to send");
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL; n++)
        if (told_of(c, fd) & EPOLLOUT && told == UINT64_MAX)
            told = n;
        else if (c->fd == fd && is_write(c))
            told = UINT64_MAX;
    if (events & EPOLLOUT && told != UINT64_MAX)
        trial_mark(t, told, "it is told of room to send, and sends nothing of what is queued");
}

/* Whether bytes have come behind queued ones since call number `from`, and then a send took something:
 * it shows whose turn it is. */
static bool order_was_tried(struct trial *t, int fd, uint64_t from)
{
    bool behind = false;
    const struct call *c;
    for (uint64_t n = from; (c = trial_next_call(t, &n, CALL_NAMES, fd)) != NULL; n++) {
        if (is_read(c) && c->result > 0)
            behind = behind || queued(t, fd, n) > 0;
        else if (is_write(c) && c->end != 0 && c->result > 0)
            return behind;
    }
    return false;
}

/* Bytes are queued, and the client reads a small part of what the kernel holds: so little room is no edge
 * yet.  Then it sends a little, which is one: there is room, and what is queued is older. */
static bool keeps_order(struct trial *t, struct peer *p)
{
    enum { SHARE = 16, LITTLE = KB, ATTEMPTS = 64 };
    bool tried = false;
    for (int i = 0; i < ATTEMPTS && !tried; i++) {
        int fd = trial_server_fd(t, p->fd);
        if ((fd == -1 || queued(t, fd, UINT64_MAX) <= 0) && !owes_a_little(t, p, STEP))
            return false;
        fd = trial_server_fd(t, p->fd);
        uint64_t from = next_call(t);
        uint64_t held = p->sent - p->received - (uint64_t)queued(t, fd, UINT64_MAX);
        if (!trial_ok(t, p->fd, peer_receive(p, held / SHARE) && trial_quiet(t, 20)))
            return false;
        if (queued(t, fd, UINT64_MAX) <= 0) /* there was room enough for an edge */
            continue;
        if (!deliver(t, p, LITTLE) || !trial_ok(t, p->fd, trial_quiet(t, 20)))
            return false;
        tried = order_was_tried(t, fd, from);
    }
    return comes_back(t, p);
}

static void full_queue(struct trial *t)
{
    static const char *const turns[] = {"1000000", "5000"};
    enum { TURNS = sizeof turns / sizeof turns[0] };
    uint64_t sent = 0, most = 0;
    for (int i = 0; i < TURNS; i++) {
        struct peer p;
        uint64_t unread;
        trial_expect(t, "that it stops reading from a client who does not read");
        trial_step(t, "server --turn %s; a client with a small window sends, and does not read",
                   turns[i]);
        if (!trial_serve(t, "server", SUBJECT_ARGS("--turn", turns[i])) ||
            !trial_ok(t, -1, peer_open_narrow(&p, &t->s)) || !fill_queue(t, &p, &unread))
            return;
        trial_step(t, "%s bytes were sent; %s of them have arrived and are not read",
                   grouped(p.sent), grouped(unread));
        trial_step(t, "the client reads, and sends nothing more");
        trial_expect(t, "all %s bytes: room to send is the edge that brings it back",
                     grouped(p.sent));
        if (!peer_receive(&p, p.sent - p.received)) {
            mark_lost_room(t, trial_server_fd(t, p.fd));
            trial_fail(t, p.fd, "%s", fault_text());
            return;
        }
        if (!trial_ok(t, p.fd, peer_exchange(&p, 1000)))
            return;
        sent += p.sent;
        most = unread > most ? unread : most;
        peer_close(&p);
        trial_step(t,
                   "another sends until something is queued; it reads some, and sends some more");
        trial_expect(t, "what is queued before what has come since");
        if (!trial_ok(t, -1, peer_open_narrow(&p, &t->s)) || !keeps_order(t, &p) || !trial_stop(t))
            return;
        sent += p.sent;
        peer_close(&p);
    }
    trial_pass(t, "%s bytes came back, up to %s of which lay unread while the queue was full",
               grouped(sent), grouped(most));
}

/* ---- starvation --------------------------------------------------------------------------------- */

enum { OTHERS = 10, TURN = 16 * KB, FLOOD = 1 * MB };

struct crowd {
    struct peer flood, others[OTHERS];
};

static bool crowd_connects(struct trial *t, struct crowd *c)
{
    return trial_serve(t, "server", SUBJECT_ARGS("--turn", "16384", "--work", "1000")) &&
           trial_peer(t, &c->flood) && trial_peers(t, c->others, OTHERS) &&
           trial_ok(t, -1, peers_exchange(&c->flood, 1, 100)) &&
           trial_ok(t, -1, peers_exchange(c->others, OTHERS, 100));
}

static bool others_ask(struct trial *t, struct crowd *c)
{
    for (int i = 0; i < OTHERS; i++)
        if (!deliver(t, &c->others[i], 100))
            return false;
    return scene_thaw(t);
}

/* What was read from the flooding client, from call number `from` until the last of the others was
 * read from. */
static uint64_t flood_before_others(struct trial *t, const struct crowd *c, uint64_t from)
{
    uint64_t last = from;
    int calls;
    for (int i = 0; i < OTHERS; i++) {
        uint64_t n = from;
        const struct call *call;
        int fd = trial_server_fd(t, c->others[i].fd);
        while ((call = trial_next_call(t, &n, CALL_NAMES, fd)) != NULL && !is_read(call))
            n++;
        last = n > last ? n : last;
    }
    return bytes_read(t, trial_server_fd(t, c->flood.fd), from, last, &calls);
}

/* The first read beyond what the flooding client may have. */
static void mark_overdue(struct trial *t, int fd, uint64_t from, uint64_t most)
{
    uint64_t sum = 0;
    const struct call *c;
    for (uint64_t n = from; (c = trial_next_call(t, &n, CALL_NAMES, fd)) != NULL; n++) {
        sum += is_read(c) && c->result > 0 ? (uint64_t)c->result : 0;
        if (sum > most) {
            trial_mark(t, n, "it has had its turn: now look who else is ready, and serve them");
            return;
        }
    }
}

/* Everybody has an answer, and the others had not to wait for more than `most` bytes. */
static bool others_are_served(struct trial *t, struct crowd *c, uint64_t from, uint64_t most,
                              uint64_t *read)
{
    for (int i = 0; i < OTHERS; i++)
        if (!comes_back(t, &c->others[i]))
            return false;
    *read = flood_before_others(t, c, from);
    if (*read > most) {
        mark_overdue(t, trial_server_fd(t, c->flood.fd), from, most);
        return trial_fail(t, c->flood.fd,
                          "it read %s bytes from the client who floods before the last of the "
                          "others had its turn; a turn is %s bytes",
                          grouped(*read), grouped(TURN));
    }
    return trial_ok(t, c->flood.fd, peer_exchange(&c->flood, 0));
}

/* The flood is in the middle: its client's turn has ended a few times, and most is still to come. */
static bool freeze_in_flood(struct trial *t, struct crowd *c)
{
    enum { TURNS_DONE = 4, TURNS_LEFT = 16, ATTEMPTS = 5 };
    int calls, fd = trial_server_fd(t, c->flood.fd);
    for (int i = 0; i < ATTEMPTS; i++) {
        struct progress p = {.t = t, .fd = fd, .calls = TURNS_DONE, .from = next_call(t)};
        uint64_t before = bytes_read(t, fd, 0, UINT64_MAX, &calls) + FLOOD;
        if (!scene_freeze(t) ||
            !trial_ok(t, c->flood.fd, peers_fill(&c->flood, 1, c->flood.sent + FLOOD)) ||
            !scene_thaw(t) ||
            !trial_ok(t, c->flood.fd, wait_until(has_read, &p, "the flood to be read")))
            return false;
        if (!proc_freeze(t->s.pid))
            return trial_fault(t, "%s", fault_text());
        if (bytes_read(t, fd, 0, UINT64_MAX, &calls) + (uint64_t)TURNS_LEFT * TURN < before)
            return true;
        if (!scene_thaw(t) || !trial_ok(t, c->flood.fd, peer_exchange(&c->flood, 0)))
            return false;
    }
    return trial_fail(t, c->flood.fd,
                      "1 MB was read before anybody else could ask, %d times, though each chunk "
                      "costs 1 ms: is server_work() called for each?",
                      ATTEMPTS);
}

static void no_starvation(struct trial *t)
{
    struct crowd c;
    uint64_t first, later;
    trial_expect(t, "each of the %d is read from after at most 2 turns of the flood", OTHERS);
    if (!crowd_connects(t, &c) || !scene_freeze(t))
        return;
    trial_step(t, "server --turn %d --work 1000: frozen, 1 MB arrives of one client,", TURN);
    trial_step(t, "and then 100 bytes each of %d others; the server goes on", OTHERS);
    uint64_t from = next_call(t);
    if (!trial_ok(t, -1, peers_fill(&c.flood, 1, c.flood.sent + FLOOD)) || !others_ask(t, &c) ||
        !others_are_served(t, &c, from, 2 * TURN, &first))
        return;
    trial_expect(t, "each of the %d is read from after at most 4 turns more of the flood", OTHERS);
    trial_step(t,
               "again 1 MB of one client; when some turns of it are read, 100 bytes each of the "
               "%d others",
               OTHERS);
    if (!freeze_in_flood(t, &c))
        return;
    from = next_call(t);
    if (!others_ask(t, &c) || !others_are_served(t, &c, from, 4 * TURN, &later) || !trial_stop(t))
        return;
    trial_pass(t, "%d others waited while %s, later %s bytes of the flood were read; a turn is %s",
               OTHERS, grouped(first), grouped(later), grouped(TURN));
}

/* ---- memory and CPU time ------------------------------------------------------------------------ */

static void memory(struct trial *t)
{
    const long most = 2L * MB;
    struct peer p;
    trial_step(t, "a client with a small window sends up to 64 MB, and never reads");
    trial_expect(t, "that the server soon reads no more, and grows by less than 2 MB");
    if (!trial_serve(t, "server", NULL) || !scene_new_client(t))
        return;
    long before = proc_memory(t->s.pid);
    if (!trial_ok(t, -1, peer_open_narrow(&p, &t->s)) ||
        !trial_ok(t, p.fd, peers_fill(&p, 1, UNREAD_MOST)))
        return;
    long grown = proc_memory(t->s.pid) - before;
    uint64_t took = p.sent;
    if (took == UNREAD_MOST || grown > most) {
        trial_fail(t, p.fd,
                   "the server took %s bytes from a client who reads nothing, and grew by %s KB: "
                   "while much is queued for a client, it is not to be read from",
                   grouped(took), grouped((uint64_t)grown / KB));
        return;
    }
    if (scene_new_client(t) && trial_stop(t))
        trial_pass(t, "the client got rid of %s bytes, and the server grew by %s KB", grouped(took),
                   grouped(grown > 0 ? (uint64_t)grown / KB : 0));
}

/* It comes to rest, and takes nearly no CPU time then.  On a busy machine one that spins may be given
 * little of it, too: but it never sleeps. */
static bool is_idle(struct trial *t, int client, const char *when, double *ms)
{
    enum { WINDOW_MS = 300, MOST_MS = 30 };
    bool sleeps = trial_quiet(t, 100);
    *ms = trial_cpu_ms(t, WINDOW_MS);
    if (sleeps && *ms <= (double)MOST_MS)
        return true;
    int64_t timeout = -1; /* of the last wait */
    const struct call *c;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_epoll_wait, -1)) != NULL; n++)
        timeout = c->value;
    return trial_fail(t, client, "%s, and it does not sleep: %.0f ms of CPU time in %d ms%s", when,
                      *ms, WINDOW_MS,
                      timeout == 0 ? ": it waits with a timeout of 0 again and again.  That is for "
                                     "as long as a client could be read from, and only its turn is "
                                     "over"
                                   : "");
}

static void idle_cpu(struct trial *t)
{
    struct peer p, full;
    double after, stuck;
    trial_expect(t, "that it sleeps: an empty line of unfinished clients, nothing to do");
    trial_step(t, "server --turn 5000; a client sends 500,000 bytes and has them back");
    if (!trial_serve(t, "server", SUBJECT_ARGS("--turn", "5000")) || !trial_peer(t, &p) ||
        !trial_ok(t, p.fd, peer_exchange(&p, 500000)) ||
        !is_idle(t, p.fd, "all turns are over", &after))
        return;
    trial_step(t, "another sends until its queue is full, and does not read");
    if (!trial_ok(t, -1, peer_open_narrow(&full, &t->s)) ||
        !trial_ok(t, full.fd, peers_fill(&full, 1, UNREAD_MOST)) ||
        !is_idle(t, full.fd, "a client's queue is full and it does not read", &stuck))
        return;
    if (trial_ok(t, p.fd, peer_exchange(&p, 1000)) && trial_stop(t))
        trial_pass(t,
                   "%.1f ms of CPU time in 300 ms after a long stream, %.1f ms with a full queue",
                   after, stuck);
}

/* ---- resets ------------------------------------------------------------------------------------- */

/* No call was made with a descriptor that is closed. */
static bool no_dead_descriptor(struct trial *t)
{
    const struct call *c;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL; n++)
        if (c->result == -1 && c->error == EBADF && c->end != 0) {
            trial_mark(t, n,
                       "%d was closed before: whoever is closed has to leave the list of "
                       "the unfinished",
                       c->fd);
            return trial_fail(t, -1, "it used descriptor %d after it had closed it", c->fd);
        }
    return true;
}

/* Freeze the server while it works at the chunk that it has just read from a client, the `calls`th
 * since call number `from`.  Returns false without a verdict if it was too fast. */
static bool freeze_at_work(struct trial *t, int fd, int calls, uint64_t from)
{
    struct progress p = {.t = t, .fd = fd, .calls = calls, .from = from};
    if (!wait_until(has_read, &p, "a chunk to be read") || !proc_freeze(t->s.pid))
        return false;
    uint64_t last = next_call(t) - 1;
    const struct call *c = trial_next_call(t, &last, CALL_NAMES, fd);
    int now;
    bytes_read(t, fd, from, UINT64_MAX, &now);
    return c != NULL && is_read(c) && now == calls;
}

/* A client ends and is reset while the server works at its bytes, so that it sends to nobody: EPIPE. */
static bool reset_under_send(struct trial *t, int *caught)
{
    struct peer p;
    if (!trial_peer(t, &p) || !trial_ok(t, p.fd, peer_exchange(&p, 10)))
        return false;
    uint64_t from = next_call(t);
    if (!trial_ok(t, p.fd, peer_send(&p, 1000)))
        return false;
    *caught += freeze_at_work(t, trial_server_fd(t, p.fd), 1, from);
    peer_finish(&p);
    peer_reset(&p);
    return scene_thaw(t) && scene_new_client(t);
}

/* Two clients have more than a turn each.  When the server works at the second one's second turn, the
 * first one, unfinished, is reset, and perhaps a third comes, who gets its descriptor. */
static bool reset_in_line(struct trial *t, bool third, int *caught)
{
    enum { THREE_TURNS = 3 * 8192 };
    struct peer p[3] = {{.fd = -1}, {.fd = -1}, {.fd = -1}};
    if (!trial_peers(t, p, 2) || !trial_ok(t, -1, peers_exchange(p, 2, 10)) || !scene_freeze(t))
        return false;
    int fd = trial_server_fd(t, p[1].fd);
    uint64_t from = next_call(t);
    if (!deliver(t, &p[0], THREE_TURNS) || !deliver(t, &p[1], THREE_TURNS) || !scene_thaw(t))
        return false;
    *caught += freeze_at_work(t, fd, 2, from);
    peer_reset(&p[0]);
    bool good = (!third || (trial_peer(t, &p[2]) && deliver(t, &p[2], 100))) && scene_thaw(t) &&
                comes_back(t, &p[1]) && (!third || comes_back(t, &p[2]));
    peers_close(p, 3);
    return good && no_dead_descriptor(t);
}

struct level {
    struct trial *t;
    long before, now;
};

static bool is_level(void *argument)
{
    struct level *l = argument;
    l->now = trial_look(l->t)->descriptors;
    return l->now == l->before;
}

/* The last call that told of a client's end, if that client was not closed. */
static void mark_unclosed(struct trial *t)
{
    const struct call *c;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL; n++) {
        bool gone = is_wait(c) ? c->ready_count > 0 && c->ready[0].events & (EPOLLERR | EPOLLHUP)
                               : c->result == -1 && (c->error == ECONNRESET || c->error == EPIPE);
        int fd = is_wait(c) && gone ? c->ready[0].fd : c->fd;
        uint64_t later = n;
        if (gone && trial_next_call(t, &later, CALL_close, fd) == NULL)
            trial_mark(t, n, "client %d is gone, and its descriptor is never closed", fd);
    }
}

static bool descriptors_are_back(struct trial *t, long before)
{
    struct level l = {.t = t, .before = before};
    if (wait_until(is_level, &l, "descriptors to be closed"))
        return true;
    mark_unclosed(t);
    return trial_fail(t, -1,
                      "it has %ld descriptors open, and had %ld before those clients came: "
                      "one that is reset has to be closed",
                      l.now, before);
}

/* Clients who come, send, and go with a reset, and one beside them who notices nothing. */
static bool resets(struct trial *t, int count)
{
    struct peer witness, p;
    trial_step(t, "%d clients come, send, and reset; another one is served meanwhile", count);
    if (!trial_serve(t, "server", NULL) || !trial_peer(t, &witness) ||
        !trial_ok(t, witness.fd, peer_exchange(&witness, 100)))
        return false;
    long before = trial_look(t)->descriptors;
    for (int i = 0; i < count; i++) {
        if (!trial_peer(t, &p) || !trial_ok(t, p.fd,
                                            peer_send(&p, 1 + (size_t)i * 977 % 40000) &&
                                                (i % 3 != 0 || peer_receive(&p, 1))))
            return false;
        peer_reset(&p);
        if (i % 10 == 0 && !trial_ok(t, witness.fd, peer_exchange(&witness, 777)))
            return false;
    }
    return descriptors_are_back(t, before) && trial_stop(t);
}

enum reset_at { SENDING, IN_LINE, REPLACED, RESET_KINDS };

/* Resets of each kind, while the server works for so many microseconds at a chunk; counts those that
 * caught it at work. */
static bool resets_at_work(struct trial *t, const char *work, int caught[RESET_KINDS])
{
    enum { ROUNDS = 2, ATTEMPTS = 4 };
    if (!trial_serve(t, "server", SUBJECT_ARGS("--turn", "8192", "--work", work)))
        return false;
    long before = trial_look(t)->descriptors;
    trial_step(t, "server --turn 8192 --work %s: a client is reset while its bytes are worked at",
               work);
    for (int i = 0; i < ATTEMPTS && caught[SENDING] < ROUNDS; i++)
        if (!reset_under_send(t, &caught[SENDING]))
            return false;
    trial_step(t, "a client whose turn has ended is reset before its next one");
    for (int i = 0; i < ATTEMPTS && caught[IN_LINE] < ROUNDS; i++)
        if (!reset_in_line(t, false, &caught[IN_LINE]))
            return false;
    trial_step(t, "the same, and a new client comes, who gets its descriptor");
    for (int i = 0; i < ATTEMPTS && caught[REPLACED] < ROUNDS; i++)
        if (!reset_in_line(t, true, &caught[REPLACED]))
            return false;
    return descriptors_are_back(t, before) && trial_stop(t);
}

static void reset(struct trial *t)
{
    /* On a busy machine we may look too late: then the next one works for longer. */
    static const char *const works[] = {"10000", "40000", "160000"};
    enum { RESETS = 60, WORKS = sizeof works / sizeof works[0] };
    int caught[RESET_KINDS] = {0};
    bool all = false;
    trial_expect(t, "that nobody else notices, and that every descriptor is closed");
    if (!resets(t, RESETS))
        return;
    for (int i = 0; i < WORKS && !all; i++) {
        if (!resets_at_work(t, works[i], caught))
            return;
        all = caught[SENDING] > 0 && caught[IN_LINE] > 0 && caught[REPLACED] > 0;
    }
    if (!all)
        trial_inconclusive(t, "no client could be reset while the server was at work: does it call "
                              "server_work() for each chunk?");
    else
        trial_pass(
            t,
            "%d resets, %d while bytes were worked at, %d between two turns: all others were "
            "served, and no descriptor is left open",
            RESETS, caught[SENDING], caught[IN_LINE] + caught[REPLACED]);
}

/* ---- faults ------------------------------------------------------------------------------------- */

static void faults(struct trial *t)
{
    enum { SEEDS = 3, CLIENTS = 6 };
    unsigned long injected = 0;
    trial_expect(t, "each byte back: a call that was interrupted is made again");
    for (int i = 0; i < SEEDS; i++) {
        struct peer peers[CLIENTS];
        t->faults = (struct fault_plan){.seed = (uint64_t)i + 1,
                                        .kinds = FAULT_EINTR | FAULT_ECONNABORTED};
        trial_step(t, "signals interrupt the server's calls, connections are aborted");
        trial_step(t, "%d clients send 200,000 bytes each, and half-close", CLIENTS);
        if (!trial_serve(t, "server", SUBJECT_ARGS("--turn", "30000")) ||
            !trial_peers(t, peers, CLIENTS) ||
            !trial_ok(t, -1, peers_exchange(peers, CLIENTS, 200000)))
            return;
        for (int k = 0; k < CLIENTS; k++)
            if (!trial_ok(t, peers[k].fd, peer_finish(&peers[k]) && peer_expect_end(&peers[k])))
                return;
        injected += (unsigned long)atomic_load(&t->record->faults);
        if (!trial_stop(t))
            return;
        peers_close(peers, CLIENTS);
    }
    trial_pass(t, "%d times %d clients had every byte back, through %lu faults", SEEDS, CLIENTS,
               injected);
}

/* ---- main --------------------------------------------------------------------------------------- */

/* Who fails one may well fail those below: the first is to be the one that names the cause. */
static const struct check checks[] = {
    {"model", "it waits in epoll_wait, edge-triggered", 1, NULL, TRIAL_ADDRESS, model, 60},
    {"no-lost-wakeup", "what arrives at once comes back, though nothing more is sent", 1, "model",
     TRIAL_ADDRESS, no_lost_wakeup, 60},
    {"memory", "a client who never reads costs bounded memory", 1, "model", TRIAL_PLAIN, memory,
     60},
    {"idle-cpu", "with nothing to be done it sleeps", 1, "model", TRIAL_PLAIN, idle_cpu, 60},
    {"full-queue", "a full queue stops the reading, and room to send resumes it", 1, "model",
     TRIAL_ADDRESS, full_queue, 60},
    {"every-byte", "every byte comes back, in order", 1, "model", TRIAL_ADDRESS, every_byte, 60},
    {"no-lost-end",
     "an end of file that comes with the last bytes is seen, and what is owed is sent", 1, "model",
     TRIAL_ADDRESS, no_lost_end, 60},
    {"no-starvation", "a client who floods has no more than its turn", 1, "model", TRIAL_ADDRESS,
     no_starvation, 60},
    {"reset", "a reset ends that client alone, wherever it stands", 1, "model", TRIAL_ADDRESS,
     reset, 90},
    {"faults", "an interrupted call is made again", 1, "model", TRIAL_ADDRESS, faults, 60},
    {0},
};

int main(int argc, char **argv)
{
    static const struct exercise exercise = {
        "06-epoll-drain", "edge-triggered epoll without a lost wake-up and without starvation",
        checks};
    return grade_main(argc, argv, &exercise);
}
