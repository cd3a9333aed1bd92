/*
 * Grader of 11-socket-options.
 *
 * The driver (apply.c) makes sockets with the student's functions, prints what profile_read says of
 * them, and holds them open.  What they really are the grader asks the kernel itself, on descriptors
 * that it borrows from the running program: see pidfd_getfd(2).  Where that is not allowed, what the
 * driver prints has to do, and the proof says so.  When an option was set, the record tells.
 */

#include "grader/grade.h"

#include "clock.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SMALL = 16384, /* a receive buffer whose window needs no scaling */
    IDLE_S = 60,
    INTERVAL_S = 10,
    COUNT = 3,
    USER_TIMEOUT_MS = 90000,
    UNSENT_LOW = 16384
};

/* ---- what is known of a socket ------------------------------------------------------------------ */

enum row {
    REUSE,
    NODELAY,
    KEEPALIVE,
    IDLE,
    INTERVAL,
    PROBES,
    TIMEOUT,
    UNSENT,
    RECEIVE,
    SEND,
    ROWS
};

static const struct {
    const char *name;
    int level, option;
    const char *unit;
} rows[ROWS] = {
    [REUSE] = {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, ""},
    [NODELAY] = {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, ""},
    [KEEPALIVE] = {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, ""},
    [IDLE] = {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, " s"},
    [INTERVAL] = {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, " s"},
    [PROBES] = {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, ""},
    [TIMEOUT] = {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, " ms"},
    [UNSENT] = {"TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, " bytes"},
    [RECEIVE] = {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, " bytes"},
    [SEND] = {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, " bytes"},
};

/* A socket of the driver, as it was when the driver printed it. */
struct seen {
    char what[32];     /* "connection", "listener", "accepted"; or what has been done to it since */
    int fd;            /* its number in the program */
    int kernel[ROWS];  /* what getsockopt tells */
    int read[ROWS];    /* what profile_read makes of it */
    bool capped[ROWS]; /* and whether it says that it was capped */
    int scale;         /* the factor of its window, as a power of 2 */
};

static bool borrowed; /* the kernel's values are the grader's own */

static int get(int fd, int level, int option)
{
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, option, &value, &length) == 0 ? value : -1;
}

static int window_scale(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(&info, 0, sizeof info);
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    return info.tcpi_rcv_wscale;
}

/* Ask the kernel instead of believing what the driver printed. */
static void look_from_outside(const struct trial *t, struct seen *s)
{
    int process = (int)syscall(SYS_pidfd_open, t->s.pid, 0);
    int fd = process == -1 ? -1 : (int)syscall(SYS_pidfd_getfd, process, s->fd, 0);
    borrowed = fd != -1;
    for (int i = 0; borrowed && i < ROWS; i++)
        s->kernel[i] = get(fd, rows[i].level, rows[i].option);
    if (borrowed)
        s->scale = window_scale(fd);
    if (fd != -1)
        close(fd);
    if (process != -1)
        close(process);
}

/* ---- the calls that the program made ------------------------------------------------------------ */

/* The last setsockopt of an option on a descriptor (or any, -1), or NULL; *number is its number. */
static const struct call *find_set(struct trial *t, int fd, int level, int option, uint64_t *number)
{
    const struct call *c, *last = NULL;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_setsockopt, fd)) != NULL; n++)
        if (c->value == level && c->size == option) {
            last = c;
            *number = n;
        }
    return last;
}

/* Why the driver gives up: the first call that failed, which is marked.  If none did, a buffer may be
 * smaller than it was asked for. */
static const char *why_it_gave_up(struct trial *t)
{
    static const enum call_name names[] = {CALL_setsockopt, CALL_getsockopt};
    for (int i = 0; i < 2; i++) {
        const struct call *c;
        for (uint64_t n = 0; (c = trial_next_call(t, &n, (int)names[i], -1)) != NULL; n++) {
            if (c->result != -1)
                continue;
            trial_mark(t, n, "here it fails");
            return c->error == EFAULT ? "the option's value is handed over by its address"
                   : c->error == EINVAL
                       ? "an option's value or size is refused: they are ints (sizeof is 4), and "
                         "TCP_KEEPIDLE is in seconds, 32767 at most"
                   : c->value == SOL_SOCKET
                       ? "no such option in SOL_SOCKET: the level of TCP_... is IPPROTO_TCP"
                       : "the level of SO_... is SOL_SOCKET";
        }
    }
    uint64_t number;
    if (find_set(t, -1, SOL_SOCKET, SO_RCVBUF, &number) == NULL)
        return "no option was refused";
    trial_mark(t, number, "this worked, and it gave up all the same");
    return "no option was refused; that a buffer is smaller than was asked for is no failure";
}

/* ---- running the driver ------------------------------------------------------------------------- */

static void parse_row(const char *line, struct seen *s)
{
    char name[32], capped[16] = "";
    int kernel, read;
    int fields = sscanf(line, "%31s %d %d %15s", name, &kernel, &read, capped);
    for (int i = 0; fields >= 3 && i < ROWS; i++)
        if (strcmp(name, rows[i].name) == 0) {
            s->kernel[i] = kernel;
            s->read[i] = read;
            s->capped[i] = strcmp(capped, "capped") == 0;
        }
    sscanf(line, "window scale %d", &s->scale);
}

/* What the driver prints of a socket: a heading, the columns' names, the rows, an empty line. */
static bool read_socket(struct trial *t, struct seen *s)
{
    char line[256];
    memset(s, 0, sizeof *s);
    if (!trial_read_line(t, line, sizeof line))
        return false;
    if (sscanf(line, "%31[a-z], descriptor %d", s->what, &s->fd) != 2)
        return trial_fail(t, -1, "a line of its output is not the driver's: %s", line);
    do {
        if (!trial_read_line(t, line, sizeof line))
            return false;
        parse_row(line, s);
    } while (line[0] != '\0');
    return true;
}

/* Start the driver, and read what it says of so many sockets; it goes on holding them open. */
static bool show(struct trial *t, const char *const arguments[], struct seen *sockets, int count)
{
    char command[160] = "apply";
    for (int i = 0; arguments[i] != NULL; i++) {
        size_t length = strlen(command);
        snprintf(command + length, sizeof command - length, " %s", arguments[i]);
    }
    trial_step(t, "%s", command);
    if (!trial_spawn(t, "apply", arguments))
        return false;
    int ready = 0;
    if (!trial_ok(t, -1, wait_ready(t->out, POLLIN, wait_deadline(), "a line of its output")))
        return false;
    if (ioctl(t->out, FIONREAD, &ready) == 0 && ready == 0) {
        return trial_fail(t, -1, "it gave up, and there is no socket to look at: %s",
                          why_it_gave_up(t));
    }
    for (int i = 0; i < count; i++)
        if (!read_socket(t, &sockets[i]))
            return false;
    for (int i = 0; i < count; i++) /* of one that was printed twice it is too late for the first */
        if (i + 1 == count || sockets[i].fd != sockets[i + 1].fd)
            look_from_outside(t, &sockets[i]);
    return true;
}

/* What a proof rests on. */
static const char *source(void)
{
    return borrowed ? "by the kernel's word"
                    : "as the driver printed it: pidfd_getfd is not allowed on this machine";
}

/* ---- expectations ------------------------------------------------------------------------------- */

/* Whether the kernel's value of an option is right. */
static bool expect(struct trial *t, const struct seen *s, enum row row, int wanted)
{
    const char *name = rows[row].name, *unit = rows[row].unit;
    const int level = rows[row].level, option = rows[row].option, other = SOL_SOCKET + IPPROTO_TCP;
    uint64_t number;
    if (s->kernel[row] == wanted)
        return true;
    const char *why = "it was never set";
    if (find_set(t, -1, level, option, &number) != NULL) {
        why = "this is what it was set to";
        trial_mark(t, number, "%s of the %s is %d%s now, and should be %d", name, s->what,
                   s->kernel[row], unit, wanted);
    } else if (find_set(t, -1, other - level, option, &number) != NULL) {
        why = "it was set in the wrong level";
        trial_mark(t, number, "%s is an option of %s", name,
                   level == SOL_SOCKET ? "SOL_SOCKET" : "IPPROTO_TCP");
    } else if (row == REUSE && find_set(t, -1, SOL_SOCKET, SO_REUSEPORT, &number) != NULL) {
        why = "SO_REUSEPORT was set instead";
        trial_mark(t, number,
                   "this lets several live listeners have the port; it is SO_REUSEADDR "
                   "that lets bind have one with connections in TIME_WAIT");
    }
    return trial_fail(t, -1, "%s of the %s is %d%s where the profile says %d%s: %s", name, s->what,
                      s->kernel[row], unit, wanted, unit, why);
}

/* Buffers are doubled by the kernel. */
static bool expect_buffers(struct trial *t, const struct seen *s, int bytes)
{
    return expect(t, s, RECEIVE, 2 * bytes) && expect(t, s, SEND, 2 * bytes);
}

static bool expect_patience(struct trial *t, const struct seen *s)
{
    return expect(t, s, KEEPALIVE, 1) && expect(t, s, IDLE, IDLE_S) &&
           expect(t, s, INTERVAL, INTERVAL_S) && expect(t, s, PROBES, COUNT) &&
           expect(t, s, TIMEOUT, USER_TIMEOUT_MS);
}

static bool expect_interactive(struct trial *t, const struct seen *s)
{
    return expect(t, s, REUSE, 0) && expect(t, s, NODELAY, 1) && expect_patience(t, s) &&
           expect(t, s, UNSENT, UNSENT_LOW);
}

static bool expect_bulk(struct trial *t, const struct seen *s, int bytes)
{
    return expect(t, s, REUSE, 0) && expect(t, s, NODELAY, 0) && expect(t, s, KEEPALIVE, 0) &&
           expect(t, s, TIMEOUT, 0) && expect(t, s, UNSENT, 0) && expect_buffers(t, s, bytes);
}

/* A size that nobody can have known: small enough for the usual net.core.rmem_max. */
static int some_size(void)
{
    return 65536 + 16 * (int)(clock_now() / 1000 % 4096);
}

static const char *text_of(int number)
{
    static char text[4][16];
    static int next;
    next = (next + 1) % 4;
    snprintf(text[next], sizeof text[next], "%d", number);
    return text[next];
}

/* ---- the checks --------------------------------------------------------------------------------- */

static void judge_interactive(struct trial *t)
{
    struct seen s;
    uint64_t number;
    trial_expect(t, "a connection without Nagle, which notices a peer that is gone, and has few "
                    "unsent bytes in the kernel");
    if (!show(t, SUBJECT_ARGS("--profile", "interactive"), &s, 1) || !expect_interactive(t, &s))
        return;
    if (find_set(t, s.fd, SOL_SOCKET, SO_RCVBUF, &number) != NULL ||
        find_set(t, s.fd, SOL_SOCKET, SO_SNDBUF, &number) != NULL) {
        trial_mark(t, number, "a buffer that was set is no longer tuned by the kernel");
        trial_fail(t, -1, "a buffer's size was set, which this profile leaves to the kernel");
        return;
    }
    trial_pass(t,
               "TCP_NODELAY 1, SO_KEEPALIVE 1 (%d s, %d s, %d), TCP_USER_TIMEOUT %d ms, "
               "TCP_NOTSENT_LOWAT %d bytes, %s",
               s.kernel[IDLE], s.kernel[INTERVAL], s.kernel[PROBES], s.kernel[TIMEOUT],
               s.kernel[UNSENT], source());
}

static void judge_bulk(struct trial *t)
{
    struct seen s;
    const int size = some_size();
    trial_expect(t,
                 "a connection with Nagle, without keepalive, and both buffers %d bytes, "
                 "which the kernel doubles",
                 size);
    if (show(t, SUBJECT_ARGS("--profile", "bulk", "--buffer", text_of(size)), &s, 1) &&
        expect_bulk(t, &s, size))
        trial_pass(t,
                   "TCP_NODELAY 0, SO_KEEPALIVE 0, SO_RCVBUF %d and SO_SNDBUF %d bytes: twice "
                   "%d, %s",
                   s.kernel[RECEIVE], s.kernel[SEND], size, source());
}

static void judge_server(struct trial *t)
{
    struct seen s[2];
    const int size = some_size();
    trial_expect(t, "a listener with SO_REUSEADDR, and both buffers %d bytes", size);
    if (show(t, SUBJECT_ARGS("--profile", "server", "--buffer", text_of(size)), s, 2) &&
        expect(t, &s[0], REUSE, 1) && expect_buffers(t, &s[0], size))
        trial_pass(t, "the listener has SO_REUSEADDR 1, SO_RCVBUF %d and SO_SNDBUF %d bytes, %s",
                   s[0].kernel[RECEIVE], s[0].kernel[SEND], source());
}

static void judge_inherited(struct trial *t)
{
    struct seen s[2];
    const int size = some_size();
    trial_expect(t, "that an accepted connection has the profile, from its listener");
    if (show(t, SUBJECT_ARGS("--profile", "server", "--buffer", text_of(size)), s, 2) &&
        expect(t, &s[1], NODELAY, 1) && expect_patience(t, &s[1]) && expect_buffers(t, &s[1], size))
        trial_pass(t,
                   "the accepted connection has TCP_NODELAY 1, SO_KEEPALIVE 1 (%d s, %d s, %d), "
                   "and %d bytes of SO_RCVBUF, %s",
                   s[1].kernel[IDLE], s[1].kernel[INTERVAL], s[1].kernel[PROBES],
                   s[1].kernel[RECEIVE], source());
}

/* Whether an option was set before a call was made on the same descriptor. */
static bool expect_before(struct trial *t, int fd, enum row row, enum call_name call,
                          const char *call_name, const char *why)
{
    uint64_t number = 0, set;
    if (trial_next_call(t, &number, (int)call, fd) == NULL)
        return trial_fail(t, -1, "there was no %s(%d)", call_name, fd);
    if (find_set(t, fd, rows[row].level, rows[row].option, &set) == NULL)
        return trial_fail(t, -1, "%s was never set on descriptor %d", rows[row].name, fd);
    if (set < number)
        return true;
    trial_mark(t, set, "after %s: %s", call_name, why);
    return trial_fail(t, -1, "%s was set after %s: %s", rows[row].name, call_name, why);
}

/* The factor of a window whose buffer nobody has set; 0: this machine scales none. */
static int usual_scale(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int lfd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int scale = -1;
    if (bind(lfd, (struct sockaddr *)&at, length) == 0 && listen(lfd, 1) == 0 &&
        getsockname(lfd, (struct sockaddr *)&at, &length) == 0 &&
        connect(fd, (struct sockaddr *)&at, length) == 0)
        scale = window_scale(fd);
    close(fd);
    close(lfd);
    return scale;
}

/* A window of 16 KB is not scaled, if the handshake knew of it. */
static bool expect_no_scale(struct trial *t, const struct seen *s)
{
    int usual = usual_scale();
    if (usual == -1)
        return trial_fault(t, "cannot connect to a listener of the grader: %s", strerror(errno));
    return usual == 0 || s->scale == 0 ||
           trial_fail(t, -1,
                      "the handshake did not know of SO_RCVBUF %d: it agreed on a scale of "
                      "2^%d for the window of the %s, and 2^0 is enough",
                      SMALL, s->scale, s->what);
}

static void judge_before_connect(struct trial *t)
{
    static const char why[] = "the handshake was over, and with it the window's scale agreed on";
    struct seen s;
    trial_expect(t, "SO_RCVBUF before connect: a window of 16 KB, which no handshake scales");
    if (show(t, SUBJECT_ARGS("--profile", "bulk", "--buffer", text_of(SMALL)), &s, 1) &&
        expect_before(t, s.fd, RECEIVE, CALL_connect, "connect", why) && expect_no_scale(t, &s))
        trial_pass(t,
                   "set before connect: the window's scale is 2^%d, and 2^%d where SO_RCVBUF is "
                   "not set, %s",
                   s.scale, usual_scale(), source());
}

static void judge_before_listen(struct trial *t)
{
    static const char late[] = "a client may have come by then, with the window's scale agreed on";
    struct seen s[2];
    trial_expect(t, "SO_REUSEADDR before bind, and SO_RCVBUF before listen");
    if (show(t, SUBJECT_ARGS("--profile", "server", "--buffer", text_of(SMALL)), s, 2) &&
        expect_before(t, s[0].fd, REUSE, CALL_bind, "bind", "bind had to decide without it") &&
        expect_before(t, s[0].fd, RECEIVE, CALL_listen, "listen", late) &&
        expect_no_scale(t, &s[1]))
        trial_pass(t,
                   "SO_REUSEADDR came before bind, SO_RCVBUF before listen: an accepted "
                   "connection has a scale of 2^%d, and 2^%d where it is not set, %s",
                   s[1].scale, usual_scale(), source());
}

/* Whether profile_read said the same as the kernel. */
static bool expect_same(struct trial *t, const struct seen *s)
{
    for (int i = 0; i < ROWS; i++) {
        const int told = s->kernel[i], read = s->read[i];
        const char *name = rows[i].name, *unit = rows[i].unit;
        if (i >= RECEIVE && read == told)
            return trial_fail(t, -1,
                              "profile_read says %d bytes of %s: that is what the kernel "
                              "tells, which is twice what was asked for (%d)",
                              read, name, told / 2);
        if (read != (i >= RECEIVE ? told / 2 : told))
            return trial_fail(t, -1,
                              "%s: profile_read says that %s is %d%s, and the kernel that it "
                              "is %d%s",
                              s->what, name, read, unit, told, unit);
    }
    return true;
}

static void judge_read_back(struct trial *t)
{
    struct seen s[2];
    const int size = some_size();
    trial_expect(t,
                 "that profile_read says what is, also of options that somebody else has changed");
    if (show(t, SUBJECT_ARGS("--profile", "bulk", "--buffer", text_of(size), "--change"), s, 2) &&
        expect_same(t, &s[0]) && expect_same(t, &s[1]))
        trial_pass(t,
                   "all %d options as the kernel has them, before and after a change; buffers as "
                   "asked for: %d of %d bytes",
                   ROWS, s[0].read[RECEIVE], s[0].kernel[RECEIVE]);
}

/* What the kernel gives to whoever asks for too much, in the bytes asked for. */
static int most_of(int option)
{
    const int much = 1 << 29;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, option, &much, sizeof much);
    int most = get(fd, SOL_SOCKET, option) / 2;
    close(fd);
    return most;
}

static bool expect_capped(struct trial *t, const struct seen *s, enum row row, int most,
                          bool capped)
{
    if (!expect(t, s, row, 2 * most))
        return false;
    if (s->capped[row] == capped && s->read[row] == most)
        return true;
    return trial_fail(t, -1, "profile_read says %d bytes of %s%s; the kernel gives %d%s",
                      s->read[row], rows[row].name, s->capped[row] ? ", capped" : ", not capped",
                      most, capped ? " of those asked for: it is capped" : ", as asked for");
}

static void judge_capped(struct trial *t)
{
    struct seen s;
    const int size = some_size(), receive = most_of(SO_RCVBUF), send = most_of(SO_SNDBUF);
    const int much = (receive > send ? receive : send) + size;
    if (receive < size || send < size || much > 1 << 29) {
        trial_fault(t, "net.core.rmem_max and wmem_max are too small or too large to judge it");
        return;
    }
    trial_expect(t,
                 "a connection with the %d and %d bytes that net.core.rmem_max and wmem_max "
                 "allow, reported as capped",
                 receive, send);
    if (!show(t, SUBJECT_ARGS("--profile", "bulk", "--buffer", text_of(much)), &s, 1) ||
        !expect_capped(t, &s, RECEIVE, receive, true) || !expect_capped(t, &s, SEND, send, true))
        return;
    trial_expect(t, "and %d bytes, which nothing caps", size);
    if (show(t, SUBJECT_ARGS("--profile", "bulk", "--buffer", text_of(size)), &s, 1) &&
        expect_capped(t, &s, RECEIVE, size, false) && expect_capped(t, &s, SEND, size, false))
        trial_pass(t, "of %d bytes %d were given, capped; of %d all", much, receive, size);
}

static void judge_switching(struct trial *t)
{
    struct seen s[2];
    const int size = some_size();
    trial_expect(t, "the new profile whole, and nothing of the old one");
    if (show(t,
             SUBJECT_ARGS("--profile", "interactive", "--then", "bulk", "--buffer", text_of(size)),
             s, 2) &&
        expect_interactive(t, &s[0]) && expect_bulk(t, &s[1], size) &&
        show(t, SUBJECT_ARGS("--profile", "bulk", "--then", "interactive"), s, 2) &&
        expect_interactive(t, &s[1]) &&
        show(t, SUBJECT_ARGS("--profile", "bulk", "--then", "bulk", "--buffer", text_of(size)), s,
             2) &&
        expect_bulk(t, &s[1], size))
        trial_pass(t,
                   "interactive, then bulk: nothing is left of the first; bulk, then interactive; "
                   "bulk twice is bulk once");
}

/* One line of what the driver prints of what cannot work. */
struct failure {
    const char *function, *what;
    int error; /* EOPNOTSUPP: or whatever else the kernel may say */
    enum call_name call;
};

/* Mark the call that fails with this error. */
static void mark_failure(struct trial *t, const struct failure *f, const char *why)
{
    const struct call *c;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, (int)f->call, -1)) != NULL; n++)
        if (c->result == -1 && c->error == f->error) {
            trial_mark(t, n, "%s", why);
            return;
        }
}

static bool expect_failure(struct trial *t, const struct failure *f)
{
    char begin[80], answer[80] = "";
    int length = snprintf(begin, sizeof begin, "%-16s %-36s", f->function, f->what), result = 0;
    const char *line = strstr(t->text, begin);
    if (line == NULL)
        return trial_fail(t, -1, "there is no answer of %s for %s", f->function, f->what);
    sscanf(line + length, "%d %79[^\n]", &result, answer);
    if (result == -1 && (strcmp(answer, strerror(f->error)) == 0 ||
                         (f->error == EOPNOTSUPP && strcmp(answer, strerror(ENOSYS)) != 0)))
        return true;
    mark_failure(t, f, "this failed, and errno said why");
    if (result == -1)
        return trial_fail(t, -1, "%s of %s returned -1 with \"%s\" in errno, and not \"%s\"",
                          f->function, f->what, answer, strerror(f->error));
    return trial_fail(t, -1, "%s of %s returned %d, as if it had worked", f->function, f->what,
                      result);
}

static void judge_errors(struct trial *t)
{
    static const struct failure failures[] = {
        {"profile_apply", "a pipe", ENOTSOCK, CALL_setsockopt},
        {"profile_read", "a pipe", ENOTSOCK, CALL_getsockopt},
        {"profile_apply", "a closed descriptor", EBADF, CALL_setsockopt},
        {"profile_read", "a closed descriptor", EBADF, CALL_getsockopt},
        {"profile_apply", "a Unix socket", EOPNOTSUPP, CALL_setsockopt},
        {"profile_read", "a Unix socket", EOPNOTSUPP, CALL_getsockopt},
        {"profile_listen", "a port where somebody listens", EADDRINUSE, CALL_bind},
        {"profile_connect", "a port where nobody listens any more", ECONNREFUSED, CALL_connect},
    };
    enum { FAILURES = sizeof failures / sizeof failures[0] };
    int changed = -1, open = -1;
    trial_step(t, "apply --fail");
    trial_expect(t, "-1 and errno from each, nothing half done, and nothing left open");
    if (!trial_run(t, "apply", SUBJECT_ARGS("--fail"), ""))
        return;
    for (int i = 0; i < FAILURES; i++)
        if (!expect_failure(t, &failures[i]))
            return;
    const char *line = strstr(t->text, "its options");
    if (line == NULL || sscanf(line, "its options that are not as before: %d", &changed) != 1 ||
        (line = strstr(t->text, "descriptors left")) == NULL ||
        sscanf(line, "descriptors left open: %d", &open) != 1 || t->status != 0) {
        trial_fail(t, -1, "the driver did not come to its end");
    } else if (changed != 0) {
        mark_failure(t, &failures[4], "only this tells that it is not TCP's; ask for it first");
        trial_fail(t, -1,
                   "profile_apply failed for a Unix socket, and had changed %d of its options "
                   "by then",
                   changed);
    } else if (open != 0) {
        mark_failure(t, &failures[FAILURES - 1], "this failed, and the socket is nobody's now");
        trial_fail(t, -1, "profile_listen and profile_connect failed, and left %d descriptors open",
                   open);
    } else {
        trial_pass(t,
                   "%d of %d failures were reported, with their errno; nothing was changed or left "
                   "open",
                   FAILURES, FAILURES);
    }
}

static const struct check checks[] = {
    {"interactive", "a connection has the interactive profile", 1, NULL, TRIAL_ADDRESS,
     judge_interactive, 0},
    {"bulk", "a connection has the bulk profile", 1, NULL, TRIAL_ADDRESS, judge_bulk, 0},
    {"server", "a listener has the server profile", 1, NULL, TRIAL_ADDRESS, judge_server, 0},
    {"inherited", "what it accepts has it, too", 1, NULL, TRIAL_ADDRESS, judge_inherited, 0},
    {"before-connect", "a client's buffer is set before its handshake", 1, NULL, TRIAL_ADDRESS,
     judge_before_connect, 0},
    {"before-listen", "a listener's options are set before bind and listen", 1, NULL, TRIAL_ADDRESS,
     judge_before_listen, 0},
    {"read-back", "what is read back is what is", 1, NULL, TRIAL_ADDRESS, judge_read_back, 0},
    {"capped", "a buffer that was capped is reported as such", 1, NULL, TRIAL_ADDRESS, judge_capped,
     0},
    {"switching", "a new profile leaves nothing of the old one", 1, NULL, TRIAL_ADDRESS,
     judge_switching, 0},
    {"errors", "what fails says so, and leaves nothing behind", 1, NULL, TRIAL_ADDRESS,
     judge_errors, 0},
    {0},
};

int main(int argc, char **argv)
{
    const struct exercise exercise = {"11-socket-options",
                                      "Apply a profile to a socket, and read it back", checks};
    return grade_main(argc, argv, &exercise);
}
