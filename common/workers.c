/* workers - a fixed set of processes, each replaced when it dies.  See workers.h. */

#include "workers.h"

#include "clock.h"
#include "die.h"
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RESPAWN_MS = 100 }; /* a worker's place is filled at most this often */

struct worker {
    pid_t pid;       /* 0: not running */
    int64_t started; /* clock_now of the last attempt */
};

static struct worker *table;
static unsigned long places;
static sigset_t handled;

static void start(unsigned long number, void (*work)(unsigned long, void *), void *context)
{
    struct worker *w = &table[number];
    pid_t parent = getpid();
    w->started = clock_now();
    w->pid = fork();
    if (w->pid == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        sigprocmask(SIG_UNBLOCK, &handled, NULL);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() == parent) /* else the parent died before prctl */
            work(number, context);
        _exit(EXIT_SUCCESS);
    }
    if (w->pid == -1) {
        server_refuse("cannot fork worker %lu: %s", number, strerror(errno));
        w->pid = 0;
    }
}

/* Collect the workers that have died, so that their places are free. */
static void reap(void)
{
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (unsigned long i = 0; i < places; i++)
            if (table[i].pid == pid) {
                table[i].pid = 0;
                server_report("worker %lu (pid %d): died (%s %d)", i, (int)pid,
                              WIFSIGNALED(status) ? "signal" : "status",
                              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            }
}

static void stop_all(void)
{
    for (unsigned long i = 0; i < places; i++)
        if (table[i].pid > 0) {
            kill(table[i].pid, SIGTERM);
            kill(table[i].pid, SIGCONT); /* one that was stopped dies only when it goes on */
        }
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    free(table);
}

void workers_run(unsigned long count, void (*work)(unsigned long, void *), void (*started)(void *),
                 void *context)
{
    const struct timespec pause = {.tv_nsec = RESPAWN_MS * 1000000L};
    places = count;
    table = calloc_or_die(count, sizeof *table);
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGTERM);
    sigprocmask(SIG_BLOCK, &handled, NULL);
    for (unsigned long i = 0; i < count; i++)
        start(i, work, context);
    if (started != NULL)
        started(context);
    for (;;) {
        bool vacant = false;
        for (unsigned long i = 0; i < count; i++) {
            if (table[i].pid == 0 && clock_now() - table[i].started >= pause.tv_nsec)
                start(i, work, context);
            vacant |= table[i].pid == 0;
        }
        int got = sigtimedwait(&handled, NULL, vacant ? &pause : NULL);
        if (got == SIGCHLD)
            reap();
        if (got == SIGINT || got == SIGTERM)
            break;
    }
    stop_all();
}
