/*
 * The grader of 04-poll-set: clients who come and leave in any order, many at the same moment, and the
 * set of those who stay.
 */

#include "grader/grade.h"
#include "grader/scene.h"
#include "testkit/proc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KB = 1024,
    MB = 1024 * KB,
    CROWD = 300,
};

static struct peer crowd[CROWD];

static uint64_t waits(struct trial *t)
{
    return trial_count(t, CALL_poll) + trial_count(t, CALL_ppoll);
}

/* ---- the model, the bytes ---------------------------------------------------------------------- */

static void judge_model(struct trial *t)
{
    if (trial_fingerprint(t, &trial_model_poll, NULL))
        trial_pass(t, "one thread, asleep in poll, %llu calls of it", (unsigned long long)waits(t));
}

/* The signal finds it asleep, so that poll is interrupted. */
static void judge_clean_stop(struct trial *t)
{
    struct peer silent = {.fd = -1}, owed = {.fd = -1};
    trial_step(t, "one client is silent, another one does not read; then comes SIGTERM");
    trial_expect(t, "both are closed, all memory is given back, and the status is 0");
    if (trial_serve(t, "server", NULL) && trial_peer(t, &silent) &&
        scene_exchange(t, &silent, 500) && scene_owed_reader(t, &owed) &&
        trial_ok(t, -1, trial_quiet(t, 20)) && trial_stop(t) &&
        trial_ok(t, silent.fd, wire_expect_gone(silent.fd)) &&
        trial_ok(t, owed.fd, wire_expect_gone(owed.fd)))
        trial_pass(t, "it exited 0, without a leak, and both clients saw the end");
}

static void judge_every_byte(struct trial *t)
{
    struct peer p = {.fd = -1}, late = {.fd = -1}, owed = {.fd = -1};
    trial_expect(t, "the same bytes, in the same order, and after the last one the end");
    trial_step(t, "a client sends 1, 1,000 and 100,000 bytes, and reads along");
    if (!trial_serve(t, "server", NULL) || !trial_peer(t, &p) || !scene_exchange(t, &p, 1) ||
        !scene_exchange(t, &p, 1000) || !scene_exchange(t, &p, 100000))
        return;
    trial_step(t, "another one sends until nothing more is taken, and only then reads");
    if (!scene_late_reader(t, &late) || !scene_read_all(t, &late))
        return;
    trial_step(t, "a third one sends until some of it is owed, ends its side, and only then reads");
    if (!scene_owed_reader(t, &owed) || !trial_ok(t, owed.fd, peer_finish(&owed)) ||
        !trial_ok(t, owed.fd, trial_quiet(t, 20)) || !scene_read_all(t, &owed) ||
        !trial_ok(t, owed.fd, peer_expect_end(&owed)) || !trial_stop(t))
        return;
    trial_pass(t, "%llu bytes came back as they were sent, %llu of them to clients who read late",
               (unsigned long long)p.received + late.received + owed.received,
               (unsigned long long)late.received + owed.received);
}

/* ---- the set grows, and its members leave ----------------------------------------------------- */

static void judge_grows(struct trial *t)
{
    struct peer late = {.fd = -1};
    t->descriptors = 2 * CROWD;
    trial_step(t, "a client sends and does not read yet");
    trial_expect(t, "all are served, and what was queued for the first one survives the move");
    if (!trial_serve(t, "server", NULL) || !scene_late_reader(t, &late))
        return;
    trial_step(t, "%d others come, one after the other, and send 100 bytes each", CROWD);
    for (size_t i = 0; i < CROWD; i++)
        if (!trial_peer(t, &crowd[i]) || !scene_exchange(t, &crowd[i], 100))
            return;
    trial_step(t, "the first one reads, and all the others send 1,000 bytes at once");
    if (scene_read_all(t, &late) && trial_ok(t, -1, peers_exchange(crowd, CROWD, 1000)) &&
        trial_stop(t))
        trial_pass(t,
                   "%d clients at once, each served, and a reply that was queued before they came",
                   CROWD + 1);
}

static bool is_one_of(const struct call *call, const enum call_name *names)
{
    while (*names != CALL_NAMES && (int)*names != call->name)
        names++;
    return *names != CALL_NAMES;
}

static const enum call_name polls[] = {CALL_poll, CALL_ppoll, CALL_NAMES};
static const enum call_name reads[] = {CALL_recv,    CALL_read,  CALL_recvfrom,
                                       CALL_recvmsg, CALL_readv, CALL_NAMES};
static const enum call_name writes[] = {CALL_send,    CALL_write,  CALL_sendto,
                                        CALL_sendmsg, CALL_writev, CALL_NAMES};

/* A client that stays is served as before; or has it got lost when others left? */
static bool keeps_its_place(struct trial *t, const struct peer *p, size_t number, bool served)
{
    if (served)
        return true;
    const struct call *call;
    for (uint64_t n = 0; (call = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL; n++)
        if (is_one_of(call, reads) && call->result == -1 && call->error == EBADF) {
            trial_mark(t, n,
                       "descriptor %d is closed: the entry that poll told of and the client that "
                       "stands at the same place are not the same connection",
                       call->fd);
            break;
        }
    return trial_fail(t, p->fd, "client %zu is no longer served, after others have left: %s",
                      number, fault_text());
}

/* A client to whom something is owed reads all that it can get, and sends: when the server looks, it is
 * told of room and of bytes at once. */
static bool reads_and_sends(struct trial *t, struct peer *p, size_t number)
{
    uint64_t given = 0;
    const struct call *call;
    int fd = trial_server_fd(t, p->fd);
    for (uint64_t n = 0; (call = trial_next_call(t, &n, CALL_NAMES, fd)) != NULL; n++)
        if (is_one_of(call, writes) && call->result > 0)
            given += (uint64_t)call->result;
    if (!scene_freeze(t))
        return false;
    bool done = trial_ok(t, p->fd,
                         given >= p->received && given <= p->sent
                             ? peer_receive(p, given - p->received)
                             : fault("it was sent %llu bytes", (unsigned long long)given)) &&
                trial_ok(t, p->fd, peer_send(p, 1000));
    return scene_thaw(t) && done &&
           keeps_its_place(t, p, number, peer_receive(p, p->sent - p->received));
}

/* Two of six are owed something: one who gets another one's entry gets another one's bytes. */
static void judge_any_order(struct trial *t)
{
    enum { FEW = 6 };
    static const size_t leave[] = {0, 3, 5, 2}, stay[] = {1, 4};
    struct peer peers[FEW];
    trial_step(t, "%d clients come; 2 and 5 send until some of it is owed to them", FEW);
    trial_expect(t, "each of those who stay gets its own bytes, and all of them");
    if (!trial_serve(t, "server", NULL))
        return;
    long before = trial_look(t)->descriptors;
    if (!trial_ok(t, -1, peers_open_narrow(peers, FEW, &t->s)))
        return;
    for (size_t i = 0; i < FEW; i++)
        if (!scene_exchange(t, &peers[i], 100 + i))
            return;
    if (!scene_send_until_owed(t, &peers[stay[0]]) || !scene_send_until_owed(t, &peers[stay[1]]))
        return;
    for (size_t i = 0; i < sizeof leave / sizeof leave[0]; i++) {
        trial_step(t,
                   "client %zu leaves, and the others of those who are owed nothing send 10 bytes",
                   leave[i] + 1);
        peer_close(&peers[leave[i]]);
        if (!trial_ok(t, -1, trial_quiet(t, 5)))
            return;
        for (size_t j = i + 1; j < sizeof leave / sizeof leave[0]; j++)
            if (!keeps_its_place(t, &peers[leave[j]], leave[j] + 1,
                                 peer_exchange(&peers[leave[j]], 10)))
                return;
        if (!scene_new_client(t) || !scene_descriptors(t, before + FEW - 1 - (long)i))
            return;
    }
    trial_step(t, "clients 2 and 5 read and send 1,000 bytes more, before the server looks");
    if (reads_and_sends(t, &peers[stay[0]], stay[0] + 1) &&
        reads_and_sends(t, &peers[stay[1]], stay[1] + 1) && trial_stop(t))
        trial_pass(t, "first, middle and last left; the other two got all of their %llu bytes",
                   (unsigned long long)peers[stay[0]].received + peers[stay[1]].received);
}

/* ---- nobody is skipped ------------------------------------------------------------------------ */

enum { TABLE = 8 }; /* clients of one round */

/*
 * Whether the program reads from fd in the round that begins at call number `from`: before it asks
 * poll again.
 *
 * again  receives the number of the call with which the next round begins
 */
static bool is_read(struct trial *t, uint64_t from, int fd, uint64_t *again)
{
    const struct call *call;
    bool begun = false;
    for (*again = from; (call = trial_next_call(t, again, CALL_NAMES, -1)) != NULL; ++*again) {
        if (is_one_of(call, reads) && call->fd == fd)
            return true;
        if (begun && is_one_of(call, polls))
            return false;
        begun |= is_one_of(call, reads);
    }
    return false;
}

static bool all_are_read(struct trial *t, uint64_t from)
{
    for (size_t i = 0; i < TABLE; i++) {
        uint64_t again;
        if (crowd[i].fd == -1 || is_read(t, from, trial_server_fd(t, crowd[i].fd), &again))
            continue;
        trial_mark(t, again, "descriptor %d was ready as well, and has not had its turn",
                   trial_server_fd(t, crowd[i].fd));
        return trial_fail(
            t, crowd[i].fd,
            "client %zu was skipped: poll told of it, as of others, and it was not looked "
            "at before poll was asked again. In one round each who is ready has a turn: "
            "also one that has moved into a gap which the loop had passed",
            i + 1);
    }
    return true;
}

/*
 * One round: some leave and all the others send, before the server looks.
 *
 * leave     a letter for each client: 'x' leaves
 * newcomer  another one comes in the same moment
 */
static bool round_of(struct trial *t, const char *leave, bool newcomer)
{
    struct peer fresh = {.fd = -1};
    long before = trial_look(t)->descriptors;
    if (!trial_peers(t, crowd, TABLE) || !trial_ok(t, -1, peers_exchange(crowd, TABLE, 100)))
        return false;
    trial_step(t, "of %d clients leave (x) and send (.) in the same moment: %s%s", TABLE, leave,
               newcomer ? ", and another one comes" : "");
    if (!scene_freeze(t))
        return false;
    uint64_t from = t->record->next;
    bool good = !newcomer ||
                (trial_peer(t, &fresh) && trial_ok(t, fresh.fd, peer_send(&fresh, 50)));
    for (size_t i = 0; good && i < TABLE; i++) {
        if (leave[i] == 'x')
            peer_close(&crowd[i]);
        else
            good = trial_ok(t, crowd[i].fd, peer_send(&crowd[i], 100));
    }
    if (!scene_thaw(t) || !good)
        return false;
    for (size_t i = 0; i < TABLE; i++)
        if (crowd[i].fd != -1 && !trial_ok(t, crowd[i].fd, peer_receive(&crowd[i], 100)))
            return false;
    good = all_are_read(t, from) && (!newcomer || trial_ok(t, fresh.fd, peer_receive(&fresh, 50)));
    for (size_t i = 0; good && i < TABLE; i++)
        good = crowd[i].fd == -1 ||
               keeps_its_place(t, &crowd[i], i + 1, peer_exchange(&crowd[i], 10));
    peer_close(&fresh);
    peers_close(crowd, TABLE);
    return good && scene_descriptors(t, before);
}

static void judge_nobody_skipped(struct trial *t)
{
    static const char *const leave[] = {"x.......", ".......x", "...x....", "xxx.....",
                                        "..xxx...", "x......x", "x.x.x.x.", "xxxxxxx."};
    enum { ROUNDS = sizeof leave / sizeof leave[0] };
    trial_expect(t, "each one who sent is served in this round, whoever leaves in it");
    if (!trial_serve(t, "server", NULL))
        return;
    for (size_t i = 0; i < 2 * ROUNDS; i++)
        if (!round_of(t, leave[i % ROUNDS], i >= ROUNDS))
            return;
    if (trial_stop(t))
        trial_pass(t, "%d rounds in which clients left, and nobody beside them had to wait",
                   2 * ROUNDS);
}

/* ---- the set shrinks ------------------------------------------------------------------------- */

/* The entries of the poll in which the program sleeps: its second argument, by the kernel's word; or
 * by the record's, where the kernel keeps that to itself. */
static long watched_now(struct trial *t)
{
    const struct trial_task *task = &trial_look(t)->tasks[0];
    char path[80], text[256] = "";
    long name = -1;
    unsigned long count = 0;
    bool told = false;
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", task->pid, task->tid);
    FILE *file = fopen(path, "re");
    if (file != NULL && fgets(text, sizeof text, file) != NULL &&
        sscanf(text, "%ld %*x %lx", &name, &count) == 2)
        for (const long *number = trial_model_poll.numbers; *number != -1; number++)
            told |= name == *number;
    if (file != NULL)
        fclose(file);
    const struct call *call;
    for (uint64_t n = 0; !told && (call = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL; n++)
        if (is_one_of(call, polls))
            count = (unsigned long)call->size;
    return (long)count;
}

/* The clients and the listener are watched, and nothing else. */
static bool watches(struct trial *t, long clients)
{
    if (!trial_ok(t, -1, trial_quiet(t, 20)))
        return false;
    long count = watched_now(t);
    return count <= clients + 1 ||
           trial_fail(
               t, -1,
               "the poll in which it sleeps has %ld entries, for %ld client%s and the listener: "
               "the place of one who left has to be filled, and the set is one smaller then",
               count, clients, clients == 1 ? "" : "s");
}

static void judge_shrinks(struct trial *t)
{
    enum { STAY = 2 };
    t->descriptors = 2 * CROWD;
    trial_step(t, "%d clients come, and are served", CROWD);
    trial_expect(t, "as many entries in the set as there are clients, and one for the listener");
    if (!trial_serve(t, "server", NULL))
        return;
    long before = trial_look(t)->descriptors;
    if (!trial_peers(t, crowd, CROWD) || !trial_ok(t, -1, peers_exchange(crowd, CROWD, 100)) ||
        !watches(t, CROWD))
        return;
    trial_step(t, "all but %d of them leave", STAY);
    for (size_t i = 0; i < CROWD; i++)
        if (i != 10 && i != CROWD - 10)
            peer_close(&crowd[i]);
    if (scene_descriptors(t, before + STAY) && watches(t, STAY) &&
        scene_exchange(t, &crowd[10], 1000) && scene_exchange(t, &crowd[CROWD - 10], 1000) &&
        scene_new_client(t) && trial_stop(t))
        trial_pass(t, "%d entries for %d clients, and %d for the %d who stayed", CROWD + 1, CROWD,
                   STAY + 1, STAY);
}

/* ---- those who leave in other ways -------------------------------------------------------------- */

/* It has sent and is gone with a reset before the server looks: poll tells more than was asked for. */
static bool is_reset_unseen(struct trial *t)
{
    struct peer p = {.fd = -1};
    if (!trial_peer(t, &p) || !scene_exchange(t, &p, 10) || !scene_freeze(t))
        return false;
    bool done = trial_ok(t, p.fd, peer_send(&p, 1000));
    peer_reset(&p);
    return scene_thaw(t) && done;
}

static bool is_reset_while_owed(struct trial *t, bool much)
{
    struct peer p = {.fd = -1};
    bool done = much ? scene_late_reader(t, &p) : scene_owed_reader(t, &p);
    peer_reset(&p);
    return done;
}

static void judge_reset(struct trial *t)
{
    enum { TIMES = 10 };
    struct peer witness = {.fd = -1};
    trial_expect(t, "the others and those who are new are served, and its descriptor is closed");
    if (!trial_serve(t, "server", NULL) || !trial_peer(t, &witness) ||
        !scene_exchange(t, &witness, 1000))
        return;
    long before = trial_look(t)->descriptors;
    for (int i = 0; i < TIMES; i++) {
        struct peer p = {.fd = -1};
        trial_step(t, "a client comes, is served, and is reset");
        if (!trial_peer(t, &p) || !scene_exchange(t, &p, 100))
            return;
        peer_reset(&p);
        if (!scene_descriptors(t, before) || !scene_exchange(t, &witness, 777))
            return;
    }
    trial_step(t, "%d clients send 1,000 bytes, and are reset before the server looks", TIMES);
    for (int i = 0; i < TIMES; i++)
        if (!is_reset_unseen(t) || !scene_exchange(t, &witness, 777))
            return;
    trial_step(t, "one is reset while much is owed to it, and one while little is");
    if (is_reset_while_owed(t, true) && is_reset_while_owed(t, false) &&
        scene_exchange(t, &witness, 100000) && scene_new_client(t) &&
        scene_descriptors(t, before) && watches(t, 1) && trial_stop(t))
        trial_pass(t, "%d resets, and the client beside them got all of its %llu bytes",
                   2 * TIMES + 2, (unsigned long long)witness.received);
}

/* On a busy machine it may have been waiting for its turn, and take more: until it has slept over it. */
static bool takes_no_more(struct trial *t, struct peer *p)
{
    uint64_t sent;
    do {
        sent = p->sent;
        uint64_t calls = waits(t);
        if (!trial_quiet(t, 100))
            return trial_fail(
                t, p->fd,
                "nothing happens, and it does not sleep, but has called poll %llu times: "
                "do not ask for POLLIN of a client who is not read from",
                (unsigned long long)(waits(t) - calls));
        if (!trial_ok(t, p->fd, peers_fill(p, 1, SCENE_UNREAD_MOST)))
            return false;
    } while (p->sent > sent && p->sent < SCENE_UNREAD_MOST);
    return true;
}

static void judge_never_reads(struct trial *t)
{
    const long most = 4 * MB;
    struct peer late = {.fd = -1}, other = {.fd = -1};
    trial_step(t, "a client sends as much as is taken, and reads nothing");
    trial_expect(t, "the server stops reading from it, sleeps, and serves the others");
    if (!trial_serve(t, "server", NULL) || !trial_peer(t, &other) ||
        !scene_exchange(t, &other, 1000))
        return;
    long before = proc_memory(t->s.pid);
    if (!scene_late_reader(t, &late) || !takes_no_more(t, &late))
        return;
    long grown = proc_memory(t->s.pid) - before;
    if (late.sent == SCENE_UNREAD_MOST && grown <= most) {
        trial_fail(t, late.fd,
                   "the server took %llu MB from a client who reads nothing, and grew by %ld MB: "
                   "what the kernel did not take is thrown away",
                   (unsigned long long)late.sent / MB, grown / MB);
        return;
    }
    if (grown > most) {
        trial_fail(
            t, late.fd,
            "the server took %llu MB from a client who reads nothing, and grew by %ld MB: stop "
            "asking for POLLIN while QUEUE_HIGH bytes are owed",
            (unsigned long long)late.sent / MB, grown / MB);
        return;
    }
    trial_step(t, "another one sends 100,000 bytes, a new one comes, and then the first reads");
    if (scene_exchange(t, &other, 100000) && scene_new_client(t) && scene_read_all(t, &late) &&
        scene_exchange(t, &late, 1000) && trial_stop(t))
        trial_pass(t, "it took %llu KB, grew by %ld KB, served the others, and lost nothing",
                   (unsigned long long)late.sent / KB, grown / KB);
}

/* ---- faults, the end --------------------------------------------------------------------------- */

static bool bears_faults(struct trial *t, uint64_t seed)
{
    enum { FEW = 12 };
    t->faults = (struct fault_plan){.seed = seed,
                                    .kinds = FAULT_SHORT_READ | FAULT_SHORT_WRITE | FAULT_EINTR |
                                             FAULT_EAGAIN | FAULT_ECONNABORTED,
                                    .one_in = 4};
    bool good = trial_serve(t, "server", NULL) && trial_peers(t, crowd, FEW) &&
                trial_ok(t, -1, peers_exchange(crowd, FEW, 20000));
    for (size_t i = 0; good && i < FEW; i++) { /* from both ends of the set, and from the middle */
        struct peer *p = &crowd[i * 5 % FEW];
        good = scene_exchange(t, p, 1000) &&
               trial_ok(t, p->fd, peer_finish(p) && peer_expect_end(p));
    }
    peers_close(crowd, FEW);
    return good && scene_new_client(t) && trial_stop(t);
}

static void judge_faults(struct trial *t)
{
    enum { SEEDS = 5 };
    uint64_t answered = 0;
    trial_step(
        t, "twelve clients send 21,000 bytes each, while calls are short, interrupted or refused");
    trial_expect(t, "every byte comes back: none of this is a client's end, or the server's");
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        if (!bears_faults(t, seed))
            return;
        answered += t->record->faults;
    }
    trial_pass(t, "%llu calls were answered with a fault, and no byte was lost",
               (unsigned long long)answered);
}

static const struct check checks[] = {
    {"model", "one thread sleeps in poll", 1, NULL, TRIAL_ADDRESS, judge_model, 0},
    {"clean-stop", "SIGTERM closes every client, frees everything, and exits 0", 1, "model",
     TRIAL_ADDRESS, judge_clean_stop, 0},
    {"every-byte", "every byte comes back, also to a client who reads late", 1, "model",
     TRIAL_ADDRESS, judge_every_byte, 0},
    {"grows", "the set grows, and nobody keeps a pointer into the old one", 1, "model",
     TRIAL_ADDRESS, judge_grows, 0},
    {"any-order", "whoever leaves, the others keep what is theirs", 1, "model", TRIAL_ADDRESS,
     judge_any_order, 0},
    {"nobody-skipped", "each one who is ready is served in the same round, whoever leaves in it", 1,
     "model", TRIAL_ADDRESS, judge_nobody_skipped, 0},
    {"shrinks", "the set is as large as the number of those who are there", 1, "model",
     TRIAL_ADDRESS, judge_shrinks, 0},
    {"reset", "a reset ends that client alone, and leaves nothing behind", 1, "model",
     TRIAL_ADDRESS, judge_reset, 0},
    {"never-reads", "a client who never reads costs bounded memory and no time", 1, "model",
     TRIAL_PLAIN, judge_never_reads, 0},
    {"faults", "short and interrupted calls lose nothing", 1, "model", TRIAL_ADDRESS, judge_faults,
     0},
    {0},
};

int main(int argc, char **argv)
{
    static const struct exercise exercise = {
        "04-poll-set", "a poll server whose set grows and shrinks without skipping anyone", checks};
    return grade_main(argc, argv, &exercise);
}
