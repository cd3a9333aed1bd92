/* subject - the program under test.  See subject.h. */

#include "subject.h"

#include "fault.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 64, RETURNED = 99 };

/* ---- start -------------------------------------------------------------------------------- */

/* What a child process becomes: a program, or a function. */
struct plan {
    const char *path;
    const char *const *arguments; /* NULL: the function */
    rlim_t descriptors;
    void (*function)(void *);
    void *argument;
};

static _Noreturn void become_program(const struct plan *plan)
{
    char *argv[ARGUMENTS_MAX + 2] = {(char *)plan->path};
    for (int i = 0; i < ARGUMENTS_MAX && plan->arguments[i] != NULL; i++)
        argv[i + 1] = (char *)plan->arguments[i];
    if (plan->descriptors > 0) {
        struct rlimit limit = {plan->descriptors, plan->descriptors};
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    execv(plan->path, argv);
    fprintf(stderr, "cannot run %s: %s\n", plan->path, strerror(errno));
    _exit(127);
}

/* Fork a child that dies with us and has nothing open but the three standard descriptors. */
static pid_t spawn(const struct plan *plan, int out, int err)
{
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() != parent || in == -1 || dup2(in, 0) == -1 || dup2(out, 1) == -1 ||
        dup2(err, 2) == -1)
        _exit(126);
    if (plan->arguments != NULL) {
        /* Some that we were given may not be close-on-exec.  An older kernel lacks the call. */
        close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
        become_program(plan);
    }
    if (plan->function != NULL)
        plan->function(plan->argument);
    exit(RETURNED);
}

/* A file in memory for what a child writes: it cannot fill up and block the child.  O_APPEND, for
 * the child's own children write to it at the same time, and a memfd has no lock on its offset:
 * two writes at once would land on the same place. */
static int open_record(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd != -1)
        fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

static void read_record(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);
    text[n > 0 ? n : 0] = '\0';
}

void subject_errors(const struct subject *s, char *text, size_t size)
{
    read_record(s->err, text, size);
}

void subject_last_errors(const struct subject *s, char *text, size_t size)
{
    struct stat status;
    off_t from = 0;
    if (fstat(s->err, &status) == 0 && status.st_size >= (off_t)size)
        from = status.st_size - (off_t)size + 1;
    ssize_t n = pread(s->err, text, size - 1, from);
    text[n > 0 ? n : 0] = '\0';
    const char *line = from > 0 ? strchr(text, '\n') : NULL; /* the first may be cut */
    if (line != NULL)
        memmove(text, line + 1, strlen(line));
}

/* Take HOST, PORT and MODEL out of the line. */
static bool parse_line(struct subject *s)
{
    char host[sizeof s->host + 2];
    int end = 0;
    if (sscanf(s->line, "listening on %65[^ ] (%127[^)])%n", host, s->model, &end) != 2 ||
        strcmp(s->line + end, "\n") != 0)
        return false;
    char *colon = strrchr(host, ':');
    if (colon == NULL || strlen(colon + 1) >= sizeof s->port)
        return false;
    snprintf(s->port, sizeof s->port, "%s", colon + 1);
    *colon = '\0';
    bool brackets = host[0] == '[' && colon[-1] == ']';
    if (brackets)
        colon[-1] = '\0';
    snprintf(s->host, sizeof s->host, "%.63s", host + brackets);
    return true;
}

/* The line is read byte by byte: what comes after it is to stay in the pipe. */
bool subject_listens(struct subject *s)
{
    int64_t deadline = wait_deadline();
    size_t length = 0;
    do {
        if (!wait_ready(s->out, POLLIN, deadline, "the line 'listening on ...'"))
            return false;
        if (read(s->out, s->line + length, 1) != 1)
            return fault("ended before it said that it listens");
    } while (s->line[length++] != '\n' && length < sizeof s->line - 1);
    return parse_line(s) || fault("its line is not 'listening on HOST:PORT (MODEL)': %s", s->line);
}

bool subject_start(struct subject *s, const char *path, const char *const arguments[],
                   rlim_t descriptors)
{
    *s = (struct subject){.out = -1, .err = open_record("stderr")};
    int ends[2] = {-1, -1};
    if (s->err == -1 || pipe2(ends, O_CLOEXEC) == -1)
        return fault("cannot start %s: %s", path, strerror(errno));
    struct plan plan = {.path = path, .arguments = arguments, .descriptors = descriptors};
    s->out = ends[0];
    s->pid = spawn(&plan, ends[1], s->err);
    close(ends[1]);
    if (s->pid == -1)
        return fault("cannot fork: %s", strerror(errno));
    if (subject_listens(s))
        return true;
    char errors[1024];
    subject_errors(s, errors, sizeof errors);
    fault("%s: %s\n%s", path, fault_text(), errors);
    subject_kill(s);
    return false;
}

/* ---- stop --------------------------------------------------------------------------------- */

/* A child of ours that is to end. */
struct ending {
    pid_t pid;
    int status; /* as in struct subject_outcome */
};

static bool has_ended(void *argument)
{
    struct ending *e = argument;
    int status;
    pid_t pid = waitpid(e->pid, &status, WNOHANG);
    if (pid == e->pid)
        e->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return pid != 0;
}

void subject_kill(struct subject *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        while (waitpid(s->pid, NULL, 0) == -1 && errno == EINTR)
            ;
    }
    close(s->out);
    close(s->err);
    *s = (struct subject){.out = -1, .err = -1};
}

static bool no_sanitizer_complains(const struct subject *s)
{
    static const char *const complaints[] = {"ERROR: AddressSanitizer", "WARNING: ThreadSanitizer",
                                             "LeakSanitizer", "runtime error:"};
    static char errors[1 << 20];
    subject_errors(s, errors, sizeof errors);
    for (size_t i = 0; i < sizeof complaints / sizeof complaints[0]; i++) {
        const char *found = strstr(errors, complaints[i]);
        if (found != NULL)
            return fault("a sanitizer complains:\n%.3000s", found);
    }
    return true;
}

static bool said_nothing_more(const struct subject *s)
{
    char more[256] = "";
    ssize_t n = read(s->out, more, sizeof more - 1);
    return n <= 0 || fault("wrote more than its line on standard output: %.*s", (int)n, more);
}

bool subject_ends_well(struct subject *s)
{
    struct ending e = {.pid = s->pid};
    if (s->pid <= 0)
        return fault("there is no server to stop");
    bool well = wait_until(has_ended, &e, "the server to end after the signal");
    if (well)
        s->pid = 0;
    well = well && no_sanitizer_complains(s);
    if (well && e.status != 0) {
        char errors[1024];
        subject_errors(s, errors, sizeof errors);
        well = fault("the server %s %d, not 0: %s",
                     e.status == -1 ? "was killed by a signal, status" : "exited with", e.status,
                     errors);
    }
    well = well && said_nothing_more(s);
    subject_kill(s);
    return well;
}

bool subject_stop(struct subject *s)
{
    if (s->pid > 0)
        kill(s->pid, SIGTERM);
    return subject_ends_well(s);
}

/* ---- run to the end ----------------------------------------------------------------------- */

static bool run_plan(struct subject_outcome *o, const struct plan *plan, const char *what)
{
    int out = open_record("stdout");
    int err = open_record("stderr");
    bool ended = false;
    if (out == -1 || err == -1) {
        fault("cannot make a file in memory: %s", strerror(errno));
    } else {
        struct ending e = {.pid = spawn(plan, out, err), .status = -1};
        if (e.pid == -1) /* which kill would take for everybody */
            fault("cannot fork: %s", strerror(errno));
        else if (!(ended = wait_until(has_ended, &e, what))) {
            kill(e.pid, SIGKILL);
            waitpid(e.pid, NULL, 0);
        }
        o->status = e.status;
        read_record(out, o->out, sizeof o->out);
        read_record(err, o->err, sizeof o->err);
    }
    close(out);
    close(err);
    return ended;
}

bool subject_run(struct subject_outcome *o, const char *path, const char *const arguments[])
{
    struct plan plan = {.path = path, .arguments = arguments};
    return run_plan(o, &plan, "a program to end by itself");
}

bool subject_call(struct subject_outcome *o, void (*function)(void *), void *argument)
{
    struct plan plan = {.function = function, .argument = argument};
    return run_plan(o, &plan, "a function to return");
}
