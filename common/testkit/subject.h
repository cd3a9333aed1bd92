/*
 * subject - the program under test: start it, wait for its line, stop it.
 *
 * Interface:
 *   subject_start      a server, until it says where it listens
 *   subject_listens    the same for one that somebody else has started
 *   subject_stop       SIGTERM, and it must end well
 *   subject_ends_well  the same after a signal that the caller sent
 *   subject_kill       end what cannot be stopped
 *   subject_errors, subject_last_errors   what it has written on standard error
 *   subject_run        a program that ends by itself
 *   subject_call       a function that may exit
 *
 * Whatever is started here dies with the test that started it.
 */
#ifndef TESTKIT_SUBJECT_H
#define TESTKIT_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

/* A server that runs. */
struct subject {
    pid_t pid;       /* 0 once it has ended */
    int out;         /* the read end of its standard output */
    int err;         /* a file of what it writes on standard error */
    char line[256];  /* its first line: "listening on HOST:PORT (MODEL)\n" */
    char host[64];   /* from that line, without the brackets of IPv6 */
    char port[8];    /* from that line */
    char model[128]; /* from that line */
};

/* How something ended. */
struct subject_outcome {
    int status; /* what it exited with; -1 if a signal ended it */
    char out[8192], err[8192];
};

/* A list of arguments for the functions below: SUBJECT_ARGS("--port", "0"). */
#define SUBJECT_ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/*
 * subject_start - start a server and wait until it says that it listens.
 *
 * path         the program
 * arguments    its arguments, NULL at the end; without the program's own name
 * descriptors  its limit of open descriptors (RLIMIT_NOFILE), 0 for the limit of the test
 *
 * Returns false with a fault if it ends first or the line does not come; nothing is left running.
 */
bool subject_start(struct subject *s, const char *path, const char *const arguments[],
                   rlim_t descriptors);

/* subject_listens - wait for the line on s->out, and take host, port and model out of it. */
bool subject_listens(struct subject *s);

/*
 * subject_stop - send SIGTERM and wait for the end.
 *
 * Returns true if it exits 0, no sanitizer complained and standard output held nothing but the
 * line; otherwise false with a fault.  In either case it is gone afterwards, and s holds nothing.
 */
bool subject_stop(struct subject *s);
bool subject_ends_well(struct subject *s);

/* subject_kill - end the server with SIGKILL and release what it held; nothing if it has ended. */
void subject_kill(struct subject *s);

/* subject_errors - copy what the server has written on standard error so far, cut to size;
 * subject_last_errors the last lines of it. */
void subject_errors(const struct subject *s, char *text, size_t size);
void subject_last_errors(const struct subject *s, char *text, size_t size);

/* subject_run - run a program to its end with what it wrote, or return false with a fault if it
 * does not end. */
bool subject_run(struct subject_outcome *o, const char *path, const char *const arguments[]);

/* subject_call - the same for a function, which runs in a process of its own and may exit; one
 * that returns exits with 99. */
bool subject_call(struct subject_outcome *o, void (*function)(void *), void *argument);

#endif
