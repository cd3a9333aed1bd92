/* outbox - what waits to be sent to one client.  See outbox.h. */

#include "outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PRIVATE_CHUNK = 512 - sizeof(struct chunk) }; /* a few replies */

size_t chunk_memory = 0;

struct chunk *chunk_new(size_t capacity, bool shared)
{
    if (capacity > UINT32_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    struct chunk *k = malloc(sizeof *k + capacity);
    if (k == NULL)
        return NULL;
    *k = (struct chunk){.references = 1, .shared = shared, .capacity = (uint32_t)capacity};
    chunk_memory += sizeof *k + capacity;
    return k;
}

void chunk_drop(struct chunk *k)
{
    if (--k->references > 0)
        return;
    chunk_memory -= sizeof *k + k->capacity;
    free(k);
}

static struct span *spans(struct outbox *o)
{
    return o->many != NULL ? o->many : o->few;
}

/* Room for one more span behind the last.  What has been sent in front is closed up first. */
static int make_room(struct outbox *o)
{
    uint32_t capacity = o->many != NULL ? o->capacity : OUTBOX_FEW;
    if (o->first + o->count < capacity)
        return 0;
    struct span *s = spans(o);
    if (o->first > capacity / 2 || (o->first > 0 && o->many == NULL)) {
        memmove(s, s + o->first, o->count * sizeof *s);
        o->first = 0;
        return 0;
    }
    const uint32_t more = 2 * capacity + OUTBOX_FEW;
    struct span *larger = malloc(more * sizeof *larger);
    if (larger == NULL)
        return -1;
    memcpy(larger, s + o->first, o->count * sizeof *s);
    free(o->many);
    o->many = larger;
    o->capacity = more;
    o->first = 0;
    return 0;
}

int outbox_refer(struct outbox *o, struct chunk *k, uint32_t start, uint32_t end)
{
    if (start == end)
        return 0;
    struct span *last = o->count > 0 ? &spans(o)[o->first + o->count - 1] : NULL;
    if (last != NULL && last->chunk == k && last->end == start) {
        last->end = end;
    } else {
        if (make_room(o) == -1)
            return -1;
        spans(o)[o->first + o->count++] = (struct span){k, start, end};
        k->references++;
    }
    o->bytes += end - start;
    return 0;
}

int outbox_put(struct outbox *o, const char *bytes, size_t size)
{
    struct span *last = o->count > 0 ? &spans(o)[o->first + o->count - 1] : NULL;
    struct chunk *k = last != NULL ? last->chunk : NULL;
    bool mine = k != NULL && !k->shared && k->capacity - k->used >= size;
    if (!mine && (k = chunk_new(size > PRIVATE_CHUNK ? size : PRIVATE_CHUNK, false)) == NULL)
        return -1;
    uint32_t start = k->used;
    memcpy(k->bytes + start, bytes, size);
    k->used += (uint32_t)size;
    int put = outbox_refer(o, k, start, k->used);
    if (!mine)
        chunk_drop(k);
    return put;
}

struct chunk *outbox_last(const struct outbox *o)
{
    return (o->many != NULL ? o->many : o->few)[o->first + o->count - 1].chunk;
}

int outbox_vector(const struct outbox *o, struct iovec *vector, int room)
{
    const struct span *s = (o->many != NULL ? o->many : o->few) + o->first;
    int n = 0;
    for (; n < room && (uint32_t)n < o->count; n++)
        vector[n] = (struct iovec){s[n].chunk->bytes + s[n].start, s[n].end - s[n].start};
    return n;
}

void outbox_sent(struct outbox *o, size_t size)
{
    o->bytes -= size;
    while (size > 0) {
        struct span *s = &spans(o)[o->first];
        size_t length = s->end - s->start;
        if (size < length) {
            s->start += (uint32_t)size;
            return;
        }
        size -= length;
        chunk_drop(s->chunk);
        o->first++;
        o->count--;
    }
    if (o->count == 0) {
        free(o->many);
        o->many = NULL;
        o->first = 0;
    }
}

void outbox_free(struct outbox *o)
{
    outbox_sent(o, o->bytes);
}
