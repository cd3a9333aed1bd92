/* promises - what every echo server keeps.  See promises.h. */

#include "promises.h"

#include "clock.h"
#include "net.h"
#include "testkit/fault.h"
#include "testkit/peer.h"
#include "testkit/proc.h"
#include "testkit/sanitizer.h"
#include "testkit/wait.h"
#include "testkit/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    KB = 1024,
    MB = 1024 * KB,
    CHUNK = 16 *
            KB, /* what our servers receive at once: sizes around it are the interesting ones */
    CROWD_MAX = 1100, /* more than FD_SETSIZE */
    FEW_DESCRIPTORS = 32,
    UNREAD_MOST = 64 * MB /* more than all buffers between a client and a server hold */
};

static struct peer crowd[CROWD_MAX];
static const char *skipped = NULL;

/* ---- what several promises need ----------------------------------------------------------- */

static bool open_and_exchange(struct peer *p, const struct subject *s, uint64_t size)
{
    return peer_open(p, s) && peer_exchange(p, size);
}

/* A new client comes, is served, and goes. */
static bool serves_a_new_client(const struct subject *s)
{
    struct peer p;
    bool served = open_and_exchange(&p, s, 1000);
    peer_close(&p);
    return served || fault("a new client: %s", fault_text());
}

/* They send and never read, until the server takes no more - and it has to stop. */
static bool fills_up(struct peer *peers, size_t count)
{
    bool done = peers_fill(peers, count, UNREAD_MOST);
    for (size_t i = 0; done && i < count; i++)
        if (peers[i].sent == UNREAD_MOST)
            done = fault("the server took %d MB from a client who reads nothing", UNREAD_MOST / MB);
    return done;
}

struct level {
    const struct subject *server;
    struct proc_facts before, now;
};

static bool is_level(void *argument)
{
    struct level *l = argument;
    l->now = proc_tree(l->server->pid);
    /* ThreadSanitizer starts a thread of its own with the first of ours. */
    return l->now.descriptors == l->before.descriptors &&
           l->now.threads <= l->before.threads + SANITIZER_THREAD;
}

/* Everything that clients cost is given back: as many descriptors and threads as before. */
static bool is_back_to(const struct subject *s, struct proc_facts before)
{
    struct level l = {.server = s, .before = before};
    return wait_until(is_level, &l, "descriptors and threads to be as before") ||
           fault("%s: %ld descriptors and %ld threads, and %ld and %ld before", fault_text(),
                 l.now.descriptors, l.now.threads, before.descriptors, before.threads);
}

static int64_t own_cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The server takes nearly no CPU time while nothing happens: less than a tenth of what we take at
 * the same time by counting; a third with ThreadSanitizer, whose runtime has a thread of its own.  On
 * a busy machine both of us get less, but so alike; a server that spins takes as much as we do.  One
 * that is still busy with those who came may be so in the first window, but not in all. */
static bool sleeps(const struct subject *s)
{
    enum { WINDOWS = 3 };
    const int64_t window = 150 * 1000000;
    int64_t cpu = window;
    for (int i = 0; i < WINDOWS && cpu >= window / (SANITIZER_THREAD ? 3 : 10); i++) {
        int64_t before = proc_tree(s->pid).cpu_ns;
        int64_t end = own_cpu_time() + window;
        while (own_cpu_time() < end)
            ;
        cpu = proc_tree(s->pid).cpu_ns - before;
    }
    return cpu < window / (SANITIZER_THREAD ? 3 : 10) ||
           fault("took %lld ms of CPU time with nothing to do, while a "
                 "process that never sleeps got %lld",
                 (long long)cpu / 1000000, (long long)window / 1000000);
}

static bool is_one_line(const char *text)
{
    const char *end = strchr(text, '\n');
    return end != NULL && end > text && end[1] == '\0';
}

/* ---- start -------------------------------------------------------------------------------- */

static bool ready_line(const struct model *m, struct subject *s)
{
    char expected[256];
    snprintf(expected, sizeof expected, "listening on 127.0.0.1:%s (%s)\n", s->port, m->name);
    if (strcmp(s->line, expected) != 0)
        return fault("the line is '%s', not '%s'", s->line, expected);
    return serves_a_new_client(s) && subject_stop(s); /* which looks for more on stdout */
}

static bool fails_with(const struct model *m, const char *const *arguments, int status,
                       const char *named)
{
    struct subject_outcome o;
    if (!subject_run(&o, m->program, arguments))
        return false;
    if (o.status == status && is_one_line(o.err) && o.out[0] == '\0' && strstr(o.err, named))
        return true;
    return fault("%s: status %d and not %d with one line that names '%s', but: %s%s", arguments[0],
                 o.status, status, named, o.out, o.err);
}

static bool help_and_bad_usage(const struct model *m, struct subject *s)
{
    (void)s;
    static const char *const options[] = {"--host", "--port", "--work", "--quiet", "--help"};
    struct subject_outcome o;
    if (!subject_run(&o, m->program, SUBJECT_ARGS("--help")))
        return false;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (strstr(o.out, options[i]) == NULL)
            return fault("--help does not list %s: %s", options[i], o.out);
    if (o.status != 0 || o.err[0] != '\0')
        return fault("--help: status %d, standard error: %s", o.status, o.err);
    return fails_with(m, SUBJECT_ARGS("--nonsense"), 2, "--nonsense") &&
           fails_with(m, SUBJECT_ARGS("--port"), 2, "--port") &&
           fails_with(m, SUBJECT_ARGS("--port", "65536"), 2, "65536") &&
           fails_with(m, SUBJECT_ARGS("--port", "12x"), 2, "12x") &&
           fails_with(m, SUBJECT_ARGS("--work", "-1"), 2, "-1") &&
           fails_with(m, SUBJECT_ARGS("--quiet=yes"), 2, "--quiet") &&
           fails_with(m, SUBJECT_ARGS("surplus"), 2, "surplus");
}

static bool taken_port(const struct model *m, struct subject *s)
{
    return fails_with(m, SUBJECT_ARGS("--port", s->port), 1, s->port) && serves_a_new_client(s);
}

/* It stops while clients are connected, so that its ends of the connections go to TIME_WAIT, and
 * starts again on the same port.  Somebody else may have taken the port in between: then try
 * again with another. */
static bool restarts_at_once(const struct model *m, struct subject *s)
{
    (void)s;
    for (int attempt = 1;; attempt++) {
        struct subject first, again;
        struct peer p;
        char port[sizeof first.port];
        if (!subject_start(&first, m->program, SUBJECT_ARGS("--port", "0", "--quiet"), 0))
            return false;
        memcpy(port, first.port, sizeof port);
        bool kept = open_and_exchange(&p, &first, 100) && subject_stop(&first) &&
                    wire_expect_gone(p.fd);
        subject_kill(&first);
        peer_close(&p);
        if (!kept)
            return false;
        if (subject_start(&again, m->program, SUBJECT_ARGS("--port", port, "--quiet"), 0))
            return serves_a_new_client(&again) && subject_stop(&again);
        if (attempt == 3)
            return false;
    }
}

static bool ipv6(const struct model *m, struct subject *s)
{
    int fd = net_listen("::1", "0", 1);
    if (fd == -1) {
        skipped = "this machine has no IPv6";
        return true;
    }
    close(fd);
    char expected[256];
    if (!subject_start(s, m->program, SUBJECT_ARGS("--port", "0", "--quiet", "--host", "::1"), 0))
        return false;
    snprintf(expected, sizeof expected, "listening on [::1]:%s (%s)\n", s->port, m->name);
    if (strcmp(s->line, expected) != 0)
        return fault("the line is '%s', not '%s'", s->line, expected);
    return serves_a_new_client(s);
}

/* ---- bytes -------------------------------------------------------------------------------- */

/* All are connected, and take their turns, so that a server of one client at a time can do it. */
static bool echoes_exactly(const struct model *m, struct subject *s)
{
    (void)m;
    static const uint64_t sizes[] = {1, 7, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 65536, 100000, 1};
    enum { CLIENTS = 4 };
    bool kept = peers_open(crowd, CLIENTS, s);
    for (size_t i = 0; kept && i < CLIENTS; i++) {
        for (size_t n = 0; kept && n < sizeof sizes / sizeof sizes[0]; n++)
            kept = peer_exchange(&crowd[i], sizes[n] + i);
        peer_close(&crowd[i]);
    }
    return kept;
}

static bool one_byte_writes(const struct model *m, struct subject *s)
{
    (void)m;
    struct peer p;
    bool kept = peer_open(&p, s);
    for (int i = 0; kept && i < 300; i++)
        kept = peer_exchange(&p, 1);
    for (int i = 0; kept && i < 2000; i++)
        kept = peer_send(&p, 1);
    kept = kept && peer_receive(&p, 2000);
    peer_close(&p);
    return kept;
}

static bool stream_64mb(const struct model *m, struct subject *s)
{
    (void)m;
    struct peer p;
    bool kept = open_and_exchange(&p, s, 64 * MB);
    peer_close(&p);
    return kept;
}

/* ---- many --------------------------------------------------------------------------------- */

static bool serves_at_once(struct subject *s, size_t clients)
{
    bool kept = peers_open(crowd, clients, s) && peers_exchange(crowd, clients, 1000) &&
                peers_exchange(crowd, clients, 10);
    peers_close(crowd, clients);
    return kept;
}

static bool many_clients(const struct model *m, struct subject *s)
{
    (void)m;
    return serves_at_once(s, 500);
}

static bool any_descriptor(const struct model *m, struct subject *s)
{
    (void)m;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur < 2 * KB) {
        skipped = "the limit of descriptors here is under 2048 (ulimit -Hn)";
        return true;
    }
    return serves_at_once(s, CROWD_MAX);
}

static bool serves_beside_idle(const struct model *m, struct subject *s)
{
    (void)m;
    enum { IDLE = 8 };
    bool kept = peers_open(crowd, IDLE, s) && serves_a_new_client(s);
    peers_close(crowd, IDLE);
    return kept;
}

static bool no_leaks(const struct model *m, struct subject *s)
{
    (void)m;
    struct proc_facts before = proc_tree(s->pid);
    long warm = 0;
    bool kept = true;
    for (int i = 0; kept && i < 250; i++) {
        kept = serves_a_new_client(s);
        if (i == 50)
            warm = proc_memory(s->pid);
    }
    if (!kept || !is_back_to(s, before))
        return false;
    long grown = proc_memory(s->pid) - warm;
    return grown < MB * WAIT_SCALE || fault("200 clients left %ld KB behind", grown / KB);
}

/* ---- half-close --------------------------------------------------------------------------- */

/* Everything comes back, and then the end. */
static bool finishes(struct peer *p)
{
    return peer_finish(p) && peer_receive(p, p->sent - p->received) && peer_expect_end(p);
}

/* The end follows the last byte in the same segment: one event tells of both. */
static bool sends_and_finishes(struct peer *p, size_t size)
{
    const int on = 1;
    setsockopt(p->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    return peer_send(p, size) && peer_finish(p);
}

/* Bytes and end arrive while the server cannot look: it finds both at once.  The client is one
 * that it knows already, or one that it has yet to accept. */
static bool finishes_unseen(const struct subject *s, size_t size, bool known)
{
    struct peer p;
    bool kept = peer_open(&p, s) && (!known || peer_exchange(&p, 10)) && proc_freeze(s->pid) &&
                peer_send(&p, size) && peer_finish(&p);
    kept = proc_thaw(s->pid) && kept && peer_receive(&p, size) && peer_expect_end(&p);
    peer_close(&p);
    return kept ||
           fault("%zu bytes and the end, while the server was stopped: %s", size, fault_text());
}

/* The client is owed anything from nothing to all that fits in between. */
static bool finishes_with_any_owed(const struct subject *s)
{
    enum { STEP = 48 * KB }; /* less than a queue holds, so that some steps end inside it */
    for (uint64_t size = STEP; size < UNREAD_MOST; size += STEP) {
        struct peer p;
        bool kept = peer_open_narrow(&p, s) && peers_fill(&p, 1, size) && peer_finish(&p);
        bool full = p.sent < size;
        poll(NULL, 0, 2); /* let it see the end before we read; if it does not, no harm is done */
        kept = kept && peer_receive(&p, p.sent) && peer_expect_end(&p);
        peer_close(&p);
        if (!kept)
            return fault("a half-close after %llu unread bytes: %s", (unsigned long long)size,
                         fault_text());
        if (full)
            break;
    }
    return true;
}

static bool half_close(const struct model *m, struct subject *s)
{
    (void)m;
    static const size_t sizes[] = {1, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    struct proc_facts before = proc_tree(s->pid);
    struct peer p;
    bool kept = open_and_exchange(&p, s, 4 * MB) && peer_send(&p, 100000) && finishes(&p);
    peer_close(&p);
    for (size_t i = 0; kept && i < 200; i++) {
        size_t size = sizes[i % SIZES];
        kept = peer_open(&p, s) && sends_and_finishes(&p, size) && peer_receive(&p, size) &&
               peer_expect_end(&p);
        peer_close(&p);
    }
    for (size_t i = 0; kept && i < 4 * SIZES; i++)
        kept = finishes_unseen(s, sizes[i / 4], i % 2 == 0);
    return kept && finishes_with_any_owed(s) && is_back_to(s, before);
}

/* ---- resets ------------------------------------------------------------------------------- */

/* Come, talk, and go with a reset while an echo is on its way. */
static bool is_reset(const struct subject *s, size_t turn)
{
    struct peer p;
    bool done = peer_open(&p, s) && peer_send(&p, 1 + turn * 977 % 60000) &&
                (turn % 3 != 0 || peer_receive(&p, 1));
    peer_reset(&p);
    return done;
}

static bool is_reset_with_much_owed(const struct subject *s)
{
    struct peer p;
    bool done = peer_open_narrow(&p, s) && fills_up(&p, 1);
    peer_reset(&p);
    return done;
}

/* Bytes, perhaps an end, and a reset arrive while the server cannot look: it may still read the
 * bytes, and then finds that they cannot be echoed.  After an end that is an EPIPE. */
static bool is_reset_unseen(const struct subject *s, bool finished)
{
    struct peer p;
    bool done = open_and_exchange(&p, s, 10) && proc_freeze(s->pid) && peer_send(&p, 1000) &&
                (!finished || peer_finish(&p));
    peer_reset(&p);
    return proc_thaw(s->pid) && done;
}

static bool reset_mid_stream(const struct model *m, struct subject *s)
{
    (void)m;
    struct proc_facts before = proc_tree(s->pid);
    bool kept = true;
    for (size_t i = 0; kept && i < 200; i++)
        kept = is_reset(s, i);
    for (size_t i = 0; kept && i < 20; i++)
        kept = is_reset_unseen(s, i % 2 == 0);
    return kept && is_reset_with_much_owed(s) && serves_a_new_client(s) && is_back_to(s, before);
}

static bool reset_alone(const struct model *m, struct subject *s)
{
    (void)m;
    struct peer witness;
    bool kept = open_and_exchange(&witness, s, 1000);
    for (size_t i = 0; kept && i < 100; i++)
        kept = is_reset(s, i) && peer_exchange(&witness, 777);
    kept = kept && is_reset_with_much_owed(s) && peer_exchange(&witness, 100000);
    peer_close(&witness);
    return kept || fault("a client beside those that are reset: %s", fault_text());
}

/* ---- clients who never read, clients who flood ----------------------------------------------- */

static bool never_reads_memory(const struct model *m, struct subject *s)
{
    (void)m;
    const long most = 4L * MB * WAIT_SCALE;
    long before = proc_memory(s->pid);
    struct peer p;
    bool kept = peer_open_narrow(&p, s) && fills_up(&p, 1);
    long grown = proc_memory(s->pid) - before;
    if (kept && grown > most)
        kept = fault("grew by %ld KB for one client who never reads", grown / KB);
    kept = kept && peer_exchange(&p, 0); /* and now it reads */
    peer_close(&p);
    return kept;
}

static bool never_reads_alone(const struct model *m, struct subject *s)
{
    (void)m;
    enum { STUCK = 6 };
    bool kept = peers_open_narrow(crowd, STUCK, s) && fills_up(crowd, STUCK) &&
                serves_a_new_client(s) && peers_exchange(crowd, STUCK, 0);
    peers_close(crowd, STUCK);
    return kept;
}

/* Two processes that share one connection: one sends without pause, one takes what comes back. */
struct flood {
    int fd;
    pid_t sender, receiver;
    volatile uint64_t *taken; /* bytes that came back, shared with the receiver */
};

static _Noreturn void flood_send(int fd)
{
    static char bytes[4 * 65536];
    while (net_write_all(fd, bytes, sizeof bytes) == 0)
        ;
    _exit(0);
}

static _Noreturn void flood_receive(int fd, volatile uint64_t *taken)
{
    static char bytes[4 * 65536];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, MSG_TRUNC)) > 0) /* thrown away, not copied */
        *taken += (uint64_t)n;
    _exit(0);
}

static bool flood_flows(void *argument)
{
    const struct flood *f = argument;
    return *f->taken > 64 * MB; /* the kernel has made its buffers large by now */
}

static pid_t fork_mortal(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return pid;
}

/* Start one, which need not flow: flood_end ends it in any case. */
static bool flood_start(struct flood *f, const struct subject *s)
{
    void *memory = mmap(NULL, sizeof *f->taken, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);
    *f = (struct flood){.fd = wire_connect(s->host, s->port, 0), .taken = memory};
    if (f->fd == -1)
        return false;
    if (memory == MAP_FAILED || fcntl(f->fd, F_SETFL, 0) == -1) /* blocking */
        return fault("cannot start a flood: %s", strerror(errno));
    if ((f->sender = fork_mortal()) == 0)
        flood_send(f->fd);
    if ((f->receiver = fork_mortal()) == 0)
        flood_receive(f->fd, f->taken);
    return true;
}

static void flood_end(struct flood *f)
{
    const pid_t both[] = {f->sender, f->receiver};
    for (size_t i = 0; i < 2; i++)
        if (both[i] > 0) {
            kill(both[i], SIGKILL);
            waitpid(both[i], NULL, 0);
        }
    if (f->fd != -1)
        close(f->fd);
    if (f->taken != MAP_FAILED)
        munmap((void *)f->taken, sizeof *f->taken);
}

static bool flood_is_fair(const struct model *m, struct subject *s)
{
    (void)m;
    struct flood f;
    struct peer p = {.fd = -1};
    bool kept = flood_start(&f, s) && wait_until(flood_flows, &f, "a flood to flow") &&
                peer_open(&p, s);
    int64_t deadline = wait_deadline();
    for (int i = 0; kept && i < 50; i++) {
        kept = peer_exchange(&p, 100);
        if (kept && wait_left_ms(deadline) == 0)
            kept = fault("%d round trips beside a flood took over %g s", i + 1, wait_patience);
    }
    peer_close(&p);
    flood_end(&f);
    return kept;
}

/* ---- out of descriptors ------------------------------------------------------------------- */

enum { TOO_MANY = 2 * FEW_DESCRIPTORS, QUIET_MS = 200 };

/* Look at a client with something to read: it is either served, or refused and then closed. */
static bool is_answered(struct peer *p, size_t *served)
{
    char byte;
    if (recv(p->fd, &byte, 1, MSG_PEEK) <= 0) {
        peer_close(p);
        return true;
    }
    ++*served;
    return peer_receive(p, p->sent - p->received);
}

/* Bring more clients than the server has descriptors.  Some it serves; others it may refuse, or
 * leave waiting.  Once at least one is served and nothing moves any more, it is known which. */
static bool overcrowd(struct subject *s)
{
    struct pollfd watched[TOO_MANY];
    size_t served = 0;
    if (!peers_open(crowd, TOO_MANY, s))
        return false;
    for (size_t i = 0; i < TOO_MANY; i++)
        if (!peer_send(&crowd[i], 100))
            peer_close(&crowd[i]); /* refused already */
    for (;;) {
        for (size_t i = 0; i < TOO_MANY; i++)
            watched[i] = (struct pollfd){.fd = crowd[i].received < crowd[i].sent ? crowd[i].fd : -1,
                                         .events = POLLIN};
        int n = poll(watched, TOO_MANY, served > 0 ? QUIET_MS : wait_left_ms(wait_deadline()));
        if (n <= 0)
            return served > 0 || fault("none of %d clients is served", TOO_MANY);
        for (size_t i = 0; i < TOO_MANY; i++)
            if (watched[i].revents != 0 && !is_answered(&crowd[i], &served))
                return false;
    }
}

static bool descriptor_exhaustion(const struct model *m, struct subject *s)
{
    (void)m;
    struct proc_facts before = proc_tree(s->pid);
    bool kept = overcrowd(s);
    for (size_t i = 0; kept && i < TOO_MANY; i++)
        if (crowd[i].fd != -1 && crowd[i].received == crowd[i].sent)
            kept = peer_exchange(&crowd[i], 1000) ||
                   fault("a client that was served before: %s", fault_text());
    peers_close(crowd, TOO_MANY);
    /* A new client is served as soon as the server has noticed that the others are gone. */
    return kept && is_back_to(s, before) && serves_a_new_client(s) && is_back_to(s, before);
}

static bool exhausted_cpu(const struct model *m, struct subject *s)
{
    (void)m;
    bool kept = overcrowd(s) && sleeps(s);
    peers_close(crowd, TOO_MANY);
    return kept;
}

/* ---- what it costs, what it says ---------------------------------------------------------- */

static bool idle_cpu(const struct model *m, struct subject *s)
{
    (void)m;
    enum { IDLE = 20 };
    bool kept = peers_open(crowd, IDLE, s) && peer_exchange(&crowd[0], 1000) && sleeps(s);
    peers_close(crowd, IDLE);
    return kept;
}

static bool work_option(const struct model *m, struct subject *s)
{
    (void)m;
    enum { CHUNKS = 20, WORK_US = 2000 };
    struct peer p;
    int64_t before = proc_tree(s->pid).cpu_ns;
    bool kept = peer_open(&p, s);
    for (int i = 0; kept && i < CHUNKS; i++)
        kept = peer_exchange(&p, 1);
    int64_t spent = (proc_tree(s->pid).cpu_ns - before) / 1000;
    peer_close(&p);
    if (kept && spent < CHUNKS * WORK_US)
        kept = fault("%d chunks cost %lld us of CPU time, less than %d each", CHUNKS,
                     (long long)spent, WORK_US);
    return kept;
}

static bool quiet(const struct model *m, struct subject *s)
{
    (void)m;
    struct proc_facts before = proc_tree(s->pid);
    char errors[1024];
    bool kept = serves_a_new_client(s) && is_reset(s, 1) && is_back_to(s, before);
    subject_errors(s, errors, sizeof errors);
    return kept && (errors[0] == '\0' || fault("wrote with --quiet: %s", errors));
}

struct lines {
    const struct subject *server;
    int expected;
};

static bool has_lines(void *argument)
{
    const struct lines *l = argument;
    char errors[4096];
    int count = 0;
    subject_errors(l->server, errors, sizeof errors);
    for (const char *c = errors; (c = strchr(c, '\n')) != NULL; c++)
        count++;
    return count >= l->expected;
}

static bool reports(const struct model *m, struct subject *s)
{
    (void)m;
    struct lines l = {.server = s, .expected = 1};
    struct peer p;
    bool kept = open_and_exchange(&p, s, 100) &&
                wait_until(has_lines, &l, "a line on standard error about a connection");
    peer_close(&p);
    l.expected = 2;
    return kept && wait_until(has_lines, &l, "a line on standard error about a disconnection");
}

/* ---- stop --------------------------------------------------------------------------------- */

static bool stops_when_idle(const struct model *m, struct subject *s)
{
    (void)m;
    enum { IDLE = 6 };
    bool kept = peers_open(crowd, IDLE, s) && peer_exchange(&crowd[0], 10) && subject_stop(s);
    for (size_t i = 0; kept && i < IDLE; i++)
        kept = wire_expect_gone(crowd[i].fd);
    peers_close(crowd, IDLE);
    return kept;
}

static bool stops_on_sigint(const struct model *m, struct subject *s)
{
    (void)m;
    struct peer p;
    bool kept = open_and_exchange(&p, s, 10) && kill(s->pid, SIGINT) == 0 && subject_ends_well(s) &&
                wire_expect_gone(p.fd);
    peer_close(&p);
    return kept;
}

/* Clients who send and read as fast as they can, and some who only send.  Not all need to be
 * served: one may be all that the server can do. */
static bool stops_under_load(const struct model *m, struct subject *s)
{
    (void)m;
    enum { FLOODS = 3, STUCK = 6 };
    struct flood floods[FLOODS];
    bool kept = true;
    for (size_t i = 0; i < FLOODS; i++)
        kept &= flood_start(&floods[i], s);
    kept = kept && wait_until(flood_flows, &floods[0], "a flood to flow") &&
           peers_open_narrow(crowd, STUCK, s) && fills_up(crowd, STUCK) && subject_stop(s);
    for (size_t i = 0; kept && i < STUCK; i++)
        kept = wire_expect_gone(crowd[i].fd);
    peers_close(crowd, STUCK);
    for (size_t i = 0; i < FLOODS; i++)
        flood_end(&floods[i]);
    return kept;
}

/* ---- the list ----------------------------------------------------------------------------- */

static const char *const quietly[] = {"--quiet", NULL};
static const char *const working[] = {"--work", "2000", NULL};

const struct promise promises[] = {
    {.name = "ready-line",
     .meaning = "says in one line where it listens, and nothing else",
     .kept = ready_line},
    {.name = "help-and-bad-usage",
     .meaning = "--help exits 0, bad usage 2 with a line that names the fault",
     .kept = help_and_bad_usage,
     .unstarted = true},
    {.name = "taken-port",
     .meaning = "exits 1 with a line if the port is taken",
     .kept = taken_port},
    {.name = "restarts-at-once",
     .meaning = "takes the port of the server just stopped",
     .kept = restarts_at_once,
     .unstarted = true},
    {.name = "ipv6",
     .meaning = "listens on an IPv6 address as well",
     .kept = ipv6,
     .unstarted = true},
    {.name = "echoes-exactly",
     .meaning = "every byte comes back, in order, to the client it came from",
     .kept = echoes_exactly},
    {.name = "one-byte-writes", .meaning = "however small the pieces", .kept = one_byte_writes},
    {.name = "stream-64mb",
     .meaning = "however much, while it is still being sent",
     .kept = stream_64mb},
    {.name = "many-clients", .meaning = "serves 500 clients at once", .kept = many_clients},
    {.name = "any-descriptor",
     .meaning = "serves 1100: descriptor numbers past FD_SETSIZE",
     .kept = any_descriptor,
     .descriptors = 2048},
    {.name = "serves-beside-idle",
     .meaning = "idle clients hold nobody up",
     .kept = serves_beside_idle},
    {.name = "half-close",
     .meaning = "after a half-close, echoes what is owed, then closes",
     .kept = half_close},
    {.name = "reset-mid-stream",
     .meaning = "goes on after resets, and leaks nothing",
     .kept = reset_mid_stream},
    {.name = "reset-alone", .meaning = "a reset ends that client alone", .kept = reset_alone},
    {.name = "never-reads-memory",
     .meaning = "a client who never reads costs bounded memory",
     .kept = never_reads_memory},
    {.name = "never-reads-alone",
     .meaning = "clients who never read hold nobody up, and lose nothing",
     .kept = never_reads_alone},
    {.name = "flood-is-fair",
     .meaning = "a client who floods starves nobody",
     .kept = flood_is_fair},
    {.name = "descriptor-exhaustion",
     .meaning = "survives running out of descriptors",
     .kept = descriptor_exhaustion,
     .descriptors = FEW_DESCRIPTORS},
    {.name = "exhausted-cpu",
     .meaning = "and does not spin meanwhile",
     .kept = exhausted_cpu,
     .descriptors = FEW_DESCRIPTORS},
    {.name = "idle-cpu", .meaning = "sleeps while nothing happens", .kept = idle_cpu},
    {.name = "work-option",
     .meaning = "--work costs its CPU time for each chunk",
     .kept = work_option,
     .arguments = working},
    {.name = "quiet",
     .meaning = "--quiet: nothing on standard error",
     .kept = quiet,
     .arguments = quietly},
    {.name = "reports",
     .meaning = "else a line for each connection and disconnection",
     .kept = reports},
    {.name = "no-leaks", .meaning = "gives back descriptors and threads", .kept = no_leaks},
    {.name = "stops-when-idle",
     .meaning = "SIGTERM closes every client and exits 0",
     .kept = stops_when_idle},
    {.name = "stops-under-load", .meaning = "also under load", .kept = stops_under_load},
    {.name = "stops-on-sigint", .meaning = "also with SIGINT", .kept = stops_on_sigint},
};
const size_t promise_count = sizeof promises / sizeof promises[0];

static bool children_wait(void *server)
{
    const struct subject *s = server;
    return proc_children_wait(s->pid);
}

/* The line may be there before the workers are: what a server has open at first is not counted until
 * they are, too. */
bool promise_start(const struct promise *p, const struct model *m, struct subject *s)
{
    const char *arguments[16] = {"--port", "0"};
    for (size_t i = 0; p->arguments != NULL && p->arguments[i] != NULL && i < 13; i++)
        arguments[i + 2] = p->arguments[i];
    return subject_start(s, m->program, arguments, p->descriptors > 0 ? p->descriptors : 1024) &&
           wait_until(children_wait, s, "the server's workers to wait for clients");
}

const char *promise_skipped(void)
{
    return skipped;
}
