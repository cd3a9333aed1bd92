/*
 * trial - one check being judged: the student's program, its clients, and the verdict.
 *
 * Interface:
 *   trial_serve, trial_run, trial_spawn   start the student's program
 *   trial_stop                            SIGTERM: it must end by itself, clean and without a leak
 *   trial_step, trial_expect              what the clients do, and what must come of it
 *   trial_peer, trial_peers               clients, who know every byte that must come back
 *   trial_ok, trial_fail, trial_pass      the verdict; trial_fault if it is the grader that failed
 *   trial_look, trial_asleep_in, trial_quiet  what the kernel says of the program
 *   trial_count, trial_calls              what the record says of it
 *   trial_folder, trial_limit_files       what the program keeps on a disk, and a disk that is full
 *   trial_fingerprint                     does the taught call do the waiting?
 *
 * What can fail returns false and has then said the verdict, so that a judge is a chain:
 *
 *     trial_step(t, "a client sends 100,000 bytes, and reads");
 *     trial_expect(t, "the same 100,000 bytes");
 *     if (trial_serve(t, "server", NULL) && trial_peer(t, &p) &&
 *         trial_ok(t, p.fd, peer_exchange(&p, 100000)) && trial_stop(t))
 *         trial_pass(t, "100,000 of 100,000 bytes came back");
 *
 * Waits (of peer, wire, wait) end early when nothing more can happen: every thread of the program has
 * slept for a while, undisturbed, and the kernel says in which call.  So a failure is told at once, and
 * a busy machine is not taken for one.
 */
#ifndef GRADER_TRIAL_H
#define GRADER_TRIAL_H

#include "../testkit/fault.h"
#include "../testkit/peer.h"
#include "../testkit/subject.h"
#include "../testkit/wait.h"
#include "../testkit/wire.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The builds of the student's program; each is instrumented (see record.h). */
enum trial_build {
    TRIAL_PLAIN,   /* as make builds it */
    TRIAL_ADDRESS, /* with ASan, UBSan and LeakSanitizer: errors and leaks count */
    TRIAL_THREAD   /* with ThreadSanitizer */
};

enum { TRIAL_TASKS = 256, TRIAL_OUTPUT = 65536 };

/* One thread, as /proc tells. */
struct trial_task {
    int pid, tid;
    char state;    /* R, S, D, T, Z */
    long call;     /* the system call's number (SYS_...) that it sleeps in; -1: none, or not told */
    long argument; /* its first argument: mostly the descriptor */
    long switches; /* how often it has given up the processor by itself */
    int64_t cpu_ns; /* that it has used; 0: not told */
};

/* All threads of the program and of its descendants. */
struct trial_view {
    int processes, threads; /* a zombie counts as neither */
    int zombies;
    long descriptors;
    int64_t cpu_ns;
    int task_count; /* in tasks[], at most TRIAL_TASKS */
    struct trial_task tasks[TRIAL_TASKS];
};

struct trial {
    /* To be set before a start, where the default does not fit. */
    enum trial_build build;   /* from the check */
    rlim_t descriptors;       /* RLIMIT_NOFILE, 0: 256 */
    struct fault_plan faults; /* kinds 0: none.  A seed of 0: 1, or what --seed says */
    int patience_ms; /* how long it must sleep for a wait to be in vain, 0: 700; -1: no wait
                                * is ever in vain before the deadline (a program with timers) */
    bool unrecorded; /* not instrumented, to measure its CPU time */
    bool blocking;   /* it may sleep for one client, and no story blames it for that */

    /* To be read. */
    struct subject s;        /* a server's pid, host and port; for peer_open and the like */
    int in, out;             /* a spawned program's standard input and output, or -1 */
    int status;              /* once it has ended: the exit status, or -1 if a signal ended it */
    int signal;              /* the signal, or 0 */
    int left_behind;         /* processes of it that lived for more than a second longer */
    char text[TRIAL_OUTPUT]; /* what it wrote on standard output, after trial_run or trial_end */
    const struct record *record; /* of the program last started; NULL if unrecorded */

    struct trial_inner *inner; /* the rest is trial.c's */
};

/* ---- the program --------------------------------------------------------------------------- */

/*
 * trial_serve - start a server ("--port 0 --quiet" are added unless `arguments` has "--port", "--quiet"
 * only unless it has "--loud", which is taken out) and wait until it says that it listens.
 *
 * program    its name: "server"
 * arguments  SUBJECT_ARGS(...), or NULL
 */
bool trial_serve(struct trial *t, const char *program, const char *const arguments[]);

/* trial_run - run a program with `input` (NULL: none) on its standard input to its end.  t->status,
 * t->signal and t->text tell of it.  False if it did not end, or a sanitizer complained. */
bool trial_run(struct trial *t, const char *program, const char *const arguments[],
               const char *input);

/* trial_spawn - start a program and leave it running, t->in and t->out connected to it.  trial_end
 * closes t->in, waits for its end and collects the rest of its output, like trial_run. */
bool trial_spawn(struct trial *t, const char *program, const char *const arguments[]);
bool trial_end(struct trial *t);

/* trial_read_line - the next line of a spawned program's output, without the newline. */
bool trial_read_line(struct trial *t, char *line, size_t size);

/* trial_stop - send SIGTERM to a server.  It must exit 0 by itself, having written nothing but its line
 * on standard output, without a complaint of a sanitizer and without a leak. */
bool trial_stop(struct trial *t);

/* trial_gone - wait for the end of a program that somebody has killed, or that ends by itself: only how it
 * ended is noted, and nothing judged. */
bool trial_gone(struct trial *t);

/* trial_kill - end it now; for a judge who starts a second one.  Nothing is judged by it. */
void trial_kill(struct trial *t);

/* trial_folder - a folder that the program owns, the same one for each of its starts: removed when the check
 * is over.  NULL with the verdict if there cannot be one. */
const char *trial_folder(struct trial *t);

/* trial_limit_files - let the running program write no file beyond so many bytes: its write(2) fails with
 * EFBIG, as with ENOSPC on a full disk.  0: as far as it could at its start. */
bool trial_limit_files(struct trial *t, rlim_t bytes);

/* trial_errors - what it has written on standard error so far; valid until the next call. */
const char *trial_errors(struct trial *t);

/* trial_complaint - what a sanitizer has said so far, as a sentence, or NULL. */
const char *trial_complaint(struct trial *t);

/* ---- the story and the verdict --------------------------------------------------------------- */

/* trial_step - what is done to the program next; the last few steps are part of a failure's story. */
void trial_step(struct trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* trial_expect - what must come of it. */
void trial_expect(struct trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* trial_peer - connect a client; one that cannot be had for want of ports or descriptors is the
 * grader's fault.  trial_peers connects many. */
bool trial_peer(struct trial *t, struct peer *p);
bool trial_peers(struct trial *t, struct peer *peers, size_t count);

/* trial_ok - go on if ok; else the check has failed: what came is the sentence of fault_text().
 * client is the descriptor of the client concerned, so that the story is about its calls, or -1. */
bool trial_ok(struct trial *t, int client, bool ok);

/* trial_fail - the check has failed, and this is what came.  Returns false. */
bool trial_fail(struct trial *t, int client, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* trial_mark - before trial_fail: the call (by its number in the record) that is wrong, and why.
 * Without it trial_fail looks for the mistakes that story.c knows. */
void trial_mark(struct trial *t, uint64_t call, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* trial_pass - the check has passed; the sentence says what was seen, with its numbers. */
void trial_pass(struct trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* trial_fault - the grader or the machine could not judge it.  Returns false. */
bool trial_fault(struct trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* trial_inconclusive - it was measured, and the measurement does not tell. */
bool trial_inconclusive(struct trial *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- what the kernel and the record say ------------------------------------------------------- */

/* trial_look - the program's processes and threads now. */
struct trial_view *trial_look(struct trial *t);

/* trial_quiet - wait until every thread has slept undisturbed for `ms`, at least; false with a fault
 * (no verdict) if it has not come to rest by the deadline. */
bool trial_quiet(struct trial *t, int ms);

/* trial_asleep_in - how many threads sleep in one of these calls now, by the kernel's word: numbers
 * SYS_..., the last one -1.  With fd >= 0: on that descriptor. */
int trial_asleep_in(struct trial *t, const long calls[], int fd);

/* trial_watched - the events that one of the program's epoll instances has fd in its set for, EPOLLET among
 * them: by /proc/PID/fdinfo.  False if none has it, or that cannot be read. */
bool trial_watched(struct trial *t, int fd, uint32_t *events);

/* trial_cpu_ms - milliseconds of CPU time that the program has used in the next window_ms. */
double trial_cpu_ms(struct trial *t, int window_ms);

/* trial_server_fd - the program's descriptor for the client whose socket is `client`: by what its
 * accept told; -1 if it did not. */
int trial_server_fd(struct trial *t, int client);

/* trial_count - how often it made a call. */
uint64_t trial_count(struct trial *t, enum call_name name);

/* trial_next_call - walk through the record: the first call at or after *number of this name (or any,
 * with CALL_NAMES) and descriptor (or any, with -1).  Returns NULL at the end; *number is its number. */
const struct call *trial_next_call(struct trial *t, uint64_t *number, int name, int fd);

/* What a model is known by. */
struct trial_model {
    const char *call;        /* as the course names it: "select" */
    enum call_name names[4]; /* the calls of the record that count as it; CALL_NAMES at the end */
    long numbers[5];         /* the system calls of the kernel (SYS_...); -1 at the end */
};
extern const struct trial_model trial_model_select, trial_model_poll, trial_model_epoll;

/*
 * trial_fingerprint - judge whether one thread of one process waits for everything in the model's call:
 * a few clients talk, then nobody does.  By the record: no other waiting call was made, and the taught
 * one about as often as there was something to wait for.  By the kernel: while idle it sleeps in that
 * call and nowhere else, and uses no CPU time.
 *
 * Starts the server, and leaves it running with no client.
 */
bool trial_fingerprint(struct trial *t, const struct trial_model *model,
                       const char *const arguments[]);

#endif
