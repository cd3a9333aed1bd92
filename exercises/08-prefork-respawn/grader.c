/*
 * The grader of 08-prefork-respawn.
 *
 * Workers are killed from outside, at moments that are arranged: the kernel says who sleeps where, and a
 * parent that is stopped for a while finds many dead at once.
 */

#include "grader/grade.h"

#include "clock.h"
#include "testkit/proc.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    WORKERS = 4,
    MOST = 64,          /* workers that are told apart, if there are too many */
    SMALL = 100,        /* bytes with which a client shows that it is served */
    IN_TURN = 20,       /* clients who come one after the other */
    FLOOD = 16 << 20,   /* more than the kernel keeps for one who never reads */
    A_WHILE_MS = 5,     /* of CPU time: a small part of what --work asks for */
    ATTEMPTS = 3,       /* to see all at work: a busy machine may let one of them wait for long */
    DEATHS = 8,         /* of one worker after the other */
    SPIN_MS = 1000,     /* so long a worker is killed as soon as it is there */
    RESPAWN_MS = 100,   /* a place is filled at most this often */
    CALLS_A_DEATH = 50, /* that a parent which sleeps may need for one, by far */
    PATIENCE_MS = 2500, /* what is left behind has a second to end by itself */
    ROUNDS = 5          /* of seeded faults */
};

static const char *const four_workers[] = {"--workers", "4", NULL};

static const long serving[] = {SYS_recvfrom, SYS_read,    SYS_recvmsg, SYS_readv, SYS_sendto,
                               SYS_write,    SYS_sendmsg, SYS_writev,  -1};
static const long accepting[] = {SYS_accept4,
#ifdef SYS_accept
                                 SYS_accept,
#endif
                                 -1};

/* ---- clients --------------------------------------------------------------------------------- */

static bool serve(struct trial *t, const char *const arguments[])
{
    t->blocking = true;
    return trial_serve(t, "server", arguments);
}

/* One after the other, each served before the next one comes. */
static bool arrive(struct trial *t, struct peer *peers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!trial_peer(t, &peers[i]) || !trial_ok(t, peers[i].fd, peer_exchange(&peers[i], SMALL)))
            return false;
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

/* ---- workers, as the kernel sees them -------------------------------------------------------- */

struct brood {
    struct trial *t;
    int pids[MOST], count;
    int idle, busy;              /* asleep in accept; with a client */
    int idle_one, busy_one;      /* the pid of one of each, or 0 */
    int before[MOST], new_ones;  /* who was there when it was last complete; who was not */
    int wanted_idle, wanted_new; /* to be complete */
};

static bool is_call(long call, const long calls[])
{
    for (int i = 0; calls[i] != -1; i++)
        if (call == calls[i])
            return true;
    return false;
}

static void look(struct brood *b)
{
    const struct trial_view *view = trial_look(b->t);
    b->count = b->idle = b->busy = b->idle_one = b->busy_one = b->new_ones = 0;
    for (int i = 0; i < view->task_count && b->count < MOST; i++) {
        const struct trial_task *task = &view->tasks[i];
        if (task->pid == b->t->s.pid || task->pid != task->tid)
            continue;
        bool is_new = true;
        for (int j = 0; j < MOST; j++)
            is_new = is_new && b->before[j] != task->pid;
        b->pids[b->count++] = task->pid;
        b->new_ones += is_new;
        if (task->state == 'S' && is_call(task->call, accepting)) {
            b->idle++;
            b->idle_one = task->pid;
        } else if (task->state == 'S' && is_call(task->call, serving)) {
            b->busy++;
            b->busy_one = task->pid;
        }
    }
}

static bool is_complete(void *argument)
{
    struct brood *b = argument;
    look(b);
    return b->count == WORKERS && b->new_ones == b->wanted_new && b->idle == b->wanted_idle &&
           b->busy == WORKERS - b->wanted_idle;
}

static bool is_settled(void *argument)
{
    const struct brood *b = argument;
    return is_complete(argument) || b->count > WORKERS;
}

/* Why there are too many, if that is known: a worker forks, too, and is marked; or one death was taken
 * for several. */
static const char *why_too_many(const struct brood *b)
{
    static char text[96];
    const struct call *c;
    int parent = 0;
    for (uint64_t n = 0; (c = trial_next_call(b->t, &n, CALL_fork, -1)) != NULL; n++) {
        parent = parent == 0 ? c->pid : parent;
        if (c->pid == parent)
            continue;
        trial_mark(b->t, n, "this is a worker, and goes on with what is the parent's");
        return ": a worker forks as well";
    }
    snprintf(text, sizeof text, ": deaths: %d, new workers: %d", b->wanted_new, b->new_ones);
    return b->wanted_new < WORKERS && b->new_ones > b->wanted_new ? text : "";
}

/* What the kernel says of the parent: SIGCHLD is among the signals that it ignores. */
static bool ignores_deaths(const struct trial *t)
{
    char path[64], line[128];
    unsigned long long ignored = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)t->s.pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "SigIgn: %llx", &ignored) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return ignored >> (SIGCHLD - 1) & 1;
}

/* Wait until all workers are there, so many of them in accept and the others with a client; and as many are
 * new as have died since this was last so. */
static bool complete(struct brood *b, int idle, int died)
{
    b->wanted_idle = idle;
    b->wanted_new = died;
    bool came = wait_until(is_settled, b, "all workers");
    if (b->count > WORKERS)
        return trial_fail(b->t, -1, "with --workers %d there are %d%s%s", WORKERS, b->count,
                          b->count == MOST ? ", or more" : "", why_too_many(b));
    if (!came && b->count < WORKERS)
        return trial_fail(
            b->t, -1,
            "with --workers %d there are %d, and nobody takes the place of the others%s: %s",
            WORKERS, b->count,
            ignores_deaths(b->t) ? " (SIGCHLD is ignored, so nobody hears of a death)" : "",
            fault_text());
    if (!came && b->new_ones != died)
        return trial_fail(b->t, -1, "deaths: %d, new workers: %d of %d", died, b->new_ones,
                          WORKERS);
    if (!came)
        return trial_fail(
            b->t, -1,
            "of %d workers %d sleep in accept and %d are with a client, not %d and %d: %s", WORKERS,
            b->idle, b->busy, idle, WORKERS - idle, fault_text());
    memset(b->before, 0, sizeof b->before);
    memcpy(b->before, b->pids, (size_t)b->count * sizeof b->pids[0]);
    return true;
}

static bool start(struct trial *t, struct brood *b)
{
    *b = (struct brood){.t = t};
    return serve(t, four_workers) && complete(b, WORKERS, WORKERS);
}

/* As many clients as workers, at the same time, without a change of workers. */
static bool all_serve(struct trial *t, struct brood *b)
{
    struct peer peers[WORKERS];
    return arrive(t, peers, WORKERS) && complete(b, 0, 0) && leave(t, peers, WORKERS) &&
           complete(b, WORKERS, 0);
}

/* Send a signal to a process of the program; never to 0, which would be ourselves. */
static bool strike(struct trial *t, int pid, int signal_number)
{
    if (pid > 0 && kill(pid, signal_number) == 0)
        return true;
    return trial_fail(t, -1, "a process is gone that was there a moment ago");
}

static bool no_zombie(void *t)
{
    return trial_look(t)->zombies == 0;
}

static bool collected(struct trial *t)
{
    return wait_until(no_zombie, t, "the dead to be collected") ||
           trial_fail(t, -1, "%d of the dead are still zombies: nobody has called waitpid for them",
                      trial_look(t)->zombies);
}

/* ---- the model ------------------------------------------------------------------------------- */

static void judge_model(struct trial *t)
{
    struct brood b;
    struct peer peers[WORKERS];
    trial_step(t, "it is started with --workers %d; nobody comes", WORKERS);
    trial_expect(
        t, "%d processes: the workers sleep in accept on one listener, and the parent for a signal",
        WORKERS + 1);
    if (!start(t, &b))
        return;
    const struct trial_view *view = trial_look(t);
    for (int i = 0; i < view->task_count; i++)
        if (view->tasks[i].pid == t->s.pid && is_call(view->tasks[i].call, accepting)) {
            trial_fail(
                t, -1,
                "the parent sleeps in accept, too: while it serves a client it replaces nobody");
            return;
        }
    if (trial_count(t, CALL_listen) != 1) {
        trial_fail(t, -1, "listen was called %llu times: the workers inherit one listener",
                   (unsigned long long)trial_count(t, CALL_listen));
        return;
    }
    trial_step(t, "half a second passes");
    uint64_t calls = t->record->next;
    double cpu_ms = trial_cpu_ms(t, 500);
    calls = t->record->next - calls;
    if (calls > CALLS_A_DEATH || cpu_ms > 100) {
        trial_fail(t, -1,
                   "nothing happens, and it makes %llu calls and uses %.0f ms of CPU time: who "
                   "waits for a signal need not ask again and again",
                   (unsigned long long)calls, cpu_ms);
        return;
    }
    trial_step(t, "%d clients come", WORKERS);
    trial_expect(t, "that each has a worker to itself");
    if (arrive(t, peers, WORKERS) && complete(&b, 0, 0))
        trial_pass(t,
                   "%d workers slept in accept on one listener, and served %d clients at once; the "
                   "parent slept",
                   WORKERS, WORKERS);
}

/* ---- serving --------------------------------------------------------------------------------- */

static void judge_every_byte(struct trial *t)
{
    struct peer peers[WORKERS], one;
    trial_step(t, "%d clients send 1,000,000 bytes each at the same time, and half-close", WORKERS);
    trial_expect(t, "every byte, in order, and then the end");
    if (!serve(t, four_workers) || !arrive(t, peers, WORKERS) ||
        !trial_ok(t, -1, peers_exchange(peers, WORKERS, 1000000)) || !leave(t, peers, WORKERS))
        return;
    trial_step(t, "%d come one after the other", IN_TURN);
    for (int i = 0; i < IN_TURN; i++)
        if (!arrive(t, &one, 1) || !leave(t, &one, 1))
            return;
    trial_pass(t, "%d times 1,000,000 bytes, and %d times %d, came back, and the end after them",
               WORKERS, IN_TURN, SMALL);
}

/* All workers have computed for a while. */
static bool computed(void *argument)
{
    struct trial *t = argument;
    const struct trial_view *view = trial_look(t);
    int count = 0;
    for (int i = 0; i < view->task_count; i++)
        count += view->tasks[i].pid != t->s.pid && view->tasks[i].cpu_ns >= A_WHILE_MS * 1000000LL;
    return count >= WORKERS;
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
static bool work_at_once(struct trial *t, struct peer *peers)
{
    if (!serve(t, SUBJECT_ARGS("--workers", "4", "--work", "200000")) ||
        !trial_peers(t, peers, WORKERS))
        return false;
    for (int i = 0; i < WORKERS; i++)
        if (!trial_ok(t, peers[i].fd, peer_send(&peers[i], SMALL)))
            return false;
    return trial_ok(t, -1, wait_until(computed, t, "all workers to compute")) &&
           all_wait(peers, WORKERS);
}

static void judge_in_parallel(struct trial *t)
{
    struct peer peers[WORKERS];
    bool seen = false;
    trial_step(t, "with --work 200000, %d clients send a chunk each at the same time", WORKERS);
    trial_expect(t, "%d workers that compute at the same time", WORKERS);
    for (int i = 0; i < ATTEMPTS && !seen; i++)
        seen = work_at_once(t, peers);
    if (!seen) {
        trial_fail(t, -1,
                   "one client had its answer before all workers had begun to compute: do they "
                   "wait for each other?");
        return;
    }
    trial_step(t, "the last one reads first");
    for (int i = WORKERS; i-- > 0;)
        if (!trial_ok(t, peers[i].fd, peer_receive(&peers[i], SMALL)))
            return;
    trial_pass(t, "%d workers computed at the same time, and all clients were answered", WORKERS);
}

static void judge_faults(struct trial *t)
{
    struct peer peers[WORKERS];
    unsigned long long faults = 0;
    trial_step(t,
               "%d clients send 100,000 bytes each; calls of the workers are cut short, "
               "interrupted, or find a client that has gone",
               WORKERS);
    trial_expect(t, "every byte all the same");
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        t->faults = (struct fault_plan){.seed = round,
                                        .kinds = FAULT_SHORT_READ | FAULT_SHORT_WRITE |
                                                 FAULT_EINTR | FAULT_ECONNABORTED,
                                        .one_in = 5};
        if (!serve(t, four_workers) || !arrive(t, peers, WORKERS) ||
            !trial_ok(t, -1, peers_exchange(peers, WORKERS, 100000)) || !leave(t, peers, WORKERS))
            return;
        faults += t->record->faults;
    }
    trial_pass(t, "%d bytes came back through %llu faults", ROUNDS * WORKERS * 100000, faults);
}

/* ---- dying ----------------------------------------------------------------------------------- */

/* A worker that was asked to end has shut the listener down, which is everybody's. */
static bool listener_is_shut(struct trial *t)
{
    uint64_t n = 0;
    const struct call *listener = trial_next_call(t, &n, CALL_listen, -1);
    n = 0;
    if (listener == NULL || trial_next_call(t, &n, CALL_shutdown, listener->fd) == NULL)
        return false;
    trial_mark(t, n,
               "the listener is one for all processes, and this ends it for all; close gives up "
               "this process's own descriptor");
    return !trial_fail(t, -1,
                       "one worker was asked to end, and has shut the listener down for all: no "
                       "client is accepted any more");
}

static bool has_died(void *pid)
{
    return !proc_alive(*(int *)pid);
}

static void judge_respawn(struct trial *t)
{
    struct peer unlucky, others[WORKERS - 1], next;
    struct brood b;
    trial_step(t, "%d clients are served; the worker of the first is killed", WORKERS);
    trial_expect(
        t, "that its client sees the end, the others go on, and one new worker takes its place");
    if (!start(t, &b) || !arrive(t, &unlucky, 1) || !complete(&b, WORKERS - 1, 0))
        return;
    int victim = b.busy_one;
    if (!arrive(t, others, WORKERS - 1) || !complete(&b, 0, 0) || !strike(t, victim, SIGKILL))
        return;
    if (!trial_ok(t, -1, wire_expect_gone(unlucky.fd)) ||
        !trial_ok(t, -1, peers_exchange(others, WORKERS - 1, SMALL)) || !complete(&b, 1, 1))
        return;
    trial_step(t, "another client comes, is served, and leaves");
    if (!arrive(t, &next, 1) || !complete(&b, 0, 0) || !leave(t, &next, 1) || !complete(&b, 1, 0))
        return;
    trial_step(t, "an idle worker is ended with SIGTERM; %d clients come", IN_TURN);
    trial_expect(t, "another worker in its place, and clients who are served as before");
    victim = b.idle_one;
    if (!strike(t, victim, SIGTERM))
        return;
    if (!wait_until(has_died, &victim, "it to end")) {
        trial_fail(t, -1,
                   "a worker was asked to end (SIGTERM), and does not: it must take signals as a "
                   "process does that is no parent");
        return;
    }
    bool served = true;
    for (int i = 0; i < IN_TURN && served; i++) {
        served = peer_open(&next, &t->s) && peer_exchange(&next, SMALL);
        peer_close(&next);
    }
    if (!served && (listener_is_shut(t) || !trial_ok(t, -1, false)))
        return;
    if (complete(&b, 1, 1) && leave(t, others, WORKERS - 1) && complete(&b, WORKERS, 0) &&
        all_serve(t, &b))
        trial_pass(t,
                   "two workers died, one with its client; two took their places, and %d clients "
                   "were served at once",
                   WORKERS);
}

static void judge_no_zombies(struct trial *t)
{
    struct brood b;
    trial_step(t, "%d workers are killed, one after the other, each when the last one is replaced",
               DEATHS);
    trial_expect(t, "%d workers, and no zombie", WORKERS);
    if (!start(t, &b))
        return;
    for (int i = 0; i < DEATHS; i++)
        if (!strike(t, b.pids[i % WORKERS], SIGKILL) || !complete(&b, WORKERS, 1) || !collected(t))
            return;
    if (all_serve(t, &b))
        trial_pass(t, "%d workers died, %d took their places, and no zombie is left", DEATHS,
                   DEATHS);
}

static bool is_stopped(void *argument)
{
    const struct trial_view *view = trial_look(argument);
    for (int i = 0; i < view->task_count; i++)
        if (view->tasks[i].state == 'T')
            return true;
    return false;
}

static bool all_dead(void *argument)
{
    return trial_look(argument)->zombies == WORKERS;
}

static void judge_respawn_all(struct trial *t)
{
    struct brood b;
    trial_step(t,
               "the parent is stopped (SIGSTOP), all %d workers are killed, and it goes on; twice",
               WORKERS);
    trial_expect(t, "%d new workers, though one SIGCHLD tells of all the deaths", WORKERS);
    if (!start(t, &b))
        return;
    for (int i = 0; i < 2; i++) {
        if (!strike(t, t->s.pid, SIGSTOP) ||
            !trial_ok(t, -1, wait_until(is_stopped, t, "the parent to be stopped")))
            return;
        for (int w = 0; w < WORKERS; w++)
            if (!strike(t, b.pids[w], SIGKILL))
                return;
        if (!trial_ok(t, -1, wait_until(all_dead, t, "the workers to be dead")))
            return;
        if (!strike(t, t->s.pid, SIGCONT) || !complete(&b, WORKERS, WORKERS) || !collected(t))
            return;
    }
    if (all_serve(t, &b))
        trial_pass(t, "twice %d workers died at once, and %d new ones took their places", WORKERS,
                   WORKERS);
}

/* Its only child, or 0. */
static pid_t child_of(pid_t parent)
{
    char path[64], text[32] = "";
    pid_t child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *file = fopen(path, "re");
    if (file == NULL) /* not every kernel has it; this is slower */
        return proc_children(parent, &child, 1) == 1 ? child : 0;
    if (fgets(text, sizeof text, file) != NULL)
        child = (pid_t)strtol(text, NULL, 10);
    fclose(file);
    return child;
}

/* Kill the worker as soon as it is there, for a while.  Returns how many died, -1 if one does not. */
static int kill_again_and_again(const struct trial *t)
{
    int died = 0;
    pid_t last = 0;
    for (int64_t end = clock_now() + SPIN_MS * 1000000LL; clock_now() < end;) {
        pid_t worker = child_of(t->s.pid);
        if (worker == 0 || worker == last)
            continue;
        kill(worker, SIGKILL);
        last = worker;
        died++;
    }
    return wait_until(has_died, &last, "the last one to be dead") ? died : -1;
}

static void judge_no_spin(struct trial *t)
{
    struct peer p;
    trial_step(t, "with --workers 1, the worker is killed as soon as it is there, for %d ms",
               SPIN_MS);
    trial_expect(t,
                 "that its place is filled once in %d ms at most, and the parent sleeps in between",
                 RESPAWN_MS);
    if (!serve(t, SUBJECT_ARGS("--workers", "1")))
        return;
    uint64_t calls = t->record->next, forks = trial_count(t, CALL_fork);
    int64_t cpu_ns = trial_look(t)->cpu_ns, begun = clock_now();
    int died = kill_again_and_again(t);
    calls = t->record->next - calls;
    forks = trial_count(t, CALL_fork) - forks;
    double cpu_ms = (double)(trial_look(t)->cpu_ns - cpu_ns) / 1e6,
           ms = (double)(clock_now() - begun) / 1e6;
    trial_step(t, "it is killed no more, and a client comes");
    if (!arrive(t, &p, 1))
        return;
    if (died <= 0 || (double)forks > ms / RESPAWN_MS + 2)
        trial_fail(t, -1,
                   "%d deaths and %llu forks in %.0f ms: a worker that dies at once is forked "
                   "without an end",
                   died, (unsigned long long)forks, ms);
    else if (calls > (uint64_t)(died + 1) * CALLS_A_DEATH || cpu_ms > ms / 4)
        trial_fail(t, -1,
                   "%llu calls and %.0f ms of CPU time in %.0f ms and %d deaths: it does not sleep "
                   "until the place may be filled again",
                   (unsigned long long)calls, cpu_ms, ms, died);
    else
        trial_pass(t, "%d deaths and %llu forks in %.0f ms, with %llu calls in all", died,
                   (unsigned long long)forks, ms, (unsigned long long)calls);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Whether somebody can listen on the port again. */
static bool port_is_free(struct trial *t)
{
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(t->s.port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return trial_fault(t, "cannot open a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool is_free = bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0;
    close(fd);
    return is_free || trial_fail(t, -1, "somebody still listens on port %s", t->s.port);
}

static void judge_parent_death(struct trial *t)
{
    struct peer p;
    struct brood b;
    trial_step(t, "a client is served; the parent is killed (SIGKILL)");
    trial_expect(t, "that the workers go, too: nobody could replace or stop them any more");
    if (!start(t, &b) || !arrive(t, &p, 1) || !complete(&b, WORKERS - 1, 0))
        return;
    t->patience_ms = PATIENCE_MS;
    if (!strike(t, t->s.pid, SIGKILL) || !trial_gone(t))
        return;
    if (t->left_behind > 0)
        trial_fail(t, -1, "%d workers live on without their parent, and hold the port",
                   t->left_behind);
    else if (trial_ok(t, -1, wire_expect_gone(p.fd)) && port_is_free(t))
        trial_pass(t, "the parent was killed, its %d workers ended, and port %s is free", WORKERS,
                   t->s.port);
}

static void judge_stop(struct trial *t)
{
    struct peer idle, never;
    struct brood b;
    trial_step(t, "a worker is killed and replaced; one has an idle client, and one a client who "
                  "never reads");
    trial_expect(t, "another worker in its place, and clients who are served");
    if (!start(t, &b))
        return;
    if (!strike(t, b.pids[WORKERS - 1], SIGKILL) || !complete(&b, WORKERS, 1) ||
        !arrive(t, &idle, 1) || !arrive(t, &never, 1) || !complete(&b, WORKERS - 2, 0) ||
        !trial_ok(t, never.fd, peers_fill(&never, 1, FLOOD)))
        return;
    trial_step(t, "a third is stopped (SIGSTOP); SIGTERM to the parent");
    trial_expect(t, "that it exits with 0, after the last of its workers");
    if (!strike(t, b.idle_one, SIGSTOP) ||
        !trial_ok(t, -1, wait_until(is_stopped, t, "it to be stopped")))
        return;
    t->patience_ms = PATIENCE_MS;
    if (!trial_stop(t))
        return;
    if (t->left_behind > 0)
        trial_fail(t, -1, "it has ended, and %d of its workers live on", t->left_behind);
    else if (trial_ok(t, -1, wire_expect_gone(idle.fd)) && port_is_free(t))
        trial_pass(t, "it ended with 0, none of %d workers is left, and port %s is free", WORKERS,
                   t->s.port);
}

/* ---------------------------------------------------------------------------------------------- */

static const struct check checks[] = {
    {"model", "workers sleep in accept on one listener, the parent for a signal", 1, NULL,
     TRIAL_PLAIN, judge_model, 0},
    {"every-byte", "every byte comes back, in order, and then the end", 1, "model", TRIAL_ADDRESS,
     judge_every_byte, 60},
    {"in-parallel", "as many clients at the same time as workers", 1, "model", TRIAL_PLAIN,
     judge_in_parallel, 60},
    {"faults", "short transfers and interrupted calls lose nothing", 1, "model", TRIAL_ADDRESS,
     judge_faults, 60},
    {"respawn", "a worker that dies is replaced, and nobody else notices", 1, "model",
     TRIAL_ADDRESS, judge_respawn, 60},
    {"no-zombies", "the dead are collected", 1, "model", TRIAL_ADDRESS, judge_no_zombies, 60},
    {"respawn-all", "one signal may tell of many deaths", 1, "model", TRIAL_ADDRESS,
     judge_respawn_all, 60},
    {"no-spin", "a worker that dies at once is not forked without an end", 1, "model", TRIAL_PLAIN,
     judge_no_spin, 60},
    {"parent-death", "workers die with their parent", 1, "model", TRIAL_ADDRESS, judge_parent_death,
     60},
    {"stop", "SIGTERM ends all of them, also one that was stopped", 1, "model", TRIAL_ADDRESS,
     judge_stop, 60},
    {0},
};

static const struct exercise exercise = {"08-prefork-respawn",
                                         "workers that are replaced when they die", checks};

int main(int argc, char **argv)
{
    return grade_main(argc, argv, &exercise);
}
