/* own - what only one model promises.  See own.h. */

#include "own.h"

#include "testkit/fault.h"
#include "testkit/peer.h"
#include "testkit/proc.h"
#include "testkit/subject.h"
#include "testkit/wait.h"
#include "testkit/wire.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* ---- select ------------------------------------------------------------------------------- */

struct crowded {
    pid_t pid;
    long most; /* descriptors, that it shall not have any more */
};

static bool has_room(void *argument)
{
    const struct crowded *c = argument;
    return proc_tree(c->pid).descriptors < c->most;
}

/* Some clients get a descriptor that no fd_set can hold.  Those it refuses, and says why; the
 * others never notice. */
static bool refuses_high_descriptors(const struct model *m)
{
    enum { CLIENTS = 1100, SURELY_FIT = 1000, SURELY_NOT = CLIENTS - 1024 };
    static struct peer peers[CLIENTS];
    struct subject s;
    if (!subject_start(&s, m->program, SUBJECT_ARGS("--port", "0", "--quiet"), 2048))
        return false;
    bool kept = peers_open(peers, CLIENTS, &s) && peers_exchange(peers, SURELY_FIT, 100);
    for (size_t i = CLIENTS - SURELY_NOT; kept && i < CLIENTS; i++)
        kept = wire_expect_gone(peers[i].fd) || fault("client %zu: %s", i + 1, fault_text());
    char errors[4096];
    subject_errors(&s, errors, sizeof errors);
    if (kept && strstr(errors, "fd_set") == NULL)
        kept = fault("does not say why it refuses, but: %s", errors);
    kept = kept && peers_exchange(peers, SURELY_FIT, 100);
    peers_close(peers, CLIENTS);
    /* Not before it has noticed that they are gone is there a descriptor that fits. */
    struct crowded c = {.pid = s.pid, .most = SURELY_FIT};
    kept = kept && wait_until(has_room, &c, "the clients who left to be closed") &&
           peer_open(&peers[0], &s) && peer_exchange(&peers[0], 100);
    peer_close(&peers[0]);
    kept = kept && subject_stop(&s);
    subject_kill(&s);
    return kept;
}

/* ---- a thread per client ------------------------------------------------------------------ */

enum { MOST_THREADS = 5 };

struct threads {
    pid_t pid;
    long expected;
};

static bool has_threads(void *argument)
{
    const struct threads *t = argument;
    return proc_tree(t->pid).threads == t->expected;
}

/* Full with as many clients as it may have, it refuses the next, and serves one again as soon
 * as one has left. */
static bool bounds_its_threads(const struct model *m)
{
    static struct peer peers[MOST_THREADS + 1];
    struct peer *beyond = &peers[MOST_THREADS];
    struct subject s;
    if (!subject_start(&s, m->program, SUBJECT_ARGS("--port", "0", "--quiet", "--max-clients", "5"),
                       0))
        return false;
    bool kept = peers_open(peers, 1, &s) && peer_exchange(peers, 100);
    long with_one = proc_tree(s.pid).threads; /* a thread of ThreadSanitizer may be among them */
    peer_close(&peers[0]);
    struct threads full = {.pid = s.pid, .expected = with_one + MOST_THREADS - 1};
    struct threads room = {.pid = s.pid, .expected = with_one + MOST_THREADS - 2};
    struct threads none = {.pid = s.pid, .expected = with_one - 1};
    kept = kept && wait_until(has_threads, &none, "the thread of a client who left to end") &&
           peers_open(peers, MOST_THREADS, &s) && peers_exchange(peers, MOST_THREADS, 100) &&
           wait_until(has_threads, &full, "a thread for each client");
    for (int i = 0; kept && i < 20; i++) {
        kept = peer_open(beyond, &s) && wire_expect_gone(beyond->fd);
        peer_close(beyond);
        if (kept && !has_threads(&full))
            kept = fault("%ld threads with a client refused, and not %ld", proc_tree(s.pid).threads,
                         full.expected);
    }
    char errors[4096];
    subject_errors(&s, errors, sizeof errors);
    if (kept && strstr(errors, "refused") == NULL)
        kept = fault("does not say that it refuses, but: %s", errors);
    peer_close(&peers[0]);
    kept = kept && wait_until(has_threads, &room, "the thread of a client who left to end") &&
           peer_open(&peers[0], &s) && peers_exchange(peers, MOST_THREADS, 100);
    peers_close(peers, MOST_THREADS);
    kept = kept && subject_stop(&s);
    subject_kill(&s);
    return kept;
}

/* ---- prefork ------------------------------------------------------------------------------ */

enum { WORKERS = 3 };

struct brood {
    pid_t parent;
    pid_t workers[WORKERS + 1];
    size_t count;
    pid_t without; /* a worker that must not be among them any more; or 0 */
};

/* All workers are there, and the one that was killed is not. */
static bool is_complete(void *argument)
{
    struct brood *b = argument;
    b->count = proc_children(b->parent, b->workers, WORKERS + 1);
    for (size_t i = 0; i < b->count; i++)
        if (b->workers[i] == b->without)
            return false;
    return b->count == WORKERS;
}

static bool are_gone(void *argument)
{
    const struct brood *b = argument;
    for (size_t i = 0; i < b->count; i++)
        if (proc_alive(b->workers[i]))
            return false;
    return true;
}

static bool start_brood(const struct model *m, struct subject *s, struct brood *b)
{
    if (!subject_start(s, m->program, SUBJECT_ARGS("--port", "0", "--workers", "3"), 0))
        return false;
    *b = (struct brood){.parent = s->pid};
    return wait_until(is_complete, b, "three workers");
}

/* As many clients as workers, all at once: every worker serves one. */
static bool all_serve(const struct subject *s)
{
    struct peer peers[WORKERS];
    bool served = peers_open(peers, WORKERS, s) && peers_exchange(peers, WORKERS, 1000);
    peers_close(peers, WORKERS);
    return served;
}

/* Whatever ends a worker, and whether a client is with it or not, another takes its place. */
static bool replaces_a_worker(const struct model *m, int signal_number)
{
    struct subject s;
    struct brood b;
    bool kept = start_brood(m, &s, &b) && all_serve(&s);
    for (size_t i = 0; kept && i < WORKERS; i++) {
        struct peer peers[WORKERS];
        b.without = b.workers[0];
        kept = peers_open(peers, WORKERS, &s) && peers_exchange(peers, WORKERS, 10) &&
               b.without > 0 && kill(b.without, signal_number) == 0 &&
               wait_until(is_complete, &b, "another worker in place of the one that was killed");
        peers_close(peers, WORKERS);
        kept = kept && all_serve(&s);
    }
    kept = kept && subject_stop(&s) && wait_until(are_gone, &b, "the workers to end");
    subject_kill(&s);
    return kept;
}

static bool replaces_after_sigkill(const struct model *m)
{
    return replaces_a_worker(m, SIGKILL);
}

static bool replaces_after_sigterm(const struct model *m)
{
    return replaces_a_worker(m, SIGTERM);
}

/* subject_stop has waited for the parent, and the parent waits for its workers: at that moment
 * none is left, though each was busy with a client. */
static bool stops_its_workers(const struct model *m)
{
    struct subject s;
    struct brood b;
    struct peer peers[WORKERS];
    bool kept = start_brood(m, &s, &b) && peers_open(peers, WORKERS, &s) &&
                peers_exchange(peers, WORKERS, 1000) && subject_stop(&s) &&
                (are_gone(&b) || fault("a worker outlives its parent"));
    for (size_t i = 0; kept && i < WORKERS; i++)
        kept = wire_expect_gone(peers[i].fd);
    subject_kill(&s);
    peers_close(peers, WORKERS);
    return kept;
}

static bool workers_die_with_it(const struct model *m)
{
    struct subject s;
    struct brood b;
    struct peer peers[1];
    bool kept = start_brood(m, &s, &b) && peers_open(peers, 1, &s) && peer_exchange(peers, 10);
    subject_kill(&s);
    kept = kept && wait_until(are_gone, &b, "the workers to end after their parent was killed") &&
           wire_expect_gone(peers[0].fd);
    peers_close(peers, 1);
    return kept;
}

/* One line names the worker and its process. */
static bool names_the_worker(const struct model *m)
{
    struct subject s;
    struct brood b;
    bool kept = start_brood(m, &s, &b) && all_serve(&s);
    char errors[8192];
    subject_errors(&s, errors, sizeof errors);
    for (size_t i = 0; kept && i < WORKERS; i++) {
        char named[64];
        snprintf(named, sizeof named, "(pid %d)", (int)b.workers[i]);
        kept = strstr(errors, named) != NULL ||
               fault("three clients at once, and no line with '%s': %s", named, errors);
    }
    kept = kept && subject_stop(&s);
    subject_kill(&s);
    return kept;
}

const struct own_promise own_promises[] = {
    {"select", "refuses-high-descriptors", refuses_high_descriptors},
    {"thread-per-client", "bounds-its-threads", bounds_its_threads},
    {"prefork", "replaces-after-sigkill", replaces_after_sigkill},
    {"prefork", "replaces-after-sigterm", replaces_after_sigterm},
    {"prefork", "stops-its-workers", stops_its_workers},
    {"prefork", "workers-die-with-it", workers_die_with_it},
    {"prefork", "names-the-worker", names_the_worker},
};
const size_t own_promise_count = sizeof own_promises / sizeof own_promises[0];
