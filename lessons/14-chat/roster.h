/*
 * roster - what a client knows of the chat room: its own nickname, its rooms, and who is there.
 *
 * It learns from the server's messages alone.  Names that are not as the protocol says are not
 * kept, so that what is kept is safe to show and to complete.  Of a room's name case counts, of a
 * nickname it does not.
 */
#ifndef ROSTER_H
#define ROSTER_H

#include "words.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { ROSTER_NAME_SIZE = 33, ROSTER_ROOMS = 64 };

struct roster_room {
    char name[ROSTER_NAME_SIZE];
    struct words members;
};

/* All zero bytes: nothing is known. */
struct roster {
    char nickname[ROSTER_NAME_SIZE];
    struct roster_room rooms[ROSTER_ROOMS]; /* that we are in; the last is the current one */
    size_t count;
    struct words people; /* heard of outside our rooms */
    struct words places; /* rooms heard of */
};

/* roster_learn - take in one message of the server. */
void roster_learn(struct roster *roster, const json_t *message);

/* roster_current - the room that messages go to, or NULL if we are in none. */
const char *roster_current(const struct roster *roster);

/* roster_enter - make a room the current one.  Returns false if we are not in it. */
bool roster_enter(struct roster *roster, const char *room);

/* roster_forget_room - we are not in that room. */
void roster_forget_room(struct roster *roster, const char *room);

/* roster_lost - the connection is lost: our rooms stay, who is there is not known any more. */
void roster_lost(struct roster *roster);

void roster_free(struct roster *roster);

#endif
