/*
 * measure - one measured run: a server under a load generator, and what that cost the server.
 *
 *   measure [options] -- SERVER [ARGUMENT...] -- GENERATOR [ARGUMENT...]
 *   measure [options] --pid PID -- GENERATOR [ARGUMENT...]
 *
 * The first form starts the server with "--port 0 --quiet" added, waits for its line, runs the
 * generator with "--port PORT --json" added, stops the server, and prints one JSON object: the
 * generator's fields and those below.  The second measures a server that already runs, under any
 * generator; what the generator prints goes to standard error or --output, and the object holds the
 * first four fields.
 *
 *   server_cpu_us     user and system time of the server, all its processes and threads, while the
 *                     generator ran
 *   generator_cpu_us  the same of the generator
 *   wall_seconds      how long the generator ran
 *   other_share       the share of the whole machine that was busy with anything else: 0 to 1
 *   switches          context switches of the server in its whole life, all threads and processes
 *   ready_kb          memory of the server when it said its line
 *   idle_kb           the same with the --idle connections open, null without them
 *   idle_seconds      how long it took to open the idle connections and to have an answer on each,
 *                     100 at a time
 *   idle_kernel_kb    kernel stacks of the threads that the idle connections added; null, like the
 *                     next two, without them
 *   idle_slab_kb      kernel objects that they added - sockets, files, entries of epoll, threads - on
 *                     the whole machine, so at both ends; null without root: see slabinfo(5)
 *   idle_buffers_kb   memory that they added to what is in the buffers of all TCP sockets of the
 *                     machine: see sockstat in proc(5)
 *   peak_kb           each process's largest resident set, summed: a page that several processes
 *                     share counts in each.  ready_kb and idle_kb count such a page once (Pss).
 *   syscalls          with --syscalls: system calls of the server, or null
 *   syscalls_by       how they were counted: by a "tracepoint", while the generator ran; by
 *                     "strace", which slows the server, in its whole life; null if neither is
 *                     possible here
 *
 * Time is counted by the kernel in nanoseconds, threads that have ended included; see
 * clock_getcpuclockid(3).  Every wait has a limit, and whatever was started is ended.
 */

#include "clock.h"
#include "counter.h"
#include "die.h"
#include "net.h"
#include "options.h"
#include "tree.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_SECONDS = 10, /* for the server to say its line */
    STOP_SECONDS = 10,  /* for the server to end after SIGTERM */
    IDLE_SECONDS = 3,   /* for the answer on one idle connection */
    IDLE_BATCH = 100,   /* idle connections opened before their answers are awaited */
    WORDS_MAX = 100,    /* words of one command line */
    TEXT_SIZE = 8192    /* room for what a generator or strace prints */
};

/* A program and its arguments, as execvp(3) wants them. */
struct command {
    char *words[WORDS_MAX + 1];
    int count;
};

static unsigned long attach_pid = 0;
static const char *server_core = NULL;
static const char *generator_core = NULL;
static const char *output = NULL;
static unsigned long n_idle = 0;
static double timeout = 60;
static bool count_syscalls = false;
static bool tell_pid = false;

static int signals = -1;                /* a signalfd for SIGINT and SIGTERM */
static pid_t server = 0, generator = 0; /* what was started and has not ended yet; 0: nothing */
static bool traced = false;             /* server is strace, and its child the server itself */
static char port[8];                    /* that the server listens on */
static int *idle_fds;                   /* the idle connections, or NULL */

/* ---- command lines -------------------------------------------------------------------------- */

static void command_add(struct command *c, char *word)
{
    if (c->count == WORDS_MAX)
        options_fail("more than %d words", WORDS_MAX);
    c->words[c->count++] = word;
}

/* Take the words up to "--" or the end.  Returns what comes behind it. */
static char **command_cut(struct command *c, char **words, char *const *end)
{
    for (; words < end && strcmp(*words, "--") != 0; words++)
        command_add(c, *words);
    return words < end ? words + 1 : words;
}

/* ---- processes ------------------------------------------------------------------------------ */

static int pidfd(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd == -1)
        die("pidfd_open");
    return fd;
}

/* Kill a process that was started here and all its descendants, at once, and collect it. */
static void kill_tree(pid_t root)
{
    static struct tree t;
    tree_read(&t, root);
    for (size_t i = 0; i < t.count; i++)
        kill(t.processes[i].pid, SIGKILL);
    waitpid(root, NULL, 0);
}

/* Called on every way out. */
static void end_all(void)
{
    if (generator > 0)
        kill_tree(generator);
    if (server > 0)
        kill_tree(server);
    generator = server = 0;
}

/* Print one line and exit 1; what runs is ended by end_all. */
static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    errno = 0;
    die("%s", message);
}

/* Wait until fd is readable or at its end.  Returns false at the deadline; a signal to stop ends
 * the program here. */
static bool await(int fd, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - clock_now();
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        int n = poll(fds, 2, left > 0 ? (int)(left / 1000000) + 1 : 0);
        if (n == -1 && errno != EINTR)
            die("poll");
        struct signalfd_siginfo got;
        if (n > 0 && fds[1].revents != 0 && read(signals, &got, sizeof got) == sizeof got)
            exit(128 + (int)got.ssi_signo);
        if (n > 0 && fds[0].revents != 0)
            return true;
        if (left <= 0)
            return false;
    }
}

static int64_t after_seconds(double seconds)
{
    return clock_now() + (int64_t)(seconds * 1e9);
}

/* Wait for a child.  Returns false at the deadline. */
static bool await_end(pid_t pid, int64_t deadline, int *status, struct rusage *usage)
{
    int fd = pidfd(pid);
    bool ended = await(fd, deadline);
    close(fd);
    return ended && wait4(pid, status, 0, usage) == pid;
}

static const char *status_text(int status, char text[64])
{
    if (WIFSIGNALED(status))
        snprintf(text, 64, "was killed by signal %d", WTERMSIG(status));
    else
        snprintf(text, 64, "exited with status %d", WEXITSTATUS(status));
    return text;
}

/* The set of the one core that an option names. */
static cpu_set_t core_set(const char *core)
{
    char *end = NULL;
    unsigned long n = strtoul(core, &end, 10);
    if (!isdigit((unsigned char)*core) || *end != '\0' || n >= CPU_SETSIZE)
        options_fail("'%s' is not the number of a core", core);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(n, &set);
    return set;
}

/*
 * start - run a program.
 *
 * out   becomes its standard output
 * core  the core that it is kept on, or NULL
 * gate  a pipe: it waits until its other end is closed before it becomes the program; NULL: at once
 */
static pid_t start(const struct command *c, int out, const char *core, const int *gate)
{
    cpu_set_t set = {{0}};
    if (core != NULL)
        set = core_set(core);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == -1)
        die("fork");
    if (pid > 0)
        return pid;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char byte;
    if (gate != NULL)
        close(gate[1]);
    if (getppid() != parent || (gate != NULL && read(gate[0], &byte, 1) == -1))
        _exit(EXIT_FAILURE);
    if (core != NULL && sched_setaffinity(0, sizeof set, &set) == -1)
        fprintf(stderr, "measure: core %s: %s\n", core, strerror(errno));
    else if (dup2(out, STDOUT_FILENO) != -1) {
        execvp(c->words[0], c->words);
        fprintf(stderr, "measure: %s: %s\n", c->words[0], strerror(errno));
    }
    _exit(127);
}

/* ---- system calls --------------------------------------------------------------------------- */

static bool can_run(const char *program)
{
    char path[1024];
    const char *dirs = getenv("PATH");
    for (const char *dir = dirs; dir != NULL && *dir != '\0';) {
        int length = (int)strcspn(dir, ":");
        snprintf(path, sizeof path, "%.*s/%s", length, dir, program);
        if (access(path, X_OK) == 0)
            return true;
        dir += length + (dir[length] == ':');
    }
    return false;
}

/* The number of calls in the last line of `strace -c`: "100.00 0.012 3 4321 17 total". */
static long strace_total(char *text)
{
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        long calls = 0;
        const char *word = strrchr(line, ' ');
        if (word != NULL && strcmp(word, " total") == 0 &&
            sscanf(line, "%*f %*f %*f %ld", &calls) == 1)
            return calls;
    }
    return -1;
}

static void read_text(int fd, char text[TEXT_SIZE])
{
    ssize_t n = pread(fd, text, TEXT_SIZE - 1, 0);
    text[n > 0 ? n : 0] = '\0';
}

static int text_file(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd == -1)
        die("memfd_create");
    return fd;
}

/* ---- the server ----------------------------------------------------------------------------- */

/* What counts the server's system calls: a counter, or the file that strace writes. */
static int counter = -1, strace_file = -1;

static void trace(struct command *c)
{
    static char path[64];
    strace_file = text_file("strace");
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), strace_file);
    static struct command plain;
    plain = *c;
    *c = (struct command){.words = {"strace", "-f", "-c", "-o", path}, .count = 5};
    for (int n = 0; n < plain.count; n++)
        command_add(c, plain.words[n]);
}

/* Wait for the server's line and take the port from it. */
static void await_line(int fd)
{
    static char line[256];
    size_t length = 0;
    int64_t deadline = after_seconds(START_SECONDS);
    while (memchr(line, '\n', length) == NULL) {
        if (!await(fd, deadline))
            fail("timed out after %d s waiting for the server's line", START_SECONDS);
        ssize_t n = read(fd, line + length, sizeof line - 1 - length);
        if (n <= 0) {
            int status = 0;
            char text[64];
            if (!await_end(server, deadline, &status, NULL))
                fail("the server closed its output before it said its line");
            server = 0;
            fail("the server %s before it said its line", status_text(status, text));
        }
        length += (size_t)n;
    }
    char *end = strstr(line, " (");
    char *colon = NULL;
    if (end != NULL) {
        *end = '\0';
        colon = strrchr(line, ':');
    }
    if (strncmp(line, "listening on ", 13) != 0 || colon == NULL)
        fail("the server's line is not 'listening on ADDRESS:PORT (NAME)'");
    snprintf(port, sizeof port, "%s", colon + 1);
}

/* Start the server and wait until it listens. */
static void server_run(struct command *c)
{
    int line[2], gate[2];
    if (pipe2(line, O_CLOEXEC) == -1 || pipe2(gate, O_CLOEXEC) == -1)
        die("pipe");
    if (count_syscalls) { /* is a counter permitted?  Ask for one on ourselves. */
        int probe = counter_open(0, true);
        traced = probe == -1 && can_run("strace");
        if (probe != -1)
            close(probe);
    }
    if (traced)
        trace(c);
    server = start(c, line[1], server_core, gate);
    if (count_syscalls && !traced)
        counter = counter_open(server, true);
    close(gate[0]);
    close(gate[1]);
    close(line[1]);
    await_line(line[0]);
}

/* The server itself, which under strace is not the process that was started. */
static pid_t server_process(void)
{
    static struct tree t;
    if (!traced)
        return server;
    tree_read(&t, server);
    for (size_t i = 1; i < t.count; i++)
        if (tree_parent_of(t.processes[i].pid) == server)
            return t.processes[i].pid;
    return server;
}

static long server_memory_kb(void)
{
    static struct tree t;
    tree_read(&t, server_process());
    return tree_memory_kb(&t);
}

/* The memory of all TCP sockets' buffers, from a line such as "TCP: inuse 6 orphan 0 tw 0 alloc 8
 * mem 3", which counts pages. */
static long buffers_kb(void)
{
    char line[256];
    long pages = -1;
    FILE *f = fopen("/proc/net/sockstat", "re");
    while (f != NULL && pages == -1 && fgets(line, sizeof line, f) != NULL) {
        const char *mem = strstr(line, " mem ");
        if (strncmp(line, "TCP:", 4) == 0 && mem != NULL)
            pages = strtol(mem + 5, NULL, 10);
    }
    if (f != NULL)
        fclose(f);
    return pages == -1 ? -1 : pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The kernel's objects in use, all kinds: lines of "NAME ACTIVE ALL SIZE ...". */
static long slab_kb(void)
{
    char line[512];
    long bytes = 0, active = 0, size = 0;
    FILE *f = fopen("/proc/slabinfo", "re");
    if (f == NULL)
        return -1;
    while (fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "%*s %ld %*d %ld", &active, &size) == 2)
            bytes += active * size;
    fclose(f);
    return bytes / 1024;
}

/* The kernel's stack of one thread: its share in that of all, in whole pages. */
static long stack_kb(void)
{
    long all = tree_proc_number("/proc/meminfo", "KernelStack:"), threads = 0;
    long page = sysconf(_SC_PAGESIZE) / 1024;
    FILE *f = fopen("/proc/loadavg", "re");
    if (f == NULL || fscanf(f, "%*f %*f %*f %*d/%ld", &threads) != 1 || all == -1)
        threads = 0;
    if (f != NULL)
        fclose(f);
    return threads > 0 ? (all / threads + page / 2) / page * page : -1;
}

/* What the kernel holds that connections add to. */
struct kernel {
    long threads;       /* of the server */
    long slab, buffers; /* of the whole machine, in KiB */
};

static struct kernel kernel_read(void)
{
    static struct tree t;
    tree_read(&t, server_process());
    return (struct kernel){tree_threads(&t), slab_kb(), buffers_kb()};
}

/* -1 if it cannot be read; 0 if something else has given more back. */
static long grown(long before, long after)
{
    return before == -1 || after == -1 ? -1 : after > before ? after - before : 0;
}

static void server_stop(struct rusage *usage)
{
    int status = 0;
    char text[64];
    kill(server_process(), SIGTERM);
    if (!await_end(server, after_seconds(STOP_SECONDS), &status, usage))
        fail("timed out after %d s waiting for the server to stop", STOP_SECONDS);
    server = 0;
    if (status != 0)
        fail("the server %s", status_text(status, text));
}

/* Open the idle connections.  Each has one byte answered, so that the server is known to have
 * accepted it and to have done for it what a first message takes. */
static void open_idle(void)
{
    idle_fds = calloc_or_die(n_idle, sizeof *idle_fds);
    for (unsigned long first = 0; first < n_idle; first += IDLE_BATCH) {
        unsigned long last = first + IDLE_BATCH < n_idle ? first + IDLE_BATCH : n_idle;
        for (unsigned long i = first; i < last; i++) {
            idle_fds[i] = net_connect("127.0.0.1", port);
            if (idle_fds[i] == -1 || net_write_all(idle_fds[i], "?", 1) == -1)
                fail("idle connection %lu: %s", i + 1, strerror(errno));
        }
        for (unsigned long i = first; i < last; i++) {
            char byte;
            if (!await(idle_fds[i], after_seconds(IDLE_SECONDS)))
                fail("timed out after %d s waiting for an answer on idle connection %lu",
                     IDLE_SECONDS, i + 1);
            if (recv(idle_fds[i], &byte, 1, 0) != 1)
                fail("idle connection %lu was closed by the server", i + 1);
        }
    }
}

/* ---- one run -------------------------------------------------------------------------------- */

struct costs {
    int64_t server_cpu, generator_cpu; /* nanoseconds */
    double seconds, other_share;
    int64_t syscalls; /* -1: not counted */
    int status;       /* the generator's */
};

static int64_t nanoseconds(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

/* Run the generator against the server whose first process is root. */
static struct costs run_generator(const struct command *c, pid_t root, int out)
{
    static struct tree before, after;
    struct costs costs = {0};
    struct rusage usage;
    tree_read(&before, root);
    struct machine machine_before = tree_machine();
    int64_t calls_before = counter_read(counter);
    int64_t begin = clock_now();
    generator = start(c, out, generator_core, NULL);
    if (!await_end(generator, after_seconds(timeout), &costs.status, &usage))
        fail("timed out after %g s waiting for the generator to end", timeout);
    generator = 0;
    int64_t end = clock_now();
    int64_t calls_after = counter_read(counter);
    struct machine machine_after = tree_machine();
    tree_read(&after, root);
    if (kill(root, 0) == -1)
        fail("the server is gone");
    costs.server_cpu = tree_cpu(&before, &after);
    costs.generator_cpu = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
    costs.syscalls = calls_before == -1 ? -1 : calls_after - calls_before;
    costs.seconds = (double)(end - begin) / 1e9;
    costs.other_share = tree_other_share(&machine_before, &machine_after,
                                         costs.server_cpu + costs.generator_cpu);
    return costs;
}

static void print_costs(const struct costs *c)
{
    printf("\"server_cpu_us\": %.1f, \"generator_cpu_us\": %.1f, \"wall_seconds\": %.6f, "
           "\"other_share\": %.3f",
           (double)c->server_cpu / 1e3, (double)c->generator_cpu / 1e3, c->seconds, c->other_share);
}

static int generator_result(const struct costs *c)
{
    char text[64];
    if (c->status == 0)
        return EXIT_SUCCESS;
    fflush(stdout);
    fprintf(stderr, "measure: the generator %s\n", status_text(c->status, text));
    return EXIT_FAILURE;
}

static int measure_running(const struct command *generating)
{
    static struct tree t;
    int out = STDERR_FILENO;
    if (output != NULL)
        out = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (out == -1)
        die("%s", output);
    if (tree_parent_of((pid_t)attach_pid) == 0)
        fail("there is no process %lu", attach_pid);
    if (server_core != NULL) {
        tree_read(&t, (pid_t)attach_pid);
        cpu_set_t set = core_set(server_core);
        if (tree_pin(&t, &set) == -1)
            die("cannot keep process %lu on core %s", attach_pid, server_core);
    }
    struct costs costs = run_generator(generating, (pid_t)attach_pid, out);
    putchar('{');
    print_costs(&costs);
    puts("}");
    return generator_result(&costs);
}

static void print_number_or_null(const char *name, long value)
{
    if (value == -1)
        printf(", \"%s\": null", name);
    else
        printf(", \"%s\": %ld", name, value);
}

static long strace_counted(void)
{
    char text[TEXT_SIZE];
    read_text(strace_file, text);
    return strace_total(text);
}

static int measure_started(struct command *serving, struct command *generating)
{
    static struct tree t;
    char json[TEXT_SIZE];
    struct rusage usage;
    server_run(serving);
    long ready_kb = server_memory_kb();
    long idle_kb = -1, stacks_kb = -1, slabs_kb = -1, sockets_kb = -1;
    double idle_seconds = 0;
    if (n_idle > 0) {
        struct kernel before = kernel_read();
        int64_t begin = clock_now();
        open_idle();
        idle_seconds = (double)(clock_now() - begin) / 1e9;
        idle_kb = server_memory_kb();
        struct kernel now = kernel_read();
        long one_kb = stack_kb();
        stacks_kb = one_kb == -1 ? -1 : one_kb * grown(before.threads, now.threads);
        slabs_kb = grown(before.slab, now.slab);
        sockets_kb = grown(before.buffers, now.buffers);
    }
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)server_process());
    if (tell_pid) {
        command_add(generating, "--server-pid");
        command_add(generating, pid);
    }
    int out = text_file("generator");
    struct costs costs = run_generator(generating, server_process(), out);
    tree_read(&t, server_process());
    long peak_kb = tree_peak_kb(&t);
    for (unsigned long i = 0; i < n_idle; i++)
        close(idle_fds[i]);
    free(idle_fds);
    server_stop(&usage);

    read_text(out, json);
    char *close_brace = strrchr(json, '}');
    if (close_brace != NULL)
        *close_brace = '\0';
    printf("%s", close_brace != NULL ? json : "{");
    if (close_brace != NULL)
        printf(", ");
    print_costs(&costs);
    printf(", \"switches\": %ld, \"ready_kb\": %ld, \"peak_kb\": %ld",
           usage.ru_nvcsw + usage.ru_nivcsw, ready_kb, peak_kb);
    print_number_or_null("idle_kb", idle_kb);
    print_number_or_null("idle_kernel_kb", stacks_kb);
    print_number_or_null("idle_slab_kb", slabs_kb);
    print_number_or_null("idle_buffers_kb", sockets_kb);
    if (n_idle > 0)
        printf(", \"idle_seconds\": %.6f", idle_seconds);
    else
        printf(", \"idle_seconds\": null");
    if (count_syscalls) {
        print_number_or_null("syscalls", traced ? strace_counted() : costs.syscalls);
        printf(", \"syscalls_by\": %s", counter != -1 ? "\"tracepoint\""
                                        : traced      ? "\"strace\""
                                                      : "null");
    }
    puts("}");
    return generator_result(&costs);
}

int main(int argc, char **argv)
{
    const struct option_spec options[] = {
        {"pid", "PID", OPTION_NUMBER, &attach_pid, 1, 1 << 30, "measure this running server"},
        {"idle", "N", OPTION_NUMBER, &n_idle, 0, 1000000, "connections beside, that send nothing"},
        {"syscalls", NULL, OPTION_FLAG, &count_syscalls, 0, 0, "count the server's system calls"},
        {"tell-pid", NULL, OPTION_FLAG, &tell_pid, 0, 0, "add --server-pid PID for the generator"},
        {"server-core", "CORE", OPTION_TEXT, &server_core, 0, 0, "keep the server on this core"},
        {"generator-core", "CORE", OPTION_TEXT, &generator_core, 0, 0,
         "keep the generator on this core"},
        {"timeout", "S", OPTION_DECIMAL, &timeout, 0, 86400, "for the generator to end"},
        {"output", "FILE", OPTION_TEXT, &output, 0, 0, "with --pid: what the generator prints"},
        {0},
    };
    static struct command own, serving, generating;
    char *const *end = argv + argc;
    char **rest = command_cut(&own, argv, end);
    options_parse(own.count, own.words,
                  "run a load against a server, and see what it cost; "
                  "measure [options] -- SERVER... -- GENERATOR...",
                  options, NULL);
    if (attach_pid == 0) {
        rest = command_cut(&serving, rest, end);
        command_add(&serving, "--port");
        command_add(&serving, "0");
        command_add(&serving, "--quiet");
    }
    rest = command_cut(&generating, rest, end);
    if (generating.count == 0 || rest < end)
        options_fail("which programs?  [--pid PID] [-- SERVER...] -- GENERATOR...");
    if (attach_pid == 0) {
        command_add(&generating, "--port");
        command_add(&generating, port);
        command_add(&generating, "--json");
    }

    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    signals = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals == -1 || atexit(end_all) != 0)
        die("signalfd");
    return attach_pid > 0 ? measure_running(&generating) : measure_started(&serving, &generating);
}
