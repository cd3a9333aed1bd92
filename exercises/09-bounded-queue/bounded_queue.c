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
    /* Yours: the ring with its places, the lock and the two condition variables. */
    return q;
}

void bounded_queue_free(struct bounded_queue *q)
{
    /* Yours: undo what bounded_queue_new has done. */
    free(q);
}

int bounded_queue_put(struct bounded_queue *q, void *item)
{
    /* Yours: sleep while there is no room, unless the queue is closed; then append the item, and let a
     * taker know. */
    (void)q, (void)item;
    errno = ENOSYS;
    return -1;
}

int bounded_queue_take(struct bounded_queue *q, void **item)
{
    /* Yours: sleep while there is nothing to take, unless nothing will come any more; then remove the
     * oldest item, and let a putter know. */
    (void)q, (void)item;
    errno = ENOSYS;
    return -1;
}

void bounded_queue_close(struct bounded_queue *q)
{
    /* Yours: close the queue, and wake up everybody whom that concerns. */
    (void)q;
}
