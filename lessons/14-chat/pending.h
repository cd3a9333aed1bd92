/*
 * pending - a client's requests that wait for their replies, in the order sent.
 *
 * Each has a number as its id, which the server's reply repeats.
 */
#ifndef PENDING_H
#define PENDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { PENDING_MAX = 64 };

struct pending_request {
    json_int_t id;
    json_t *request;
    bool ours; /* the program's own: its failure is not the user's affair */
};

/* All zero bytes: none waits. */
struct pending {
    struct pending_request waiting[PENDING_MAX];
    size_t count;
};

bool pending_full(const struct pending *p);

/* pending_add - one more; the reference is taken over, also where there is no room. */
void pending_add(struct pending *p, struct pending_request request);

/*
 * pending_take - take the request that a message answers off the others; its reference is the
 * caller's.
 *
 * An error without an id is about a line that the server could not read: the oldest.  Returns all
 * zero bytes if there is none.
 */
struct pending_request pending_take(struct pending *p, const json_t *message);

/* pending_room - the room that the user has asked to join last, and has no answer about; or
 * NULL. */
const char *pending_room(const struct pending *p);

/* pending_move - true if a room is being joined or left. */
bool pending_move(const struct pending *p);

void pending_drop_all(struct pending *p);

#endif
