/* kernel - what /proc says of a program's processes and threads.  See kernel.h. */

#include "kernel.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

enum { PROCESSES = 4096 };

struct process {
    pid_t pid, parent;
    char state;
    bool ours;
};

static bool read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t length = fread(text, 1, size - 1, file);
    fclose(file);
    text[length] = '\0';
    return length > 0;
}

/* Every process of the machine: the tree is sought in one look at all of it. */
static int list_all(struct process list[PROCESSES])
{
    int count = 0;
    char path[64], text[1024];
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    while (folder != NULL && count < PROCESSES && (entry = readdir(folder)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        const char *rest;
        if (pid <= 0 || !read_file(path, text, sizeof text) || (rest = strrchr(text, ')')) == NULL)
            continue;
        list[count++] = (struct process){pid, (pid_t)strtol(rest + 3, NULL, 10), rest[2], false};
    }
    if (folder != NULL)
        closedir(folder);
    return count;
}

static long count_descriptors(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    long count = 0;
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL)
        count += isdigit((unsigned char)entry->d_name[0]) != 0;
    if (folder != NULL)
        closedir(folder);
    return count;
}

static bool look_at_task(pid_t pid, pid_t tid, struct trial_task *task)
{
    char path[80], text[4096];
    const char *found;
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)pid, (int)tid);
    if (!read_file(path, text, sizeof text))
        return false;
    *task = (struct trial_task){.pid = pid, .tid = tid, .state = '?', .call = -1};
    if ((found = strstr(text, "\nState:\t")) != NULL)
        task->state = found[8];
    if ((found = strstr(text, "\nvoluntary_ctxt_switches:\t")) != NULL)
        task->switches = strtol(found + 26, NULL, 10);
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", (int)pid, (int)tid);
    if (read_file(path, text, sizeof text) && isdigit((unsigned char)text[0])) {
        char *next;
        task->call = strtol(text, &next, 10);
        task->argument = (long)strtoull(next, NULL, 16);
    }
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)pid, (int)tid);
    if (read_file(path, text, sizeof text))
        task->cpu_ns = strtoll(text, NULL, 10);
    return true;
}

static void look_at_process(pid_t pid, struct trial_view *view)
{
    char path[64];
    clockid_t id;
    struct timespec t;
    view->processes++;
    view->descriptors += count_descriptors(pid);
    if (clock_getcpuclockid(pid, &id) == 0 && clock_gettime(id, &t) == 0)
        view->cpu_ns += (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        struct trial_task task;
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid <= 0 || !look_at_task(pid, tid, &task))
            continue;
        view->threads++;
        if (view->task_count < TRIAL_TASKS)
            view->tasks[view->task_count++] = task;
    }
    if (folder != NULL)
        closedir(folder);
}

void kernel_look(pid_t keeper, struct trial_view *view)
{
    static struct process list[PROCESSES];
    int count = list_all(list);
    *view = (struct trial_view){0};
    for (bool grown = true; grown;) { /* a child may stand before its parent in the list */
        grown = false;
        for (int i = 0; i < count; i++)
            for (int j = 0; j < count && !list[i].ours; j++)
                if (list[i].parent == keeper || (list[j].ours && list[j].pid == list[i].parent))
                    grown = list[i].ours = true;
    }
    for (int i = 0; i < count; i++) {
        if (!list[i].ours)
            continue;
        if (list[i].state == 'Z' || list[i].state == 'X')
            view->zombies++;
        else
            look_at_process(list[i].pid, view);
    }
}

const char *kernel_call_name(long number)
{
    static const struct {
        long number;
        const char *name;
    } names[] = {
#ifdef SYS_select
        {SYS_select, "select"},
#endif
#ifdef SYS_poll
        {SYS_poll, "poll"},
#endif
#ifdef SYS_epoll_wait
        {SYS_epoll_wait, "epoll_wait"},
#endif
#ifdef SYS_accept
        {SYS_accept, "accept"},
#endif
#ifdef SYS_pause
        {SYS_pause, "pause"},
#endif
        {SYS_pselect6, "select"},
        {SYS_ppoll, "poll"},
        {SYS_epoll_pwait, "epoll_wait"},
        {SYS_accept4, "accept"},
        {SYS_recvfrom, "recv"},
        {SYS_recvmsg, "recvmsg"},
        {SYS_read, "read"},
        {SYS_sendto, "send"},
        {SYS_sendmsg, "sendmsg"},
        {SYS_write, "write"},
        {SYS_connect, "connect"},
        {SYS_futex, "a wait for another thread (futex)"},
        {SYS_nanosleep, "a sleep"},
        {SYS_clock_nanosleep, "a sleep"},
        {SYS_rt_sigtimedwait, "sigtimedwait"},
        {SYS_rt_sigsuspend, "sigsuspend"},
        {SYS_wait4, "wait"},
        {SYS_io_uring_enter, "io_uring_enter"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].number == number)
            return names[i].name;
    return NULL;
}
