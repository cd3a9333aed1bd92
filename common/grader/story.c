/*
 * story - the calls that a program made around its failure, with the wrong one marked.
 *
 * A list of mistakes that people make with these calls, each a function that looks for it in the record
 * and says why the call is wrong.  The first that is found is told; if none is, the last call is.
 */

#include "outcome.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

enum {
    BEFORE = 10, /* lines before the marked one */
    AFTER = 3,
    RELATED = 4096,        /* calls that the story is taken from */
    AT_ONCE_NS = 50000000, /* a wait that is back so soon did not wait, but for the processor */
    SPIN = 64              /* waits in a row that come back at once for the same reason */
};

/* What the story is taken from: the calls that concern one client, or all. */
struct scene {
    struct trial *t;
    const struct outcome *outcome;
    int fd;  /* -1: all */
    int pid; /* of the process that has it; 0: all */
    uint64_t numbers[RELATED];
    int count;
    uint64_t marked; /* number of the call */
    char reason[OUTCOME_WIDTH];
};

static const struct call *at(const struct scene *s, int i)
{
    return &s->t->record->calls[s->numbers[i] % RECORD_ROOM];
}

__attribute__((format(printf, 3, 4))) static bool blame(struct scene *s, int i, const char *format,
                                                        ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->reason, sizeof s->reason, format, arguments);
    va_end(arguments);
    s->marked = s->numbers[i];
    return true;
}

/* ---- kinds of calls ------------------------------------------------------------------------------ */

static bool is_wait(const struct call *c)
{
    return c->name >= CALL_select && c->name <= CALL_epoll_pwait && c->name != CALL_epoll_create &&
           c->name != CALL_epoll_create1 && c->name != CALL_epoll_ctl;
}

static bool is_read(const struct call *c)
{
    return c->name == CALL_recv || c->name == CALL_read || c->name == CALL_recvfrom ||
           c->name == CALL_recvmsg || c->name == CALL_readv;
}

static bool is_write(const struct call *c)
{
    return c->name == CALL_send || c->name == CALL_write || c->name == CALL_sendto;
}

static bool is_accept(const struct call *c)
{
    return c->name == CALL_accept || c->name == CALL_accept4;
}

static bool failed_with(const struct call *c, int error)
{
    return c->result == -1 && c->error == error && c->end != 0;
}

/* The next call on the same descriptor, but for what is said to epoll; or -1. */
static int next_on_fd(const struct scene *s, int i)
{
    int fd = at(s, i)->fd, pid = at(s, i)->pid;
    while (++i < s->count)
        if (at(s, i)->fd == fd && at(s, i)->pid == pid && !is_wait(at(s, i)) &&
            at(s, i)->name != CALL_epoll_ctl)
            return i;
    return -1;
}

static bool was_accepted(const struct scene *s, int fd, int before)
{
    for (int i = before - 1; i >= 0; i--)
        if (is_accept(at(s, i)) && at(s, i)->result == fd)
            return true;
    return false;
}

static bool has_threads(const struct scene *s)
{
    return trial_count(s->t, CALL_pthread_create) + trial_count(s->t, CALL_fork) > 0;
}

static bool says(const struct scene *s, const char *text)
{
    return strstr(s->outcome->message, text) != NULL;
}

static bool has_ended(const struct scene *s)
{
    return s->t->status != 0 || s->t->signal != 0;
}

/* No select can watch this descriptor, and it selects. */
static bool is_beyond_sets(const struct scene *s, int fd)
{
    return fd >= FD_SETSIZE && trial_count(s->t, CALL_select) + trial_count(s->t, CALL_pselect) > 0;
}

/* 61440 as "61,440". */
static const char *grouped(int64_t number)
{
    static char ring[4][32];
    static int turn;
    char digits[24];
    char *text = ring[turn++ % 4];
    snprintf(digits, sizeof digits, "%lld", (long long)number);
    int length = (int)strlen(digits), out = 0;
    for (int i = 0; i < length; i++) {
        text[out++] = digits[i];
        if ((length - i - 1) % 3 == 0 && i < length - 1 && digits[i] != '-')
            text[out++] = ',';
    }
    text[out] = '\0';
    return text;
}

/* ---- mistakes ------------------------------------------------------------------------------------ */

static bool died_of_sigpipe(struct scene *s)
{
    if (s->t->signal != SIGPIPE)
        return false;
    for (int i = s->count - 1; i >= 0; i--)
        if (is_write(at(s, i)))
            return blame(s, i,
                         "the client had gone, and SIGPIPE ended the whole program: ignore that "
                         "signal, and close the client when send says EPIPE");
    return false;
}

/* After EINTR the same call is to be made again. */
static bool eintr_taken_for_an_error(struct scene *s)
{
    for (int i = 0; i < s->count; i++) {
        if (!failed_with(at(s, i), EINTR))
            continue;
        bool waits = is_wait(at(s, i)) || is_accept(at(s, i));
        int next = waits ? i + 1 : next_on_fd(s, i);
        bool again = next > 0 && next < s->count && at(s, next)->name != CALL_close &&
                     at(s, next)->name != CALL_shutdown &&
                     (!s->t->blocking || is_write(at(s, next)) == is_write(at(s, i)));
        if (next == -1 && has_ended(s)) /* it had no time to make it again */
            continue;
        if (waits ? next >= s->count : !again)
            return blame(s, i,
                         "a signal interrupted the call (EINTR): nothing is wrong, make it again");
    }
    return false;
}

static bool eagain_taken_for_an_error(struct scene *s)
{
    for (int i = 0; i < s->count; i++) {
        int next = next_on_fd(s, i);
        bool at_once = next > 0 && at(s, next)->name == CALL_close;
        for (int j = i + 1; j < next; j++) /* one closed after a wait has another reason */
            at_once = at_once && !is_wait(at(s, j));
        if ((is_read(at(s, i)) || is_write(at(s, i))) && failed_with(at(s, i), EAGAIN) && at_once)
            return blame(s, i,
                         "EAGAIN is no error, but 'not now': go back to the wait, and try again "
                         "when it is ready");
    }
    return false;
}

static bool accept_error_ended_it(struct scene *s)
{
    int i = s->count - 1;
    while (i >= 0 && i > s->count - 8 && !is_accept(at(s, i)))
        i--;
    if (i < 0 || s->t->status == 0 ||
        !(failed_with(at(s, i), ECONNABORTED) || failed_with(at(s, i), EMFILE)))
        return false;
    return blame(s, i, "one client could not be accepted: no reason to end the server");
}

static bool killed_itself(struct scene *s)
{
    int i = s->count - 1;
    while (i >= 0 && at(s, i)->name != CALL_kill)
        i--;
    return s->t->signal != 0 && i >= 0 && at(s, i)->end == 0 && at(s, i)->fd <= 0 &&
           blame(s, i, "this is for the whole process group, and who sends it belongs to it");
}

/* The wait in which a signal came, and then nothing but the clearing away. */
static bool eintr_ended_it(struct scene *s)
{
    int i = s->count - 1;
    while (i >= 0 && (at(s, i)->name == CALL_close || at(s, i)->name == CALL_shutdown))
        i--;
    if (i < 0 || s->t->status == 0 || !(is_wait(at(s, i)) || is_accept(at(s, i))) ||
        !failed_with(at(s, i), EINTR) ||
        !(at(s, i)->fault != 0 || says(s, "Interrupted system call")))
        return false;
    return blame(s, i,
                 "a signal interrupted the call (EINTR): nothing is wrong; look whether it is to "
                 "stop, and else make it again");
}

/* The last call that its thread made; others may go on until the process is gone. */
static bool is_last_of_thread(const struct scene *s, int i)
{
    for (int j = i + 1; j < s->count; j++)
        if (at(s, j)->tid == at(s, i)->tid)
            return false;
    return at(s, i)->pid == at(s, 0)->pid;
}

static bool one_client_ended_it(struct scene *s)
{
    for (int i = s->count - 1; i >= 0 && s->t->status != 0; i--)
        if ((is_read(at(s, i)) || is_write(at(s, i))) && next_on_fd(s, i) == -1 &&
            (i > s->count - 4 || is_last_of_thread(s, i)) &&
            (failed_with(at(s, i), ECONNRESET) || failed_with(at(s, i), EPIPE)))
            return blame(s, i,
                         "one client is gone: close it, there is no reason to end the server");
    return false;
}

static bool closed_twice(struct scene *s)
{
    for (int i = 0; i < s->count; i++)
        if (at(s, i)->name == CALL_close && failed_with(at(s, i), EBADF))
            return blame(s, i, "%d is closed already: its number may be somebody else's by now",
                         at(s, i)->fd);
    return false;
}

/* The bytes that the client of this process's fd has sent and not got back, up to call number `until`.
 * *finished: it has said that it sends no more. */
static int64_t debt_to(const struct scene *s, int fd, int pid, uint64_t until, bool *finished)
{
    int64_t owed = 0;
    const struct call *c;
    *finished = false;
    for (uint64_t n = 0; (c = trial_next_call(s->t, &n, CALL_NAMES, -1)) != NULL && n < until;
         n++) {
        if (c->pid != pid)
            continue;
        if (is_accept(c) && c->result == fd) { /* the number was another client's before */
            owed = 0;
            *finished = false;
        }
        if (c->fd != fd || c->end == 0)
            continue;
        *finished |= is_read(c) && c->result == 0;
        if (is_read(c) && c->result > 0)
            owed += c->result;
        if (is_write(c) && c->result > 0)
            owed -= c->result;
    }
    return owed;
}

/* Whether what a send left over was not forgotten: a later one is of all that is owed. */
static bool was_kept(const struct scene *s, int i)
{
    bool finished;
    const struct call *c = at(s, i);
    int64_t owed = debt_to(s, c->fd, c->pid, s->numbers[i] + 1, &finished);
    while ((i = next_on_fd(s, i)) != -1 && at(s, i)->name != CALL_close) {
        c = at(s, i);
        if (is_write(c) && c->size == owed)
            return true;
        if (c->end != 0 && c->result > 0)
            owed += is_read(c) ? c->result : is_write(c) ? -c->result : 0;
    }
    return false;
}

/* A short send is made good by the next one, if it begins where the short one ended, or has at least
 * the rest, and not just what has come since; so is one that took nothing, unless there was no later
 * one: then it may be that nobody has read. */
static bool short_write_ignored(struct scene *s)
{
    for (int i = 0; i < s->count; i++) {
        const struct call *c = at(s, i);
        bool nothing = failed_with(c, EAGAIN);
        int64_t taken = nothing ? 0 : c->result;
        if (!is_write(c) || taken < 0 || taken >= c->size || c->end == 0)
            continue;
        int next = i; /* who may block sends the rest before anything else */
        int64_t come = 0;
        while ((next = next_on_fd(s, next)) != -1 && !is_write(at(s, next)) &&
               at(s, next)->name != CALL_close && !s->t->blocking)
            if (is_read(at(s, next)) && at(s, next)->result > 0)
                come += at(s, next)->result;
        bool made_good = next != -1 && is_write(at(s, next)) &&
                         (at(s, next)->buffer == c->buffer + (uint64_t)taken ||
                          (at(s, next)->size >= c->size - taken &&
                           (come == 0 || at(s, next)->size != come)));
        if (made_good || (nothing && (next == -1 || !is_write(at(s, next)))) ||
            (next != -1 && at(s, next)->name == CALL_shutdown)) /* that has woken it */
            continue;
        return blame(s, i, "the kernel took %s of %s bytes: the other %s %s", grouped(taken),
                     grouped(c->size), grouped(c->size - taken),
                     was_kept(s, i) ? "have to go next, and were overtaken by what came later"
                                    : "were never sent");
    }
    return false;
}

/* The events that the descriptor was last registered for, or 0. */
static uint32_t registered(const struct scene *s, int fd)
{
    uint32_t events = 0;
    const struct call *c;
    for (uint64_t n = 0; (c = trial_next_call(s->t, &n, CALL_epoll_ctl, fd)) != NULL; n++)
        if (c->size != EPOLL_CTL_DEL)
            events = (uint32_t)c->value;
    return events;
}

/* What is owed after all calls; -1 if the client has said that it is finished. */
static int64_t owed_to(const struct scene *s, int fd, int pid)
{
    bool finished;
    int64_t owed = debt_to(s, fd, pid, UINT64_MAX, &finished);
    return finished ? -1 : owed;
}

/* It asks again and again what is ready, and never sleeps. */
static bool never_waits(struct scene *s)
{
    int last = -1, run = 0;
    for (int i = s->count - 1; i >= 0 && is_wait(at(s, i)) && at(s, i)->value == 0; i--) {
        if (at(s, i)->end == 0)
            continue;
        if (at(s, i)->result != 0)
            break;
        last = run++ == 0 ? i : last;
    }
    return run >= SPIN &&
           blame(
               s, last,
               "%d times in a row it asks with a timeout of 0, and nothing is ready: only one who "
               "has something else to do does not wait",
               run);
}

static bool edge_not_drained(struct scene *s)
{
    int last = s->count - 1;
    if (last < 0 || !is_wait(at(s, last)) || at(s, last)->end != 0 || at(s, last)->unread == 0)
        return false;
    const struct call *c = at(s, last);
    uint32_t events = registered(s, c->unread_fd);
    if (events & EPOLLET)
        return blame(s, last, "fd %d still had %s bytes: an edge is told once; read until EAGAIN",
                     c->unread_fd, grouped(c->unread));
    if ((s->fd == -1 || s->fd == c->unread_fd) && owed_to(s, c->unread_fd, c->pid) == 0)
        return blame(s, last, "fd %d has %s bytes that nobody reads: it is not watched for reading",
                     c->unread_fd, grouped(c->unread));
    return false;
}

static bool sleeps_for_one_client(struct scene *s)
{
    int last = s->count - 1;
    if (last < 0 || s->t->blocking || has_threads(s) || at(s, last)->end != 0)
        return false;
    const struct call *c = at(s, last);
    if (is_read(c) || is_write(c))
        return blame(s, last,
                     "it sleeps here until this one client does something, and serves nobody "
                     "else: the descriptor must be nonblocking, or not called until ready");
    if (is_accept(c))
        return blame(s, last,
                     "it sleeps here until somebody connects, and serves nobody meanwhile: "
                     "the listener must be nonblocking, or not called until ready");
    return false;
}

static bool moves_bytes(const struct call *c)
{
    return is_read(c) || is_write(c) || c->name == CALL_sendmsg || c->name == CALL_writev;
}

/* Whether the record shows that it is a socket; a pipe or an eventfd, by which a program wakes itself,
 * is not. */
static bool is_socket(const struct scene *s, int fd)
{
    const struct call *c;
    for (uint64_t n = 0; (c = trial_next_call(s->t, &n, CALL_NAMES, -1)) != NULL; n++)
        if ((c->fd == fd &&
             (moves_bytes(c) || c->name == CALL_listen || c->name == CALL_connect)) ||
            ((is_accept(c) || c->name == CALL_socket) && c->result == fd))
            return true;
    return false;
}

/* The same reason again and again, and nothing that changes it. */
static bool spins(struct scene *s)
{
    int run = 0, last = -1, fd = -1;
    bool ended = false; /* it has read that client's end of file */
    uint64_t first = 0;
    uint32_t events = 0;
    for (int i = 0; i < s->count; i++) {
        const struct call *c = at(s, i);
        if (moves_bytes(c) && c->fd == fd && c->result > 0)
            run = 0; /* it does something with what it was told */
        if (is_accept(c) && c->fd == fd && c->result >= 0)
            run = 0;
        if (is_read(c) && c->fd == fd && c->result == 0 && c->end != 0)
            ended = true;
        if (!is_wait(c) || c->end == 0)
            continue;
        if (c->ready_count == 0 || c->end - c->start > AT_ONCE_NS) {
            run = 0;
            continue;
        }
        ended = ended && c->ready[0].fd == fd;
        run = c->ready[0].fd == fd && c->ready[0].events == events ? run + 1 : 1;
        fd = c->ready[0].fd;
        events = c->ready[0].events;
        last = i;
    }
    if (run < SPIN)
        return false;
    if (events & POLLIN && !is_socket(s, fd))
        return blame(s, last,
                     "%d times in a row it is told that fd %d is readable, and it stays so: who "
                     "has nothing to do must come to rest",
                     run, fd);
    if (events & POLLIN && events & POLLOUT)
        return blame(s, last,
                     "%d times in a row it is told that fd %d is readable and has room, and does "
                     "neither: several events may come at once, each of them a bit",
                     run, fd);
    if (events & POLLIN && trial_next_call(s->t, &first, CALL_listen, fd) != NULL)
        return blame(s, last,
                     "%d times in a row it is told that somebody waits at the listener, and "
                     "accepts nobody",
                     run);
    if (events & POLLIN)
        return blame(s, last,
                     "%d times in a row it is told that fd %d is readable, and it stays so: %s",
                     run, fd,
                     ended ? "end of file has to be read and the client closed, or not asked for"
                           : "ask for that only while you read from this client");
    if (events & POLLOUT)
        return blame(s, last,
                     "%d times in a row it is told that fd %d has room, which an idle client "
                     "always has: ask for that only while something is queued",
                     run, fd);
    return blame(s, last,
                 "%d times in a row it is told of an error of fd %d, and the client is not "
                 "closed",
                 run, fd);
}

/* A wait has told of an error or a hang-up, which stays so until the descriptor is closed. */
static bool hang_up_ignored(struct scene *s)
{
    for (int i = 0; i < s->count; i++)
        for (int j = 0; is_wait(at(s, i)) && j < at(s, i)->ready_count; j++) {
            const struct call_ready *r = &at(s, i)->ready[j];
            if (!(r->events & (POLLERR | POLLHUP)) || (s->fd != -1 && s->fd != r->fd))
                continue;
            int next = i + 1;
            while (next < s->count &&
                   !(at(s, next)->name == CALL_close && at(s, next)->fd == r->fd))
                next++;
            if (next == s->count)
                return blame(s, i, "fd %d is hung up: that client is gone, and never closed",
                             r->fd);
        }
    return false;
}

static bool never_closed(struct scene *s)
{
    for (int i = 0; i < s->count; i++) {
        const struct call *c = at(s, i);
        bool finished, ended = is_read(c) && c->result == 0 && c->size > 0 && c->end != 0;
        if (ended && debt_to(s, c->fd, c->pid, s->numbers[i], &finished) > 0)
            continue; /* what is owed comes first */
        bool gone = ended || (is_read(c) && failed_with(c, ECONNRESET));
        gone = gone || (is_write(c) && (failed_with(c, EPIPE) || failed_with(c, ECONNRESET)));
        if (!gone)
            continue;
        int next = i;
        while ((next = next_on_fd(s, next)) != -1 && at(s, next)->name != CALL_close)
            ;
        if (next == -1)
            return blame(s, i, "the client is done, and fd %d is never closed", c->fd);
    }
    return false;
}

/* A client that has finished sending may still read: what is queued for it is owed. */
static bool closed_in_debt(struct scene *s)
{
    for (int i = 0; i < s->count; i++) {
        const struct call *end = at(s, i);
        if (end->name != CALL_close || end->result != 0)
            continue;
        bool finished = false, debt = false;
        for (int before = i - 1; before >= 0; before--) {
            const struct call *c = at(s, before);
            if (c->fd != end->fd)
                continue;
            if (is_accept(c) || (is_read(c) && failed_with(c, ECONNRESET)))
                break;
            finished = finished || (is_read(c) && c->result == 0);
            if (!is_write(c))
                continue;
            debt = failed_with(c, EAGAIN) || (c->result >= 0 && c->result < c->size);
            break;
        }
        if (finished && debt)
            return blame(s, i,
                         "the client has finished sending, and may still read: what send has "
                         "not taken yet is owed to it");
    }
    return false;
}

static bool is_hung_up(const struct call *c, int fd)
{
    for (int i = 0; is_wait(c) && i < c->ready_count; i++)
        if (c->ready[i].fd == fd && c->ready[i].events & (POLLERR | POLLHUP))
            return true;
    return false;
}

/* A close for which neither the client nor an error gave a reason. */
static bool closed_too_soon(struct scene *s)
{
    if (!says(s, "reset by peer") && !says(s, "closed") && !says(s, "end"))
        return false;
    const char *unsaid = strstr(s->outcome->message, "where it should send");
    if (unsaid != NULL) /* what comes before the close is missing */
        return false;
    for (int i = 0; i < s->count; i++) {
        int fd = at(s, i)->fd;
        if (at(s, i)->name != CALL_close || at(s, i)->result != 0 || !was_accepted(s, fd, i) ||
            is_beyond_sets(s, fd))
            continue;
        bool reason = false;
        for (int before = i - 1; before >= 0 && !reason; before--) {
            const struct call *c = at(s, before);
            reason = (c->fd == fd &&
                      ((is_read(c) && c->result <= 0) || (is_write(c) && c->result < 0))) ||
                     is_hung_up(c, fd);
            if (is_accept(c) && c->result == fd)
                break;
        }
        if (!reason)
            return blame(s, i, "the client is closed here, and had neither finished nor failed");
    }
    return false;
}

/* The wait in which it sleeps, or NULL. */
static const struct call *last_wait(const struct scene *s)
{
    const struct call *c = s->count > 0 ? at(s, s->count - 1) : NULL;
    return c != NULL && c->end == 0 && is_wait(c) && c->value != 0 ? c : NULL;
}

static bool is_closed(const struct scene *s, int fd)
{
    int i = s->count - 1;
    while (i >= 0 && !(at(s, i)->name == CALL_close && at(s, i)->fd == fd) &&
           !(is_accept(at(s, i)) && at(s, i)->result == fd))
        i--;
    return i >= 0 && at(s, i)->name == CALL_close;
}

/* select looks at the descriptors below its first argument. */
static bool above_nfds(struct scene *s)
{
    const struct call *c = last_wait(s), *listens;
    uint64_t first = 0;
    if (c == NULL || (c->name != CALL_select && c->name != CALL_pselect))
        return false;
    if ((listens = trial_next_call(s->t, &first, CALL_listen, -1)) != NULL &&
        c->size <= listens->fd)
        return blame(s, s->count - 1,
                     "it looks at descriptors below %lld, and the listener is %d: the first "
                     "argument is the highest of them + 1",
                     (long long)c->size, listens->fd);
    if (s->fd == -1 || c->size > s->fd || is_closed(s, s->fd))
        return false;
    if (is_beyond_sets(s, s->fd))
        return blame(s, s->count - 1,
                     "no fd_set can hold %d (FD_SETSIZE is %d): all that can be done for this "
                     "client is to close it",
                     s->fd, FD_SETSIZE);
    return blame(s, s->count - 1,
                 "it looks at descriptors below %lld, and this client's is %d: the first argument "
                 "is the highest of them + 1",
                 (long long)c->size, s->fd);
}

/* A client whom it owes something, if all are looked at: those who read all the time. */
static int whoever_is_owed(const struct scene *s)
{
    const struct call *c;
    bool finished;
    for (uint64_t n = 0; (c = trial_next_call(s->t, &n, CALL_NAMES, -1)) != NULL; n++)
        if (is_accept(c) && c->result >= 0 && !is_closed(s, (int)c->result) &&
            debt_to(s, (int)c->result, c->pid, UINT64_MAX, &finished) > 0)
            return (int)c->result;
    return -1;
}

/* It owes the client nothing, and sleeps; or it owes something, and sleeps as well. */
static bool not_watched(struct scene *s)
{
    const struct call *c = last_wait(s);
    if (c == NULL || !says(s, "in vain for") || (s->fd == -1 && !says(s, "a byte to move")))
        return false;
    bool epoll = c->name > CALL_ppoll, finished;
    int fd = s->fd == -1 ? whoever_is_owed(s) : s->fd;
    if (fd == -1 || is_closed(s, fd) || (epoll && registered(s, fd) & EPOLLOUT))
        return false;
    int64_t owed = debt_to(s, fd, c->pid, UINT64_MAX, &finished);
    if (owed > 0)
        return blame(s, s->count - 1,
                     "it has received %s bytes that it has not sent, and does not wait for fd %d "
                     "to take them",
                     grouped(owed), fd);
    return !epoll && owed == 0 && !finished &&
           blame(s, s->count - 1,
                 "fd %d has something to read, and is not among those that it waits for%s", fd,
                 c->name == CALL_select || c->name == CALL_pselect
                     ? ": the sets hold the last answer until they are made anew"
                     : "");
}

/* It was to stop, and a thread sleeps on. */
static bool thread_not_woken(struct scene *s)
{
    if (!says(s, "asked to stop (SIGTERM), and did not") ||
        trial_count(s->t, CALL_pthread_create) == 0)
        return false;
    int asleep = -1; /* in send, if there is one: that is the harder case */
    for (int i = 0; i < s->count; i++)
        if (at(s, i)->end == 0 && (is_write(at(s, i)) || (is_read(at(s, i)) && asleep == -1)))
            asleep = i;
    if (asleep == -1 || !was_accepted(s, at(s, asleep)->fd, asleep))
        return false;
    uint64_t later = s->numbers[asleep];
    bool shut = trial_next_call(s->t, &later, CALL_shutdown, at(s, asleep)->fd) != NULL;
    return blame(s, asleep,
                 shut ? "its thread sleeps on: this side of the connection was not shut down; "
                        "SHUT_RDWR ends recv and send"
                      : "its thread sleeps on, and nobody wakes it: shutdown of its descriptor "
                        "would (SHUT_RDWR)");
}

static bool is_told_or_collected(const struct scene *s, int64_t pid)
{
    const struct call *c;
    for (uint64_t n = 0; (c = trial_next_call(s->t, &n, CALL_NAMES, -1)) != NULL; n++)
        if ((c->name == CALL_kill && (c->fd == pid || c->fd <= 0)) ||
            ((c->name == CALL_wait || c->name == CALL_waitpid) && c->result == pid))
            return true;
    return false;
}

/* It was to stop, and waits for a process that it has told nothing. */
static bool worker_forgotten(struct scene *s)
{
    if (!says(s, "asked to stop (SIGTERM), and did not") || trial_count(s->t, CALL_kill) == 0)
        return false;
    for (int i = 0; i < s->count; i++)
        if (at(s, i)->name == CALL_fork && at(s, i)->result > 0 &&
            !is_told_or_collected(s, at(s, i)->result))
            return blame(s, i,
                         "this one, process %lld, was neither collected nor told to end: nobody "
                         "knows of it any more",
                         (long long)at(s, i)->result);
    return false;
}

/* A client waits for something: it is true of nobody else that the sleep is wrong. */
static bool last_call(struct scene *s)
{
    int last = s->count - 1;
    if (last < 0 || !(says(s, "in vain for a byte") || says(s, "in vain for an echo") ||
                      says(s, "in vain for end of file")))
        return false;
    const struct call *c = at(s, last);
    bool sleeps = (is_wait(c) && c->value != 0) || is_read(c) || is_write(c) || is_accept(c);
    if (c->end == 0 && sleeps && !s->t->blocking)
        return blame(s, last, "here it sleeps, and the client waits in vain");
    return false;
}

/* What ends a program: its last calls tell, whoever's they are. */
static bool (*const ends[])(struct scene *s) = {
    died_of_sigpipe, killed_itself, eintr_ended_it, accept_error_ended_it, one_client_ended_it,
};

static bool (*const mistakes[])(struct scene *s) = {
    thread_not_woken,
    worker_forgotten,
    eintr_taken_for_an_error,
    eagain_taken_for_an_error,
    closed_twice,
    above_nfds,
    short_write_ignored,
    hang_up_ignored,
    spins,
    never_waits,
    edge_not_drained,
    sleeps_for_one_client,
    never_closed,
    closed_in_debt,
    closed_too_soon,
    not_watched,
    last_call,
};

/* ---- telling ------------------------------------------------------------------------------------- */

static const char *const names[] = {
#define NAME(name) #name,
    RECORD_CALLS(NAME)
#undef NAME
};

/* The event bits have the same values for poll and epoll. */
static void add_events(char *text, size_t size, const struct call *c, const struct scene *s)
{
    for (int i = 0; i < c->ready_count; i++) {
        const struct call_ready *r = &c->ready[i];
        size_t length = strlen(text);
        snprintf(text + length, size - length, "%sfd %d%s%s%s%s%s", i == 0 ? ": " : ", ", r->fd,
                 r->events & POLLIN ? " readable" : "", r->events & POLLOUT ? " writable" : "",
                 r->events & (POLLHUP | POLLRDHUP) ? " hung up" : "",
                 r->events & POLLERR ? " error" : "",
                 c->name >= CALL_epoll_wait && registered(s, r->fd) & EPOLLET ? " (edge)" : "");
    }
    if (c->result > c->ready_count && c->ready_count > 0) {
        size_t length = strlen(text);
        snprintf(text + length, size - length, ", ...");
    }
}

/* "SOL_SOCKET, SO_RCVBUF"; numbers where nobody in the kit knows the name. */
static const char *option_name(int64_t level, int64_t option)
{
    static const struct {
        int level, option;
        const char *name;
    } known[] = {
#define OPTION(level, option) {level, option, #level ", " #option}
        OPTION(SOL_SOCKET, SO_REUSEADDR),       OPTION(SOL_SOCKET, SO_REUSEPORT),
        OPTION(SOL_SOCKET, SO_KEEPALIVE),       OPTION(SOL_SOCKET, SO_RCVBUF),
        OPTION(SOL_SOCKET, SO_SNDBUF),          OPTION(SOL_SOCKET, SO_LINGER),
        OPTION(SOL_SOCKET, SO_ERROR),           OPTION(SOL_SOCKET, SO_RCVTIMEO),
        OPTION(SOL_SOCKET, SO_SNDTIMEO),        OPTION(IPPROTO_TCP, TCP_NODELAY),
        OPTION(IPPROTO_TCP, TCP_KEEPIDLE),      OPTION(IPPROTO_TCP, TCP_KEEPINTVL),
        OPTION(IPPROTO_TCP, TCP_KEEPCNT),       OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),
        OPTION(IPPROTO_TCP, TCP_NOTSENT_LOWAT), OPTION(IPPROTO_TCP, TCP_INFO),
#undef OPTION
    };
    static char other[64];
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].level == level && known[i].option == option)
            return known[i].name;
    snprintf(other, sizeof other, "%s, %lld",
             level == SOL_SOCKET    ? "SOL_SOCKET"
             : level == IPPROTO_TCP ? "IPPROTO_TCP"
                                    : "another level",
             (long long)option);
    return other;
}

/* The flags of F_GETFL and F_SETFL: "O_RDWR|O_NONBLOCK"; "0" for none. */
static const char *flag_names(int64_t flags)
{
    static char text[64];
    snprintf(text, sizeof text, "%s%s%s", (flags & O_ACCMODE) == O_RDWR ? "|O_RDWR" : "",
             flags & O_NONBLOCK ? "|O_NONBLOCK" : "", flags & O_APPEND ? "|O_APPEND" : "");
    return text[0] == '\0' ? "0" : text + 1;
}

/* "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK)"; a command that nobody in the kit uses by its number. */
static void render_fcntl(const struct call *c, char *text, size_t size)
{
    if (c->size == F_GETFL)
        snprintf(text, size, "fcntl(%d, F_GETFL)", c->fd);
    else if (c->size == F_SETFL)
        snprintf(text, size, "fcntl(%d, F_SETFL, %s)", c->fd, flag_names(c->value));
    else if (c->size == F_GETFD)
        snprintf(text, size, "fcntl(%d, F_GETFD)", c->fd);
    else if (c->size == F_SETFD)
        snprintf(text, size, "fcntl(%d, F_SETFD, %s)", c->fd,
                 c->value == 0            ? "0"
                 : c->value == FD_CLOEXEC ? "FD_CLOEXEC"
                                          : grouped(c->value));
    else
        snprintf(text, size, "fcntl(%d, %lld)", c->fd, (long long)c->size);
}

static void render(const struct call *c, char *text, size_t size, const struct scene *s)
{
    if (is_wait(c) && c->value >= 0)
        snprintf(text, size, "%s(%s ms)", names[c->name], grouped(c->value));
    else if (is_wait(c))
        snprintf(text, size, "%s", names[c->name]);
    else if (c->name == CALL_setsockopt || c->name == CALL_getsockopt)
        snprintf(text, size, "%s(%d, %s)", names[c->name], c->fd, option_name(c->value, c->size));
    else if (c->name == CALL_fcntl)
        render_fcntl(c, text, size);
    else if (is_read(c) || is_write(c))
        snprintf(text, size, "%s(%d, %s bytes)", names[c->name], c->fd, grouped(c->size));
    else if (c->name == CALL_epoll_ctl)
        snprintf(text, size, "epoll_ctl(%s %d%s%s%s%s)",
                 c->size == EPOLL_CTL_ADD   ? "ADD"
                 : c->size == EPOLL_CTL_MOD ? "MOD"
                                            : "DEL",
                 c->fd, c->value & EPOLLIN ? " IN" : "", c->value & EPOLLOUT ? " OUT" : "",
                 c->value & EPOLLET ? " ET" : "", c->value & EPOLLONESHOT ? " ONESHOT" : "");
    else if (c->fd != -1)
        snprintf(text, size, "%s(%d)", names[c->name], c->fd);
    else
        snprintf(text, size, "%s()", names[c->name]);
    size_t length = strlen(text);
    if (c->end == 0)
        snprintf(text + length, size - length, " ... %s",
                 has_ended(s)                                             ? "did not return"
                 : says(s, "is running") || (is_wait(c) && c->value == 0) ? "under way"
                                                                          : "asleep");
    else if (c->result == -1)
        snprintf(text + length, size - length, " = -1 %s%s",
                 c->error != 0 ? strerrorname_np(c->error) : "?",
                 c->fault != 0 ? " (injected)" : "");
    else if (is_wait(c))
        snprintf(text + length, size - length, " -> %lld ready", (long long)c->result);
    else if (c->name == CALL_fcntl && c->size == F_GETFL)
        snprintf(text + length, size - length, " = %s", flag_names(c->result));
    else
        snprintf(text + length, size - length, " = %s%s",
                 c->name == CALL_fork ? "a process" : grouped(c->result),
                 c->fault != 0 ? " (cut short)" : "");
    if (is_wait(c))
        add_events(text, size, c, s);
}

static bool names_fd(const struct call *c, int fd)
{
    for (int i = 0; i < c->ready_count; i++)
        if (c->ready[i].fd == fd)
            return true;
    return false;
}

/* A call that a client's story needs: its own, and the waits that told of it, or of nobody. */
static bool concerns(const struct call *c, int fd, int pid)
{
    if (fd == -1)
        return true;
    if (c->pid != pid)
        return false;
    if (is_wait(c))
        return names_fd(c, fd) || c->ready_count == 0 || c->end == 0;
    return c->fd == fd || (is_accept(c) && c->result == fd) || c->end == 0;
}

static void gather(struct scene *s)
{
    const struct call *c;
    uint64_t ring = 0;
    for (uint64_t n = 0; (c = trial_next_call(s->t, &n, CALL_NAMES, -1)) != NULL; n++)
        if (concerns(c, s->fd, s->pid))
            s->numbers[ring++ % RELATED] = n;
    s->count = ring < RELATED ? (int)ring : RELATED;
    if (ring <= RELATED)
        return;
    uint64_t ordered[RELATED];
    for (int i = 0; i < RELATED; i++)
        ordered[i] = s->numbers[(ring + (uint64_t)i) % RELATED];
    memcpy(s->numbers, ordered, sizeof ordered);
}

static void add_line(struct outcome *o, const char *text)
{
    if (o->story_count < OUTCOME_LINES)
        snprintf(o->story[o->story_count++], OUTCOME_WIDTH, "%.*s", OUTCOME_WIDTH - 1, text);
}

static void tell(const struct scene *s, struct outcome *o)
{
    int marked = s->count;
    for (int i = 0; i < s->count; i++)
        if (s->reason[0] != '\0' && s->numbers[i] == s->marked)
            marked = i;
    int first = marked > BEFORE ? marked - BEFORE : 0;
    char before[OUTCOME_WIDTH] = "";
    int repeated = 0;
    for (int i = first; i < s->count && i <= marked + AFTER; i++) {
        char line[OUTCOME_WIDTH], told[OUTCOME_WIDTH * 2 + 8];
        render(at(s, i), line, sizeof line, s);
        if (i != marked && strcmp(line, before) == 0) {
            repeated++;
            continue;
        }
        if (repeated > 0) {
            snprintf(told, sizeof told, "  ... %d more of the same", repeated);
            add_line(o, told);
        }
        repeated = 0;
        if (i == marked)
            snprintf(told, sizeof told, "> %s: %s", line, s->reason);
        else
            snprintf(told, sizeof told, "  %s", line);
        add_line(o, told);
        snprintf(before, sizeof before, "%s", line);
    }
}

/* Look for what ended the program; if nothing did, the scene is the client's again. */
static bool look_for_end(struct scene *s)
{
    int fd = s->fd;
    s->fd = -1;
    gather(s);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (ends[i](s))
            return true;
    s->fd = fd;
    gather(s);
    return false;
}

void story_tell(struct trial *t, const struct call *accepted, struct outcome *outcome,
                uint64_t marked, const char *mark)
{
    static struct scene scene;
    if (t->record == NULL || atomic_load(&t->record->next) == 0)
        return;
    scene = (struct scene){.t = t,
                           .outcome = outcome,
                           .fd = accepted == NULL ? -1 : (int)accepted->result,
                           .pid = accepted == NULL ? 0 : accepted->pid};
    gather(&scene);
    if (marked > 0) {
        scene.marked = marked - 1;
        snprintf(scene.reason, sizeof scene.reason, "%s", mark);
        bool there = false;
        for (int i = 0; i < scene.count; i++)
            there = there || scene.numbers[i] == scene.marked;
        if (!there) { /* it is another client's: tell of all */
            scene.fd = -1;
            gather(&scene);
        }
    } else {
        /* What a sanitizer has found it tells better than any call. */
        bool told = says(&scene, "a sanitizer ") || (has_ended(&scene) && look_for_end(&scene));
        for (size_t i = 0; !told && i < sizeof mistakes / sizeof mistakes[0]; i++)
            told = mistakes[i](&scene);
    }
    tell(&scene, outcome);
}
