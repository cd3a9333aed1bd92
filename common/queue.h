/*
 * queue - a bounded queue of bytes, for output that the kernel has not taken yet.
 *
 * Interface:
 *   queue_put    append bytes                  queue_data   the bytes at the front
 *   queue_drop   remove bytes from the front   queue_free   give the memory back
 *
 * A queue of all zero bytes but for its limit is empty and ready for use:
 * `struct queue q = {.limit = 65536}`.  The memory grows by doubling, on demand, up to the limit,
 * and is given back as soon as the queue is empty, so that an idle client costs none.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <stddef.h>

struct queue {
    char *memory;    /* capacity bytes, or NULL */
    size_t capacity; /* bytes allocated */
    size_t start;    /* where the first queued byte stands in memory */
    size_t length;   /* bytes queued */
    size_t limit;    /* length never exceeds it */
};

/*
 * queue_put - append a copy of size bytes.
 *
 * Returns 0; or -1 and changes nothing, with errno ENOBUFS if the limit would be passed,
 * ENOMEM if memory is short.
 */
int queue_put(struct queue *q, const void *bytes, size_t size);

/* queue_data - the queued bytes, q->length of them in one piece; valid until the next put or
 * drop. */
static inline const char *queue_data(const struct queue *q)
{
    return q->memory + q->start;
}

/* queue_drop - remove size bytes from the front; size is at most q->length. */
void queue_drop(struct queue *q, size_t size);

/* queue_free - drop everything and release the memory; the queue can be used again. */
void queue_free(struct queue *q);

#endif
