/*
 * The grader of exercise 05: an echo server on level-triggered epoll, and clients that do not read.
 */

#include "grader/grade.h"
#include "grader/scene.h"

#include "clock.h"
#include "testkit/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum {
    MIB = 1 << 20,
    DEAF = 12,         /* clients that never read */
    DEAF_SENDS = 16,   /* MiB that each of them would send */
    MEMORY = 24 * MIB, /* far more than their queues, far less than what they send */
    FLOOD = 8 * MIB
};

static void judge_model(struct trial *t)
{
    struct peer p;
    uint32_t events = 0;
    if (!trial_fingerprint(t, &trial_model_epoll, NULL) || !trial_peer(t, &p) ||
        !scene_exchange(t, &p, 1000))
        return;
    int fd = trial_server_fd(t, p.fd);
    if (!trial_watched(t, fd, &events)) {
        trial_fault(t, "/proc/PID/fdinfo does not say what descriptor %d is watched for", fd);
    } else if (events & (uint32_t)EPOLLET) {
        trial_fail(t, p.fd,
                   "the kernel watches a client for the events 0x%x, with EPOLLET: that is "
                   "exercise 06; here epoll is level-triggered",
                   events);
    } else {
        peer_close(&p);
        if (trial_stop(t))
            trial_pass(t, "one thread, asleep in epoll_wait, %llu calls of it; level-triggered",
                       (unsigned long long)trial_count(t, CALL_epoll_wait));
    }
}

static void judge_every_byte(struct trial *t)
{
    struct peer p;
    trial_step(t, "a client sends %d MiB, and reads at the same time", FLOOD / MIB);
    trial_expect(t, "every byte back, in order");
    if (!trial_serve(t, "server", NULL) || !trial_peer(t, &p) ||
        !trial_ok(t, p.fd, peer_exchange(&p, FLOOD)))
        return;
    peer_close(&p);
    if (trial_stop(t))
        trial_pass(t, "%d of %d bytes came back", FLOOD, FLOOD);
}

/* What the server could not send while its client did not read is sent when it reads. */
static void judge_slow_reader(struct trial *t)
{
    enum { ROUNDS = 4 }; /* whether what comes overtakes what waits is a matter of moments */
    uint64_t owed = 0;
    if (!trial_serve(t, "server", NULL))
        return;
    for (int round = 0; round < ROUNDS; round++) {
        struct peer p;
        trial_step(t, "a client with a small window sends until the server takes no more");
        trial_expect(t, "all that it sent, once it reads");
        if (!trial_ok(t, -1, peer_open_narrow(&p, &t->s) && peers_fill(&p, 1, 64 * MIB)))
            return;
        owed += p.sent;
        trial_step(t, "it has sent %llu bytes; now it reads, and sends 1000 more",
                   (unsigned long long)p.sent);
        if (!trial_ok(t, p.fd, peer_exchange(&p, 1000)))
            return;
        peer_close(&p);
    }
    if (trial_stop(t))
        trial_pass(t, "%llu bytes waited for %d clients to read, and came",
                   (unsigned long long)owed, ROUNDS);
}

static void judge_half_close(struct trial *t)
{
    struct peer p;
    trial_step(t,
               "a client sends 1000 bytes, reads them, and says that it has finished (shutdown)");
    trial_expect(t, "what is owed to it, then end of file");
    if (!trial_serve(t, "server", NULL) || !trial_peer(t, &p) ||
        !trial_ok(t, p.fd, peer_exchange(&p, 1000) && peer_finish(&p) && peer_expect_end(&p)))
        return;
    peer_close(&p);
    trial_step(t, "another sends until something is queued for it, and says that it has finished");
    if (!scene_owed_reader(t, &p) || !trial_ok(t, p.fd, peer_finish(&p) && trial_quiet(t, 20)))
        return;
    trial_step(t, "then it reads the %llu bytes that it is owed", (unsigned long long)p.sent);
    if (!trial_ok(t, p.fd, peer_receive(&p, p.sent)) || !trial_ok(t, p.fd, peer_expect_end(&p)))
        return;
    peer_close(&p);
    if (trial_stop(t))
        trial_pass(t, "%llu bytes, then end of file", (unsigned long long)p.sent);
}

/* What nobody does is no proof that it is well. */
static bool still_serves(struct trial *t)
{
    trial_step(t, "another client sends 1000 bytes, and reads");
    return scene_new_client(t);
}

static void judge_bounded_memory(struct trial *t)
{
    static struct peer deaf[DEAF];
    trial_expect(t, "the server stops reading from them, and owes each no more than --queue");
    if (!trial_serve(t, "server", SUBJECT_ARGS("--queue", "65536")) || !still_serves(t))
        return;
    long before = proc_memory(t->s.pid);
    trial_step(t, "%d clients send up to %d MiB each, and never read", DEAF, DEAF_SENDS);
    uint64_t taken = 0, before_that;
    if (!trial_peers(t, deaf, DEAF))
        return;
    do { /* until nothing more is taken by a server that has had the time to take it */
        before_that = taken;
        if (!trial_ok(t, deaf[0].fd,
                      peers_fill(deaf, DEAF, (uint64_t)DEAF_SENDS * MIB) && trial_quiet(t, 50)))
            return;
        taken = 0;
        for (int i = 0; i < DEAF; i++)
            taken += deaf[i].sent;
    } while (taken > before_that);
    long grown = proc_memory(t->s.pid) - before;
    if (grown > MEMORY) {
        trial_fail(t, deaf[0].fd,
                   "%llu MiB were taken from clients that read nothing, and the server grew by %ld "
                   "MiB: a client with a full queue must not be read from",
                   (unsigned long long)(taken / MIB), grown / MIB);
        return;
    }
    if (!still_serves(t))
        return;
    peers_close(deaf, DEAF);
    if (trial_stop(t))
        trial_pass(t, "%d clients that never read cost %ld KiB", DEAF, grown / 1024);
}

/* Room is asked for only while something is queued, and a client who is not to be read is not asked
 * after: else epoll_wait returns at once, for ever. */
static void judge_no_spin(struct trial *t)
{
    struct peer deaf, idle;
    trial_step(t, "one client is connected and silent, another sends and never reads");
    trial_expect(t, "the server sleeps until something changes");
    if (!trial_serve(t, "server", NULL) || !trial_peer(t, &idle) ||
        !trial_ok(t, idle.fd, peer_exchange(&idle, 1000)) ||
        !trial_ok(t, -1, peer_open_narrow(&deaf, &t->s) && peers_fill(&deaf, 1, 64 * MIB)))
        return;
    if (!trial_quiet(t, 300)) {
        trial_fail(t, -1, "nothing happens, and it never sleeps: epoll_wait was called %llu times",
                   (unsigned long long)trial_count(t, CALL_epoll_wait));
        return;
    }
    if (!still_serves(t))
        return;
    peer_close(&deaf);
    peer_close(&idle);
    if (trial_stop(t))
        trial_pass(t, "it slept for 300 ms, with a full queue and an idle client");
}

static void judge_reset(struct trial *t)
{
    static struct peer others[3];
    trial_expect(t, "that client's end, and nobody else's; no descriptor is left open");
    if (!trial_serve(t, "server", NULL) || !trial_peers(t, others, 3) ||
        !trial_ok(t, others[0].fd, peers_exchange(others, 3, 1000)) || !trial_quiet(t, 50))
        return;
    long before = trial_look(t)->descriptors;
    for (int round = 0; round < 8; round++) {
        struct peer p;
        trial_step(t, "a client sends until the server takes no more, and resets");
        if (!trial_ok(t, -1, peer_open_narrow(&p, &t->s) && peers_fill(&p, 1, 4 * MIB)))
            return;
        peer_reset(&p);
        trial_step(t, "three others go on");
        if (!trial_ok(t, others[0].fd, peers_exchange(others, 3, 1000)))
            return;
    }
    if (!trial_quiet(t, 100)) {
        trial_fail(t, -1, "after the resets it never comes to rest: %s", fault_text());
        return;
    }
    long after = trial_look(t)->descriptors;
    if (after != before) {
        trial_fail(t, -1, "8 clients reset, and %ld more descriptors are open than before",
                   after - before);
        return;
    }
    peers_close(others, 3);
    if (trial_stop(t))
        trial_pass(t, "8 resets; three others got every byte; %ld descriptors before and after",
                   before);
}

/* A connection that breaks during a call, at a moment that no client could choose. */
static bool judge_one_reset(struct trial *t)
{
    enum { CLIENTS = 4, ROUNDS = 8 };
    struct peer peers[CLIENTS];
    int lost = 0;
    t->faults = (struct fault_plan){.kinds = FAULT_RESET, .one_in = 5, .most = 1};
    trial_step(t,
               "%d clients send in turn, until the connection of one breaks during a recv or send",
               CLIENTS);
    trial_expect(t, "that client's end, and all bytes for the others");
    if (!trial_serve(t, "server", NULL) || !trial_peers(t, peers, CLIENTS))
        return false;
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < CLIENTS; i++) {
            bool already = t->record->faults > 0;
            if (peers[i].fd == -1 || peer_exchange(&peers[i], 1000))
                continue;
            if (already || t->record->faults == 0)
                return trial_ok(t, peers[i].fd, false);
            peer_close(&peers[i]);
            lost++;
        }
    for (int i = 0; i < CLIENTS; i++)
        if (peers[i].fd != -1)
            peer_close(&peers[i]);
    if (lost != 1)
        return trial_fault(t, "%d connections broke, and one was meant to", lost);
    return trial_stop(t);
}

/* Short reads and writes, EINTR and EAGAIN are everyday; a reset is that client's end alone. */
static void judge_faults(struct trial *t)
{
    enum { SEEDS = 3, CLIENTS = 4 };
    static struct peer peers[CLIENTS];
    t->faults.kinds = FAULT_SHORT_READ | FAULT_SHORT_WRITE | FAULT_EINTR | FAULT_EAGAIN;
    uint64_t struck = 0;
    trial_expect(t, "every byte back, as if nothing had happened");
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        t->faults.seed = seed;
        trial_step(
            t,
            "%d clients send 100,000 bytes each, and every third call of the server's is cut "
            "short, interrupted, or told to come again",
            CLIENTS);
        if (!trial_serve(t, "server", NULL) || !trial_peers(t, peers, CLIENTS))
            return;
        for (int i = 0; i < CLIENTS; i++)
            if (!trial_ok(t, peers[i].fd, peer_exchange(&peers[i], 25000)))
                return;
        if (!trial_ok(t, -1, peers_exchange(peers, CLIENTS, 75000)))
            return;
        struck += t->record->faults;
        peers_close(peers, CLIENTS);
        if (!trial_stop(t))
            return;
    }
    if (judge_one_reset(t))
        trial_pass(t, "%llu faults in %d runs, and every byte came back; one reset, and one end",
                   (unsigned long long)struck, SEEDS);
}

static const struct check checks[] = {
    {"model", "one thread waits for all clients in epoll_wait", 1, NULL, TRIAL_ADDRESS, judge_model,
     0},
    {"every-byte", "every byte comes back, in order, to a client that reads", 1, "model",
     TRIAL_ADDRESS, judge_every_byte, 0},
    {"slow-reader", "what the kernel does not take is kept, and sent later", 2, "model",
     TRIAL_ADDRESS, judge_slow_reader, 0},
    {"half-close", "after the client's end it still gets what it is owed, then the server's", 1,
     "model", TRIAL_ADDRESS, judge_half_close, 0},
    {"bounded-memory", "a client that never reads costs bounded memory", 2, "model", TRIAL_PLAIN,
     judge_bounded_memory, 0},
    {"no-spin", "with a full queue and idle clients the server sleeps", 1, "model", TRIAL_PLAIN,
     judge_no_spin, 0},
    {"reset", "a reset ends that client alone, and leaks nothing", 1, "model", TRIAL_ADDRESS,
     judge_reset, 0},
    {"faults", "short reads and writes, EINTR and EAGAIN lose nothing", 1, "model", TRIAL_ADDRESS,
     judge_faults, 0},
    {0},
};

int main(int argc, char **argv)
{
    const struct exercise exercise = {
        "05-epoll-backpressure",
        "LT with an output queue; a client that never reads costs bounded memory", checks};
    return grade_main(argc, argv, &exercise);
}
