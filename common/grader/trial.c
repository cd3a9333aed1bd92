/* trial - one check being judged.  See trial.h. */

#include "outcome.h"

#include "../testkit/proc.h"
#include "../testkit/sanitizer.h"
#include "clock.h"
#include "keeper.h"
#include "kernel.h"
#include "net.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ARGUMENTS = 64,
    PATIENCE_MS = 700, /* so long it sleeps undisturbed: nothing more will happen */
    DESCRIPTORS = 256,
    SECONDS = 30,         /* a check's deadline */
    SPIN_SECONDS = 4,     /* of CPU time during one wait: it spins */
    ENDING_MS = 5000,     /* it has begun to exit: so long its status may take */
    RESTLESS_SECONDS = 1, /* of CPU time with nothing to do: it spins */
    EPFD_MOST = 64,       /* an epoll instance is among the first descriptors */
    FAULT_ONE_IN = 3
};
#define MEMORY ((rlim_t)4 << 30) /* address space of a plain build */

struct trial_inner {
    const struct check *check;
    struct outcome *outcome;
    const char *programs;
    uint64_t seed; /* what --seed says, or 0 */
    const char *program;
    struct keeper keeper;
    uid_t user;      /* of the program */
    char folder[32]; /* its own, or empty */
    bool running;
    bool server; /* it has been waited for its line */
    struct record *record;
    int record_fd;
    bool too_big; /* it was killed for the memory that it took */
    int cannot;   /* errno, if it was not even started */
    /* Of all its starts with faults: the kinds, how many struck, and what they could strike. */
    uint32_t kinds, planned;
    uint64_t struck, reads, writes;
    int64_t deadline;
    uint64_t marked; /* the call, plus 1; 0: none */
    char mark[OUTCOME_WIDTH];
    struct trial_view view;
    char errors[TRIAL_OUTPUT];
    /* What the waits look at: see is_in_vain. */
    bool fresh;
    uint64_t signature;
    int64_t still_since, cpu_before;
};

static struct trial *current; /* of this process, for the waits */

/* ---- what the kernel says ------------------------------------------------------------------------ */

struct trial_view *trial_look(struct trial *t)
{
    kernel_look(t->inner->keeper.pid, &t->inner->view);
    return &t->inner->view;
}

/* Whether every thread sleeps, and a number that changes when one has not slept through.  The second
 * thread of a process with ThreadSanitizer is the sanitizer's own, and never at rest. */
static bool all_asleep(const struct trial *t, const struct trial_view *view, uint64_t *signature)
{
    bool asleep = view->task_count > 0;
    int of_process = 0;
    *signature = (uint64_t)view->threads;
    for (int i = 0; i < view->task_count; i++) {
        const struct trial_task *task = &view->tasks[i];
        of_process = i > 0 && task[-1].pid == task->pid ? of_process + 1 : 1;
        if (t->build == TRIAL_THREAD && of_process == 2)
            continue;
        asleep = asleep && (task->state == 'S' || task->state == 'T');
        *signature = *signature * 1000003 + (uint64_t)task->tid;
        *signature = *signature * 1000003 + (uint64_t)task->switches;
    }
    return asleep;
}

/* "sleeps in epoll_wait", of a program with one thread or many. */
static const char *what_it_does(const struct trial_view *view)
{
    static char text[200];
    const char *name = NULL;
    int same = 0;
    for (int i = 0; i < view->task_count; i++) {
        const char *other = kernel_call_name(view->tasks[i].call);
        if (i == 0)
            name = other;
        same += other == name;
    }
    if (view->task_count == 0)
        return "has ended";
    if (view->tasks[0].state == 'R')
        return "is running";
    if (name == NULL || same != view->task_count)
        snprintf(text, sizeof text, "sleeps (%d threads)", view->threads);
    else
        snprintf(text, sizeof text, "sleeps in %s", name);
    return text;
}

/* See wait.h.  A program that sleeps and is not disturbed by what we have sent will not answer any
 * more; one that waits for its turn on a busy machine does not sleep. */
static bool is_in_vain(bool begins)
{
    struct trial *t = current;
    if (t == NULL || !t->inner->running)
        return false;
    struct trial_inner *in = t->inner;
    if (begins) {
        in->fresh = true;
        return false;
    }
    uint64_t signature;
    const struct trial_view *view = trial_look(t);
    bool asleep = all_asleep(t, view, &signature);
    int64_t now = clock_now();
    if (view->task_count == 0) {
        struct pollfd ended = {.fd = in->keeper.report, .events = POLLIN};
        return poll(&ended, 1, 0) == 1 && !fault("the program has ended");
    }
    if (in->fresh || !asleep || signature != in->signature)
        in->still_since = now;
    if (in->fresh)
        in->cpu_before = view->cpu_ns;
    in->fresh = false;
    in->signature = signature;
    int patience = t->patience_ms == 0 ? PATIENCE_MS : t->patience_ms;
    if (patience > 0 && now - in->still_since > (int64_t)patience * 1000000)
        return !fault("the program %s, and nothing disturbs it", what_it_does(view));
    if (view->cpu_ns - in->cpu_before > (int64_t)SPIN_SECONDS * 1000000000)
        return !fault("meanwhile the program has used %d s of CPU time", SPIN_SECONDS);
    return false;
}

struct stillness {
    struct trial *t;
    int64_t ms, since;
    uint64_t signature;
    int64_t cpu_before; /* -1: not looked yet */
    bool spins;
};

static bool is_still(void *argument)
{
    struct stillness *s = argument;
    uint64_t signature;
    const struct trial_view *view = trial_look(s->t);
    bool asleep = all_asleep(s->t, view, &signature);
    int64_t now = clock_now();
    if (!asleep || signature != s->signature)
        s->since = now;
    s->signature = signature;
    if (s->cpu_before == -1)
        s->cpu_before = view->cpu_ns;
    s->spins = view->cpu_ns - s->cpu_before > (int64_t)RESTLESS_SECONDS * 1000000000;
    return s->spins || now - s->since >= s->ms * 1000000;
}

bool trial_quiet(struct trial *t, int ms)
{
    struct stillness s = {.t = t, .ms = ms, .since = clock_now(), .cpu_before = -1};
    int patience = t->patience_ms;
    t->patience_ms = -1; /* its sleep is what we wait for */
    bool still = wait_until(is_still, &s, "the program to come to rest");
    t->patience_ms = patience;
    if (s.spins)
        return fault("it has used %d s of CPU time, and does not come to rest", RESTLESS_SECONDS);
    return still;
}

int trial_asleep_in(struct trial *t, const long calls[], int fd)
{
    const struct trial_view *view = trial_look(t);
    int count = 0;
    for (int i = 0; i < view->task_count; i++)
        for (int j = 0; calls[j] != -1; j++)
            count += view->tasks[i].state == 'S' && view->tasks[i].call == calls[j] &&
                     (fd < 0 || view->tasks[i].argument == fd);
    return count;
}

bool trial_watched(struct trial *t, int fd, uint32_t *events)
{
    for (int epfd = 0; epfd < EPFD_MOST; epfd++) {
        char path[64], line[256];
        snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)t->s.pid, epfd);
        FILE *file = fopen(path, "re");
        bool found = false;
        while (!found && file != NULL && fgets(line, sizeof line, file) != NULL) {
            int tfd;
            found = sscanf(line, "tfd: %d events: %x", &tfd, events) == 2 && tfd == fd;
        }
        if (file != NULL)
            fclose(file);
        if (found)
            return true;
    }
    return false;
}

double trial_cpu_ms(struct trial *t, int window_ms)
{
    int64_t before = trial_look(t)->cpu_ns;
    int64_t end = clock_now() + (int64_t)window_ms * 1000000;
    while (clock_now() < end)
        poll(NULL, 0, wait_left_ms(end));
    return (double)(trial_look(t)->cpu_ns - before) / 1e6;
}

/* ---- what the record says ------------------------------------------------------------------------ */

uint64_t trial_count(struct trial *t, enum call_name name)
{
    return t->record == NULL ? 0 : atomic_load(&t->record->count[name]);
}

/* An entry that the program has written itself may hold anything, and is passed over. */
static bool is_sound(const struct call *c)
{
    return c->name >= 0 && c->name < CALL_NAMES && c->ready_count >= 0 &&
           c->ready_count <= RECORD_MORE;
}

const struct call *trial_next_call(struct trial *t, uint64_t *number, int name, int fd)
{
    uint64_t end = t->record == NULL ? 0 : atomic_load(&t->record->next);
    if (end > RECORD_ROOM && *number < end - RECORD_ROOM)
        *number = end - RECORD_ROOM;
    for (; *number < end; ++*number) {
        const struct call *c = &t->record->calls[*number % RECORD_ROOM];
        if (atomic_load(&c->serial) == *number + 1 && is_sound(c) &&
            (name == CALL_NAMES || c->name == name) && (fd == -1 || c->fd == fd))
            return c;
    }
    return NULL;
}

/* The accept that gave the program this client, the last one if there are several; or NULL. */
static const struct call *accept_of(struct trial *t, int client)
{
    int port = client == -1 ? -1 : net_local_port(client);
    const struct call *c, *found = NULL;
    for (uint64_t n = 0; port > 0 && (c = trial_next_call(t, &n, CALL_NAMES, -1)) != NULL; n++)
        if ((c->name == CALL_accept || c->name == CALL_accept4) && c->result >= 0 &&
            c->port == port)
            found = c;
    return found;
}

int trial_server_fd(struct trial *t, int client)
{
    const struct call *c = accept_of(t, client);
    return c == NULL ? -1 : (int)c->result;
}

/* ---- start --------------------------------------------------------------------------------------- */

static int memory_file(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd != -1)
        fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

static void add_up_faults(struct trial *t)
{
    struct trial_inner *in = t->inner;
    if (t->record == NULL || in->kinds == 0)
        return;
    in->planned |= in->kinds;
    in->kinds = 0;
    in->struck += atomic_load(&t->record->faults);
    for (int name = CALL_recv; name <= CALL_readv; name++)
        in->reads += trial_count(t, name);
    for (int name = CALL_send; name <= CALL_writev; name++)
        in->writes += trial_count(t, name);
}

/* The record is new for each start. */
static bool open_record(struct trial *t)
{
    struct trial_inner *in = t->inner;
    add_up_faults(t);
    if (in->record != NULL)
        munmap(in->record, sizeof *in->record);
    if (in->record_fd != -1)
        close(in->record_fd);
    in->record = NULL;
    t->record = NULL;
    in->record_fd = -1;
    if (t->unrecorded)
        return true;
    /* Sealed: a program that makes it smaller would take it away under our eyes. */
    in->record_fd = memfd_create("record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (in->record_fd == -1 || ftruncate(in->record_fd, sizeof *in->record) == -1 ||
        fcntl(in->record_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1)
        return trial_fault(t, "cannot make memory for the record: %s", strerror(errno));
    void *memory = mmap(NULL, sizeof *in->record, PROT_READ | PROT_WRITE, MAP_SHARED, in->record_fd,
                        0);
    if (memory == MAP_FAILED)
        return trial_fault(t, "cannot map the record: %s", strerror(errno));
    in->record = memory;
    in->record->magic = RECORD_MAGIC;
    in->record->plan = t->faults;
    in->kinds = t->faults.kinds;
    if (t->faults.kinds != 0) {
        uint64_t seed = in->seed != 0 ? in->seed : t->faults.seed != 0 ? t->faults.seed : 1;
        in->record->plan.seed = in->outcome->seed = seed;
        if (t->faults.one_in == 0)
            in->record->plan.one_in = FAULT_ONE_IN;
    }
    t->record = in->record;
    return true;
}

/* Start the program with these standard descriptors, which are closed here but for err. */
static bool launch(struct trial *t, const char *program, char *argv[], int in, int out)
{
    static const char *const folders[] = {"plain", "address", "thread"};
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/%s", t->inner->programs, folders[t->build], program);
    argv[0] = (char *)program;
    t->inner->program = program;
    t->inner->server = false;
    t->status = t->signal = t->left_behind = t->inner->cannot = 0;
    bool good = access(path, X_OK) == 0 || trial_fault(t, "there is no program %s", path);
    if (good && (t->s.err = memory_file("stderr")) == -1)
        good = trial_fault(t, "cannot make a file in memory: %s", strerror(errno));
    good = good && open_record(t);
    struct keeper_plan plan = {.path = path,
                               .argv = argv,
                               .in = in,
                               .out = out,
                               .err = t->s.err,
                               .record = t->inner->record_fd,
                               .descriptors = t->descriptors > 0 ? t->descriptors : DESCRIPTORS,
                               .memory = t->build == TRIAL_PLAIN ? MEMORY : 0,
                               .fixed = t->build == TRIAL_THREAD,
                               .user = t->inner->user};
    if (good && keeper_start(&t->inner->keeper, &plan) == -1)
        good = trial_fault(t, "cannot start %s: %s", program, strerror(errno));
    close(in);
    close(out);
    t->inner->running = good;
    t->s.pid = good ? t->inner->keeper.program : 0;
    return good;
}

/* Forget the last program, if there was one. */
static void clear(struct trial *t)
{
    trial_kill(t);
    if (t->s.out > 0)
        close(t->s.out);
    if (t->s.err > 0)
        close(t->s.err);
    if (t->in > 0)
        close(t->in);
    t->s = (struct subject){.out = -1, .err = -1};
    t->in = t->out = -1;
    t->text[0] = '\0';
}

static bool has(const char *const arguments[], const char *word)
{
    for (int i = 0; arguments != NULL && arguments[i] != NULL; i++)
        if (strcmp(arguments[i], word) == 0)
            return true;
    return false;
}

/* Two pipes of which the program gets one end each. */
static bool open_pipes(struct trial *t, int *in, int *out)
{
    int input[2], output[2];
    if (pipe2(input, O_CLOEXEC) == -1 || pipe2(output, O_CLOEXEC) == -1)
        return trial_fault(t, "cannot make a pipe: %s", strerror(errno));
    *in = input[0];
    *out = output[1];
    t->in = input[1];
    t->s.out = t->out = output[0];
    return true;
}

bool trial_serve(struct trial *t, const char *program, const char *const arguments[])
{
    char *argv[ARGUMENTS] = {NULL};
    int count = 1, in = -1, out = -1;
    if (!has(arguments, "--port")) {
        argv[count++] = (char *)"--port";
        argv[count++] = (char *)"0";
    }
    if (!has(arguments, "--quiet") && !has(arguments, "--loud"))
        argv[count++] = (char *)"--quiet";
    for (int i = 0; arguments != NULL && arguments[i] != NULL && count < ARGUMENTS - 1; i++)
        if (strcmp(arguments[i], "--loud") != 0)
            argv[count++] = (char *)arguments[i];
    clear(t);
    if (!open_pipes(t, &in, &out))
        return false;
    if (!launch(t, program, argv, in, out))
        return false;
    close(t->in);
    t->in = -1;
    if (!subject_listens(&t->s))
        return trial_fail(t, -1, "no line \"listening on 127.0.0.1:PORT (...)\": %s", fault_text());
    t->inner->server = true;
    return true;
}

bool trial_spawn(struct trial *t, const char *program, const char *const arguments[])
{
    char *argv[ARGUMENTS] = {NULL};
    int in = -1, out = -1;
    for (int i = 0; arguments != NULL && arguments[i] != NULL && i < ARGUMENTS - 2; i++)
        argv[i + 1] = (char *)arguments[i];
    clear(t);
    return open_pipes(t, &in, &out) && launch(t, program, argv, in, out);
}

/* ---- its files ----------------------------------------------------------------------------------- */

const char *trial_folder(struct trial *t)
{
    struct trial_inner *in = t->inner;
    if (in->folder[0] != '\0')
        return in->folder;
    strcpy(in->folder, "/tmp/trial-XXXXXX");
    if (mkdtemp(in->folder) != NULL && chown(in->folder, in->user, (gid_t)in->user) == 0)
        return in->folder;
    trial_fault(t, "cannot make the folder %s: %s", in->folder, strerror(errno));
    in->folder[0] = '\0';
    return NULL;
}

static int limit_files(pid_t pid, rlim_t bytes)
{
    struct rlimit limit;
    if (prlimit(pid, RLIMIT_FSIZE, NULL, &limit) == -1)
        return -1;
    limit.rlim_cur = bytes > 0 ? bytes : limit.rlim_max;
    return prlimit(pid, RLIMIT_FSIZE, &limit, NULL);
}

/* Only root with all capabilities may do that to another user: so whoever does it becomes that user. */
bool trial_limit_files(struct trial *t, rlim_t bytes)
{
    uid_t user = t->inner->user;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(user) == -1 || setuid(user) == -1))
            _exit(errno);
        _exit(limit_files(t->inner->keeper.program, bytes) == 0 ? 0 : errno);
    }
    if (pid == -1 || waitpid(pid, &status, 0) == -1 || !WIFEXITED(status))
        return trial_fault(t, "cannot limit the program's files: no process for it");
    return WEXITSTATUS(status) == 0 ||
           trial_fault(t, "cannot limit the program's files: %s", strerror(WEXITSTATUS(status)));
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_folder(const char *folder)
{
    if (folder[0] != '\0')
        nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Whoever is nobody else leaves nothing for the next check to find, or to have no room for. */
static void remove_leftovers(const char *folder, uid_t user)
{
    char path[300];
    struct stat s;
    DIR *open_folder = geteuid() == 0 ? opendir(folder) : NULL;
    const struct dirent *entry;
    while (open_folder != NULL && (entry = readdir(open_folder)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (lstat(path, &s) == 0 && s.st_uid == user)
            remove_folder(path);
    }
    if (open_folder != NULL)
        closedir(open_folder);
}

/* ---- output -------------------------------------------------------------------------------------- */

const char *trial_errors(struct trial *t)
{
    ssize_t n = t->s.err > 0 ? pread(t->s.err, t->inner->errors, TRIAL_OUTPUT - 1, 0) : 0;
    t->inner->errors[n > 0 ? n : 0] = '\0';
    return t->inner->errors;
}

bool trial_read_line(struct trial *t, char *line, size_t size)
{
    int64_t deadline = wait_deadline();
    size_t length = 0;
    for (;;) {
        char c;
        if (!wait_ready(t->out, POLLIN, deadline, "a line of the program's output"))
            return trial_fail(t, -1, "%s", fault_text());
        if (read(t->out, &c, 1) != 1)
            return trial_fail(t, -1, "the program's output ended before the line did");
        if (c == '\n')
            break;
        if (length + 1 < size)
            line[length++] = c;
    }
    line[length] = '\0';
    return true;
}

/* ---- the end ------------------------------------------------------------------------------------- */

static void collect(struct trial *t)
{
    struct keeper_report report = keeper_collect(&t->inner->keeper);
    t->inner->running = false;
    t->s.pid = 0;
    t->status = report.told && WIFEXITED(report.status) ? WEXITSTATUS(report.status) : -1;
    t->signal = report.told && WIFSIGNALED(report.status) ? WTERMSIG(report.status) : 0;
    t->left_behind = report.left_behind;
    t->inner->too_big = report.too_big;
    t->inner->cannot = report.cannot;
    if (report.cannot != 0)
        t->status = -1;
}

static bool has_ended(struct trial *t, int ms)
{
    if (!t->inner->running)
        return true;
    struct pollfd ended = {.fd = t->inner->keeper.report, .events = POLLIN};
    if (poll(&ended, 1, ms) != 1)
        return false;
    collect(t);
    return true;
}

/* Copy the frames of a sanitizer's report that stand in the student's files: not in the library. */
static void own_frames(const char *report, char *text, size_t size)
{
    int kept = 0;
    for (const char *line = report; line != NULL && kept < 3; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *number = line + strspn(line, " ");
        const char *in = strstr(line, " in "); /* ThreadSanitizer has no such word */
        const char *end = strchr(line, '\n');
        if (*number != '#' || end == NULL)
            continue;
        const char *name = in != NULL && in < end ? in + 4 : number + strcspn(number, " ") + 1;
        char frame[300];
        snprintf(frame, sizeof frame, "%.*s", (int)(end - name), name);
        frame[strcspn(frame, "(")] = '\0';
        for (size_t n = strlen(frame); n > 0 && frame[n - 1] == ' ';)
            frame[--n] = '\0';
        if (strstr(frame, "sanitizer") != NULL || strstr(frame, "/usr/") != NULL ||
            strstr(frame, "../") != NULL || strstr(frame, ".c:") == NULL ||
            strstr(frame, "wrap.c:") != NULL)
            continue;
        char *folder = strchr(frame, ' ');
        const char *file = strrchr(frame, '/');
        if (folder != NULL && file != NULL)
            memmove(folder + 1, file + 1, strlen(file + 1) + 1);
        size_t length = strlen(text);
        snprintf(text + length, size - length, "%s%s", kept++ == 0 ? ": in " : ", ", frame);
    }
}

const char *trial_complaint(struct trial *t)
{
    static char text[1200];
    static const char *const heads[] = {
        "ERROR: AddressSanitizer: ", "ERROR: LeakSanitizer: ", "WARNING: ThreadSanitizer: ",
        "runtime error: ",           "ThreadSanitizer: ",      "AddressSanitizer: "};
    const char *errors = trial_errors(t);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        const char *found = strstr(errors, heads[i]);
        if (found == NULL)
            continue;
        const char *what = found + (strncmp(heads[i], "ERROR", 5) == 0 ? 7 : 0);
        if (strncmp(what, "WARNING: ", 9) == 0)
            what += 9;
        size_t length = strcspn(what, "\n");
        for (size_t j = 0; j + 4 < length; j++) /* "on address 0x...": says nothing to a reader */
            if (strncmp(what + j, " on ", 4) == 0 || strncmp(what + j, " (pid=", 6) == 0)
                length = j;
        snprintf(text, sizeof text, "%.*s", (int)length, what);
        own_frames(found, text, sizeof text);
        return text;
    }
    return NULL;
}

/* What it has said last is what it ended with. */
static const char *last_line(const char *text)
{
    const char *last = text;
    for (const char *end = text; (end = strchr(end, '\n')) != NULL && end[1] != '\0';)
        last = ++end;
    return last;
}

/* How it ended, as a sentence. */
static const char *how_it_ended(struct trial *t)
{
    static char text[1600];
    const char *said = trial_complaint(t);
    if (said != NULL)
        snprintf(text, sizeof text, "a sanitizer ended it: %s", said);
    else if (t->inner->too_big)
        snprintf(text, sizeof text, "it was killed: it took more memory than it may have (1 GiB)");
    else if (t->signal == SIGXCPU || t->signal == SIGKILL)
        snprintf(text, sizeof text, "it was killed (%s)",
                 t->signal == SIGXCPU ? "its CPU time is used up" : "SIGKILL");
    else if (t->signal == SIGXFSZ)
        snprintf(text, sizeof text, "it was killed: it wrote more than it may into one file");
    else if (t->signal != 0)
        snprintf(text, sizeof text, "it was ended by SIG%s", sigabbrev_np(t->signal));
    else if (t->status == -1)
        snprintf(text, sizeof text, "it killed the process that watches over it");
    else
        snprintf(text, sizeof text, "it exited with status %d", t->status);
    const char *last = last_line(trial_errors(t));
    if (said == NULL && last[0] != '\0' && t->status != 0) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, ", having said: %.*s",
                 (int)strcspn(last, "\n"), last);
    }
    return text;
}

/* Nothing of it may have been wrong in a way that only a sanitizer sees. */
static bool judge_end(struct trial *t)
{
    const char *said = trial_complaint(t);
    if (said != NULL)
        return trial_fail(t, -1, "a sanitizer complains: %s", said);
    /* It needs a thread to look for leaks, and on a full machine may get none. */
    if (strstr(trial_errors(t), "LeakSanitizer has encountered a fatal error") != NULL)
        return trial_fault(t, "LeakSanitizer could not look for leaks");
    if (t->signal != 0 || t->status == -1)
        return trial_fail(t, -1, "%s", how_it_ended(t));
    return true;
}

static bool is_stopped(struct trial *t)
{
    const struct trial_view *view = trial_look(t);
    for (int i = 0; i < view->task_count; i++)
        if (view->tasks[i].state == 'T')
            return true;
    return false;
}

static bool wait_for_end(struct trial *t, const char *asked)
{
    if (!t->inner->running)
        return true;
    if (wait_ready(t->inner->keeper.report, POLLIN, wait_deadline(), "its end")) {
        collect(t);
        return true;
    }
    const char *why = fault_text();
    if (!proc_alive(t->s.pid) && has_ended(t, ENDING_MS)) /* its keeper waits for what it left */
        return true;
    return trial_fail(
        t, -1, "%s: %s.  It had to be killed, and so is not checked for leaks%s", asked, why,
        is_stopped(t) ? ".  One of its processes is stopped: what it is told it hears "
                        "only when it goes on (SIGCONT)"
                      : "");
}

bool trial_gone(struct trial *t)
{
    return wait_for_end(t, "its end was waited for");
}

bool trial_stop(struct trial *t)
{
    char more[256];
    if (has_ended(t, 0))
        return trial_fail(t, -1, "the server has ended before it was asked to");
    kill(t->s.pid, SIGTERM);
    if (!wait_for_end(t, "it was asked to stop (SIGTERM), and did not") || !judge_end(t))
        return false;
    if (t->status != 0)
        return trial_fail(t, -1, "asked to stop (SIGTERM), it must exit with status 0, and %s",
                          how_it_ended(t));
    ssize_t n = read(t->s.out, more, sizeof more);
    return n <= 0 ||
           trial_fail(t, -1, "it wrote more than its line on standard output: %.*s", (int)n, more);
}

bool trial_end(struct trial *t)
{
    size_t length = 0;
    if (t->in != -1)
        close(t->in);
    t->in = -1;
    int64_t deadline = wait_deadline();
    for (;;) {
        char rest[4096];
        if (!wait_ready(t->out, POLLIN, deadline, "its end"))
            return trial_fail(t, -1, "%s", fault_text());
        ssize_t n = read(t->out, rest, sizeof rest);
        if (n <= 0)
            break;
        size_t room = sizeof t->text - 1 - length;
        size_t kept = (size_t)n < room ? (size_t)n : room;
        memcpy(t->text + length, rest, kept);
        length += kept;
    }
    t->text[length] = '\0';
    return wait_for_end(t, "its output has ended, and it has not") && judge_end(t);
}

/* Write what the program is to read, without waiting for one that does not read it. */
static void feed(struct trial *t, const char *input)
{
    fcntl(t->in, F_SETFL, O_NONBLOCK);
    size_t left = input == NULL ? 0 : strlen(input);
    int64_t deadline = wait_deadline();
    while (left > 0) {
        ssize_t n = write(t->in, input, left);
        if (n > 0) {
            input += n;
            left -= (size_t)n;
        } else if (errno != EAGAIN ||
                   !wait_ready(t->in, POLLOUT, deadline, "the program to read its input")) {
            return;
        }
    }
}

bool trial_run(struct trial *t, const char *program, const char *const arguments[],
               const char *input)
{
    if (!trial_spawn(t, program, arguments))
        return false;
    feed(t, input);
    return trial_end(t);
}

void trial_kill(struct trial *t)
{
    if (t->inner->running)
        keeper_kill(&t->inner->keeper);
    t->inner->running = false;
    t->s.pid = 0;
}

/* ---- the story and the verdict ------------------------------------------------------------------- */

void trial_step(struct trial *t, const char *format, ...)
{
    struct outcome *o = t->inner->outcome;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(o->did[o->did_count++ % OUTCOME_STEPS], OUTCOME_WIDTH, format, arguments);
    va_end(arguments);
}

void trial_expect(struct trial *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(t->inner->outcome->expected, OUTCOME_WIDTH, format, arguments);
    va_end(arguments);
}

void trial_mark(struct trial *t, uint64_t call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(t->inner->mark, sizeof t->inner->mark, format, arguments);
    va_end(arguments);
    t->inner->marked = call + 1;
}

/* Give the verdict, once: what fails after a failure is no news. */
__attribute__((format(printf, 3, 0))) static bool decide(struct trial *t, enum outcome_kind kind,
                                                         const char *format, va_list arguments)
{
    struct outcome *o = t->inner->outcome;
    if (o->kind != OUTCOME_NONE)
        return false;
    vsnprintf(o->message, sizeof o->message, format, arguments);
    o->kind = kind;
    return true;
}

/* Who is spared the faults has not borne them. */
static const char *what_was_spared(struct trial *t)
{
    struct trial_inner *in = t->inner;
    add_up_faults(t);
    if (in->planned & FAULT_SHORT_READ && in->reads == 0)
        return "reads";
    if (in->planned & FAULT_SHORT_WRITE && in->writes == 0)
        return "writes";
    return in->planned != 0 && in->struck == 0 ? "calls" : NULL;
}

void trial_pass(struct trial *t, const char *format, ...)
{
    const char *spared = what_was_spared(t);
    if (spared != NULL) {
        trial_fail(t, -1,
                   "none of its %s could be cut short or interrupted, for it makes them in another "
                   "way: use recv, send, accept and the like, by these names",
                   spared);
        return;
    }
    if (t->left_behind > 0) {
        trial_fail(t, -1, "it has ended, and left %d process%s behind", t->left_behind,
                   t->left_behind == 1 ? "" : "es");
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    decide(t, OUTCOME_PASSED, format, arguments);
    va_end(arguments);
}

bool trial_fault(struct trial *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    decide(t, OUTCOME_FAULT, format, arguments);
    va_end(arguments);
    trial_kill(t);
    return false;
}

bool trial_inconclusive(struct trial *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    decide(t, OUTCOME_INCONCLUSIVE, format, arguments);
    va_end(arguments);
    trial_kill(t);
    return false;
}

/* Add to what came how the program is, for that is what the student wants to know next. */
static void add_state(struct trial *t, bool was_running)
{
    struct outcome *o = t->inner->outcome;
    size_t length = strlen(o->message);
    char *end = o->message + length;
    size_t room = sizeof o->message - length;
    if (clock_now() >= t->inner->deadline)
        snprintf(end, room, "\nthe deadline of this check (%g s) struck",
                 t->inner->check->seconds > 0 ? t->inner->check->seconds : SECONDS);
    else if (was_running && !t->inner->running)
        snprintf(end, room, "\nthe program has ended: %s", how_it_ended(t));
    else if (was_running && strstr(o->message, "the program ") == NULL)
        snprintf(end, room, "\nthe program %s", what_it_does(trial_look(t)));
}

bool trial_fail(struct trial *t, int client, const char *format, ...)
{
    bool was_running = t->inner->running;
    if (was_running && t->inner->outcome->kind == OUTCOME_NONE)
        has_ended(t, proc_exiting(t->s.pid) ? ENDING_MS : 100);
    if (t->inner->cannot != 0)
        return trial_fault(t, "the program was not even started: %s", strerror(t->inner->cannot));
    va_list arguments;
    va_start(arguments, format);
    bool first = decide(t, OUTCOME_FAILED, format, arguments);
    va_end(arguments);
    if (!first)
        return false;
    add_state(t, was_running);
    const struct call *accepted = accept_of(t, client);
    trial_kill(t);
    story_tell(t, accepted, t->inner->outcome, t->inner->marked, t->inner->mark);
    return false;
}

bool trial_ok(struct trial *t, int client, bool ok)
{
    return ok || trial_fail(t, client, "%s", fault_text());
}

/* ---- clients ------------------------------------------------------------------------------------- */

bool trial_peer(struct trial *t, struct peer *p)
{
    errno = 0;
    if (peer_open(p, &t->s))
        return true;
    if (errno == EADDRNOTAVAIL || errno == EMFILE || errno == ENFILE || errno == ENOBUFS)
        return trial_fault(t, "the grader cannot connect a client: %s", strerror(errno));
    return trial_fail(t, -1, "a client cannot connect: %s", fault_text());
}

bool trial_peers(struct trial *t, struct peer *peers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!trial_peer(t, &peers[i]))
            return false;
    return true;
}

/* ---- fingerprint --------------------------------------------------------------------------------- */

/* clang-format off */
const struct trial_model trial_model_select = {
    "select", {CALL_select, CALL_pselect, CALL_NAMES}, {
#ifdef SYS_select
    SYS_select,
#endif
    SYS_pselect6, -1}};
const struct trial_model trial_model_poll = {
    "poll", {CALL_poll, CALL_ppoll, CALL_NAMES}, {
#ifdef SYS_poll
    SYS_poll,
#endif
    SYS_ppoll, -1}};
const struct trial_model trial_model_epoll = {
    "epoll_wait", {CALL_epoll_wait, CALL_epoll_pwait, CALL_NAMES}, {
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
    SYS_epoll_pwait, -1}};
/* clang-format on */

static bool is_of_model(const struct trial_model *model, enum call_name name)
{
    for (int i = 0; model->names[i] != CALL_NAMES; i++)
        if (model->names[i] == name)
            return true;
    return false;
}

/* The record: the model's call waits, and no other does. */
static bool judge_record(struct trial *t, const struct trial_model *model, uint64_t rounds)
{
    static const struct {
        enum call_name name;
        const char *text;
    } waits[] = {{CALL_select, "select"},
                 {CALL_pselect, "pselect"},
                 {CALL_poll, "poll"},
                 {CALL_ppoll, "ppoll"},
                 {CALL_epoll_wait, "epoll_wait"},
                 {CALL_epoll_pwait, "epoll_pwait"},
                 {CALL_nanosleep, "nanosleep"},
                 {CALL_usleep, "usleep"},
                 {CALL_sleep, "sleep"}};
    uint64_t count = 0;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        if (is_of_model(model, waits[i].name))
            count += trial_count(t, waits[i].name);
        else if (trial_count(t, waits[i].name) > 0)
            return trial_fail(t, -1,
                              "it also called %s, %llu times; this exercise waits with %s "
                              "alone",
                              waits[i].text, (unsigned long long)trial_count(t, waits[i].name),
                              model->call);
    }
    if (count < rounds / 3)
        return trial_fail(t, -1, "it called %s %llu times in %llu rounds: that is not what waits",
                          model->call, (unsigned long long)count, (unsigned long long)rounds);
    return true;
}

/* The kernel: one thread of one process, asleep in the model's call. */
static bool judge_kernel(struct trial *t, const struct trial_model *model)
{
    if (!trial_quiet(t, 200))
        return trial_fail(t, -1,
                          "nobody sends anything, and it does not sleep: it must wait in %s until "
                          "there is something to do",
                          model->call);
    const struct trial_view *view = trial_look(t);
    if (view->processes != 1 || view->threads != 1)
        return trial_fail(t, -1, "it has %d threads in %d processes; here one thread serves all",
                          view->threads, view->processes);
    if (trial_asleep_in(t, model->numbers, -1) != 1) {
        bool told = view->tasks[0].call != -1;
        if (!told) /* where /proc/PID/syscall is not to be read, the record must do */
            return true;
        return trial_fail(t, -1, "nobody sends anything, and it %s; this exercise waits in %s",
                          what_it_does(view), model->call);
    }
    return true;
}

bool trial_fingerprint(struct trial *t, const struct trial_model *model,
                       const char *const arguments[])
{
    enum { CLIENTS = 3, ROUNDS = 6 };
    struct peer peers[CLIENTS];
    trial_step(t, "%d clients connect, and send 64 bytes in turn, %d times each", CLIENTS, ROUNDS);
    trial_expect(t, "each answer before the next request; the waiting done by %s", model->call);
    if (!trial_serve(t, "server", arguments) || !trial_peers(t, peers, CLIENTS))
        return false;
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < CLIENTS; i++)
            if (!trial_ok(t, peers[i].fd, peer_exchange(&peers[i], 64)))
                return false;
    trial_step(t, "and then nothing");
    bool good = judge_kernel(t, model) && judge_record(t, model, CLIENTS * ROUNDS);
    peers_close(peers, CLIENTS);
    return good;
}

/* ---- a trial ------------------------------------------------------------------------------------- */

struct trial *trial_new(const struct check *check, struct outcome *outcome, const char *programs,
                        uint64_t seed)
{
    struct trial *t = calloc(1, sizeof *t);
    struct trial_inner *inner = calloc(1, sizeof *inner);
    if (t == NULL || inner == NULL) {
        free(t);
        free(inner);
        return NULL;
    }
    double seconds = check->seconds > 0 ? check->seconds : SECONDS;
    *inner = (struct trial_inner){.check = check,
                                  .outcome = outcome,
                                  .programs = programs,
                                  .seed = seed,
                                  .record_fd = -1,
                                  .user = keeper_stranger(),
                                  .keeper.report = -1,
                                  .deadline = clock_now() + (int64_t)(seconds * 1e9)};
    *t = (struct trial){
        .build = check->build, .s = {.out = -1, .err = -1}, .in = -1, .out = -1, .inner = inner};
    wait_patience = seconds;
    wait_limit = inner->deadline;
    wait_in_vain = is_in_vain;
    current = t;
    return t;
}

void trial_free(struct trial *t)
{
    clear(t);
    current = NULL;
    if (t->inner->record != NULL)
        munmap(t->inner->record, sizeof *t->inner->record);
    remove_folder(t->inner->folder);
    remove_leftovers("/tmp", t->inner->user);
    remove_leftovers("/dev/shm", t->inner->user);
    free(t->inner);
    free(t);
}
