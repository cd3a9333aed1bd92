/*
 * An echo server with a fixed set of processes that are replaced when they die.
 *
 * The workers run the loop of lesson 01 on one listener.  The parent serves nobody and sleeps until a
 * signal comes: a worker has died, so another takes its place; or it is asked to stop, and takes all
 * of them with it.
 *
 * Compare with: lessons/08-prefork
 * Left out on purpose: more clients at a time than workers.
 */

#include "server.h"
#include "clock.h"
#include "die.h"
#include "net.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHUNK = 16384,              /* bytes received at once */
    RESPAWN_NS = 100 * 1000000, /* a place is filled at most this often */
};

/* A place for a worker; there are as many as --workers says. */
struct place {
    pid_t pid;   /* 0: vacant */
    int64_t due; /* clock_now: not filled again before */
};

static struct place *places;
static unsigned long workers = 4;

/* The signals that the parent sleeps for.  They are blocked, and fetched one by one: none can slip in
 * between a look at the places and the sleep. */
static sigset_t handled;

/* Echo until the client is done.  Returns why it ended. */
static const char *serve(int cfd)
{
    /* Yours: receive and send until the client is done.  Short transfers and interrupted calls are
     * everyday.  Call server_work once for each chunk received. */
    (void)cfd;
    return "not served yet";
}

/* [shared-accept] A worker: it waits in accept on the listener of all; the kernel wakes one. */
static _Noreturn void work(int lfd)
{
    for (;;) {
        int cfd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
        if (cfd == -1) {
            server_accept_again(lfd);
            continue;
        }
        char peer[NET_TEXT_SIZE];
        server_report("worker %d: client %d: connected from %s", (int)getpid(), cfd,
                      net_peer_text(cfd, peer));
        server_report("worker %d: client %d: %s", (int)getpid(), cfd, serve(cfd));
        close(cfd);
    }
}

/* Fork a worker for a place.  It has nothing to put in order before it dies: SIGTERM simply kills it,
 * whatever it waits in, and the kernel closes its client. */
static void worker_start(struct place *p, int lfd)
{
    /* Yours: fork; the child never returns from here, takes the signals as any other process does,
     * and dies with its parent.  A place is due again RESPAWN_NS later. */
    (void)lfd;
    (void)work;
    p->due = clock_now() + RESPAWN_NS;
}

/* Fill every vacant place that is due.  Returns when the next one is, or -1 if none is vacant. */
static int64_t places_fill(int lfd)
{
    int64_t next = -1;
    for (unsigned long i = 0; i < workers; i++) {
        struct place *p = &places[i];
        if (p->pid == 0 && p->due <= clock_now())
            worker_start(p, lfd);
        if (p->pid == 0 && (next == -1 || p->due < next))
            next = p->due;
    }
    return next;
}

/* Collect the workers that have died, so that their places are vacant. */
static void workers_reap(void)
{
    /* Yours: no zombie is left, however many have died. */
}

/* [replace-the-dead] Keep every place filled until a signal says stop. */
static void supervise(int lfd)
{
    for (;;) {
        int64_t next = places_fill(lfd);
        /* Yours: sleep until one of the signals in `handled` comes, or a place is due (next).  Act on
         * it: return if it says stop. */
        (void)next;
        int got = 0;
        if (sigwait(&handled, &got) == 0 && got != SIGCHLD)
            return;
        workers_reap();
    }
}

/* End all workers, and return when there is none left. */
static void workers_stop(void)
{
    /* Yours: also one that somebody has stopped with SIGSTOP. */
}

int main(int argc, char **argv)
{
    const struct option_spec more[] = {
        {"workers", "N", OPTION_NUMBER, &workers, 1, 1024, "processes that serve clients"},
        {0},
    };
    int lfd = server_start(argc, argv, "an echo server with processes that are replaced", more);
    places = calloc_or_die(workers, sizeof *places);
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGTERM);
    sigprocmask(SIG_BLOCK, &handled, NULL);
    places_fill(lfd);
    server_ready(lfd, "prefork");

    supervise(lfd);

    close(lfd);
    workers_stop();
    free(places);
    return 0;
}
