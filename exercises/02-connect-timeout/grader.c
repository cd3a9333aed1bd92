/*
 * The grader of 02-connect-timeout: the far ends that a client can meet.
 *
 * One accepts.  One refuses: its port is bound, and nobody listens.  One is silent: its queue is full, so
 * the kernel drops what arrives, as if nobody had that address; and it can be freed again.  All of them
 * are on this machine, and need no network.
 */

#include "grader/grade.h"

#include "clock.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    TIMEOUT_MS = 300,
    TOO_LONG_MS = 10 * TIMEOUT_MS, /* a deadline that has not struck by then is none */
    LATE_MS = 8000,                /* the kernel tries again after 1 s */
    ALARM_MS = 20,
    CALLS = 1000, /* in TIMEOUT_MS: who makes more does not sleep */
    FAILURES = 8, /* of a kind, to see whether each leaves a descriptor open */
    LIST_SIZE = 1024
};

/* ---- the far ends ------------------------------------------------------------------------------ */

struct far {
    int fd;      /* what is bound or listens */
    int queued;  /* what fills the queue, or -1 */
    char to[64]; /* as the program's --to wants it */
};

static bool far_tcp(struct trial *t, struct far *f, bool listens, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *f = (struct far){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .queued = -1};
    if (f->fd == -1 || bind(f->fd, (struct sockaddr *)&address, sizeof address) == -1 ||
        (listens && listen(f->fd, backlog) == -1))
        return trial_fault(t, "cannot listen: %s", strerror(errno));
    snprintf(f->to, sizeof f->to, "127.0.0.1:%d", net_local_port(f->fd));
    return true;
}

static bool far_accepting(struct trial *t, struct far *f)
{
    return far_tcp(t, f, true, 8);
}

static bool far_refusing(struct trial *t, struct far *f)
{
    return far_tcp(t, f, false, 0);
}

/* A listening UNIX socket in the abstract namespace, under a name that the kernel chooses: see unix(7),
 * autobind. */
static bool far_unix(struct trial *t, struct far *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    *f = (struct far){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .queued = -1};
    if (f->fd == -1 || bind(f->fd, (struct sockaddr *)&address, sizeof address.sun_family) == -1 ||
        getsockname(f->fd, (struct sockaddr *)&address, &length) == -1 || listen(f->fd, 8) == -1)
        return trial_fault(t, "cannot listen on a UNIX socket: %s", strerror(errno));
    int name = (int)(length - offsetof(struct sockaddr_un, sun_path)) - 1;
    snprintf(f->to, sizeof f->to, "@%.*s", name, address.sun_path + 1);
    return true;
}

/* Of a listener the kernel tells the length of its queue as tcpi_unacked. */
static bool is_queue_full(void *lfd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    return getsockopt(*(int *)lfd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
           info.tcpi_unacked >= 1;
}

static bool far_silent(struct trial *t, struct far *f)
{
    if (!far_tcp(t, f, true, 0)) /* Linux queues one more than it is told */
        return false;
    f->queued = net_connect("127.0.0.1", strchr(f->to, ':') + 1);
    return (f->queued != -1 && wait_until(is_queue_full, &f->fd, "a full queue")) ||
           trial_fault(t, "cannot fill a listener's queue: %s", strerror(errno));
}

/* Take out what fills the queue: the next SYN is answered. */
static bool far_free(struct trial *t, const struct far *f)
{
    int fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC);
    return fd != -1 || trial_fault(t, "accept: %s", strerror(errno));
}

/* ---- the program ------------------------------------------------------------------------------- */

/* A line of the program: what came of an address. */
struct line {
    char text[256];
    char result[32]; /* "connected", or the error's name */
    double ms;
};

static int lines_read; /* of the program that was started last: as many attempts are over */

static bool start(struct trial *t, const char *to, int timeout_ms, int alarm_ms)
{
    char timeout[16];
    char every[16];
    snprintf(timeout, sizeof timeout, "%d", timeout_ms);
    snprintf(every, sizeof every, "%d", alarm_ms);
    lines_read = 0;
    t->blocking = true;
    trial_step(t, "connect --to %.100s%s --timeout %s --alarm %s", to,
               strlen(to) > 100 ? "..." : "", timeout, every);
    return trial_spawn(t, "connect",
                       SUBJECT_ARGS("--to", to, "--timeout", timeout, "--alarm", every));
}

static bool read_line(struct trial *t, struct line *l)
{
    *l = (struct line){0};
    lines_read++;
    return trial_read_line(t, l->text, sizeof l->text) &&
           (sscanf(l->text, "%*s %31s after %lf ms", l->result, &l->ms) == 2 ||
            trial_fail(t, -1, "where the line of an address was to come, it printed: %s", l->text));
}

/* A line can be read. */
static bool has_line(struct trial *t)
{
    return poll(&(struct pollfd){.fd = t->out, .events = POLLIN}, 1, 0) == 1;
}

/* ---- the call to blame --------------------------------------------------------------------------- */

struct mention {
    const struct call *call; /* NULL: there was none */
    uint64_t number;
    int count;
};

/* The calls of one attempt, from its socket until the program sends its line, or tries the next address:
 * the last of each kind. */
struct attempt {
    struct mention socket, connect, wait, outcome, closed, too_late;
};

static void note(struct mention *m, const struct call *call, uint64_t number)
{
    *m = (struct mention){call, number, m->count + 1};
}

/* The attempt with this index, from 0. */
static struct attempt attempt_at(struct trial *t, int index)
{
    struct attempt a = {0};
    const struct call *c;
    int begun = -1;
    bool over = false;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL; n++) {
        if (c->name == CALL_socket && ++begun == index)
            note(&a.socket, c, n);
        over = over || (begun == index && c->name == CALL_send);
        if (begun != index || over)
            continue;
        if (c->name == CALL_connect)
            note(&a.connect, c, n);
        else if (c->name >= CALL_select && c->name <= CALL_epoll_pwait && a.closed.call == NULL)
            note(&a.wait, c, n);
        else if (c->name == CALL_getsockopt)
            note(&a.outcome, c, n);
        else if (c->name == CALL_close && c->result == 0)
            note(&a.closed, c, n);
        if (c->result == -1 && c->error == EBADF)
            note(&a.too_late, c, n);
    }
    return a;
}

/* Mark the call, if there is one.  Returns the reason. */
static const char *blame(struct trial *t, struct mention m, const char *reason)
{
    if (m.call != NULL)
        trial_mark(t, m.number, "%s", reason);
    return reason;
}

/* Mark the last call that only asked, and did not wait: another connect, or a wait of no time. */
static void blame_poller(struct trial *t)
{
    const struct call *c;
    bool again = false;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL; n++) {
        bool asks = c->name == CALL_connect && c->result == -1 && c->error == EALREADY;
        bool looks = c->name >= CALL_select && c->name <= CALL_ppoll && c->end != 0 &&
                     c->value == 0 && c->result == 0;
        if (asks || (looks && !again))
            trial_mark(t, n, "asked again and again, where it could sleep until the time is over");
        again = again || asks;
    }
}

/* Why the attempt whose line was read last came to this, and not to what is right; "" if that is not
 * known.  Marks the call. */
static const char *why(struct trial *t, const char *result)
{
    const struct attempt a = attempt_at(t, lines_read - 1);
    const bool waited = a.wait.call != NULL && a.wait.call->end != 0;
    if (strcmp(result, "ENOSYS") == 0)
        return "this is the stub's answer, and the function is still to be written";
    if (strcmp(result, "connected") == 0) {
        if (waited && a.wait.call->result == -1)
            return blame(t, a.wait, "a signal has ended the wait, and nothing is decided yet");
        if (a.outcome.call == NULL)
            return blame(t, a.wait, "writable means decided, not connected; SO_ERROR says how");
        if (!waited || a.outcome.number < a.wait.number)
            return blame(t, a.outcome,
                         "nothing is decided yet, so there is no error yet: wait first");
    }
    if (strcmp(result, "EINTR") == 0)
        return blame(t, a.wait, "a signal has ended the wait, and not the attempt");
    if (strcmp(result, "EINVAL") == 0 || strcmp(result, "EAFNOSUPPORT") == 0)
        return blame(t, a.socket, "its family must be that of the address");
    if (strcmp(result, "EBADF") == 0)
        return blame(t, a.too_late,
                     "called when the descriptor was closed; its errno is not the one "
                     "to return");
    if (waited && a.wait.call->result == 0)
        return blame(t, a.wait,
                     strcmp(result, "ETIMEDOUT") == 0
                         ? "the time was not over"
                         : "the time is over; that sets no errno, so say ETIMEDOUT yourself");
    if (a.connect.call != NULL && a.connect.call->result == 0)
        return blame(t, a.connect, "it is connected, and errno is as it was before the call");
    if (strcmp(result, "EINPROGRESS") == 0 || strcmp(result, "EALREADY") == 0)
        return blame(t, a.connect, "this says that the attempt is under way, and is no outcome");
    return "";
}

static bool fail_with_reason(struct trial *t, const char *far_end, const struct line *l,
                             const char *right)
{
    const char *reason = why(t, l->result);
    return trial_fail(t, -1, "%s: %s after %.1f ms; right is %s%s%s", far_end, l->result, l->ms,
                      right, reason[0] == '\0' ? "" : ": ", reason);
}

/* ---- one address after the other ----------------------------------------------------------------- */

/* The program says that it is connected, and the far end gets its hello.  The answer can be held back. */
static bool meet(struct trial *t, const struct far *f, struct line *l, int *fd)
{
    char hello[6];
    if (!wait_ready(t->out, POLLIN, wait_deadline(), "its line")) {
        blame(t, attempt_at(t, lines_read).wait,
              "the attempt is decided, and POLLOUT would tell that; the far end says nothing yet");
        return trial_fail(t, -1, "the attempt has succeeded, and it does not go on: %s",
                          fault_text());
    }
    if (!read_line(t, l))
        return false;
    if (strcmp(l->result, "connected") != 0)
        return fail_with_reason(t, "a listener that accepts", l, "connected");
    if (!wait_ready(f->fd, POLLIN, wait_deadline(), "its connection"))
        return trial_fail(t, -1, "it says that it is connected, and no connection came: %s",
                          fault_text());
    *fd = accept4(f->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (*fd == -1)
        return trial_fault(t, "accept: %s", strerror(errno));
    return trial_ok(t, -1, wire_receive(*fd, hello, sizeof hello)) &&
           (memcmp(hello, "hello\n", sizeof hello) == 0 ||
            trial_fail(t, -1, "through the connection came something else than hello"));
}

/* Send the answer: the program must have got it. */
static bool part(struct trial *t, int fd)
{
    char text[256];
    bool good = trial_ok(t, -1, wire_send(fd, "hello\n", 6)) &&
                trial_read_line(t, text, sizeof text);
    close(fd);
    return good && (strstr(text, "hello came back") != NULL ||
                    trial_fail(t, -1, "it was answered hello, and says:%.200s", text));
}

static bool exchange(struct trial *t, const struct far *f, struct line *l)
{
    int fd = -1;
    trial_step(t, "the listener accepts, and sends the line back");
    return meet(t, f, l, &fd) && part(t, fd);
}

static bool fails_with(struct trial *t, const char *far_end, const char *error, struct line *l)
{
    return read_line(t, l) &&
           (strcmp(l->result, error) == 0 || fail_with_reason(t, far_end, l, error));
}

static bool ends(struct trial *t)
{
    return trial_end(t) && (t->status == 0 || trial_fail(t, -1, "it exits with %d", t->status));
}

/* ---- what the kernel says of it ------------------------------------------------------------------ */

/* It sleeps in one of these calls of the kernel, the last one -1. */
static bool sleeps_in_connect(struct trial *t)
{
    static const long calls[] = {SYS_connect, -1};
    return trial_asleep_in(t, calls, -1) > 0;
}

static bool sleeps_for_readiness(struct trial *t)
{
    return trial_asleep_in(t, trial_model_poll.numbers, -1) > 0 ||
           trial_asleep_in(t, trial_model_select.numbers, -1) > 0 ||
           trial_asleep_in(t, trial_model_epoll.numbers, -1) > 0;
}

static bool has_settled(void *t)
{
    return sleeps_for_readiness(t) || sleeps_in_connect(t) || has_line(t);
}

/* The attempt is under way, and somebody else than connect does the waiting. */
static bool waits(struct trial *t)
{
    if (!wait_until(has_settled, t, "it to wait")) {
        blame_poller(t);
        return trial_ok(t, -1, false);
    }
    if (!sleeps_in_connect(t))
        return true;
    blame(t, attempt_at(t, lines_read).connect, "the socket is blocking, so this sleeps");
    return trial_fail(t, -1,
                      "it sleeps in connect, which gives up after a minute or two: make the socket "
                      "nonblocking before, and wait with poll");
}

/* The flags of the program's descriptor, as open(2) names them; -1 if they cannot be had. */
static int socket_flags(struct trial *t)
{
    const struct call *call;
    int fd = -1;
    for (uint64_t n = 0; (call = trial_next_call(t, &n, CALL_connect, -1)) != NULL; n++)
        fd = call->fd;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)t->s.pid, fd);
    FILE *file = fopen(path, "re");
    unsigned flags = 0;
    bool told = file != NULL && fscanf(file, "pos: %*d flags: %o", &flags) == 1;
    if (file != NULL)
        fclose(file);
    return told ? (int)flags : -1;
}

/* ---- the checks ---------------------------------------------------------------------------------- */

static void judge_connected(struct trial *t)
{
    struct far accepting;
    struct line l = {0};
    trial_expect(t, "a connection that a line goes through, and comes back");
    if (far_accepting(t, &accepting) && start(t, accepting.to, TIMEOUT_MS * 10, 0) &&
        exchange(t, &accepting, &l) && ends(t))
        trial_pass(t, "connected after %.3f ms, and hello came back", l.ms);
}

static void judge_at_once(struct trial *t)
{
    struct far near;
    struct line l = {0};
    trial_expect(t, "a UNIX socket: connect itself returns 0, and there is nothing to wait for");
    if (far_unix(t, &near) && start(t, near.to, TIMEOUT_MS * 10, 0) && exchange(t, &near, &l) &&
        ends(t))
        trial_pass(t, "connected after %.3f ms, and hello came back", l.ms);
}

static void judge_handed_out(struct trial *t)
{
    struct far accepting;
    struct line l = {0};
    int fd = -1;
    trial_expect(t, "the descriptor that is returned is blocking, and closed by exec");
    if (!far_accepting(t, &accepting) || !start(t, accepting.to, TIMEOUT_MS * 10, 0) ||
        !meet(t, &accepting, &l, &fd))
        return;
    int flags = socket_flags(t);
    if (flags == -1) {
        trial_fault(t, "the flags of the program's descriptor cannot be read");
    } else if (flags & O_NONBLOCK) {
        blame(t, attempt_at(t, 0).outcome, "connected: from here on its calls may wait");
        trial_fail(t, -1,
                   "the descriptor is still nonblocking: the caller's recv would say EAGAIN");
    } else if (!(flags & O_CLOEXEC)) {
        blame(t, attempt_at(t, 0).socket, "SOCK_CLOEXEC is missing");
        trial_fail(t, -1,
                   "the descriptor is not close-on-exec: a program that is started later would "
                   "hold the connection open");
    } else if (part(t, fd) && ends(t)) {
        trial_pass(t, "blocking and close-on-exec");
    }
}

static void judge_true_error(struct trial *t)
{
    struct far refusing, accepting;
    struct line refused = {0}, unreachable = {0}, local = {0}, l = {0};
    char to[LIST_SIZE];
    trial_expect(t,
                 "ECONNREFUSED, which SO_ERROR tells; ENETUNREACH, which connect tells; and so on");
    if (!far_refusing(t, &refusing) || !far_accepting(t, &accepting))
        return;
    /* An address of a group is none for a connection, with or without a network. */
    snprintf(to, sizeof to, "%s,224.0.0.1:9,@nobody,%s", refusing.to, accepting.to);
    if (start(t, to, TIMEOUT_MS * 10, 0) &&
        fails_with(t, "a port that nobody listens on", "ECONNREFUSED", &refused) &&
        fails_with(t, "a multicast address", "ENETUNREACH", &unreachable) &&
        fails_with(t, "a UNIX socket that there is not", "ECONNREFUSED", &local) &&
        exchange(t, &accepting, &l) && ends(t))
        trial_pass(t, "ECONNREFUSED after %.3f ms, ENETUNREACH after %.3f ms, and then connected",
                   refused.ms, unreachable.ms);
}

static bool never_gives_up(struct trial *t)
{
    const struct attempt a = attempt_at(t, 0);
    blame(t, a.wait,
          a.wait.count > 1
              ? "after a signal only the rest of the time is left, and not all of it again"
              : "so long it would sleep");
    return trial_fail(t, -1, "%d ms were asked for; after %d ms it is still waiting", TIMEOUT_MS,
                      TOO_LONG_MS);
}

/* To a silent far end, then to one that accepts. */
static bool keeps_deadline(struct trial *t, int alarm_ms, struct line *timed_out)
{
    struct far silent, accepting;
    struct line l = {0};
    char to[LIST_SIZE];
    if (!far_silent(t, &silent) || !far_accepting(t, &accepting))
        return false;
    snprintf(to, sizeof to, "%s,%s", silent.to, accepting.to);
    t->patience_ms = -1; /* it may sleep */
    if (!start(t, to, TIMEOUT_MS, alarm_ms) || !waits(t))
        return false;
    trial_step(t, "nobody answers");
    int64_t limit = clock_now() + TOO_LONG_MS * INT64_C(1000000);
    if (!wait_ready(t->out, POLLIN, limit, "a line"))
        return never_gives_up(t);
    uint64_t calls = t->record->next;
    if (!fails_with(t, "a far end that is silent", "ETIMEDOUT", timed_out))
        return false;
    if (timed_out->ms < TIMEOUT_MS - 1)
        return trial_fail(t, -1, "%d ms were asked for; it gave up after %.1f ms", TIMEOUT_MS,
                          timed_out->ms);
    if (calls > CALLS) {
        blame_poller(t);
        return trial_fail(t, -1, "it made %" PRIu64 " calls meanwhile: sleep until the deadline",
                          calls);
    }
    return exchange(t, &accepting, &l) && ends(t);
}

static void judge_deadline(struct trial *t)
{
    struct line l = {0};
    trial_expect(t, "ETIMEDOUT after %d ms of sleep", TIMEOUT_MS);
    if (keeps_deadline(t, 0, &l))
        trial_pass(t, "ETIMEDOUT after %.1f ms, where %d were asked for", l.ms, TIMEOUT_MS);
}

static void judge_signals(struct trial *t)
{
    struct line l = {0};
    trial_expect(t, "ETIMEDOUT after %d ms, though a signal interrupts each sleep of %d ms",
                 TIMEOUT_MS, ALARM_MS);
    if (keeps_deadline(t, ALARM_MS, &l))
        trial_pass(t, "ETIMEDOUT after %.1f ms, with a signal every %d ms", l.ms, ALARM_MS);
}

static void judge_late(struct trial *t)
{
    struct far silent;
    struct line l = {0};
    trial_expect(t, "silence at first, but an answer before the deadline: connected");
    t->patience_ms = -1;
    if (!far_silent(t, &silent) || !start(t, silent.to, LATE_MS, 0) || !waits(t))
        return;
    if (has_line(t)) {
        if (read_line(t, &l)) {
            why(t, l.result);
            trial_fail(t, -1, "%s after %.1f ms; it may wait for %d", l.result, l.ms, LATE_MS);
        }
        return;
    }
    trial_step(t,
               "while it waits, the listener's queue is freed: the kernel's next SYN is answered");
    if (far_free(t, &silent) && exchange(t, &silent, &l) && ends(t))
        trial_pass(t, "connected after %.0f ms, when the kernel had tried again", l.ms);
}

/* Each address of a list of failures. */
static bool fail_all(struct trial *t, const char *far_end, int count, const char *error)
{
    struct line l = {0};
    for (int i = 0; i < count; i++)
        if (!fails_with(t, far_end, error, &l))
            return false;
    return true;
}

static void add_often(char to[LIST_SIZE], const char *address, int count)
{
    for (int i = 0; i < count; i++) {
        size_t length = strlen(to);
        snprintf(to + length, LIST_SIZE - length, ",%s", address);
    }
}

/* Mark the last attempt, of those from 1 to `last`, that has closed nothing. */
static void blame_unclosed(struct trial *t, int last)
{
    for (int i = last; i >= 1; i--) {
        const struct attempt a = attempt_at(t, i);
        if (a.closed.call != NULL)
            continue;
        blame(t, a.wait.count > 0 ? a.wait : a.connect,
              "it failed here, and its socket stays open");
        return;
    }
}

static void judge_nothing_left(struct trial *t)
{
    struct far accepting, refusing, silent;
    struct line l = {0};
    char to[LIST_SIZE];
    int fd = -1;
    trial_expect(t, "as many open descriptors after failures of every kind as before");
    t->patience_ms = -1;
    if (!far_accepting(t, &accepting) || !far_refusing(t, &refusing) || !far_silent(t, &silent))
        return;
    snprintf(to, sizeof to, "%s", accepting.to);
    add_often(to, refusing.to, FAILURES);
    add_often(to, "224.0.0.1:9", FAILURES);
    add_often(to, silent.to, 2);
    add_often(to, accepting.to, 1);
    if (!start(t, to, TIMEOUT_MS, 0) || !meet(t, &accepting, &l, &fd))
        return;
    long before = trial_look(t)->descriptors;
    if (!part(t, fd))
        return;
    trial_step(t, "%d times refused, %d times unreachable, twice no answer", FAILURES, FAILURES);
    if (!fail_all(t, "a port that nobody listens on", FAILURES, "ECONNREFUSED") ||
        !fail_all(t, "a multicast address", FAILURES, "ENETUNREACH") ||
        !fail_all(t, "a far end that is silent", 2, "ETIMEDOUT") || !meet(t, &accepting, &l, &fd))
        return;
    long after = trial_look(t)->descriptors;
    if (after != before) {
        blame_unclosed(t, 2 + 2 * FAILURES);
        trial_fail(t, -1,
                   "%ld descriptors were open before, %ld are now: what fails must close its "
                   "socket, and close nothing else",
                   before, after);
    } else if (part(t, fd) && ends(t)) {
        trial_pass(t, "%ld descriptors before, and after %d failures", before, 2 * FAILURES + 2);
    }
}

static const struct check checks[] = {
    {"connected", "a listener is connected to", 1, NULL, TRIAL_ADDRESS, judge_connected, 0},
    {"at-once", "a connection that is there at once is one, too", 1, NULL, TRIAL_ADDRESS,
     judge_at_once, 0},
    {"handed-out", "the descriptor is blocking and close-on-exec", 1, "connected", TRIAL_ADDRESS,
     judge_handed_out, 0},
    {"true-error", "the error is that of the attempt", 2, "connected", TRIAL_ADDRESS,
     judge_true_error, 0},
    {"deadline", "silence is ETIMEDOUT, when the time is over", 2, "connected", TRIAL_ADDRESS,
     judge_deadline, 0},
    {"signals", "signals move no deadline", 1, "deadline", TRIAL_ADDRESS, judge_signals, 0},
    {"late", "an answer before the deadline still counts", 1, "connected", TRIAL_ADDRESS,
     judge_late, 0},
    {"nothing-left", "a failure leaves nothing open", 1, "true-error deadline", TRIAL_ADDRESS,
     judge_nothing_left, 0},
    {0},
};

int main(int argc, char **argv)
{
    const struct exercise exercise = {"02-connect-timeout",
                                      "a connect that waits no longer than told", checks};
    return grade_main(argc, argv, &exercise);
}
