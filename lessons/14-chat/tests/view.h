/*
 * view - what one client knows of the room, from nothing but what it was told.
 *
 * Every message must fit that: nobody enters a room twice or leaves one where he is not, nothing comes
 * of a room that one is not in, a list has who is known to be there.  If the server numbers what is
 * said, in "in_room" and "in_all", then nothing is lost, doubled or out of order either.
 */
#ifndef VIEW_H
#define VIEW_H

#include <jansson.h>
#include <stdbool.h>

struct view;

/* Takes a message that is not one of the room's own.  Returns whether there is such a message, and it is
 * as it must be. */
typedef bool view_hearer(struct view *v, const char *type, const json_t *message);

/* All zero bytes: it has heard nothing. */
struct view {
    const char *label; /* said when something is wrong; or NULL */
    char nickname[33]; /* its own; "" before the welcome */
    bool over;         /* bye was said */
    json_t *rooms;     /* the members of its rooms: {"lobby": {"ann": null}} */
    json_t *heard;     /* the number of the last message in each room */
    json_int_t last;   /* and in all of them */
    view_hearer *more; /* or NULL */
};

/* view_hear - take a message of the server in.  One that does not fit aborts the process, with a line
 * on standard error that says why. */
void view_hear(struct view *v, const json_t *message);

/* view_free - forget all. */
void view_free(struct view *v);

#endif
