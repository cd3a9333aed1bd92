/*
 * An echo server with a fixed set of processes on one listener.
 *
 * The new idea: the parent opens the listener and forks the workers, which inherit it; each runs
 * the loop of lesson 01, and the kernel hands every new client to one of those that wait in
 * accept.  The parent serves nobody: it starts a new worker in place of one that dies.
 *
 * Compare with: 01-blocking
 * Left out on purpose: more clients at a time than workers.
 */

#include "server.h"
#include "clock.h"
#include "die.h"
#include "net.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHUNK = 16384,   /* bytes received at once */
    RESPAWN_MS = 100 /* a worker's place is filled at most this often */
};

struct worker {
    pid_t pid;       /* 0: not running */
    int64_t started; /* clock_now of the last attempt */
};

static unsigned long workers = 4;

/* Echo until the client is done.  Returns why it ended. */
static const char *serve(int cfd)
{
    char buf[CHUNK];
    for (;;) {
        ssize_t n = recv(cfd, buf, sizeof buf, 0); /* [block-in-recv] only this process waits */
        if (n == 0)
            return "closed by the client";
        if (n > 0) {
            server_work();
            if (net_write_all(cfd, buf, (size_t)n) == -1)
                return strerror(errno);
        } else if (errno != EINTR) {
            return strerror(errno);
        }
    }
}

/* [shared-accept] Every worker waits in accept on the same listener; the kernel wakes one. */
static _Noreturn void work(unsigned long number, int lfd)
{
    for (;;) {
        int cfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
        if (cfd == -1) {
            server_accept_again(lfd);
            continue;
        }
        char peer[NET_TEXT_SIZE];
        server_report("worker %lu (pid %d): client %d: connected from %s", number, (int)getpid(),
                      cfd, net_peer_text(cfd, peer));
        const char *why = serve(cfd);
        server_report("worker %lu (pid %d): client %d: %s", number, (int)getpid(), cfd, why);
        close(cfd);
    }
}

/* Fork one worker.  It has nothing to put in order before it dies, so SIGTERM simply kills it,
 * whatever it waits in, and the kernel closes its client; it dies with the parent, too. */
static void worker_start(struct worker *w, unsigned long number, int lfd, const sigset_t *handled)
{
    pid_t parent = getpid();
    w->started = clock_now();
    w->pid = fork();
    if (w->pid == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        sigprocmask(SIG_UNBLOCK, handled, NULL);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(EXIT_FAILURE); /* the parent died before prctl */
        work(number, lfd);
    }
    if (w->pid == -1) {
        server_refuse("cannot fork worker %lu: %s", number, strerror(errno));
        w->pid = 0;
    }
}

/* Collect the workers that have died, so that their places are free. */
static void reap(struct worker *table)
{
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (unsigned long i = 0; i < workers; i++)
            if (table[i].pid == pid) {
                table[i].pid = 0;
                server_report("worker %lu (pid %d): died (%s %d)", i, (int)pid,
                              WIFSIGNALED(status) ? "signal" : "status",
                              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            }
}

/* [replace-the-dead] Keep every place filled until a signal says stop.  The signals are blocked
 * and fetched, so none can slip in between a look at the table and the wait. */
static void supervise(struct worker *table, int lfd, const sigset_t *handled)
{
    const struct timespec pause = {.tv_nsec = RESPAWN_MS * 1000000L};
    for (;;) {
        bool vacant = false;
        for (unsigned long i = 0; i < workers; i++) {
            if (table[i].pid == 0 && clock_now() - table[i].started >= pause.tv_nsec)
                worker_start(&table[i], i, lfd, handled);
            vacant |= table[i].pid == 0;
        }
        int got = sigtimedwait(handled, NULL, vacant ? &pause : NULL);
        if (got == SIGINT || got == SIGTERM)
            return;
        if (got == SIGCHLD)
            reap(table);
    }
}

int main(int argc, char **argv)
{
    const struct option_spec more[] = {
        {"workers", "N", OPTION_NUMBER, &workers, 1, 1024, "processes that serve clients"},
        {0},
    };
    int lfd = server_start(argc, argv, "an echo server with a fixed set of processes", more);
    struct worker *table = calloc_or_die(workers, sizeof *table);
    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGTERM);
    sigprocmask(SIG_BLOCK, &handled, NULL);
    for (unsigned long i = 0; i < workers; i++)
        worker_start(&table[i], i, lfd, &handled);
    server_ready(lfd, "prefork");

    supervise(table, lfd, &handled);

    close(lfd);
    for (unsigned long i = 0; i < workers; i++)
        if (table[i].pid > 0) {
            kill(table[i].pid, SIGTERM);
            kill(table[i].pid, SIGCONT); /* one that was stopped dies only when it goes on */
        }
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    free(table);
    return 0;
}
