/*
 * tree - the processes of a running server, and what they have used.
 *
 * Interface:
 *   tree_read           a process and all that descend from it, with their CPU time
 *   tree_cpu            CPU time between two looks
 *   tree_memory_kb      memory now          tree_peak_kb    the most that it has been
 *   tree_threads        threads now
 *   tree_pin            keep every process and thread on some cores
 *   tree_parent_of      one process's parent
 *   tree_machine        what the whole machine has done
 *   tree_proc_number    a number in a file of /proc
 */
#ifndef TREE_H
#define TREE_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TREE_MAX = 2048 }; /* processes in one tree; any beyond are not seen */

struct process {
    pid_t pid;
    int64_t cpu; /* nanoseconds of all its threads, those that have ended included */
};

struct tree {
    struct process processes[TREE_MAX]; /* the first is the root */
    size_t count;
};

/* tree_read - find root and its descendants, and what each has used until now.  Exits if /proc
 * cannot be read.  See clock_getcpuclockid(3). */
void tree_read(struct tree *t, pid_t root);

/* tree_cpu - nanoseconds between two looks.  A process that has come between them counts whole,
 * one that has gone not at all. */
int64_t tree_cpu(const struct tree *before, const struct tree *after);

/* tree_memory_kb - what is resident now: Pss, in which a page that several processes share counts
 * once; VmRSS, in which it counts in each, where the kernel does not tell.  See proc(5). */
long tree_memory_kb(const struct tree *t);

/* tree_peak_kb - each process's largest resident set, summed; a shared page counts in each. */
long tree_peak_kb(const struct tree *t);

/* tree_threads - the threads of all processes. */
long tree_threads(const struct tree *t);

/* tree_pin - keep all threads of all processes on the cores of a set.  Returns 0, or -1 with errno. */
int tree_pin(const struct tree *t, const cpu_set_t *set);

/* tree_parent_of - a process's parent; 0 if there is no such process, or it has ended. */
pid_t tree_parent_of(pid_t pid);

/* What the machine has done since it started: nanoseconds over all cores, in steps of a tick. */
struct machine {
    int64_t time, busy;
};

/* tree_machine - see /proc/stat in proc(5). */
struct machine tree_machine(void);

/* tree_other_share - the share of the machine, 0 to 1, that was busy between two looks with other
 * things than those that took `used` nanoseconds. */
double tree_other_share(const struct machine *before, const struct machine *after, int64_t used);

/* tree_proc_number - the number behind a name such as "Pss:" in a file, or -1. */
long tree_proc_number(const char *path, const char *name);

#endif
