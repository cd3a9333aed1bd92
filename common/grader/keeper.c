/* keeper - run a student's program where it can harm nobody.  See keeper.h. */

#include "keeper.h"

#include "../testkit/proc.h"
#include "clock.h"
#include "record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TASKS = 512,          /* processes and threads that it may have */
    CPU_SECONDS = 60,     /* that each process may use */
    FILE_BYTES = 8 << 20, /* that it may write into one file; its standard error is one */
    MEMORY_KIB = 1 << 20, /* of memory that it and its children may have: 1 GiB */
    PROCESSES = 4096,     /* of all that run, that are looked at */
    LOOK_US = 50000       /* between two looks at its memory */
};

/* What the keeper and the program read and write to agree when to begin. */
struct meeting {
    int forked[2]; /* the keeper says that the program's process is there */
    int go[2];     /* the grader has seen it, and lets it begin */
    int report[2];
};

/* ---- the program ----------------------------------------------------------------------------- */

static void limit(int what, rlim_t most)
{
    struct rlimit l;
    if (getrlimit(what, &l) == 0 && l.rlim_max > most)
        setrlimit(what, &(struct rlimit){most, most});
}

/* A program of root's becomes a user whom nobody else is: so it can send a signal to no other process,
 * and RLIMIT_NPROC counts its own alone.  The user need not be known to the system. */
uid_t keeper_stranger(void)
{
    uint32_t chance = 0;
    if (geteuid() != 0)
        return geteuid();
    (void)!getrandom(&chance, sizeof chance, 0);
    return 0x40000000 | (chance & 0x3fffffff);
}

/* Processes and threads of a user: what RLIMIT_NPROC counts, but for a user namespace of its own. */
static rlim_t tasks_of(uid_t user)
{
    rlim_t count = 0;
    char path[300];
    struct stat s;
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        snprintf(path, sizeof path, "/proc/%s/task", entry->d_name);
        if (stat(path, &s) == 0 && s.st_uid == user)
            count += s.st_nlink - 2; /* a folder for each */
    }
    if (folder != NULL)
        closedir(folder);
    return count;
}

/* It is not the program's fault that it does not run, and its exit status could not tell: a program may
 * end with any. */
static _Noreturn void cannot(const struct meeting *m)
{
    struct keeper_report report = {.told = true, .cannot = errno};
    (void)!write(m->report[1], &report, sizeof report);
    _exit(126);
}

/* Run in the child that becomes the program; does not return. */
static _Noreturn void become(const struct keeper_plan *plan, const struct meeting *m, bool isolated)
{
    char go, number[16];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    close(m->go[1]);
    if (read(m->go[0], &go, 1) != 1 || dup2(plan->in, 0) == -1 || dup2(plan->out, 1) == -1 ||
        dup2(plan->err, 2) == -1)
        cannot(m);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    limit(RLIMIT_NOFILE, plan->descriptors);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, CPU_SECONDS);
    limit(RLIMIT_FSIZE, FILE_BYTES);
    uid_t user = plan->user;
    limit(RLIMIT_NPROC, TASKS + (isolated || geteuid() == 0 ? 0 : tasks_of(user)));
    if (plan->memory > 0)
        limit(RLIMIT_AS, plan->memory);
    if (plan->fixed)
        personality(ADDR_NO_RANDOMIZE);
    if (geteuid() == 0 && (setgroups(0, NULL) == -1 || setgid(user) == -1 || setuid(user) == -1))
        cannot(m);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    /* Everything but the record is closed at exec: also what somebody else has left open. */
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (plan->record != -1) {
        fcntl(plan->record, F_SETFD, 0);
        snprintf(number, sizeof number, "%d", plan->record);
        setenv(RECORD_VARIABLE, number, 1);
    } else {
        unsetenv(RECORD_VARIABLE);
    }
    setenv("ASAN_OPTIONS", "detect_stack_use_after_return=0", 1);
    setenv("UBSAN_OPTIONS", "print_stacktrace=1", 1);
    setenv("TSAN_OPTIONS", "second_deadlock_stack=1:atexit_sleep_ms=100", 1);
    unsetenv("LD_PRELOAD");
    execv(plan->path, plan->argv);
    cannot(m);
}

/* ---- the keeper ------------------------------------------------------------------------------ */

/* /proc is to show the namespace's own processes: sanitizers look themselves up there. */
static bool mount_proc(void)
{
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

static int children_left(void)
{
    pid_t children[64];
    return (int)proc_children(getpid(), children, 64);
}

static void look_up(int number)
{
    (void)number; /* it has interrupted waitpid */
}

struct process {
    pid_t pid, parent;
    long kib;  /* of memory that is no file's */
    bool ours; /* it descends from us */
};

static bool read_process(const char *pid, struct process *p)
{
    char path[300], line[256];
    snprintf(path, sizeof path, "/proc/%s/status", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    *p = (struct process){.pid = (pid_t)strtol(pid, NULL, 10)};
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "PPid:", 5) == 0)
            p->parent = (pid_t)strtol(line + 5, NULL, 10);
        else if (strncmp(line, "RssAnon:", 8) == 0 || strncmp(line, "RssShmem:", 9) == 0)
            p->kib += strtol(strchr(line, ':') + 1, NULL, 10);
    fclose(file);
    return p->pid > 0;
}

/* All that run, those that descend from us marked as ours; their number. */
static int list_processes(struct process *all)
{
    int count = 0;
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    while (folder != NULL && count < PROCESSES && (entry = readdir(folder)) != NULL)
        count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
                 read_process(entry->d_name, &all[count]);
    if (folder != NULL)
        closedir(folder);
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < count; i++) {
            bool child = all[i].parent == getpid();
            for (int j = 0; j < count && !child && !all[i].ours; j++)
                child = all[j].ours && all[j].pid == all[i].parent;
            more = more || (child && !all[i].ours);
            all[i].ours = all[i].ours || child;
        }
    }
    return count;
}

/* More memory than it and its children may have?  Then all of them are killed.  A limit of the kernel's
 * would also count what sanitizers reserve, and of each process alone. */
static bool end_if_too_big(void)
{
    static struct process all[PROCESSES];
    int count = list_processes(all);
    long kib = 0;
    for (int i = 0; i < count; i++)
        kib += all[i].ours ? all[i].kib : 0;
    for (int i = 0; i < count && kib > MEMORY_KIB; i++)
        if (all[i].ours)
            kill(all[i].pid, SIGKILL);
    return kib > MEMORY_KIB;
}

/* Wait until the program has ended, and for a second until all that it started has. */
static struct keeper_report watch_over(pid_t program)
{
    struct keeper_report report = {.told = true};
    int status;
    pid_t pid;
    struct sigaction alarm = {.sa_handler = look_up}; /* no SA_RESTART */
    sigaction(SIGALRM, &alarm, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, LOOK_US}, {0, LOOK_US}}, NULL);
    while ((pid = waitpid(-1, &status, 0)) != program) {
        if (pid == -1 && errno != EINTR)
            return report;
        report.too_big = end_if_too_big() || report.too_big;
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    report.status = status;
    int64_t deadline = clock_now() + 1000000000;
    while ((pid = waitpid(-1, NULL, WNOHANG)) != -1 && clock_now() < deadline)
        if (pid == 0)
            poll(NULL, 0, 2);
    report.left_behind = pid == -1 ? 0 : children_left();
    return report;
}

/* What is left is killed as often as it takes: somebody may fork faster than we look. */
static void clear_away(void)
{
    int64_t deadline = clock_now() + 5000000000;
    while (waitpid(-1, NULL, WNOHANG) != -1 && clock_now() < deadline) {
        pid_t children[64];
        size_t count = proc_children(getpid(), children, 64);
        for (size_t i = 0; i < count; i++)
            kill(children[i], SIGKILL);
    }
}

static _Noreturn void keep(const struct keeper_plan *plan, const struct meeting *m, bool isolated)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    if (isolated && !mount_proc())
        _exit(125); /* before a word: keeper_start tries without */
    if (!isolated)
        prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t program = fork();
    if (program == 0)
        become(plan, m, isolated);
    char word = program == -1 ? 'n' : 'y';
    if (write(m->forked[1], &word, 1) != 1 || program == -1)
        _exit(126);
    int report_to = fcntl(m->report[1], F_DUPFD_CLOEXEC, 1000);
    if (report_to == -1)
        report_to = m->report[1];
    for (int fd = 0; fd < report_to; fd++) /* ends of pipes, whose other ends are to see an end */
        close(fd);
    close_range((unsigned)report_to + 1, ~0U, 0);
    for (int s = 1; s < NSIG; s++)
        signal(s, s == SIGCHLD ? SIG_DFL : SIG_IGN);
    struct keeper_report report = watch_over(program);
    if (!isolated)
        clear_away();
    (void)!write(report_to, &report, sizeof report);
    _exit(0);
}

/* ---- the grader ------------------------------------------------------------------------------ */

/* Fork the keeper, in namespaces of its own or not.  An unprivileged user needs one for users first. */
static pid_t fork_keeper(bool isolated)
{
    if (!isolated)
        return fork();
    long flags = CLONE_NEWPID | CLONE_NEWNS | SIGCHLD | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
    return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
}

static void close_both(int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static int start(struct keeper *k, const struct keeper_plan *plan, bool isolated)
{
    struct meeting m;
    if (pipe2(m.forked, O_CLOEXEC) == -1)
        return -1;
    if (pipe2(m.go, O_CLOEXEC) == -1) {
        close_both(m.forked);
        return -1;
    }
    if (pipe2(m.report, O_CLOEXEC) == -1) {
        close_both(m.forked);
        close_both(m.go);
        return -1;
    }
    fflush(NULL);
    *k = (struct keeper){.isolated = isolated, .report = m.report[0]};
    k->pid = fork_keeper(isolated);
    if (k->pid == 0)
        keep(plan, &m, isolated);
    int error = k->pid == -1 ? errno : 0;
    close(m.forked[1]);
    close(m.report[1]);
    char word = 'n';
    if (error == 0 && (read(m.forked[0], &word, 1) != 1 || word != 'y'))
        error = EAGAIN;
    if (error == 0) {
        proc_children(k->pid, &k->program, 1);
        (void)!write(m.go[1], "g", 1);
    }
    close(m.forked[0]);
    close_both(m.go);
    if (error == 0)
        return 0;
    if (k->pid > 0)
        waitpid(k->pid, NULL, 0);
    close(m.report[0]);
    errno = error;
    return -1;
}

int keeper_start(struct keeper *k, const struct keeper_plan *plan)
{
    return start(k, plan, true) == 0 ? 0 : start(k, plan, false);
}

static void reap(struct keeper *k)
{
    while (waitpid(k->pid, NULL, 0) == -1 && errno == EINTR)
        ;
    close(k->report);
    *k = (struct keeper){.report = -1};
}

struct keeper_report keeper_collect(struct keeper *k)
{
    struct keeper_report report = {0};
    if (read(k->report, &report, sizeof report) != sizeof report)
        report = (struct keeper_report){0};
    reap(k);
    return report;
}

/* Out of a namespace the kernel takes all that is in it; else the keeper clears away. */
void keeper_kill(struct keeper *k)
{
    if (k->pid <= 0)
        return;
    if (!k->isolated && k->program > 0) {
        kill(k->program, SIGKILL);
        struct pollfd ended = {.fd = k->report, .events = POLLIN};
        poll(&ended, 1, 7000);
    }
    kill(k->pid, SIGKILL);
    reap(k);
}
