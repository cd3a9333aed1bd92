/*
 * The grader of 01-wait-times: the other end of the program's socket.
 *
 * It lets the program wait, and knows for how long: from when the kernel says that the program sleeps in
 * recv until it sends the answer.  What is reported must be at least that, and at most the time from
 * the program's start until its line was read: both hold on a machine as busy as you like.
 */

#include "grader/grade.h"

#include "clock.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int64_t ms = 1000000; /* in nanoseconds */

enum {
    HOLD_MS = 200,   /* that an answer is held back, at least */
    SIGNALS = 3,     /* that interrupt one recv */
    QUESTIONS = 500, /* recv calls that show a busy poll */
    BUSY_MS = 20     /* and the CPU time */
};

/* The grader's end of the socket. */
struct end {
    int lfd, fd;
    int64_t begun; /* when the step under way had not begun yet */
};

/* A line of the program: what a recv came to. */
struct line {
    long result;
    char error[16]; /* "EAGAIN", or "-" for none */
    double us;
    long again;
};

static int steps_asked; /* of the program that was started last: recv steps begun, and holds */

/* ---- the call to blame --------------------------------------------------------------------------- */

/* Mark the recv of the step that was begun last: the first one after its question, if `skip` is 0. */
static void blame_recv(struct trial *t, int skip, const char *why)
{
    const struct call *call;
    int begun = 0;
    for (uint64_t n = 0; (call = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL; n++) {
        begun += call->name == CALL_send;
        if (begun == steps_asked && call->name == CALL_recv && skip-- == 0) {
            trial_mark(t, n, "%s", why);
            return;
        }
    }
}

/* Mark the last recv of all. */
static void blame_last_recv(struct trial *t, const char *why)
{
    const struct call *call;
    for (uint64_t n = 0; (call = trial_next_call(t, &n, CALL_recv, -1)) != NULL; n++)
        if (call->end != 0)
            trial_mark(t, n, "%s", why);
}

/* Mark the last call of fcntl that set flags, but for the one that the given program begins with. */
static void blame_fcntl(struct trial *t, const char *why)
{
    const struct call *call;
    int count = 0;
    for (uint64_t n = 0; (call = trial_next_call(t, &n, CALL_fcntl, -1)) != NULL; n++)
        if ((call->size == F_SETFL || call->size == F_SETFD) && ++count > 1)
            trial_mark(t, n, "%s",
                       call->size == F_SETFD ? "F_SETFD has the flags of the descriptor, and "
                                               "O_NONBLOCK is one of the open socket"
                                             : why);
}

/* Mark the last call that did nothing but sleep. */
static void blame_sleeper(struct trial *t, const char *why)
{
    const struct call *call;
    for (uint64_t n = 0; (call = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL; n++)
        if ((call->name >= CALL_select && call->name <= CALL_epoll_pwait) ||
            (call->name >= CALL_nanosleep && call->name <= CALL_sleep))
            trial_mark(t, n, "%s", why);
}

/* ---- the program, step by step ------------------------------------------------------------- */

static bool begin(struct trial *t, struct end *e, const char *steps)
{
    char port[24];
    *e = (struct end){.lfd = net_listen("127.0.0.1", "0", 1), .fd = -1};
    if (e->lfd == -1)
        return trial_fault(t, "no listener: %s", strerror(errno));
    snprintf(port, sizeof port, "%d", net_local_port(e->lfd));
    trial_step(t, "measure --steps \"%s\" connects", steps);
    e->begun = clock_now();
    steps_asked = 0;
    t->blocking = true; /* to sleep is what it is for */
    if (!trial_spawn(t, "measure", SUBJECT_ARGS("--port", port, "--steps", steps)) ||
        !trial_ok(t, -1, wait_ready(e->lfd, POLLIN, wait_deadline(), "a connection")))
        return false;
    e->fd = accept4(e->lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    close(e->lfd);
    return e->fd != -1 || trial_fault(t, "accept: %s", strerror(errno));
}

/* The next step of the program asks for an answer before it does anything else. */
static bool asked(struct trial *t, const struct end *e)
{
    char question;
    if (!wire_receive(e->fd, &question, 1))
        return trial_fail(t, -1, "its next step has not begun: %s", fault_text());
    steps_asked++;
    return true;
}

static bool answer(struct trial *t, const struct end *e, size_t bytes)
{
    trial_step(t, "\"%.*s\" is sent", (int)bytes, "hello");
    return trial_ok(t, -1, wire_send(e->fd, "hello", bytes));
}

static bool read_line(struct trial *t, const char *step, struct line *l)
{
    char text[256], name[16];
    if (!trial_read_line(t, text, sizeof text))
        return false;
    *l = (struct line){0};
    if (sscanf(text, "%15s %ld %15s %lf us EAGAIN %ld", name, &l->result, l->error, &l->us,
               &l->again) < 4 ||
        strcmp(name, step) != 0)
        return trial_fail(t, -1, "where the line of %s was to come, it printed: %s", step, text);
    return true;
}

/* A line can be read. */
static bool has_line(struct trial *t)
{
    return poll(&(struct pollfd){.fd = t->out, .events = POLLIN}, 1, 0) == 1;
}

/* The line of a set_blocking, which tells nothing that the grader does not see itself. */
static bool pass_over_line(struct trial *t)
{
    char text[256];
    return trial_read_line(t, text, sizeof text);
}

/* What a wrong result tells of the mistake, or "". */
static const char *why_wrong(const struct line *l, long result, const char *error)
{
    if (strcmp(l->error, "ENOSYS") == 0)
        return "this is the stub's answer, and the function is still to be written";
    if (strcmp(l->error, "EINTR") == 0 && l->result == -1)
        return "a signal has ended the call, and not the wait";
    if (l->result >= 0 && l->result == result && strcmp(l->error, error) != 0)
        return "a call that succeeds leaves errno as it was, so it says nothing then";
    if (l->result == 0 && strcmp(error, "EAGAIN") == 0)
        return "0 is the end of the stream, which has not come";
    if (strcmp(l->error, "EAGAIN") == 0 && l->result == -1 && result >= 0)
        return "the socket is blocking, and recv could have waited";
    if (l->result == -1 && result == -1)
        return "right is the errno of this call, before any other call changes it";
    return "";
}

static const char *or_zero(const char *error)
{
    return strcmp(error, "-") == 0 ? "0" : error;
}

/* The timing says what it should. */
static bool came(struct trial *t, const struct line *l, long result, const char *error)
{
    if (l->result == result && strcmp(l->error, error) == 0)
        return true;
    const char *reason = why_wrong(l, result, error);
    if (reason[0] != '\0' && result > 0 && l->result == result)
        blame_last_recv(t, reason);
    else if (reason[0] != '\0')
        blame_recv(t, 0, reason);
    return trial_fail(
        t, -1, "the timing says result %ld, error %s; right is result %ld, error %s%s%s", l->result,
        or_zero(l->error), result, or_zero(error), reason[0] == '\0' ? "" : ": ", reason);
}

static bool ends(struct trial *t, struct end *e)
{
    close(e->fd);
    return trial_end(t) && (t->status == 0 || trial_fail(t, -1, "it exits with %d", t->status));
}

/* ---- what the kernel says of it --------------------------------------------------------------- */

/* It sleeps in one of these calls of the kernel, the last one -1.  Where /proc does not tell in which it
 * sleeps, the record must do. */
static bool sleeps_in(struct trial *t, const long calls[], enum call_name name)
{
    const struct trial_view *view = trial_look(t);
    if (view->task_count == 0 || view->tasks[0].state != 'S' || view->tasks[0].call != -1)
        return trial_asleep_in(t, calls, -1) > 0;
    uint64_t last = t->record->next - 1;
    const struct call *call = trial_next_call(t, &last, name, -1);
    return call != NULL && call->end == 0;
}

static bool sleeps_in_recv(void *t)
{
    static const long calls[] = {SYS_recvfrom, -1};
    return sleeps_in(t, calls, CALL_recv);
}

static bool sleeps_in_poll(struct trial *t)
{
    static const long calls[] = {
#ifdef SYS_poll
        SYS_poll,
#endif
        SYS_ppoll, -1};
    return sleeps_in(t, calls, CALL_poll);
}

static bool is_waiting_in_recv(struct trial *t)
{
    struct line l = {0};
    trial_step(t, "no answer is sent until it sleeps in recv");
    if (wait_until(sleeps_in_recv, t, "it to sleep in recv"))
        return true;
    char reason[512];
    snprintf(reason, sizeof reason, "%s", fault_text());
    if (has_line(t)) /* it came back instead */
        return read_line(t, "recv", &l) && came(t, &l, 5, "-") &&
               trial_fail(t, -1, "timed_recv was back before the answer was sent");
    blame_sleeper(t, "this waits in place of recv");
    return trial_fail(t, -1, "%s; the waiting must be recv's own", reason);
}

/* Let time pass, unless the program says something before. */
static void hold_until(struct trial *t, int64_t when)
{
    int left;
    while ((left = wait_left_ms(when)) > 0)
        if (poll(&(struct pollfd){.fd = t->out, .events = POLLIN}, 1, left) == 1)
            return; /* the line tells why */
}

static long switches(struct trial *t)
{
    const struct trial_view *view = trial_look(t);
    return view->task_count > 0 ? view->tasks[0].switches : 0;
}

/* The flags of the program's socket, as open(2) names them; -1 if they cannot be had. */
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

/* ---- the time that was reported --------------------------------------------------------------- */

#define TOO_SHORT                                                                                 \
    ": not all of the wait is in it; is the clock read before recv, and does it go on while the " \
    "program sleeps?"

/* A mistake that explains the difference, or "". */
static const char *cause(double us, double least, double most, const char *too_short)
{
    for (int seconds = 1; seconds <= 4 && (us < 0 || (us > least / 10 && least > 1e6)); seconds++)
        if (us + seconds * 1e6 >= least && us + seconds * 1e6 <= most)
            return ": whole seconds are missing; a timespec's nanoseconds start again at each";
    if (us * 1e3 >= least && us * 1e3 <= most)
        return ": a thousandth; ns counts nanoseconds";
    if (us * 1e6 >= least && us * 1e6 <= most)
        return ": a millionth; ns counts nanoseconds";
    if (us / 1e3 >= least && us / 1e3 <= most)
        return ": a thousand times too much; ns counts nanoseconds";
    return us < least ? too_short : "";
}

/* The program was seen waiting for `least` ns at least, and it cannot have been more than `most`. */
static bool is_time(struct trial *t, const struct line *l, int64_t least, int64_t most,
                    const char *too_short)
{
    double from = (double)least / 1e3;
    double to = (double)most / 1e3;
    if (l->us >= from - 0.001 && l->us <= to)
        return true;
    const char *because = cause(l->us, from, to, too_short);
    if (because == too_short)
        blame_recv(t, 0, "the time counts from before this call");
    return trial_fail(t, -1,
                      "it reports %.3f us, but had waited for %.0f at least and %.0f at most%s",
                      l->us, from, to, because);
}

/* ---- the checks -------------------------------------------------------------------------------- */

static bool has_flags(struct trial *t, const struct end *e, const char *after, bool nonblocking)
{
    if (!asked(t, e))
        return false;
    int flags = socket_flags(t);
    if (flags == -1)
        return trial_fault(t, "the flags of the program's socket cannot be read");
    if (!(flags & O_NONBLOCK) == nonblocking) {
        blame_fcntl(t, nonblocking ? "O_NONBLOCK is not among them" : "O_NONBLOCK is among them");
        return trial_fail(t, -1, "%s O_NONBLOCK is %s", after,
                          nonblocking ? "off: it must be a flag of the socket itself"
                                      : "still on: the socket was to block again");
    }
    if (!(flags & O_APPEND)) {
        blame_fcntl(t, "these are all the flags now");
        return trial_fail(t, -1,
                          "%s O_APPEND is gone: F_SETFL replaces all flags, so start from those "
                          "that F_GETFL tells",
                          after);
    }
    return answer(t, e, 5);
}

static void judge_flags(struct trial *t)
{
    struct end e;
    trial_expect(t, "O_NONBLOCK goes on and off, and O_APPEND, which was set before, stays");
    if (begin(t, &e, "hold nonblocking hold blocking hold") &&
        has_flags(t, &e, "before the first set_blocking", false) && pass_over_line(t) &&
        has_flags(t, &e, "after set_blocking(fd, false)", true) && pass_over_line(t) &&
        has_flags(t, &e, "after set_blocking(fd, true)", false) && ends(t, &e))
        trial_pass(t, "O_NONBLOCK went on and off again, O_APPEND stayed");
}

/* A time after the next full second, at which a timespec's nanoseconds start again.  It is well below a
 * second away, or well above, so that a reported time that lacks one can be told from one of nothing. */
static int64_t past_a_second(int64_t now)
{
    int64_t into = now % (1000 * ms);
    return now - into + 1000 * ms + (into < 400 * ms ? 700 : 100) * ms;
}

/* One recv, whose answer is held back for at least `hold` ns, if that is not 0.  *waited is what it slept
 * for at least, *most what it may have taken. */
static bool wait_once(struct trial *t, struct end *e, struct line *l, int64_t hold, int64_t *waited,
                      int64_t *most)
{
    if (!asked(t, e) || !is_waiting_in_recv(t))
        return false;
    int64_t asleep = clock_now();
    int64_t until = past_a_second(asleep);
    while (until - asleep < hold)
        until += 1000 * ms;
    if (hold > 0)
        hold_until(t, until);
    int64_t sent = clock_now();
    if (!answer(t, e, 5) || !read_line(t, "recv", l) || (l->result != 5 && !came(t, l, 5, "-")))
        return false;
    *waited = sent - asleep;
    *most = clock_now() - e->begun;
    e->begun = sent; /* the next step cannot begin before */
    return true;
}

/* Twice, and the second wait is longer than the first can have been: no constant is right for both. */
static void judge_blocking(struct trial *t)
{
    struct end e;
    struct line l = {0};
    int64_t waited = 0;
    int64_t most = 0;
    trial_expect(t, "recv sleeps until the answer comes, and all of that is the time reported");
    if (begin(t, &e, "recv recv") && wait_once(t, &e, &l, 0, &waited, &most) &&
        is_time(t, &l, 0, most, "") && wait_once(t, &e, &l, most + HOLD_MS * ms, &waited, &most) &&
        is_time(t, &l, waited, most, TOO_SHORT) && ends(t, &e))
        trial_pass(t, "it slept in recv for %.0f us, and reported %.0f", (double)waited / 1e3,
                   l.us);
}

static bool has_answered_or_asked_again(void *t)
{
    return trial_count(t, CALL_recv) > 1 || sleeps_in_poll(t);
}

static void judge_nonblocking(struct trial *t)
{
    struct end e;
    struct line l = {0};
    trial_expect(t, "one recv, which is back with EAGAIN while nothing has been sent");
    if (!begin(t, &e, "nonblocking recv") || !pass_over_line(t) || !asked(t, &e))
        return;
    trial_step(t, "no answer is sent until the result is there");
    wait_until(has_answered_or_asked_again, t,
               "a result"); /* if not, the line is not there, either */
    uint64_t calls = trial_count(t, CALL_recv);
    if (calls > 1) {
        trial_kill(t); /* so that the record does not move on */
        blame_recv(t, 1, "EAGAIN was the answer of the call before");
        trial_fail(t, -1,
                   "timed_recv called recv %" PRIu64 " times by now: EAGAIN is its answer, "
                   "and only busy_recv asks again",
                   calls);
        return;
    }
    if (read_line(t, "recv", &l) && came(t, &l, -1, "EAGAIN") &&
        is_time(t, &l, 0, clock_now() - e.begun, ": no time is negative") && answer(t, &e, 5) &&
        ends(t, &e))
        trial_pass(t, "EAGAIN after %.3f us, and the answer had not been sent", l.us);
}

static bool comes_to_an_end(struct trial *t)
{
    struct end e;
    struct line l = {0};
    if (!begin(t, &e, "recv recv") || !asked(t, &e) || !answer(t, &e, 3) ||
        !read_line(t, "recv", &l) || !came(t, &l, 3, "-") || !asked(t, &e))
        return false;
    trial_step(t, "the connection is shut down: the end of the stream");
    shutdown(e.fd, SHUT_WR);
    return read_line(t, "recv", &l) && came(t, &l, 0, "-") && ends(t, &e);
}

static bool comes_to_a_reset(struct trial *t)
{
    struct end e;
    struct line l = {0};
    if (!begin(t, &e, "recv") || !asked(t, &e) || !is_waiting_in_recv(t))
        return false;
    trial_step(t, "the connection is reset");
    wire_reset(e.fd);
    e.fd = -1;
    return read_line(t, "recv", &l) && came(t, &l, -1, "ECONNRESET") && ends(t, &e);
}

static void judge_outcome(struct trial *t)
{
    trial_expect(t, "3 bytes, then 0 for the end; of a reset -1 and ECONNRESET");
    if (comes_to_an_end(t) && comes_to_a_reset(t))
        trial_pass(t, "3 bytes, the end of the stream and a reset were each told");
}

struct waking {
    struct trial *t;
    long switches; /* before the signal */
};

/* Woken by the signal and asleep again; or back with a line. */
static bool has_handled_signal(void *argument)
{
    const struct waking *w = argument;
    return (switches(w->t) > w->switches && sleeps_in_recv(w->t)) || has_line(w->t);
}

static void judge_interrupted(struct trial *t)
{
    struct end e;
    struct line l = {0};
    trial_expect(t, "recv is called again after a signal, and the time counts from the first call");
    if (!begin(t, &e, "recv") || !asked(t, &e) || !is_waiting_in_recv(t))
        return;
    int64_t asleep = clock_now();
    hold_until(t, asleep + HOLD_MS * ms);
    for (int i = 0; i < SIGNALS; i++) {
        struct waking w = {.t = t, .switches = switches(t)};
        trial_step(t, "a signal interrupts it: SIGUSR1, without SA_RESTART");
        if (t->s.pid > 0)
            kill(t->s.pid, SIGUSR1);
        if (!trial_ok(t, -1, wait_until(has_handled_signal, &w, "it to sleep in recv again")))
            return;
    }
    int64_t sent = clock_now();
    if (answer(t, &e, 5) && read_line(t, "recv", &l) && came(t, &l, 5, "-") &&
        is_time(t, &l, sent - asleep, clock_now() - e.begun,
                ": the wait before the signal is not in it") &&
        ends(t, &e))
        trial_pass(t, "%d signals, and all of the %.0f us were measured", SIGNALS, l.us);
}

/* What a busy poll must have come to. */
struct busy {
    struct trial *t;
    uint64_t calls;
    int64_t cpu_ns;
};

static bool is_busy(void *argument)
{
    const struct busy *b = argument;
    return (trial_count(b->t, CALL_recv) >= b->calls && trial_look(b->t)->cpu_ns >= b->cpu_ns) ||
           has_line(b->t);
}

static bool keeps_busy(struct trial *t, int64_t *seen)
{
    struct busy begun = {.t = t, .calls = 1};
    struct busy often = {.t = t, .calls = QUESTIONS};
    trial_step(t, "no answer is sent until it has called recv %d times", QUESTIONS);
    if (!trial_ok(t, -1, wait_until(is_busy, &begun, "it to call recv")))
        return false;
    *seen = clock_now();
    long slept = switches(t);
    often.cpu_ns = trial_look(t)->cpu_ns + BUSY_MS * ms;
    if (!trial_ok(t, -1, wait_until(is_busy, &often, "it to call recv again and again")))
        return false;
    slept = switches(t) - slept;
    if (slept <= QUESTIONS / 10)
        return true;
    blame_sleeper(t, "a busy poll never sleeps");
    return trial_fail(t, -1, "it went to sleep %ld times between its calls of recv", slept);
}

/* How often recv has told the end of the stream. */
static int ends_told(struct trial *t)
{
    const struct call *call;
    int told = 0;
    for (uint64_t n = 0; (call = trial_next_call(t, &n, CALL_recv, -1)) != NULL && told < 2; n++)
        told += call->end != 0 && call->result == 0;
    return told;
}

static bool has_met_end(void *t)
{
    return ends_told(t) > 1 || has_line(t);
}

static void judge_busy(struct trial *t)
{
    struct end e;
    struct line first = {0}, last = {0};
    int64_t seen = 0;
    trial_expect(t,
                 "recv again and again, never asleep, until the answer is there; EAGAIN counted");
    if (!begin(t, &e, "nonblocking busy busy") || !pass_over_line(t) || !asked(t, &e) ||
        !keeps_busy(t, &seen))
        return;
    int64_t sent = clock_now();
    if (!answer(t, &e, 5) || !read_line(t, "busy", &first) || !came(t, &first, 5, "-") ||
        !is_time(t, &first, sent - seen, clock_now() - e.begun, TOO_SHORT) || !asked(t, &e))
        return;
    trial_step(t, "the connection is shut down: the end of the stream");
    shutdown(e.fd, SHUT_WR);
    if (!trial_ok(t, -1, wait_until(has_met_end, t, "the end to be told")))
        return;
    if (ends_told(t) > 1) {
        trial_kill(t); /* so that the record does not move on */
        blame_last_recv(
            t, "that is the end of the stream: it has been told before, and nothing follows");
        trial_fail(t, -1, "busy_recv goes on after the end of the stream: recv says 0 for ever");
        return;
    }
    if (!read_line(t, "busy", &last) || !came(t, &last, 0, "-"))
        return;
    long calls = (long)trial_count(t, CALL_recv);
    if (first.again + last.again != calls - 2)
        trial_fail(t, -1, "it counted %ld EAGAINs; of %ld calls of recv all but 2 said that",
                   first.again + last.again, calls);
    else if (ends(t, &e))
        trial_pass(t, "%ld times EAGAIN in %.0f us, then the answer, then the end", first.again,
                   first.us);
}

static const struct check checks[] = {
    {"flags", "O_NONBLOCK goes on and off, and no other flag changes", 2, NULL, TRIAL_ADDRESS,
     judge_flags, 0},
    {"blocking", "a blocking recv does the waiting, and all of it is measured", 2, NULL,
     TRIAL_ADDRESS, judge_blocking, 0},
    {"nonblocking", "a nonblocking recv is back at once, with EAGAIN", 2, "flags", TRIAL_ADDRESS,
     judge_nonblocking, 0},
    {"outcome", "bytes, the end and an error are told apart", 1, NULL, TRIAL_ADDRESS, judge_outcome,
     0},
    {"interrupted", "a signal does not end the wait, nor its measuring", 1, "blocking",
     TRIAL_ADDRESS, judge_interrupted, 0},
    {"busy", "the busy poll asks until there is an answer, and counts", 2, "flags", TRIAL_PLAIN,
     judge_busy, 0},
    {0},
};

int main(int argc, char **argv)
{
    const struct exercise exercise = {"01-wait-times", "a blocking and a nonblocking recv, timed",
                                      checks};
    return grade_main(argc, argv, &exercise);
}
