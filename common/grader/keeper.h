/*
 * keeper - run a student's program where it can harm nobody, and learn how it ended.
 *
 * Between the grader and the program stands a process of ours, the keeper.  Where the system allows it,
 * the keeper is the first process of a PID namespace (pid_namespaces(7)): the program sees no process
 * but its own, and when it ends, the kernel ends whatever it has left behind.  Elsewhere the keeper is
 * the sub-reaper of what is left behind, and ends it.  Either way the program has limits of processes,
 * memory, CPU time and file size, a process group of its own, no descriptor of ours, and not our user if
 * we are root.
 */
#ifndef GRADER_KEEPER_H
#define GRADER_KEEPER_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/* What is to be run. */
struct keeper_plan {
    const char *path;
    char *const *argv;  /* NULL at the end, the program's name first */
    int in, out, err;   /* what it gets as its standard descriptors; they stay the caller's */
    int record;         /* the memory of its record, see record.h; -1: none */
    rlim_t descriptors; /* RLIMIT_NOFILE */
    rlim_t memory; /* bytes of address space; 0: no limit, for a sanitizer reserves terabytes */
    bool fixed;    /* no random addresses, for ThreadSanitizer */
    uid_t user;    /* who it is, if we are root: of keeper_stranger */
};

/* How it ended. */
struct keeper_report {
    bool told;       /* false: the keeper itself was killed */
    int cannot;      /* errno of what kept us from starting it, and it never ran; else 0 */
    int status;      /* as waitpid(2) tells it */
    bool too_big;    /* it was killed for the memory that it and its children took */
    int left_behind; /* processes that did not end within a second of the program */
};

struct keeper {
    pid_t pid;     /* of the keeper */
    pid_t program; /* as the grader sees it; 0 if it was gone too soon to be seen */
    int report;    /* readable once it has ended */
    bool isolated; /* in a PID namespace */
};

/* keeper_stranger - a user whom nobody else is, if we are root; else ourselves. */
uid_t keeper_stranger(void);

/* keeper_start - run a program.  Returns 0, or -1 with errno; nothing is left then. */
int keeper_start(struct keeper *k, const struct keeper_plan *plan);

/* keeper_collect - how the program ended, once k->report is readable.  The keeper is gone afterwards,
 * and so is all that the program started. */
struct keeper_report keeper_collect(struct keeper *k);

/* keeper_kill - end the program, all that it started, and the keeper. */
void keeper_kill(struct keeper *k);

#endif
