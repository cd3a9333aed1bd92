/*
 * bounded_queue - items that go from some threads to others, in order, and only so many at a time.
 *
 * Interface:
 *   bounded_queue_new, bounded_queue_free   an empty queue; the end of it
 *   bounded_queue_put, bounded_queue_take   one item in, one item out; both may sleep
 *   bounded_queue_close                     nothing more goes in; whoever sleeps wakes up
 *
 * This is the queue of lesson 09's thread pool, for any number of threads on both sides.
 */
#ifndef BOUNDED_QUEUE_H
#define BOUNDED_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct bounded_queue {
    pthread_mutex_t lock;           /* guards all that follows */
    pthread_cond_t filled, drained; /* there is an item to take; there is room to put one */
    void **ring;                    /* capacity places */
    size_t capacity;
    size_t first, count; /* where the oldest item stands, and how many there are */
    bool closed;
};

/* bounded_queue_new - an empty queue with room for `capacity` items, at least 1.  Returns NULL with
 * errno if memory is short. */
struct bounded_queue *bounded_queue_new(size_t capacity);

/* bounded_queue_free - give back everything that the queue has, but not the items, which it never
 * owned.  No thread is in it or will come. */
void bounded_queue_free(struct bounded_queue *q);

/*
 * bounded_queue_put - append an item; while the queue is full, sleep.
 *
 * Returns 0; or -1 with errno EPIPE if the queue is closed, or becomes so during the sleep: then the
 * item is still the caller's.  See pthread_cond_wait(3).
 */
int bounded_queue_put(struct bounded_queue *q, void *item);

/*
 * bounded_queue_take - remove the oldest item; while there is none, sleep.
 *
 * Returns 0 with the item; or -1 with errno EPIPE if the queue is closed and empty: what was put
 * before the close is still handed out.
 */
int bounded_queue_take(struct bounded_queue *q, void **item);

/* bounded_queue_close - from now on put fails, and take does as soon as the queue is empty.  All who
 * sleep in either wake up. */
void bounded_queue_close(struct bounded_queue *q);

#endif
