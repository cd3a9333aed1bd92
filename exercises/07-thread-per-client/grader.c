/*
 * The grader of 07-thread-per-client.
 *
 * What threads do is shown by arrangement: the kernel says in which call each of them sleeps, and only
 * when all stand where they should does the next client move.
 */

#include "grader/grade.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

enum {
    SMALL = 100,          /* bytes with which a client shows that it is served */
    FEW = 5,              /* clients who are there while something happens to another */
    MANY = 16,            /* clients at the same time */
    LIMIT = 4,            /* --max-clients */
    FLOOD = 16 << 20,     /* more than the kernel keeps for one who never reads */
    RETURNING = 200,      /* clients who come and go, */
    AT_ONCE = 10,         /* so many at a time */
    A_WHILE_MS = 5,       /* of CPU time: a small part of what --work asks for */
    ATTEMPTS = 3,         /* to see all at work: a busy machine may let one of them wait for long */
    SPARE_MAPPINGS = 100, /* that these may leave; as many stacks are 200 at least */
    PATIENCE_MS = 2500,   /* ThreadSanitizer sleeps for a second before the end */
    ROUNDS = 5            /* of seeded faults */
};

static const long receives[] = {SYS_recvfrom, SYS_read, SYS_recvmsg, SYS_readv, -1};
static const long sends[] = {SYS_sendto, SYS_write, SYS_sendmsg, SYS_writev, -1};
static const long accepts[] = {SYS_accept4,
#ifdef SYS_accept
                               SYS_accept,
#endif
                               -1};
static const long locks[] = {SYS_futex, -1};

/* ---- what the kernel says -------------------------------------------------------------------- */

/* What is to be seen, for wait_until. */
struct sight {
    struct trial *t;
    const long *calls; /* to be asleep in */
    struct peer *peer; /* on this client's descriptor; NULL: on any */
    int count;         /* threads */
    int locked;        /* that were seen to wait for a lock meanwhile, at most */
};

static bool asleep(void *argument)
{
    const struct sight *s = argument;
    int fd = s->peer == NULL ? -1 : trial_server_fd(s->t, s->peer->fd);
    return (s->peer == NULL || fd != -1) && trial_asleep_in(s->t, s->calls, fd) >= s->count;
}

/* The client sends, and never reads, until its thread can only wait in send. */
static bool flooded(void *argument)
{
    const struct sight *s = argument;
    return !peers_fill(s->peer, 1, FLOOD) || asleep(argument);
}

static bool has_threads(void *argument)
{
    const struct sight *s = argument;
    return trial_look(s->t)->threads == s->count;
}

/* So many threads, without main's, have computed for a while. */
static bool computed(void *argument)
{
    struct sight *s = argument;
    const struct trial_view *view = trial_look(s->t);
    int count = 0, locked = 0;
    for (int i = 0; i < view->task_count; i++) {
        const struct trial_task *task = &view->tasks[i];
        count += task->tid != task->pid && task->cpu_ns >= A_WHILE_MS * 1000000LL;
        locked += task->state == 'S' && task->call == SYS_futex;
    }
    s->locked = locked > s->locked ? locked : s->locked;
    return count >= s->count;
}

/* Wait until there are so many threads. */
static bool come_to(struct trial *t, int count, const char *what)
{
    struct sight s = {.t = t, .count = count};
    return trial_ok(t, -1, wait_until(has_threads, &s, what));
}

/* ---- clients --------------------------------------------------------------------------------- */

static bool serve(struct trial *t, const char *const arguments[])
{
    t->blocking = true;
    return trial_serve(t, "server", arguments);
}

/* A server that calls accept no more, after one that failed: mark that one. */
static void explain_accept(struct trial *t)
{
    const struct call *c;
    uint64_t failed = 0;
    bool gave_up = false;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_accept4, -1)) != NULL; n++) {
        gave_up = c->end != 0 && c->result == -1;
        failed = n;
    }
    if (gave_up)
        trial_mark(t, failed, "one client could not be accepted: no reason to stop accepting");
}

/* One after the other, each served before the next one comes. */
static bool arrive(struct trial *t, struct peer *peers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!trial_peer(t, &peers[i]))
            return false;
        if (!peer_exchange(&peers[i], SMALL)) {
            explain_accept(t);
            return trial_ok(t, peers[i].fd, false);
        }
    }
    return true;
}

/* Half-close, and see the end. */
static bool leave(struct trial *t, struct peer *peers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!peer_finish(&peers[i]) || !peer_expect_end(&peers[i]))
            return trial_fail(t, peers[i].fd,
                              "a client has half-closed, all its bytes came back, and no end "
                              "follows (is its descriptor closed?): %s",
                              fault_text());
    peers_close(peers, count);
    return true;
}

/* Its thread sleeps in recv, for it alone. */
static bool settles(struct trial *t, struct peer *p)
{
    struct sight s = {.t = t, .calls = receives, .peer = p, .count = 1};
    return trial_ok(t, p->fd,
                    wait_until(asleep, &s, "a thread to sleep in recv for a silent client"));
}

static bool flood(struct trial *t, struct peer *p)
{
    struct sight s = {.t = t, .calls = sends, .peer = p, .count = 1};
    return trial_ok(t, -1, peer_open_narrow(p, &t->s)) &&
           trial_ok(t, p->fd, peer_exchange(p, SMALL)) &&
           trial_ok(
               t, p->fd,
               wait_until(flooded, &s, "the thread of a client who never reads to sleep in send"));
}

/* ---- the model ------------------------------------------------------------------------------- */

static void judge_model(struct trial *t)
{
    static const enum call_name others[] = {CALL_select, CALL_pselect,    CALL_poll,
                                            CALL_ppoll,  CALL_epoll_wait, CALL_epoll_pwait};
    struct peer peers[FEW];
    struct sight main_thread = {.t = t, .calls = accepts, .count = 1};
    trial_step(t, "%d clients come, talk, and then say nothing", FEW);
    trial_expect(t, "%d threads: main's sleeps in accept, and each client's in recv, for it alone",
                 FEW + 1);
    if (!serve(t, NULL))
        return;
    int before = trial_look(t)->threads;
    if (!arrive(t, peers, FEW))
        return;
    for (int i = 0; i < FEW; i++)
        if (!settles(t, &peers[i]))
            return;
    if (!trial_ok(t, -1, wait_until(asleep, &main_thread, "main to sleep in accept")))
        return;
    uint64_t asked = 0;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        asked += trial_count(t, others[i]);
    const struct trial_view *view = trial_look(t);
    if (view->processes != 1 || before != 1 || view->threads != FEW + 1)
        trial_fail(t, -1,
                   "%d threads before the first client, and %d in %d processes with %d clients",
                   before, view->threads, view->processes, FEW);
    else if (asked > 0)
        trial_fail(t, -1,
                   "select, poll or epoll_wait was called %llu times: who has a thread for each "
                   "client need not ask which one is ready",
                   (unsigned long long)asked);
    else
        trial_pass(t,
                   "1 thread, with %d idle clients %d: each sleeps in recv for its own, and main "
                   "in accept",
                   FEW, FEW + 1);
}

/* ---- in parallel ----------------------------------------------------------------------------- */

/* Another client's bytes were received into the memory in which this one's stood: mark it. */
static void explain_shared_buffer(struct trial *t, int client)
{
    int fd = trial_server_fd(t, client);
    uint64_t n = 0;
    const struct call *own = trial_next_call(t, &n, CALL_recv, fd), *c;
    for (n = 0; own != NULL && (c = trial_next_call(t, &n, CALL_recv, -1)) != NULL; n++)
        if (c->fd != fd && c->buffer == own->buffer && c->end > own->end && c->result > 0) {
            trial_mark(t, n,
                       "into the same memory as the bytes of fd %d, which its thread has not sent "
                       "yet: each thread needs a buffer of its own",
                       fd);
            return;
        }
}

/* Nobody has been answered yet. */
static bool all_wait(const struct peer *peers, int count)
{
    for (int i = 0; i < count; i++) {
        struct pollfd answered = {.fd = peers[i].fd, .events = POLLIN};
        if (poll(&answered, 1, 0) != 0)
            return false;
    }
    return true;
}

/* Whether all were at work before one was done; false with a verdict or without. */
static bool work_at_once(struct sight *s, struct peer *peers)
{
    struct trial *t = s->t;
    if (!serve(t, SUBJECT_ARGS("--work", "200000")))
        return false;
    for (int i = 0; i < LIMIT; i++)
        if (!trial_peer(t, &peers[i]) || !settles(t, &peers[i]))
            return false;
    for (int i = 0; i < LIMIT; i++)
        if (!trial_ok(t, peers[i].fd, peer_send(&peers[i], SMALL)))
            return false;
    return trial_ok(t, -1, wait_until(computed, s, "all of them to compute")) &&
           all_wait(peers, LIMIT);
}

static void judge_in_parallel(struct trial *t)
{
    struct peer peers[LIMIT];
    struct sight s = {.t = t, .count = LIMIT};
    bool seen = false;
    trial_step(t, "with --work 200000, %d clients send a chunk each at the same time", LIMIT);
    trial_expect(t, "%d threads that compute at the same time, and to each client its own bytes",
                 LIMIT);
    for (int i = 0; i < ATTEMPTS && !seen; i++)
        seen = work_at_once(&s, peers);
    if (!seen) {
        trial_fail(
            t, -1, "one client had its answer before the threads of all had begun to compute%s",
            s.locked > 0 ? ": they wait for each other.  Who holds the lock while it works?" : "");
        return;
    }
    trial_step(t, "the last one reads first");
    for (int i = LIMIT; i-- > 0;)
        if (!peer_receive(&peers[i], SMALL)) {
            explain_shared_buffer(t, peers[i].fd);
            trial_ok(t, peers[i].fd, false);
            return;
        }
    trial_pass(t, "%d threads computed at the same time, and each answered its own client", LIMIT);
}

/* ---- every byte ------------------------------------------------------------------------------ */

static void judge_every_byte(struct trial *t)
{
    static struct peer peers[MANY];
    trial_step(t, "%d clients send 100,000 bytes each at the same time, and half-close", MANY);
    trial_expect(t, "to each its own bytes, all of them, in order; and then the end");
    if (serve(t, NULL) && arrive(t, peers, MANY) &&
        trial_ok(t, -1, peers_exchange(peers, MANY, 100000)) && leave(t, peers, MANY))
        trial_pass(t, "%d clients got their 100,000 bytes each, and the end after them", MANY);
}

/* ---- a client's failure ---------------------------------------------------------------------- */

static void judge_alone(struct trial *t)
{
    struct peer others[FEW], never, gone, late;
    trial_step(t, "one client never reads, and its thread waits in send; %d others talk", FEW);
    trial_expect(t, "that the others are served as if it were not there");
    if (!serve(t, NULL))
        return;
    int before = trial_look(t)->threads;
    if (!arrive(t, others, FEW) || !flood(t, &never))
        return;
    if (!peers_exchange(others, FEW, 10000)) {
        bool locked = trial_asleep_in(t, locks, -1) > 0;
        trial_fail(t, others[0].fd, "%s%s", fault_text(),
                   locked ? ".  Threads wait for a lock: who holds it while it sends?" : "");
        return;
    }
    trial_step(t, "another resets its connection while its thread waits in recv");
    if (!arrive(t, &gone, 1))
        return;
    peer_reset(&gone);
    trial_step(t, "the one who never reads resets its own: its thread's send fails");
    peer_reset(&never);
    if (come_to(t, before + FEW, "the threads of these two to end") &&
        trial_ok(t, -1, peers_exchange(others, FEW, 10000)) && arrive(t, &late, 1))
        trial_pass(
            t, "one never read, two reset their connections, and %d others got 20,000 bytes each",
            FEW);
}

/* ---- what is given back ---------------------------------------------------------------------- */

/* The lines of /proc/PID/maps: each thread's stack has its own. */
static int mappings(const struct trial *t)
{
    char path[64];
    int lines = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)t->s.pid);
    FILE *file = fopen(path, "re");
    for (int c; file != NULL && (c = getc(file)) != EOF;)
        lines += c == '\n';
    if (file != NULL)
        fclose(file);
    return lines;
}

/* The story marks the call. */
static bool closed_twice(struct trial *t)
{
    uint64_t n = 0;
    const struct call *c;
    while ((c = trial_next_call(t, &n, CALL_close, -1)) != NULL && c->result != -1)
        n++;
    return c != NULL &&
           !trial_fail(
               t, -1,
               "descriptor %d was closed twice: in between, another client may have got its number",
               c->fd);
}

static bool come_and_go(struct trial *t, int clients)
{
    struct peer peers[AT_ONCE];
    for (int i = 0; i < clients; i += AT_ONCE)
        if (!arrive(t, peers, AT_ONCE) || !leave(t, peers, AT_ONCE) ||
            !come_to(t, 1, "the threads of clients who have left to end"))
            return false;
    return true;
}

static void judge_threads_return(struct trial *t)
{
    trial_step(t, "%d clients come and go, %d at a time", RETURNING, AT_ONCE);
    trial_expect(t,
                 "their threads, the threads' stacks and the descriptors to be given back, once");
    if (!serve(t, NULL) || !come_and_go(t, 2 * AT_ONCE))
        return;
    long descriptors = trial_look(t)->descriptors;
    int before = mappings(t);
    if (before == 0) {
        trial_fault(t, "cannot read the program's /proc/PID/maps");
        return;
    }
    if (!come_and_go(t, RETURNING) || closed_twice(t))
        return;
    long left = trial_look(t)->descriptors - descriptors;
    int grown = mappings(t) - before;
    if (left > 0)
        trial_fail(t, -1, "%d clients have left, and %ld descriptors more are open", RETURNING,
                   left);
    else if (grown > SPARE_MAPPINGS)
        trial_fail(t, -1,
                   "%d threads have ended, and their stacks are still there (%d mappings more): a "
                   "thread has to be detached, or joined",
                   RETURNING, grown);
    else
        trial_pass(
            t,
            "%d clients came and went: 1 thread and %ld descriptors, as before; mappings %d and %d",
            RETURNING, descriptors, before, before + grown);
}

/* ---- the bound ------------------------------------------------------------------------------- */

/* A client beyond the limit gets an end of file; what else it gets tells the mistake. */
static bool is_refused(struct trial *t)
{
    struct peer p;
    if (!trial_peer(t, &p))
        return false;
    if (!wire_expect_gone(p.fd))
        return trial_fail(
            t, p.fd,
            peer_exchange(&p, SMALL)
                ? "one more is served, which makes %d at the same time, with --max-clients %d"
                : "client %d is neither served nor closed, with --max-clients %d: it would wait "
                  "until somebody leaves",
            LIMIT + 1, LIMIT);
    peer_close(&p);
    return true;
}

static void judge_bounded(struct trial *t)
{
    struct peer peers[LIMIT];
    trial_step(t, "with --max-clients %d, %d clients are there and one more comes, ten times",
               LIMIT, LIMIT);
    trial_expect(t, "the one more to get an end of file, and the others to be served");
    if (!serve(t, SUBJECT_ARGS("--max-clients", "4")))
        return;
    int before = trial_look(t)->threads;
    if (!arrive(t, peers, LIMIT))
        return;
    for (int i = 0; i < 10; i++)
        if (!is_refused(t))
            return;
    if (!trial_ok(t, -1, peers_exchange(peers, LIMIT, 10000)))
        return;
    trial_step(t, "one of the %d leaves, and another comes", LIMIT);
    trial_expect(t, "the other to be served in its place");
    if (!leave(t, peers, 1) ||
        !come_to(t, before + LIMIT - 1, "the thread of one who has left to end") ||
        !trial_peer(t, &peers[0]))
        return;
    if (!peer_exchange(&peers[0], SMALL)) {
        trial_fail(t, peers[0].fd,
                   "%d of %d clients are there, and the next one is turned away all the same: does "
                   "one who leaves make room?",
                   LIMIT - 1, LIMIT);
        return;
    }
    trial_step(t, "and one more");
    if (is_refused(t) && leave(t, peers, LIMIT))
        trial_pass(t, "%d at a time: 11 were turned away, and one was served in another's place",
                   LIMIT);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Every descriptor that accept gave was closed; else its thread was not done, or left it open. */
static bool all_closed(struct trial *t)
{
    const struct call *c;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_accept4, -1)) != NULL; n++) {
        uint64_t after = n;
        if (c->result < 0 || trial_next_call(t, &after, CALL_close, (int)c->result) != NULL)
            continue;
        trial_mark(t, n, "nobody had closed it when main returned");
        return trial_fail(t, -1,
                          "main has ended, and fd %d was not closed: each thread closes its "
                          "client's, and main has to wait for the last thread",
                          (int)c->result);
    }
    return true;
}

static void judge_stop(struct trial *t)
{
    struct peer idle[FEW], never, working;
    struct sight busy = {.t = t, .count = 1};
    trial_step(t, "%d clients are idle and one never reads; SIGTERM", FEW);
    trial_expect(t, "that every thread is woken and ends, and then the program, with 0");
    if (!serve(t, NULL) || !arrive(t, idle, FEW) || !flood(t, &never) || !trial_stop(t) ||
        !all_closed(t))
        return;
    for (int i = 0; i < FEW; i++)
        if (!trial_ok(t, -1, wire_expect_gone(idle[i].fd)))
            return;
    trial_step(t, "with --work 500000, a client has sent a chunk and its thread computes; SIGTERM");
    trial_expect(t, "that main waits for that thread");
    if (serve(t, SUBJECT_ARGS("--work", "500000")) && trial_peer(t, &working) &&
        settles(t, &working) && trial_ok(t, working.fd, peer_send(&working, SMALL)) &&
        trial_ok(t, working.fd, wait_until(computed, &busy, "its thread to compute")) &&
        trial_stop(t) && all_closed(t))
        trial_pass(t,
                   "it ended with 0, after the threads of %d idle clients, one who never read and "
                   "one at work",
                   FEW);
}

/* ---- the numbers ----------------------------------------------------------------------------- */

/* The line on standard error must say these numbers; most: at once, or -1 if that is not judged. */
static bool says(struct trial *t, unsigned long clients, unsigned long long bytes, long most)
{
    unsigned long came, at_once;
    unsigned long long echoed;
    const char *line = strstr(trial_errors(t), "served ");
    if (line == NULL)
        return trial_fail(
            t, -1,
            "no line 'served ... clients, ... bytes, ... at most at once' came on standard error");
    bool right = sscanf(line, "served %lu clients, %llu bytes, %lu at most at once", &came, &echoed,
                        &at_once) == 3 &&
                 came == clients && echoed == bytes &&
                 (most == -1 || at_once == (unsigned long)most);
    return right || trial_fail(t, -1, "it said '%.*s'", (int)strcspn(line, "\n"), line);
}

static void judge_statistics(struct trial *t)
{
    enum { LATER = 7 };
    struct peer peers[LIMIT];
    unsigned long long bytes = LIMIT * SMALL;
    trial_step(t, "with --max-clients %d, %d clients of %d bytes come, and one more; they leave",
               LIMIT, LIMIT, SMALL);
    trial_expect(t, "one line that says so, at the end");
    if (!serve(t, SUBJECT_ARGS("--max-clients", "4")))
        return;
    int before = trial_look(t)->threads;
    if (!arrive(t, peers, LIMIT) || !is_refused(t) || !leave(t, peers, LIMIT))
        return;
    trial_step(
        t,
        "then %d of 1,100 to 7,100 bytes, one after the other; SIGTERM while the last one is there",
        LATER);
    for (size_t i = 1; i <= LATER; i++) {
        if (!come_to(t, before, "the threads of those who have left to end") ||
            !arrive(t, peers, 1) || !trial_ok(t, peers[0].fd, peer_exchange(&peers[0], 1000 * i)) ||
            (i < LATER && !leave(t, peers, 1)))
            return;
        bytes += SMALL + 1000 * i;
    }
    trial_expect(t, "served %d clients, %llu bytes, %d at most at once", LIMIT + LATER, bytes,
                 LIMIT);
    if (trial_stop(t) && says(t, LIMIT + LATER, bytes, LIMIT))
        trial_pass(t, "'served %d clients, %llu bytes, %d at most at once', and so it was",
                   LIMIT + LATER, bytes, LIMIT);
}

/* ---- races ----------------------------------------------------------------------------------- */

/* Say what ThreadSanitizer found: whose the memory is tells the mistake. */
static bool no_race(struct trial *t)
{
    char said[1200], where[80] = "memory that it does not name";
    const char *complaint = trial_complaint(t);
    if (complaint == NULL || strstr(complaint, "data race") == NULL)
        return true;
    snprintf(said, sizeof said, "%s", complaint);
    const char *location = strstr(trial_errors(t),
                                  "Location is "); /* global 'shared' of size 128 at ... */
    if (location != NULL)
        snprintf(where, sizeof where, "%.*s", (int)strcspn(location + 12, "\n"), location + 12);
    char *size = strstr(where, " of size");
    if (size != NULL)
        *size = '\0';
    if (strncmp(where, "stack of main", 13) == 0)
        return trial_fail(t, -1,
                          "%s.\nA thread reads what stands on main's stack while main puts the "
                          "next client's value there: hand over what nobody changes",
                          said);
    if (strncmp(where, "file descriptor", 15) == 0)
        return trial_fail(
            t, -1, "%s.\nOne thread closes a descriptor while another uses its number", said);
    return trial_fail(
        t, -1,
        "%s.\nThe memory is %s: one thread changes it without the lock while another uses it", said,
        where);
}

static void judge_no_race(struct trial *t)
{
    enum { TIMES = 10, BYTES = 1000, ALL = MANY * (SMALL + TIMES * BYTES) };
    static struct peer peers[MANY];
    trial_step(t, "%d clients come one by one and leave; then, %d times, as many at the same time",
               MANY, TIMES);
    trial_expect(t, "served %d clients, %d bytes, and not a word from ThreadSanitizer",
                 MANY + TIMES * MANY, ALL);
    t->patience_ms = PATIENCE_MS;
    if (!serve(t, NULL) || !arrive(t, peers, MANY) || !no_race(t))
        return;
    peers_close(peers, MANY);
    for (int i = 0; i < TIMES; i++) {
        if (!trial_peers(t, peers, MANY))
            return;
        bool served = peers_exchange(peers, MANY, BYTES);
        if (!no_race(t) || !trial_ok(t, -1, served))
            return;
        peers_close(peers, MANY);
    }
    if (no_race(t) && trial_stop(t) && says(t, MANY + TIMES * MANY, ALL, -1))
        trial_pass(t,
                   "%d clients, %d at the same time: the numbers are exact, and there was no race",
                   MANY + TIMES * MANY, MANY);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void judge_faults(struct trial *t)
{
    struct peer peers[FEW];
    unsigned long long faults = 0;
    trial_step(t,
               "%d clients send 100,000 bytes each; calls of the server are cut short, "
               "interrupted, or find a client that has gone",
               FEW);
    trial_expect(t, "every byte all the same");
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        t->faults = (struct fault_plan){.seed = round,
                                        .kinds = FAULT_SHORT_READ | FAULT_SHORT_WRITE |
                                                 FAULT_EINTR | FAULT_ECONNABORTED,
                                        .one_in = 5};
        if (!serve(t, NULL) || !arrive(t, peers, FEW) ||
            !trial_ok(t, -1, peers_exchange(peers, FEW, 100000)) || !leave(t, peers, FEW))
            return;
        faults += t->record->faults;
    }
    trial_pass(t, "%d bytes came back through %llu faults", ROUNDS * FEW * 100000, faults);
}

/* ---------------------------------------------------------------------------------------------- */

static const struct check checks[] = {
    {"model", "a thread for each client, asleep in recv", 1, NULL, TRIAL_PLAIN, judge_model, 0},
    {"in-parallel", "threads work at the same time, each for its own client", 1, "model",
     TRIAL_ADDRESS, judge_in_parallel, 60},
    {"every-byte", "every byte comes back, in order, and then the end", 1, "model", TRIAL_ADDRESS,
     judge_every_byte, 60},
    {"alone", "a client's failure is its own", 1, "model", TRIAL_ADDRESS, judge_alone, 60},
    {"threads-return", "threads, stacks and descriptors are given back, once", 1, "model",
     TRIAL_PLAIN, judge_threads_return, 60},
    {"bounded", "a client beyond the limit gets an end of file", 1, "model", TRIAL_ADDRESS,
     judge_bounded, 60},
    {"stop", "SIGTERM ends every thread, and then the program", 1, "model", TRIAL_ADDRESS,
     judge_stop, 60},
    {"no-race", "no data race, however many come and go", 1, "model stop", TRIAL_THREAD,
     judge_no_race, 60},
    {"statistics", "the numbers printed at the end are right", 1, "model stop", TRIAL_ADDRESS,
     judge_statistics, 60},
    {"faults", "short transfers and interrupted calls lose nothing", 1, "model", TRIAL_ADDRESS,
     judge_faults, 60},
    {0},
};

static const struct exercise exercise = {"07-thread-per-client",
                                         "bounded threads, no race, clean stop", checks};

int main(int argc, char **argv)
{
    return grade_main(argc, argv, &exercise);
}
