/*
 * The grader of exercise 09: a bounded queue, and threads that have to sleep in it and to wake up.
 *
 * Nothing is left to luck or time: an operation that must sleep is given until the kernel says that
 * every thread sleeps, and then asked what has come of it.  At that moment one thing must be true
 * whatever was done before: nobody sleeps while there is something for him (see judge_rest).
 */

#include "grader/grade.h"

#include "clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

enum {
    REST_MS = 30,  /* every thread has slept for so long: at rest */
    SPIN_MS = 300, /* CPU time of threads that have nothing to do */
    POLLS = 50,    /* short sleeps of such threads */
    LINES = 64,    /* completed operations between two rests */
    STORM = 6,     /* operations that gather in front of the lock */
    STORMS = 4,
    PATIENCE = 50, /* seconds that many items may take on a busy machine */
    EACH = 5000    /* items of each producer */
};

/* What was asked of the queue, and what the driver says has come of it. */
struct ledger {
    int capacity;
    int puts, takes;  /* begun */
    int put, taken;   /* done, with an item */
    int refused, out; /* puts and takes that failed */
    bool closed;
    char lines[LINES][80]; /* since the last rest */
    int count;
};

static struct ledger ledger;

static bool start(struct trial *t, const char *capacity)
{
    ledger = (struct ledger){.capacity = capacity[0] - '0'};
    trial_step(t, "a new queue with room for %s", capacity);
    return trial_spawn(t, "drive", SUBJECT_ARGS("--capacity", capacity));
}

/* Give the driver a command. */
static void tell(struct trial *t, const char *command)
{
    ledger.puts += strncmp(command, "put", 3) == 0;
    ledger.takes += strcmp(command, "take") == 0;
    ledger.closed = ledger.closed || strcmp(command, "close") == 0;
    dprintf(t->in, "%s\n", command); /* one that has ended is noticed when its answer is missing */
}

static void tell_times(struct trial *t, int times, const char *command)
{
    if (times == 1)
        trial_step(t, "%s", command);
    else
        trial_step(t, "%s, %d times, each by a thread of its own", command, times);
    for (int i = 0; i < times; i++)
        tell(t, command);
}

/* Enter a completed operation. */
static void enter(const char *line)
{
    if (strncmp(line, "put ", 4) == 0) {
        bool done = strstr(line, ": done") != NULL;
        ledger.put += done;
        ledger.refused += !done;
    } else if (strncmp(line, "take: ", 6) == 0) {
        bool item = strpbrk(line, "0123456789") != NULL || strstr(line, "nobody has put") != NULL;
        ledger.taken += item;
        ledger.out += !item;
    }
    if (ledger.count < LINES)
        snprintf(ledger.lines[ledger.count++], sizeof ledger.lines[0], "%s", line);
}

/* The operations completed since the last rest. */
static const char *all_said(void)
{
    static char text[400];
    text[0] = '\0';
    for (int i = 0; i < ledger.count && i < 6; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "%s\"%s\"", i > 0 ? ", " : "",
                 ledger.lines[i]);
    }
    return ledger.count == 0 ? "nothing" : text;
}

/* Mark the last call of a name, asleep or not, in the story. */
static void mark(struct trial *t, enum call_name name, bool asleep, const char *why)
{
    const struct call *c;
    uint64_t last = 0;
    bool found = false;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, name, -1)) != NULL; n++)
        if ((c->end == 0) == asleep) {
            last = n;
            found = true;
        }
    if (found)
        trial_mark(t, last, "%s", why);
}

/* ---- rest ------------------------------------------------------------------------------------ */

/* Wait until every thread sleeps for good.  Time decides nothing: one that never comes to rest is
 * convicted by its CPU time, or by the many short sleeps that it has made. */
static bool at_rest(struct trial *t)
{
    int64_t cpu = trial_look(t)->cpu_ns;
    uint64_t before = 0;
    for (int64_t deadline = wait_deadline(); wait_left_ms(deadline) > 0;) {
        if (trial_look(t)->task_count == 0)
            return true; /* it has ended, which is noticed when it is asked */
        double patience = wait_patience;
        wait_patience = 1;
        bool quiet = trial_quiet(t, REST_MS);
        wait_patience = patience;
        if (quiet)
            return true;
        int64_t used = (trial_look(t)->cpu_ns - cpu) / 1000000;
        if (used > SPIN_MS)
            return trial_fail(t, -1,
                              "there is nothing to do, and it has used %lld ms of CPU time: who "
                              "cannot go on must sleep, in pthread_cond_wait",
                              (long long)used);
        uint64_t sleeps = trial_count(t, CALL_usleep) + trial_count(t, CALL_nanosleep) +
                          trial_count(t, CALL_pthread_cond_timedwait);
        before = before == 0 ? sleeps : before;
        if (sleeps > before + POLLS)
            return trial_fail(t, -1,
                              "there is nothing to do, and it asks again and again: %llu short "
                              "sleeps so far.  Sleep in pthread_cond_wait until there is news",
                              (unsigned long long)sleeps);
    }
    return trial_fail(t, -1, "it does not come to rest: %s", fault_text());
}

/* The next line of the driver's.  That it could not start a thread is not the student's fault. */
static bool read_line(struct trial *t, char *line, size_t size)
{
    struct pollfd output = {.fd = t->out, .events = POLLIN};
    if (!wait_any(&output, 1, wait_deadline(), "a line of the driver's"))
        return trial_fail(t, -1, "%s", fault_text());
    if (!(output.revents & POLLIN) && strstr(trial_errors(t), "cannot start a thread") != NULL)
        return trial_fault(t, "the machine has no room for another thread");
    return trial_read_line(t, line, size);
}

/* Ask the driver for something that it answers itself; operations that complete meanwhile are
 * entered.  Returns its answer, NULL after a verdict. */
static const char *ask(struct trial *t, const char *question)
{
    static const char *const answers[] = {"pong", "held", "not held", "released", "nudged"};
    static char line[80];
    tell(t, question);
    while (read_line(t, line, sizeof line)) {
        for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
            if (strncmp(line, answers[i], strlen(answers[i])) == 0)
                return line;
        enter(line);
    }
    return NULL;
}

/* Somebody sleeps who should not.  Was he not woken, or has somebody kept the lock? */
static bool oversleep(struct trial *t, const char *who, const char *why)
{
    const struct ledger *l = &ledger;
    const char *held = ask(t, "hold");
    if (held == NULL)
        return false;
    if (strcmp(held, "held") != 0)
        why = "some thread has the lock and never gave it back: every way out of a function must "
              "unlock it";
    else
        mark(t, CALL_pthread_cond_wait, true, "nobody will signal this condition again");
    return trial_fail(t, -1, "%s (of %d puts %d are done, of %d takes %d): %s", who, l->puts,
                      l->put + l->refused, l->takes, l->taken + l->out, why);
}

/* What must be true whenever every thread sleeps. */
static bool judge_rest(struct trial *t)
{
    static const char *const broadcast =
        "it concerns all who sleep, on both sides: pthread_cond_broadcast wakes them all, "
        "pthread_cond_signal one";
    static const char *const signal =
        "it was never woken, or one who can do nothing was woken in its place.  Each put must "
        "signal "
        "one who takes, and each take one who puts, whatever the count was";
    const struct ledger *l = &ledger;
    int inside = l->put - l->taken;
    bool putting = l->puts > l->put + l->refused;
    bool taking = l->takes > l->taken + l->out;
    if (inside > l->capacity)
        return trial_fail(t, -1,
                          "%d puts and %d takes are done: %d items in a queue with room for %d.  A "
                          "put into a full queue must sleep",
                          l->put, l->taken, inside, l->capacity);
    if (inside < 0)
        return trial_fail(t, -1, "%d takes and only %d puts are done: there was nothing to take",
                          l->taken, l->put);
    if (taking && l->closed)
        return oversleep(t, "a take sleeps on after the close", broadcast);
    if (putting && l->closed)
        return oversleep(t, "a put sleeps on after the close", broadcast);
    if (taking && inside > 0)
        return oversleep(t, "a take sleeps although there is an item", signal);
    if (putting && inside < l->capacity)
        return oversleep(t, "a put sleeps although there is room", signal);
    return true;
}

/* Wait until every thread sleeps, and see what has come of it. */
static bool settle(struct trial *t)
{
    ledger.count = 0;
    return at_rest(t) && ask(t, "ping") != NULL && judge_rest(t);
}

/* What came must be so many of the operations done. */
static bool expect_done(struct trial *t, int put, int taken, const char *advice)
{
    return (ledger.put == put && ledger.taken == taken) ||
           trial_fail(t, -1, "puts done: %d, not %d; takes done: %d, not %d.  Last came %s: %s",
                      ledger.put, put, ledger.taken, taken, all_said(), advice);
}

/* One operation that must not sleep, and what must come of it. */
static bool now(struct trial *t, const char *command, const char *answer, const char *advice)
{
    char line[80];
    trial_step(t, "%s", command);
    trial_expect(t, "%s", answer);
    tell(t, command);
    if (!wait_ready(t->out, POLLIN, wait_deadline(), "its end")) {
        char who[64];
        snprintf(who, sizeof who, "%s does not come back", command);
        return oversleep(t, who, "it sleeps, and need not: it can be done at once");
    }
    if (!read_line(t, line, sizeof line))
        return false;
    enter(line);
    return strcmp(line, answer) == 0 || trial_fail(t, -1, "%s.  %s", line, advice);
}

static bool put_now(struct trial *t, int item)
{
    char command[32], answer[32];
    snprintf(command, sizeof command, "put %d", item);
    snprintf(answer, sizeof answer, "put %d: done", item);
    return now(t, command, answer, "There is room, and the queue is open: it must be done");
}

static bool take_now(struct trial *t, int item, const char *advice)
{
    char answer[32];
    snprintf(answer, sizeof answer, "take: %d", item);
    return now(t, "take", answer, advice);
}

/* ---- the checks ------------------------------------------------------------------------------ */

static void judge_order(struct trial *t)
{
    enum { ITEMS = 12 };
    if (!start(t, "3") || !put_now(t, 1) || !put_now(t, 2))
        return;
    if (!take_now(t, 1, "The oldest item comes out first: what was put first is taken first"))
        return;
    for (int i = 3; i <= ITEMS; i++)
        if (!put_now(t, i) ||
            !take_now(t, i - 1,
                      "Not in order any more: behind the last place of the ring comes the first, "
                      "for who puts and for who takes; there are as many places as capacity says"))
            return;
    trial_pass(t, "%d items went in and came out in order, 4 times round a ring of 3", ITEMS);
}

/* By the kernel, and by the record: asleep in a wait for a condition, and nowhere else. */
static bool sleeps_well(struct trial *t, int count)
{
    int waiting = 0;
    const struct call *c;
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_pthread_cond_wait, -1)) != NULL; n++)
        waiting += c->end == 0;
    int asleep = trial_asleep_in(t, (long[]){SYS_futex, -1}, -1);
    /* Where /proc/PID/syscall is not to be read, the record must do. */
    bool told = trial_look(t)->tasks[0].call != -1;
    return (waiting == count && (!told || asleep >= count)) ||
           trial_fail(t, -1,
                      "%d threads sleep, %d of them in pthread_cond_wait: that is the call "
                      "that gives the lock back while it waits",
                      count, waiting);
}

static void judge_blocks_when_empty(struct trial *t)
{
    if (!start(t, "3"))
        return;
    trial_expect(t, "both sleep, without a lock and without CPU time");
    tell_times(t, 2, "take");
    if (!settle(t) || !expect_done(t, 0, 0, "a take from an empty queue must sleep") ||
        !sleeps_well(t, 2))
        return;
    trial_expect(t, "one of them takes it, the other sleeps on");
    tell_times(t, 1, "put 7");
    if (!settle(t) || !expect_done(t, 1, 1, "one item, one take"))
        return;
    if (strstr(all_said(), "take: 7") == NULL) {
        trial_fail(t, -1, "item 7 was put, and came out as %s", all_said());
        return;
    }
    tell_times(t, 1, "put 8");
    if (settle(t) && expect_done(t, 2, 2, "one item, one take"))
        trial_pass(t, "2 takes slept in pthread_cond_wait; each item that came woke one of them");
}

static void judge_blocks_when_full(struct trial *t)
{
    if (!start(t, "3") || !put_now(t, 1) || !put_now(t, 2) || !put_now(t, 3))
        return;
    trial_expect(t, "both sleep: the queue is full");
    trial_step(t, "put 4 and put 5, each by a thread of its own");
    tell(t, "put 4");
    tell(t, "put 5");
    if (!settle(t) || !expect_done(t, 3, 0, "a put into a full queue must sleep") ||
        !sleeps_well(t, 2))
        return;
    for (int taken = 1; taken <= 5; taken++) {
        trial_expect(t, "an item, and one of those who sleep puts his");
        tell_times(t, 1, "take");
        if (!settle(t) || !expect_done(t, taken < 2 ? 4 : 5, taken, "one place, one put"))
            return;
    }
    trial_pass(t,
               "3 of 5 puts were done, 2 slept in pthread_cond_wait; each take let one of them in");
}

/* Wake whoever sleeps, for no reason: nothing may come of it. */
static bool nudge(struct trial *t, int put, const char *state)
{
    trial_step(t, "nudge: whoever sleeps is woken for no reason, as POSIX allows");
    ledger.count = 0;
    if (ask(t, "nudge") == NULL || !at_rest(t) || ask(t, "ping") == NULL)
        return false;
    if (ledger.put + ledger.refused == put && ledger.taken + ledger.out == 0)
        return true;
    mark(t, CALL_pthread_cond_wait, false, "woken for no reason, and taken for news");
    return trial_fail(
        t, -1,
        "the queue is %s, and yet came %s: pthread_cond_wait may return for no reason, "
        "so one who is awake must look again, with while and not with if",
        state, all_said());
}

static void judge_rechecks(struct trial *t)
{
    trial_expect(t, "they see that nothing has changed, and sleep on");
    if (!start(t, "2"))
        return;
    tell_times(t, 2, "take");
    if (!settle(t) || !nudge(t, 0, "empty") || !start(t, "2") || !put_now(t, 1) || !put_now(t, 2))
        return;
    trial_expect(t, "it sees that nothing has changed, and sleeps on");
    tell_times(t, 1, "put 3");
    if (!settle(t) || !nudge(t, 2, "full"))
        return;
    tell_times(t, 1, "take");
    if (settle(t) && expect_done(t, 3, 1, "there is room again"))
        trial_pass(t, "woken for no reason, 2 takes and a put looked again and slept on");
}

static void judge_close_wakes_all(struct trial *t)
{
    static const struct {
        const char *command;
        int sleepers;
    } sides[] = {{"take", 3}, {"put 9", 3}};
    for (int i = 0; i < 2; i++) {
        if (!start(t, "1") || (i == 1 && !put_now(t, 1)))
            return;
        tell_times(t, sides[i].sleepers, sides[i].command);
        if (!settle(t) || !expect_done(t, i, 0, "these must sleep"))
            return;
        trial_step(t, "close");
        trial_expect(t, "all 3 wake up, and fail with EPIPE");
        tell(t, "close");
        if (!settle(t))
            return;
        if (ledger.refused + ledger.out != sides[i].sleepers) {
            trial_fail(t, -1, "3 slept, and after the close came %s: each must fail with EPIPE",
                       all_said());
            return;
        }
    }
    trial_pass(t, "3 sleeping takes and 3 sleeping puts woke up at the close, with EPIPE");
}

static void judge_after_close(struct trial *t)
{
    static const char *const left = "What was put before the close is left to be taken: only then "
                                    "is there nothing more";
    static const char *const refused = "A closed queue takes nothing more, room or not: put fails "
                                       "with -1 and errno EPIPE";
    static const char *const over = "The queue is closed and empty: take fails with -1 and errno "
                                    "EPIPE, each time, and never sleeps";
    if (start(t, "3") && put_now(t, 1) && put_now(t, 2) &&
        now(t, "close", "close: done", "It must come back") &&
        now(t, "put 3", "put 3: closed", refused) && take_now(t, 1, left) && take_now(t, 2, left) &&
        now(t, "take", "take: closed", over) && now(t, "put 4", "put 4: closed", refused) &&
        now(t, "take", "take: closed", over))
        trial_pass(t, "2 items were left at the close and came out; 2 puts and 2 takes after it "
                      "failed with EPIPE");
}

/* ThreadSanitizer does not need two threads at the same time: it sees that no lock lies between what
 * one has written and another reads, however much later. */
static void judge_no_race(struct trial *t)
{
    static const char *const any = "What is wrong here, another check tells better";
    if (!start(t, "2"))
        return;
    bool good = true;
    for (int i = 1; i <= 6 && good; i++)
        good = put_now(t, i) && take_now(t, i, any);
    good = good && put_now(t, 7) && put_now(t, 8) && now(t, "close", "close: done", any) &&
           now(t, "put 9", "put 9: closed", any) && take_now(t, 7, any) && take_now(t, 8, any) &&
           now(t, "take", "take: closed", any);
    trial_expect(t, "nothing of the queue is read or written without its lock");
    if (good && trial_end(t))
        trial_pass(t, "19 threads used the queue, one after the other: between any two of them lay "
                      "the lock");
}

/* Let operations gather in front of the lock, and then all in at once. */
static bool storm(struct trial *t, const char *command, int times)
{
    trial_step(t, "%d times %s, all at the same moment", times, command);
    const char *held = ask(t, "hold");
    if (held == NULL)
        return false;
    if (strcmp(held, "held") != 0)
        return trial_fail(t, -1,
                          "every thread sleeps, and one has the lock: it must sleep without");
    for (int i = 0; i < times; i++)
        tell(t, command);
    return at_rest(t) && ask(t, "release") != NULL && settle(t);
}

static void judge_no_lost_wakeup(struct trial *t)
{
    trial_expect(t, "nobody sleeps while there is something for him");
    if (!start(t, "2"))
        return;
    for (int i = 0; i < STORMS; i++) {
        tell_times(t, 4, "take");
        if (!settle(t) || !storm(t, "put 1", STORM)) /* 4 go to the sleepers, 2 stay */
            return;
        tell_times(t, 4, "put 2");
        if (!settle(t) || !storm(t, "take", STORM)) /* 2 are there, 4 come from the sleepers */
            return;
    }
    if (expect_done(t, 10 * STORMS, 10 * STORMS, "each item that goes in comes out"))
        trial_pass(t,
                   "%d times 4 slept and %d came at once: nobody slept while there was something "
                   "for him",
                   2 * STORMS, STORM);
}

static void judge_nothing_lost(struct trial *t)
{
    static const struct {
        const char *capacity, *command;
        int items;
    } runs[] = {{"7", "run 4 4 5000", 4 * EACH}, {"1", "run 3 3 500", 3 * 500}};
    wait_patience = PATIENCE;
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        char line[200], right[200];
        if (!start(t, runs[i].capacity))
            return;
        trial_step(t, "%s: producers, consumers, items of each", runs[i].command);
        snprintf(right, sizeof right,
                 "run: %d put, %d taken once, 0 lost, 0 taken twice, 0 out of order, 0 never put",
                 runs[i].items, runs[i].items);
        trial_expect(t, "%s", right);
        tell(t, runs[i].command);
        if (!read_line(t, line, sizeof line))
            return;
        if (strcmp(line, right) != 0) {
            trial_fail(t, -1,
                       "%s.  Who finds the queue full, or empty, sleeps and looks again; and from "
                       "that look to the change the lock is kept",
                       line);
            return;
        }
    }
    trial_pass(t, "20,000 items from 4 threads to 4, and 1,500 through a queue of 1: each came out "
                  "once, in order");
}

static void judge_no_leak(struct trial *t)
{
    if (!start(t, "3") || !put_now(t, 1) || !put_now(t, 2) ||
        !take_now(t, 1, "The oldest item comes out first"))
        return;
    trial_step(t, "end of input: the queue is closed and freed, an item still in it");
    trial_expect(t, "everything that bounded_queue_new has taken is given back");
    if (!trial_end(t))
        return;
    if (t->status != 0)
        trial_fail(t, -1, "it exited with status %d, not 0", t->status);
    else
        trial_pass(t, "the queue was freed with an item in it, and nothing leaked");
}

static const struct check checks[] = {
    {"order", "what was put first is taken first, round and round", 1, NULL, TRIAL_PLAIN,
     judge_order, 0},
    {"blocks-when-empty", "a take from an empty queue sleeps until an item comes", 1, "order",
     TRIAL_PLAIN, judge_blocks_when_empty, 0},
    {"blocks-when-full", "a put into a full queue sleeps until there is room", 1, "order",
     TRIAL_PLAIN, judge_blocks_when_full, 0},
    {"rechecks", "a thread that is woken for no reason looks again", 1,
     "blocks-when-empty blocks-when-full", TRIAL_PLAIN, judge_rechecks, 0},
    {"close-wakes-all", "close wakes all who sleep, on both sides", 1,
     "blocks-when-empty blocks-when-full", TRIAL_PLAIN, judge_close_wakes_all, 0},
    {"after-close", "after the close put fails, and take drains what is left", 1, "order",
     TRIAL_PLAIN, judge_after_close, 0},
    {"no-race", "nothing is read or written without the lock", 1, "order", TRIAL_THREAD,
     judge_no_race, 0},
    {"no-lost-wakeup", "nobody sleeps while there is something for him", 1,
     "blocks-when-empty blocks-when-full", TRIAL_PLAIN, judge_no_lost_wakeup, 0},
    {"nothing-lost", "each of 20,000 items comes out once, in order", 1, "order", TRIAL_ADDRESS,
     judge_nothing_lost, 60},
    {"no-leak", "free gives everything back", 1, "order", TRIAL_ADDRESS, judge_no_leak, 0},
    {0},
};

int main(int argc, char **argv)
{
    const struct exercise exercise = {"09-bounded-queue",
                                      "the thread pool's queue, with condition variables", checks};
    return grade_main(argc, argv, &exercise);
}
