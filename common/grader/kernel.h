/* kernel - what /proc says of a program's processes and threads.  See proc(5). */
#ifndef GRADER_KERNEL_H
#define GRADER_KERNEL_H

#include "trial.h"

/* kernel_look - all that descends from `keeper`, which itself does not count. */
void kernel_look(pid_t keeper, struct trial_view *view);

/* kernel_call_name - the name of a system call that a program waits in ("epoll_wait"), or NULL. */
const char *kernel_call_name(long number);

#endif
