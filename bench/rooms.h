/*
 * rooms - what the members of chat rooms must get, and whether they do.
 *
 * Interface:
 *   rooms_make     so many rooms, nobody in them
 *   rooms_enter    somebody is in a room from now on
 *   rooms_leave    and not any more
 *   rooms_send     a message is about to be sent: its content, and who is owed it
 *   rooms_next     quickly: is this the line that must come next here?
 *   rooms_take     slowly: a message has come; check it whole
 *
 * Each message must reach all members of its room once, in one order that is the same for all, and
 * those of one sender in the order in which they were sent.  The order of a room is the one in which
 * messages are first seen by a member of it.  There each is checked byte by byte and its line is kept;
 * who gets it later gets the same bytes, if all is well, and that is one memcmp.
 */
#ifndef ROOMS_H
#define ROOMS_H

#include "protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    ROOMS_CONTENT_MIN = 18, /* bytes of a content at least: it says who sent it, and which it is */
    ROOMS_CONTENT_MAX = 65536, /* and at most */
    ROOMS_FAULT = 160          /* room for the sentence of a fault */
};

/* Who sends messages is called so, by its number. */
#define ROOMS_NICKNAME "m%06u"

/* A client in a room.  Its place in memory must not change while it is taken. */
struct seat {
    uint32_t room;
    bool taken;
    bool member;     /* owed every message; else a visitor, who is checked while there */
    bool fresh;      /* has got nothing yet: where it came in is not known */
    int64_t since;   /* it was in the room for certain: when, in nanoseconds */
    uint64_t next;   /* the place in the room's order of what must come next */
    uint64_t *early; /* of a visitor: what has come here before any member had it */
    size_t n_early, early_capacity;
    uint32_t sent;       /* messages from here */
    uint32_t ordered;    /* those that have a place in the order */
    uint32_t came, went; /* notices of others that came and went; the caller's */
};

/* A message that has been sent and that somebody is still owed. */
struct message {
    struct seat *from;
    uint32_t sender; /* the number that the content names */
    uint32_t turn;   /* its number among those from there */
    uint32_t owed;   /* members who have not got it yet */
    bool placed;
    int64_t since; /* when it was sent or due, in nanoseconds */
};

/* One place in a room's order. */
struct place {
    uint64_t number; /* of the message */
    const struct seat *from;
    int64_t since;
    size_t length; /* of the line that is kept; 0: it was too long */
};

struct room {
    struct place *places; /* rings of `capacity`, a power of two */
    char *lines;          /* a slot for each */
    uint64_t head, tail;  /* the next place, and the oldest that is kept */
    size_t capacity;
    struct seat **seats; /* who is in it */
    size_t n_seats, n_members, seats_capacity;
};

extern struct room *rooms;
extern size_t rooms_slot;        /* bytes of a kept line at most */
extern bool rooms_echo;          /* a sender gets its own messages */
extern uint64_t rooms_in_flight; /* messages that somebody is still owed */

/* rooms_make - n empty rooms for contents of size bytes. */
void rooms_make(size_t n, size_t size, bool echo);
void rooms_free(size_t n);

/* rooms_enter - take a seat: a member, or a visitor who has asked to come in. */
void rooms_enter(struct seat *seat, uint32_t room, bool member);

/* rooms_inside - a visitor knows that it is in: it must get what is sent from now on. */
void rooms_inside(struct seat *seat, int64_t now);

/*
 * rooms_leave - free a seat.
 *
 * upto  a place (see rooms_mark): messages before it must have come; 0: whatever came was well
 *
 * Returns how many messages the seat should have got and has not.  What a member is owed is owed no
 * longer.
 */
unsigned long rooms_leave(struct seat *seat, uint64_t upto);

/* rooms_mark - where the order of a seat's room ends now. */
uint64_t rooms_mark(const struct seat *seat);

/*
 * rooms_send - a message is about to be sent from a member's seat.
 *
 * sender   its number, up to 999999
 * since    when its time begins
 * content  receives its bytes, of the size given to rooms_make: printable characters that no
 *          protocol has to escape
 */
void rooms_send(struct seat *from, uint32_t sender, int64_t since, char *content);

/* rooms_message - a message by its number, while somebody is owed it; else NULL. */
struct message *rooms_message(uint64_t number);

/* rooms_settle - one member has got it, or never will. */
void rooms_settle(struct message *m);

/*
 * rooms_take - check a message that has come to a seat.
 *
 * line    the whole line, length bytes, as it will come to the others
 * a       what it says; without content, it is taken for the next one
 * fault   receives what is wrong with it, or ""
 * errors  is counted up by what is wrong: one, or as many messages as are missing
 *
 * Returns the message if the seat was owed it: the caller settles it.  Else NULL.
 */
struct message *rooms_take(struct seat *seat, const char *line, size_t length,
                           const struct arrival *a, char fault[ROOMS_FAULT], unsigned long *errors);

/*
 * rooms_next - is the line that must come next at this seat what stands at bytes?
 *
 * Returns its length and has counted it as come, *m being the message if the seat is owed it; or 0:
 * it is something else, or not whole, or nobody has got that far.
 */
static inline size_t rooms_next(struct seat *seat, const char *bytes, size_t size,
                                struct message **m)
{
    const struct room *r = &rooms[seat->room];
    const struct place *p = &r->places[seat->next & (r->capacity - 1)];
    if (seat->next == r->head || seat->fresh || seat->n_early > 0 || p->length == 0 ||
        p->length > size ||
        memcmp(bytes, r->lines + (seat->next & (r->capacity - 1)) * rooms_slot, p->length) != 0)
        return 0;
    seat->next++;
    *m = seat->member ? rooms_message(p->number) : NULL;
    return p->length;
}

#endif
