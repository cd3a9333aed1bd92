/* queue - a bounded queue of bytes.  See queue.h. */

#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 256 }; /* bytes of the first allocation */

/* Make room for size more bytes behind the last one. */
static int make_room(struct queue *q, size_t size)
{
    if (q->start + q->length + size <= q->capacity)
        return 0;
    if (q->length + size <= q->capacity) {
        memmove(q->memory, q->memory + q->start, q->length);
        q->start = 0;
        return 0;
    }
    size_t capacity = q->capacity > 0 ? q->capacity : SMALLEST;
    while (capacity < q->length + size)
        capacity *= 2;
    char *memory = malloc(capacity);
    if (memory == NULL)
        return -1;
    if (q->length > 0)
        memcpy(memory, q->memory + q->start, q->length);
    free(q->memory);
    q->memory = memory;
    q->capacity = capacity;
    q->start = 0;
    return 0;
}

int queue_put(struct queue *q, const void *bytes, size_t size)
{
    if (size == 0)
        return 0;
    if (size > q->limit - q->length) {
        errno = ENOBUFS;
        return -1;
    }
    if (make_room(q, size) == -1)
        return -1;
    memcpy(q->memory + q->start + q->length, bytes, size);
    q->length += size;
    return 0;
}

void queue_drop(struct queue *q, size_t size)
{
    q->start += size;
    q->length -= size;
    if (q->length == 0)
        queue_free(q);
}

void queue_free(struct queue *q)
{
    free(q->memory);
    *q = (struct queue){.limit = q->limit};
}
