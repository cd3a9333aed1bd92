/* proc - what the kernel tells about a process and its descendants.  See proc.h. */

#include "proc.h"

#include "fault.h"
#include "wait.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TREE_MAX = 1024,  /* processes of one tree */
    PF_EXITING = 0x4, /* of the kernel's include/linux/sched.h: it has begun to exit */
};

/* What /proc/PID/stat says of one process. */
struct status {
    char state;
    pid_t parent;
    bool exiting;
    long threads;
};

static bool read_status(pid_t pid, struct status *s)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    char line[1024] = "";
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = '\0';
    const char *rest = strrchr(line, ')'); /* the name before it may hold anything */
    if (rest == NULL)
        return false;
    char *next = NULL;
    s->state = rest[2];
    s->parent = (pid_t)strtol(rest + 3, &next, 10); /* the 4th field */
    for (int field = 5; field <= 8; field++)
        strtol(next, &next, 10);
    s->exiting = strtoul(next, &next, 10) & PF_EXITING; /* the 9th */
    for (int field = 10; field <= 20; field++)
        s->threads = strtol(next, &next, 10); /* the 20th */
    return s->state != 'Z' && s->state != 'X';
}

size_t proc_children(pid_t parent, pid_t *children, size_t room)
{
    size_t count = 0;
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    while (folder != NULL && count < room && (entry = readdir(folder)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        struct status s;
        if (pid > 0 && read_status(pid, &s) && s.parent == parent)
            children[count++] = pid;
    }
    if (folder != NULL)
        closedir(folder);
    return count;
}

/* Root and all its descendants. */
static size_t list_tree(pid_t root, pid_t members[TREE_MAX])
{
    size_t count = 1;
    members[0] = root;
    for (size_t i = 0; i < count; i++)
        count += proc_children(members[i], members + count, TREE_MAX - count);
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

static int64_t cpu_time(pid_t pid)
{
    clockid_t id;
    struct timespec t;
    if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &t) == -1)
        return 0;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct proc_facts proc_tree(pid_t root)
{
    pid_t members[TREE_MAX];
    size_t count = list_tree(root, members);
    struct proc_facts sum = {0};
    for (size_t i = 0; i < count; i++) {
        struct status s = {0};
        if (!read_status(members[i], &s))
            continue;
        sum.processes++;
        sum.cpu_ns += cpu_time(members[i]);
        sum.threads += s.threads;
        sum.descriptors += count_descriptors(members[i]);
    }
    return sum;
}

/* The line "Rss: N kB" of /proc/PID/smaps_rollup, in bytes. */
static long resident(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    char line[256];
    long kb = 0;
    while (kb == 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "Rss:", 4) == 0)
            kb = strtol(line + 4, NULL, 10);
    fclose(file);
    return kb * 1024;
}

long proc_memory(pid_t root)
{
    pid_t members[TREE_MAX];
    size_t count = list_tree(root, members);
    long sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += resident(members[i]);
    return sum;
}

bool proc_children_wait(pid_t root)
{
    pid_t members[TREE_MAX];
    size_t count = list_tree(root, members);
    struct status s;
    for (size_t i = 1; i < count; i++)
        if (read_status(members[i], &s) && s.state != 'S')
            return false;
    return true;
}

bool proc_alive(pid_t pid)
{
    struct status s;
    return read_status(pid, &s);
}

bool proc_exiting(pid_t pid)
{
    struct status s = {0};
    return !read_status(pid, &s) || s.exiting;
}

static bool stands_still(void *pid)
{
    struct status s;
    return !read_status(*(pid_t *)pid, &s) || s.state == 'T';
}

static bool signal_tree(pid_t root, int signal_number)
{
    pid_t members[TREE_MAX];
    size_t count = list_tree(root, members);
    for (size_t i = 0; i < count; i++) {
        if (kill(members[i], signal_number) == -1 && errno != ESRCH)
            return fault("cannot signal process %d: %s", (int)members[i], strerror(errno));
        if (signal_number == SIGSTOP &&
            !wait_until(stands_still, &members[i], "a stopped process to stand still"))
            return false;
    }
    return true;
}

bool proc_freeze(pid_t root)
{
    return signal_tree(root, SIGSTOP);
}

bool proc_thaw(pid_t root)
{
    return signal_tree(root, SIGCONT);
}
