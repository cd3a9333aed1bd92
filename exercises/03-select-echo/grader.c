/*
 * The grader of 03-select-echo: clients who come, stay silent, leave in every way, or never read, and
 * what the server says of them.
 */

#include "grader/grade.h"
#include "grader/scene.h"
#include "net.h"
#include "testkit/proc.h"
#include "testkit/wire.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>

enum {
    KB = 1024,
    MB = 1024 * KB,
    CROWD = FD_SETSIZE + 16,
};

static struct peer crowd[CROWD];

static uint64_t waits(struct trial *t)
{
    return trial_count(t, CALL_select) + trial_count(t, CALL_pselect);
}

/* ---- the model, the bytes ---------------------------------------------------------------------- */

static void judge_model(struct trial *t)
{
    if (trial_fingerprint(t, &trial_model_select, NULL))
        trial_pass(t, "one thread, asleep in select, %llu calls of it",
                   (unsigned long long)waits(t));
}

/* The signal finds it asleep, so that select is interrupted. */
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
    struct peer p = {.fd = -1}, late = {.fd = -1};
    trial_expect(t, "the same bytes, in the same order");
    trial_step(t, "a client sends 1, 1,000 and 100,000 bytes, and reads along");
    bool good = trial_serve(t, "server", NULL) && trial_peer(t, &p) && scene_exchange(t, &p, 1) &&
                scene_exchange(t, &p, 1000) && scene_exchange(t, &p, 100000);
    trial_step(t, "another one sends until nothing more is taken, and only then reads");
    if (good && scene_late_reader(t, &late) && scene_read_all(t, &late) &&
        scene_exchange(t, &late, 1000) && trial_stop(t))
        trial_pass(
            t, "%llu bytes came back as they were sent, %llu of them to a client who read late",
            (unsigned long long)p.received + late.received, (unsigned long long)late.received);
}

/* ---- those who leave ------------------------------------------------------------------------- */

/* Everything comes back, and then the end. */
static bool gets_all_and_the_end(struct trial *t, struct peer *p)
{
    return scene_read_all(t, p) && trial_ok(t, p->fd, peer_expect_end(p));
}

static bool finishes(struct trial *t, struct peer *p)
{
    return trial_ok(t, p->fd, peer_finish(p)) && gets_all_and_the_end(t, p);
}

static void judge_half_close(struct trial *t)
{
    struct peer p = {.fd = -1}, unseen = {.fd = -1}, owed = {.fd = -1};
    trial_expect(t, "all that it sent, and then the end");
    trial_step(t, "a client sends 100,000 bytes, ends its own side, and reads");
    if (!trial_serve(t, "server", NULL))
        return;
    long before = trial_look(t)->descriptors;
    if (!trial_peer(t, &p) || !trial_ok(t, p.fd, peer_send(&p, 100000)) || !finishes(t, &p))
        return;
    peer_close(&p);
    trial_step(t, "5,000 bytes and the end of another one arrive before the server looks");
    if (!trial_peer(t, &unseen) || !scene_exchange(t, &unseen, 10) || !scene_freeze(t))
        return;
    bool sent = trial_ok(t, unseen.fd, peer_send(&unseen, 5000) && peer_finish(&unseen));
    if (!scene_thaw(t) || !sent || !gets_all_and_the_end(t, &unseen))
        return;
    peer_close(&unseen);
    trial_step(t, "one sends until some of it is owed, ends its own side, and only then reads");
    if (!scene_owed_reader(t, &owed) ||
        !trial_ok(t, owed.fd, peer_finish(&owed) && trial_quiet(t, 20)) ||
        !gets_all_and_the_end(t, &owed))
        return;
    peer_close(&owed);
    if (scene_descriptors(t, before) && scene_new_client(t) && trial_stop(t))
        trial_pass(t, "three clients got all of %llu bytes after they had ended, and then the end",
                   (unsigned long long)p.received + unseen.received + owed.received);
}

/* ---- many ----------------------------------------------------------------------------------- */

/* Each is in the middle of something when the others are served. */
static bool interleave(struct trial *t, size_t count)
{
    bool good = true;
    trial_step(t, "%zu clients each send a part of a request, and get it back", count);
    for (size_t i = 0; good && i < count; i++)
        good = scene_exchange(t, &crowd[i], 500 + i);
    trial_step(t, "they send the rest, the last to come first, and then 20,000 bytes all at once");
    for (size_t i = count; good && i > 0; i--)
        good = scene_exchange(t, &crowd[i - 1], 500);
    return good && trial_ok(t, -1, peers_exchange(crowd, count, 20000));
}

/* The newcomer gets the lowest number: the highest one is still somebody's. */
static bool refill(struct trial *t, size_t count)
{
    long before = trial_look(t)->descriptors;
    trial_step(t, "the first of them leaves, and another one comes, who gets its descriptor");
    peer_close(&crowd[0]);
    if (!scene_descriptors(t, before - 1) || !trial_peer(t, &crowd[0]) ||
        !scene_exchange(t, &crowd[0], 100))
        return false;
    trial_step(t, "all the others send 1,000 bytes");
    for (size_t i = 1; i < count; i++)
        if (!scene_exchange(t, &crowd[i], 1000))
            return false;
    return true;
}

/* They are all ready when select looks: one call is enough to serve them. */
static bool serve_at_once(struct trial *t, size_t count)
{
    trial_step(t, "the server is stopped for a moment, and %zu clients send 100 bytes each", count);
    if (!scene_freeze(t))
        return false;
    uint64_t before = waits(t);
    uint64_t next = t->record->next;
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = trial_ok(t, crowd[i].fd, peer_send(&crowd[i], 100));
    if (!scene_thaw(t) || !good)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!trial_ok(t, crowd[i].fd, peer_receive(&crowd[i], 100)))
            return false;
    if (!trial_ok(t, -1, trial_quiet(t, 20)))
        return false;
    uint64_t rounds = waits(t) - before;
    if (rounds <= count / 2)
        return true;
    if (trial_next_call(t, &next, CALL_select, -1) != NULL)
        trial_mark(t, next, "the call before told of %zu, and not all of them were served", count);
    return trial_fail(
        t, -1,
        "%zu clients were ready at once, and select was called %llu times to serve them: "
        "look at every descriptor of the sets before you ask again, or who comes first "
        "holds up the others",
        count, (unsigned long long)rounds);
}

static void judge_many_clients(struct trial *t)
{
    enum { MANY = 40 };
    trial_expect(t, "each gets its own bytes, whatever the others do");
    if (trial_serve(t, "server", NULL) && trial_peers(t, crowd, MANY) && interleave(t, MANY) &&
        refill(t, MANY) && serve_at_once(t, MANY) && trial_stop(t))
        trial_pass(
            t, "%d clients at once, each with its own bytes; all of them served after one select",
            MANY);
}

static void judge_fd_setsize(struct trial *t)
{
    enum { SURELY = 1000 };
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max < 2 * CROWD || setrlimit(RLIMIT_NOFILE, &limit) == -1) {
        trial_fault(t, "this machine allows too few descriptors (ulimit -Hn): it takes %d",
                    2 * CROWD);
        return;
    }
    t->descriptors = CROWD + 64;
    trial_step(t, "%d clients come and send 100 bytes each", SURELY);
    trial_expect(t,
                 "they are served; a descriptor that no fd_set can hold (%d and above) is closed",
                 FD_SETSIZE);
    if (!trial_serve(t, "server", NULL) || !trial_peers(t, crowd, SURELY) ||
        !trial_ok(t, -1, peers_exchange(crowd, SURELY, 100)))
        return;
    size_t closed = 0;
    trial_step(t, "%d more come, one after the other, and send a byte each", CROWD - SURELY);
    for (size_t i = SURELY; i < CROWD; i++) {
        char byte;
        bool came = peer_open(&crowd[i], &t->s);
        if (came)
            (void)peer_send(&crowd[i], 1); /* it may be closed already */
        if (came && !wait_ready(crowd[i].fd, POLLIN, wait_deadline(), "an echo, or the end")) {
            trial_fail(t, crowd[i].fd, "client %zu is neither served nor closed: %s", i + 1,
                       fault_text());
            return;
        }
        if (came && recv(crowd[i].fd, &byte, 1, MSG_PEEK) > 0)
            continue;
        if (!peer_exchange(&crowd[0], 1)) {
            trial_fail(
                t, crowd[i].fd,
                "client %zu cost the others their server: descriptor %d has no place in an "
                "fd_set, and FD_SET wrote behind its end. Compare the number with FD_SETSIZE "
                "before",
                i + 1, FD_SETSIZE);
            return;
        }
        closed++;
    }
    long before = trial_look(t)->descriptors;
    trial_step(t, "ten others leave, and a new one comes");
    for (size_t i = 0; i < 10; i++)
        peer_close(&crowd[i]);
    if (!trial_ok(t, -1, peers_exchange(crowd + 10, SURELY - 10, 100)) ||
        !scene_descriptors(t, before - 10) || !scene_new_client(t) || !trial_stop(t))
        return;
    trial_pass(t, "%zu clients were served, the %zu above were closed, and nobody else noticed",
               CROWD - closed, closed);
}

/* ---- those who leave without a word ------------------------------------------------------------ */

/* It has sent, perhaps ended, and is gone with a reset before the server looks: who then sends to it
 * gets ECONNRESET; or EPIPE, which comes with a SIGPIPE. */
static bool is_reset_unseen(struct trial *t, bool finished)
{
    struct peer p = {.fd = -1};
    if (!trial_peer(t, &p) || !scene_exchange(t, &p, 10) || !scene_freeze(t))
        return false;
    bool done = trial_ok(t, p.fd, peer_send(&p, 1000) && (!finished || peer_finish(&p)));
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
    trial_expect(t, "the others are served, and its descriptor is closed");
    if (!trial_serve(t, "server", NULL) || !trial_peer(t, &witness) ||
        !scene_exchange(t, &witness, 1000))
        return;
    long before = trial_look(t)->descriptors;
    trial_step(t, "%d clients are each reset while they are silent", TIMES);
    for (int i = 0; i < TIMES; i++) {
        struct peer p = {.fd = -1};
        if (!trial_peer(t, &p) || !scene_exchange(t, &p, 100))
            return;
        peer_reset(&p);
        if (!scene_exchange(t, &witness, 777))
            return;
    }
    if (!scene_descriptors(t, before))
        return;
    trial_step(t, "%d send 1,000 bytes, and are reset before the server looks", TIMES);
    for (int i = 0; i < TIMES; i++)
        if (!is_reset_unseen(t, i % 2 == 1) || !scene_exchange(t, &witness, 777))
            return;
    trial_step(t, "one is reset while much is owed to it, and one while little is");
    if (is_reset_while_owed(t, true) && is_reset_while_owed(t, false) &&
        scene_exchange(t, &witness, 100000) && scene_new_client(t) &&
        scene_descriptors(t, before) && trial_stop(t))
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
                "nothing happens, and it does not sleep, but has called select %llu times: "
                "a client who is not read from must not be waited for to send",
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
            "reading from a client to whom QUEUE_HIGH bytes are owed",
            (unsigned long long)late.sent / MB, grown / MB);
        return;
    }
    trial_step(t, "another one sends 100,000 bytes, a new one comes, and then the first reads");
    if (scene_exchange(t, &other, 100000) && scene_new_client(t) && scene_read_all(t, &late) &&
        scene_exchange(t, &late, 1000) && trial_stop(t))
        trial_pass(t, "it took %llu KB, grew by %ld KB, served the others, and lost nothing",
                   (unsigned long long)late.sent / KB, grown / KB);
}

/* ---- the report -------------------------------------------------------------------------------- */

static char wanted[4096];

static void want(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void want(const char *format, ...)
{
    size_t length = strlen(wanted);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(wanted + length, sizeof wanted - length, format, arguments);
    va_end(arguments);
}

static bool is_reported(void *trial)
{
    return strlen(trial_errors(trial)) >= strlen(wanted);
}

/* Compare what it has written, line by line. */
static bool reports_as_wanted(struct trial *t)
{
    bool came = wait_until(is_reported, t, "its report");
    const char *said = trial_errors(t);
    if (strcmp(said, wanted) == 0)
        return true;
    const char *right = wanted;
    size_t n = strcspn(right, "\n") + 1;
    while (strncmp(said, right, n) == 0) {
        said += n;
        right += n;
        n = strcspn(right, "\n") + 1;
    }
    size_t length = strcspn(said, "\n");
    if (length == 0)
        return trial_fail(t, -1, "it reports nothing where '%.*s' should stand%s%s", (int)n - 1,
                          right, came ? "" : ": ", came ? "" : fault_text());
    if (*right == '\0')
        return trial_fail(t, -1, "it reports '%.*s', and nothing has happened", (int)length, said);
    return trial_fail(t, -1, "it reports '%.*s' where '%.*s' should stand", (int)length, said,
                      (int)n - 1, right);
}

static bool has_come(struct trial *t, const struct peer *p, int here)
{
    want("come 127.0.0.1:%d, %d here\n", net_local_port(p->fd), here);
    return reports_as_wanted(t);
}

static bool comes(struct trial *t, struct peer *p, int here)
{
    return trial_peer(t, p) && has_come(t, p, here);
}

static void want_gone(int port, uint64_t bytes, int here)
{
    want("gone 127.0.0.1:%d, %llu bytes, %d here\n", port, (unsigned long long)bytes, here);
}

/* What the server has sent to a client since call number `from`, by the record. */
static uint64_t bytes_sent_to(struct trial *t, int client, uint64_t from)
{
    const enum call_name senders[] = {CALL_send, CALL_write, CALL_sendto, CALL_sendmsg,
                                      CALL_writev};
    int fd = trial_server_fd(t, client);
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++) {
        const struct call *call;
        for (uint64_t n = from; (call = trial_next_call(t, &n, (int)senders[i], fd)) != NULL; n++)
            if (call->result > 0)
                sum += (uint64_t)call->result;
    }
    return sum;
}

/* It leaves with less than it sent: what counts is what it was given. */
static bool leaves_unread(struct trial *t, int here)
{
    struct peer p = {.fd = -1};
    uint64_t from = t->record->next;
    trial_step(t, "another one comes, sends more than it reads, and is reset");
    trial_expect(t, "a line with the bytes that it was sent back, and not those that it has sent");
    if (!trial_ok(t, -1, peer_open_narrow(&p, &t->s)) || !has_come(t, &p, here) ||
        !scene_send_until_owed(t, &p) || !scene_freeze(t))
        return false;
    want_gone(net_local_port(p.fd), bytes_sent_to(t, p.fd, from), here - 1);
    peer_reset(&p);
    return scene_thaw(t) && reports_as_wanted(t);
}

static bool is_silent_if_quiet(struct trial *t)
{
    trial_step(t, "with --quiet, a client comes, is served, and goes");
    trial_expect(t, "nothing on standard error");
    if (!trial_serve(t, "server", NULL) || !scene_new_client(t) ||
        !trial_ok(t, -1, trial_quiet(t, 20)))
        return false;
    if (trial_errors(t)[0] != '\0')
        return trial_fail(t, -1, "with --quiet it reports: %s", trial_errors(t));
    return trial_stop(t);
}

static void judge_reports(struct trial *t)
{
    struct peer a = {.fd = -1}, b = {.fd = -1}, c = {.fd = -1};
    trial_expect(t, "a line for each who comes or goes, exactly as the README has it");
    trial_step(t, "three clients come, and send 1, 512 and 100,000 bytes");
    if (!trial_serve(t, "server", SUBJECT_ARGS("--loud")) || !comes(t, &a, 1) ||
        !scene_exchange(t, &a, 1) || !comes(t, &b, 2) || !scene_exchange(t, &b, 512) ||
        !comes(t, &c, 3) || !scene_exchange(t, &c, 100000))
        return;
    trial_step(t, "the second one leaves");
    want_gone(net_local_port(b.fd), 512, 2);
    peer_close(&b);
    if (!reports_as_wanted(t))
        return;
    trial_step(t, "the third one is reset");
    want_gone(net_local_port(c.fd), 100000, 1);
    peer_reset(&c);
    if (!reports_as_wanted(t) || !leaves_unread(t, 2))
        return;
    trial_step(t, "the first one sends 999 bytes more, ends its own side, and reads");
    trial_expect(t, "a line for each who comes or goes, exactly as the README has it");
    want_gone(net_local_port(a.fd), 1000, 0);
    if (trial_ok(t, a.fd, peer_send(&a, 999)) && finishes(t, &a) && reports_as_wanted(t) &&
        comes(t, &b, 1) && trial_stop(t) && is_silent_if_quiet(t))
        trial_pass(t, "9 lines, each as it should be, and none with --quiet");
}

/* ---- faults, the end --------------------------------------------------------------------------- */

static bool bears_faults(struct trial *t, uint64_t seed)
{
    enum { FEW = 5 };
    t->faults = (struct fault_plan){.seed = seed,
                                    .kinds = FAULT_SHORT_READ | FAULT_SHORT_WRITE | FAULT_EINTR |
                                             FAULT_EAGAIN | FAULT_ECONNABORTED,
                                    .one_in = 4};
    bool good = trial_serve(t, "server", NULL) && trial_peers(t, crowd, FEW) &&
                trial_ok(t, -1, peers_exchange(crowd, FEW, 50000));
    for (size_t i = 0; good && i < FEW; i++)
        good = scene_exchange(t, &crowd[i], 1000) && finishes(t, &crowd[i]);
    peers_close(crowd, FEW);
    return good && scene_new_client(t) && trial_stop(t);
}

/* Whoever is at the door when no descriptor is left may be refused, and nobody else. */
static bool bears_no_descriptor(struct trial *t)
{
    enum { MOST = 2, COME = 40 };
    struct peer first = {.fd = -1}, p = {.fd = -1};
    uint64_t refused = 0;
    trial_step(t, "then clients come one by one; %d times, accept finds no descriptor", MOST);
    trial_expect(t, "each is served, but for %d who may be refused", MOST);
    t->faults = (struct fault_plan){.kinds = FAULT_EMFILE, .one_in = 3, .most = MOST};
    if (!trial_serve(t, "server", NULL))
        return false;
    for (int i = 0; i < COME && (first.fd == -1 || t->record->faults < MOST); i++) {
        if (!trial_peer(t, &p))
            return false;
        bool served = peer_exchange(&p, 100);
        if (!served && (++refused > t->record->faults || !wire_expect_gone(p.fd)))
            return trial_ok(t, p.fd, false);
        if (served && first.fd == -1)
            first = p;
        else
            peer_close(&p);
    }
    if (t->record->faults < MOST)
        return trial_fail(t, -1,
                          "accept found no descriptor only %llu times: it was not called, by this "
                          "name, for each client",
                          (unsigned long long)t->record->faults);
    bool good = scene_exchange(t, &first, 1000) && scene_new_client(t);
    peer_close(&first);
    return good && trial_stop(t);
}

static void judge_faults(struct trial *t)
{
    enum { SEEDS = 5 };
    uint64_t answered = 0;
    trial_step(
        t, "five clients send 51,000 bytes each, while calls are short, interrupted or refused");
    trial_expect(t, "every byte comes back: none of this is a client's end, or the server's");
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        if (!bears_faults(t, seed))
            return;
        answered += t->record->faults;
    }
    if (bears_no_descriptor(t))
        trial_pass(t, "%llu calls were answered with a fault, and no byte was lost",
                   (unsigned long long)answered + t->record->faults);
}

static const struct check checks[] = {
    {"model", "one thread sleeps in select", 1, NULL, TRIAL_ADDRESS, judge_model, 0},
    {"clean-stop", "SIGTERM closes every client, frees everything, and exits 0", 1, "model",
     TRIAL_ADDRESS, judge_clean_stop, 0},
    {"every-byte", "every byte comes back, also to a client who reads late", 1, "model",
     TRIAL_ADDRESS, judge_every_byte, 0},
    {"half-close", "a client that has ended its side gets what it is owed, then the end", 1,
     "model", TRIAL_ADDRESS, judge_half_close, 0},
    {"many-clients", "many are served at once, and all who are ready in one round", 1, "model",
     TRIAL_ADDRESS, judge_many_clients, 0},
    {"reset", "a reset ends that client alone, and leaves nothing behind", 1, "model",
     TRIAL_ADDRESS, judge_reset, 0},
    {"never-reads", "a client who never reads costs bounded memory and no time", 1, "model",
     TRIAL_PLAIN, judge_never_reads, 0},
    {"fd-setsize", "a descriptor that does not fit into an fd_set is refused", 1, "model",
     TRIAL_PLAIN, judge_fd_setsize, 0},
    {"reports", "who comes and goes is reported, with the right numbers", 1, "model", TRIAL_ADDRESS,
     judge_reports, 0},
    {"faults", "short and interrupted calls lose nothing", 1, "model", TRIAL_ADDRESS, judge_faults,
     0},
    {0},
};

int main(int argc, char **argv)
{
    static const struct exercise exercise = {
        "03-select-echo", "a select echo server that reports coming and going", checks};
    return grade_main(argc, argv, &exercise);
}
