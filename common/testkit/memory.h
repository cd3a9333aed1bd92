/*
 * memory - what another process has in its memory, for tests of what must not be there.
 *
 * The kernel shows it to whoever may trace the process: its parent, as a rule.  See
 * proc_pid_mem(5) and ptrace(2).
 */
#ifndef TESTKIT_MEMORY_H
#define TESTKIT_MEMORY_H

#include <stdbool.h>
#include <sys/types.h>

enum { MEMORY_BEFORE = 12 };

/* Where something was found. */
struct memory_place {
    char mapping[64]; /* "[heap]", a file, or words */
    char before[MEMORY_BEFORE +
                1]; /* what stands in front of it; a dot for what cannot be printed */
};

/*
 * memory_find - look for a text in all that a process can read of its own memory.
 *
 * place  is told where, unless it is NULL
 *
 * Memory that it has reserved and hardly used, over 256 MiB in one piece, is left out.  To be
 * believed only by who also looks for something that must be there: memory that cannot be read
 * holds nothing.
 */
bool memory_find(pid_t pid, const char *text, struct memory_place *place);

#endif
