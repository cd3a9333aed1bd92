/* bounded_queue - items that go from some threads to others.  See bounded_queue.h. */

#include "bounded_queue.h"

#include <errno.h>
#include <stdlib.h>

struct bounded_queue *bounded_queue_new(size_t capacity)
{
    struct bounded_queue *q = calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->capacity = capacity;
#ifdef STUB
    /* Yours: the ring with its places, the lock and the two condition variables. */
#else
    q->ring = calloc(capacity, sizeof *q->ring);
    if (q->ring == NULL) {
        free(q);
        return NULL;
    }
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->filled, NULL);
    pthread_cond_init(&q->drained, NULL);
#endif
    return q;
}

void bounded_queue_free(struct bounded_queue *q)
{
#ifdef STUB
    /* Yours: undo what bounded_queue_new has done. */
#else
    pthread_cond_destroy(&q->drained);
    pthread_cond_destroy(&q->filled);
    pthread_mutex_destroy(&q->lock);
    free(q->ring);
#endif
    free(q);
}

int bounded_queue_put(struct bounded_queue *q, void *item)
{
#ifdef STUB
    /* Yours: sleep while there is no room, unless the queue is closed; then append the item, and let a
     * taker know. */
    (void)q, (void)item;
    errno = ENOSYS;
    return -1;
#else
    pthread_mutex_lock(&q->lock);
    /* [recheck] Awake is not the same as "there is room": another thread may have been faster, and a
     * wait may end for no reason at all.  So look again, each time. */
    while (q->count == q->capacity && !q->closed)
        pthread_cond_wait(&q->drained, &q->lock);
    bool open = !q->closed;
    if (open) {
        q->ring[(q->first + q->count++) % q->capacity] = item;
        pthread_cond_signal(&q->filled);
    }
    pthread_mutex_unlock(&q->lock);
    if (!open)
        errno = EPIPE;
    return open ? 0 : -1;
#endif
}

int bounded_queue_take(struct bounded_queue *q, void **item)
{
#ifdef STUB
    /* Yours: sleep while there is nothing to take, unless nothing will come any more; then remove the
     * oldest item, and let a putter know. */
    (void)q, (void)item;
    errno = ENOSYS;
    return -1;
#else
    pthread_mutex_lock(&q->lock);
    while (q->count == 0 && !q->closed)
        pthread_cond_wait(&q->filled, &q->lock);
    bool found = q->count > 0; /* closed or not: what is left is handed out */
    if (found) {
        *item = q->ring[q->first];
        q->first = (q->first + 1) % q->capacity;
        q->count--;
        /* [every-place] Lesson 09 signals only if the queue was full, and may: one thread puts.  Here
         * a second putter may sleep, and the first one need not have run yet. */
        pthread_cond_signal(&q->drained);
    }
    pthread_mutex_unlock(&q->lock);
    if (!found)
        errno = EPIPE;
    return found ? 0 : -1;
#endif
}

void bounded_queue_close(struct bounded_queue *q)
{
#ifdef STUB
    /* Yours: close the queue, and wake up everybody whom that concerns. */
    (void)q;
#else
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->filled);
    pthread_cond_broadcast(&q->drained);
    pthread_mutex_unlock(&q->lock);
#endif
}
