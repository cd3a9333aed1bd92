/*
 * proc - what the kernel tells about a process and its descendants.  See proc(5).
 *
 * A server may be one process or several; here they count as one.  A process that is gone
 * counts nothing.
 */
#ifndef TESTKIT_PROC_H
#define TESTKIT_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_facts {
    int64_t cpu_ns;   /* user and system time of those that live */
    long processes;   /* root included */
    long threads;     /* of all of them */
    long descriptors; /* open ones, of all of them */
};

/* proc_tree - the facts of root and all its descendants, summed. */
struct proc_facts proc_tree(pid_t root);

/* proc_memory - the resident bytes of root and all its descendants, page by page; one that they
 * share counts for each.  What /proc/PID/stat says is off by some hundred KB. */
long proc_memory(pid_t root);

/* proc_children_wait - true if each descendant of root sleeps: those that were just started have
 * opened what they need, and wait for something to do. */
bool proc_children_wait(pid_t root);

/* proc_children - write the children of parent, at most room of them.  Returns how many it
 * wrote; a zombie is none. */
size_t proc_children(pid_t parent, pid_t *children, size_t room);

/* proc_alive - true while pid exists and is no zombie. */
bool proc_alive(pid_t pid);

/* proc_exiting - true once pid has begun to exit, or is gone: the kernel closes its descriptors, so
 * that its clients know of its end before its parent does. */
bool proc_exiting(pid_t pid);

/* proc_freeze - stop root and all its descendants, and wait until they stand still; what then
 * arrives for them arrives before they look.  proc_thaw lets them go on.  Return false with a
 * fault. */
bool proc_freeze(pid_t root);
bool proc_thaw(pid_t root);

#endif
