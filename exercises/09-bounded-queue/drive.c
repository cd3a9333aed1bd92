/*
 * drive - makes threads that use a bounded queue, as standard input says.
 *
 * Each of these is done by a thread of its own, and prints a line when it is done, if it ever is:
 *
 *   put N      "put N: done", or "put N: closed"
 *   take       "take: N", or "take: closed"
 *   close      "close: done"
 *
 * These are done at once:
 *
 *   nudge      wake up whoever sleeps in the queue, for no reason, as POSIX lets any wait end
 *   hold       lock the queue, so that whoever comes now gathers in front of the lock; release lets
 *              them in
 *   ping       print "pong"
 *   run P C N  P threads put N items each, while C threads take; close; count what came out
 */

#include "bounded_queue.h"
#include "die.h"
#include "options.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPERATIONS_MAX = 4096 };

/* A put, a take or a close, and its thread.  What is put is a pointer to the operation itself. */
struct operation {
    pthread_t thread;
    long number; /* of a put */
};

static struct bounded_queue *queue;
static struct operation operations[OPERATIONS_MAX];
static size_t operation_count;

/* What a thread could not do, and why. */
static const char *refusal(void)
{
    return errno == EPIPE ? "closed" : errno == 0 ? "failed, without an errno" : strerror(errno);
}

static void *put(void *context)
{
    const struct operation *me = context;
    errno = 0;
    const char *what = bounded_queue_put(queue, context) == 0 ? "done" : refusal();
    printf("put %ld: %s\n", me->number, what);
    return NULL;
}

static void *take(void *unused)
{
    void *item = NULL;
    errno = 0;
    if (bounded_queue_take(queue, &item) == -1)
        printf("take: %s\n", refusal());
    else if (item >= (void *)operations && item < (void *)(operations + OPERATIONS_MAX))
        printf("take: %ld\n", ((const struct operation *)item)->number);
    else
        puts("take: something that nobody has put");
    return unused;
}

static void *close_it(void *unused)
{
    bounded_queue_close(queue);
    puts("close: done");
    return unused;
}

static void start(void *(*what)(void *), long number)
{
    if (operation_count == OPERATIONS_MAX)
        die("more than %d operations", OPERATIONS_MAX);
    struct operation *o = &operations[operation_count++];
    o->number = number;
    errno = pthread_create(&o->thread, NULL, what, o);
    if (errno != 0)
        die("cannot start a thread");
}

static void hold(void)
{
    if (pthread_mutex_trylock(&queue->lock) == 0)
        puts("held");
    else
        puts("not held: some thread has the lock");
}

/* ---- run ------------------------------------------------------------------------------------ */

/* A thread of a run. */
struct runner {
    pthread_t thread;
    size_t number;        /* among the producers */
    size_t done;          /* of a producer: items that it has put */
    size_t wrong;         /* of a consumer: items that nobody has put */
    size_t swapped;       /* and items that came before an earlier one of the same producer */
    unsigned char *taken; /* and how often it got each item */
    size_t *last;         /* and the last one that it got of each producer */
};

static size_t producers, consumers, each;
static char *items; /* what is put: pointers into this, producer 0's first, in order */

static void *produce(void *context)
{
    struct runner *me = context;
    for (size_t i = 0; i < each; i++)
        if (bounded_queue_put(queue, items + me->number * each + i) == 0)
            me->done++;
    return NULL;
}

static void *consume(void *context)
{
    struct runner *me = context;
    size_t got = 0;
    for (void *item = NULL; bounded_queue_take(queue, &item) == 0; item = NULL) {
        if (++got > producers * each)
            break; /* more than there are: it would go on for ever */
        if (item < (void *)items || item >= (void *)(items + producers * each)) {
            me->wrong++;
            continue;
        }
        size_t which = (size_t)((char *)item - items);
        size_t *last = &me->last[which / each];
        if (which < *last)
            me->swapped++;
        *last = which;
        me->taken[which]++;
    }
    return NULL;
}

static void report(const struct runner *all)
{
    size_t done = 0, wrong = 0, swapped = 0, once = 0, lost = 0, twice = 0;
    for (size_t i = 0; i < producers + consumers; i++) {
        done += all[i].done;
        wrong += all[i].wrong;
        swapped += all[i].swapped;
    }
    for (size_t item = 0; item < producers * each; item++) {
        unsigned times = 0;
        for (size_t i = producers; i < producers + consumers; i++)
            times += all[i].taken[item];
        *(times == 0 ? &lost : times == 1 ? &once : &twice) += 1;
    }
    printf("run: %zu put, %zu taken once, %zu lost, %zu taken twice, %zu out of order, %zu never "
           "put\n",
           done, once, lost, twice, swapped, wrong);
}

static void run(const char *arguments)
{
    errno = 0;
    if (sscanf(arguments, "%zu %zu %zu", &producers, &consumers, &each) != 3)
        die("run PRODUCERS CONSUMERS ITEMS");
    struct runner *all = calloc_or_die(producers + consumers, sizeof *all);
    items = calloc_or_die(producers, each);
    for (size_t i = 0; i < producers + consumers; i++) {
        all[i].number = i;
        if (i >= producers) {
            all[i].taken = calloc_or_die(producers * each, 1);
            all[i].last = calloc_or_die(producers, sizeof *all[i].last);
        }
    }
    for (size_t i = 0; i < producers + consumers; i++) {
        errno = pthread_create(&all[i].thread, NULL, i < producers ? produce : consume, &all[i]);
        if (errno != 0)
            die("cannot start a thread");
    }
    for (size_t i = 0; i < producers; i++)
        pthread_join(all[i].thread, NULL);
    bounded_queue_close(queue);
    for (size_t i = producers; i < producers + consumers; i++)
        pthread_join(all[i].thread, NULL);
    report(all);
    for (size_t i = producers; i < producers + consumers; i++) {
        free(all[i].taken);
        free(all[i].last);
    }
    free(all);
    free(items);
}

/* ---- commands ------------------------------------------------------------------------------- */

static void obey(const char *command)
{
    if (strncmp(command, "put ", 4) == 0) {
        start(put, strtol(command + 4, NULL, 10));
    } else if (strcmp(command, "take") == 0) {
        start(take, 0);
    } else if (strcmp(command, "close") == 0) {
        start(close_it, 0);
    } else if (strcmp(command, "nudge") == 0) {
        pthread_cond_broadcast(&queue->filled);
        pthread_cond_broadcast(&queue->drained);
        puts("nudged");
    } else if (strcmp(command, "hold") == 0) {
        hold();
    } else if (strcmp(command, "release") == 0) {
        pthread_mutex_unlock(&queue->lock);
        puts("released");
    } else if (strcmp(command, "ping") == 0) {
        puts("pong");
    } else if (strncmp(command, "run ", 4) == 0) {
        run(command + 4);
    } else {
        errno = 0;
        die("'%s' is none of put, take, close, nudge, hold, release, ping and run", command);
    }
}

int main(int argc, char **argv)
{
    unsigned long capacity = 3;
    const struct option_spec options[] = {
        {"capacity", "N", OPTION_NUMBER, &capacity, 1, 1000000,
         "items that the queue has room for"},
        {0},
    };
    options_parse(argc, argv, "makes threads that use a bounded queue, as standard input says",
                  options, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0); /* each operation is to be seen when it is done */
    queue = bounded_queue_new(capacity);
    if (queue == NULL)
        die("bounded_queue_new");
    char command[256];
    while (fgets(command, sizeof command, stdin) != NULL) {
        command[strcspn(command, "\n")] = '\0';
        obey(command);
    }
    bounded_queue_close(queue);
    for (size_t i = 0; i < operation_count; i++)
        pthread_join(operations[i].thread, NULL);
    bounded_queue_free(queue);
    return 0;
}
