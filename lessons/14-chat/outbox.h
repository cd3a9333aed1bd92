/*
 * outbox - what waits to be sent to one client, without a copy of it.
 *
 * A chunk is memory that holds messages back to back; many outboxes may refer to it, and it is freed
 * with the last reference.  A span is a part of a chunk; an outbox is a list of spans, in the order in
 * which they are to be sent.  Two spans that touch become one, so that a thousand messages of one
 * room are one span, and one piece for writev(2).
 *
 * Interface:
 *   chunk_new, chunk_drop                a chunk and its references
 *   outbox_refer                         append a span of a chunk that others share
 *   outbox_put                           append a copy of bytes meant for this client alone
 *   outbox_vector, outbox_sent           the spans for writev(2); take off what it has sent
 *   outbox_free                          drop it all
 */
#ifndef OUTBOX_H
#define OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct chunk {
    unsigned references;
    bool shared;       /* with other outboxes: outbox_put does not write to it */
    uint32_t used;     /* bytes written; they never change again */
    uint32_t capacity; /* bytes allocated */
    char bytes[];
};

/* The memory of all chunks that live, in bytes. */
extern size_t chunk_memory;

/* chunk_new - an empty chunk with one reference, the caller's; NULL short of memory. */
struct chunk *chunk_new(size_t capacity, bool shared);

/* chunk_drop - give a reference back. */
void chunk_drop(struct chunk *k);

struct span {
    struct chunk *chunk;
    uint32_t start, end;
};

enum { OUTBOX_FEW = 2 }; /* spans without an allocation */

/* All zero bytes: empty. */
struct outbox {
    size_t bytes; /* in all spans */
    uint32_t first, count, capacity;
    struct span *many; /* capacity of them, if few are too few; or NULL */
    struct span few[OUTBOX_FEW];
};

/*
 * outbox_refer - append the bytes [start, end) of a chunk.
 *
 * Holds a reference until they are sent.  Returns 0, or -1 with ENOMEM: then nothing has changed.
 */
int outbox_refer(struct outbox *o, struct chunk *k, uint32_t start, uint32_t end);

/* outbox_put - append a copy of size bytes.  Returns 0, or -1 with ENOMEM. */
int outbox_put(struct outbox *o, const char *bytes, size_t size);

/* outbox_last - the chunk that the last span is part of; the outbox is not empty. */
struct chunk *outbox_last(const struct outbox *o);

/* outbox_vector - describe the first spans, at most room of them; returns how many. */
int outbox_vector(const struct outbox *o, struct iovec *vector, int room);

/* outbox_sent - take size bytes off the front; size is at most o->bytes. */
void outbox_sent(struct outbox *o, size_t size);

/* outbox_free - drop everything; the outbox is empty and can be used again. */
void outbox_free(struct outbox *o);

#endif
