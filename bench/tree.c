/* tree - the processes of a running server, and what they have used.  See tree.h. */

#include "tree.h"
#include "clock.h"
#include "die.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

pid_t tree_parent_of(pid_t pid)
{
    char path[64];
    char line[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    const char *read = fgets(line, sizeof line, f);
    fclose(f);
    const char *name_end = read != NULL ? strrchr(line, ')') : NULL;
    if (name_end == NULL || strlen(name_end) < 5 || name_end[2] == 'Z')
        return 0;
    return (pid_t)strtol(name_end + 4, NULL, 10);
}

static bool tree_holds(const struct tree *t, pid_t pid)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->processes[i].pid == pid)
            return true;
    return false;
}

static int64_t cpu_of(pid_t pid)
{
    clockid_t id;
    struct timespec t;
    if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &t) == -1)
        return 0;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void tree_read(struct tree *t, pid_t root)
{
    t->processes[0] = (struct process){root, cpu_of(root)};
    t->count = 1;
    for (size_t before = 0; before < t->count;) { /* again, until a pass finds no more */
        before = t->count;
        DIR *proc = opendir("/proc");
        if (proc == NULL)
            die("cannot read /proc");
        for (const struct dirent *e; (e = readdir(proc)) != NULL;) {
            pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
            if (pid > 0 && t->count < TREE_MAX && !tree_holds(t, pid) &&
                tree_holds(t, tree_parent_of(pid)))
                t->processes[t->count++] = (struct process){pid, cpu_of(pid)};
        }
        closedir(proc);
    }
}

int64_t tree_cpu(const struct tree *before, const struct tree *after)
{
    int64_t total = 0;
    for (size_t i = 0; i < after->count; i++) {
        total += after->processes[i].cpu;
        for (size_t j = 0; j < before->count; j++)
            if (before->processes[j].pid == after->processes[i].pid)
                total -= before->processes[j].cpu;
    }
    return total;
}

long tree_proc_number(const char *path, const char *name)
{
    char line[512];
    long value = -1;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return -1;
    while (value == -1 && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    fclose(f);
    return value;
}

/* Sum one figure over all processes of a server; the other file serves where the first one cannot
 * be read. */
static long tree_sum(const struct tree *t, const char *file, const char *name, const char *or_name)
{
    long total = 0;
    for (size_t i = 0; i < t->count; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/%s", (int)t->processes[i].pid, file);
        long kb = tree_proc_number(path, name);
        if (kb == -1) {
            snprintf(path, sizeof path, "/proc/%d/status", (int)t->processes[i].pid);
            kb = tree_proc_number(path, or_name);
        }
        total += kb > 0 ? kb : 0;
    }
    return total;
}

long tree_memory_kb(const struct tree *t)
{
    return tree_sum(t, "smaps_rollup", "Pss:", "VmRSS:");
}

long tree_peak_kb(const struct tree *t)
{
    return tree_sum(t, "status", "VmHWM:", "VmRSS:");
}

long tree_threads(const struct tree *t)
{
    return tree_sum(t, "status", "Threads:", "Threads:");
}

int tree_pin(const struct tree *t, const cpu_set_t *set)
{
    int result = 0;
    for (size_t i = 0; i < t->count && result == 0; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/task", (int)t->processes[i].pid);
        DIR *tasks = opendir(path);
        if (tasks == NULL)
            continue; /* it has ended */
        for (const struct dirent *e; (e = readdir(tasks)) != NULL;) {
            pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
            if (tid > 0 && sched_setaffinity(tid, sizeof *set, set) == -1 && errno != ESRCH)
                result = -1;
        }
        closedir(tasks);
    }
    return result;
}

struct machine tree_machine(void)
{
    unsigned long long user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0;
    unsigned long long steal = 0;
    FILE *f = fopen("/proc/stat", "re");
    if (f == NULL || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system,
                            &idle, &wait, &irq, &soft, &steal) != 8)
        die("cannot read /proc/stat");
    fclose(f);
    int64_t tick = 1000000000 / sysconf(_SC_CLK_TCK);
    return (struct machine){clock_now() * sysconf(_SC_NPROCESSORS_ONLN),
                            (int64_t)(user + nice + system + irq + soft + steal) * tick};
}

double tree_other_share(const struct machine *before, const struct machine *after, int64_t used)
{
    double other = (double)(after->busy - before->busy - used) /
                   (double)(after->time - before->time);
    return other > 0 ? other : 0;
}
