/*
 * room - who is in a room, and what is said there.
 *
 * [tape] What is said is written once, encoded, to the room's tape; the members read the same
 * bytes.  Until the room is settled - at the end of the loop's turn - a message costs nothing for a
 * member: then each member's outbox gets one span, from where this member stands on the tape to its
 * end, whatever the number of messages.
 *
 * [one-order] What one client is sent comes in the order in which it was written, also by way of
 * several rooms.  A client in several rooms therefore never has unsettled messages in two of them:
 * before such a room is written to, the one written to before it is settled.  And whatever a client
 * is sent alone comes behind what its rooms owe it (session_put settles it).
 *
 * Interface:
 *   room_find, room_open             an existing room; or a new one
 *   room_enter, room_leave           a session's membership
 *   room_say                         a message to all members
 *   room_settle, room_settle_one     put what was said into the outboxes, of all members or one
 *   room_skip                        let one member not hear what was said last
 *   room_unseat, room_reseat         around a change of a nickname
 *   room_new_tape                    a tape for the hub to keep
 *   room_sweep                       give back what a room no longer needs, after its turn
 */
#ifndef ROOM_H
#define ROOM_H

#include "names.h"
#include "outbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hub;
struct session;

/* A member's place in the room. */
struct seat {
    struct session *session;
    uint32_t from;   /* where its unsettled messages begin, on the tape ... */
    uint32_t serial; /* ... that has this number; another number: at the beginning */
};

struct room {
    struct name name;
    struct hub *hub;
    struct seat *seats; /* in byte order of the nicknames */
    size_t count, capacity;
    size_t crossing; /* members who are in other rooms as well */
    int64_t last;    /* for an extension that numbers what is said here; 0 at first */

    struct chunk *tape; /* or NULL: nothing was said lately */
    uint32_t serial;    /* of the tape */
    bool dirty;         /* on the hub's list of rooms with something to settle or to sweep */
    struct room *next_dirty;
};

/* room_find - the room of this name that somebody is in, or the lobby; else NULL. */
struct room *room_find(struct hub *hub, const char *name);

/* room_open - the room of this name, made if need be; NULL short of memory.  It is swept at the end
 * of the turn unless somebody has entered it. */
struct room *room_open(struct hub *hub, const char *name);

/* room_enter - seat a session that is not in the room; it hears what is said from now on.  Returns
 * 0, or -1 with ENOMEM. */
int room_enter(struct room *r, struct session *s);

/* room_leave - unseat a session; what was said until now is still owed to it. */
void room_leave(struct room *r, struct session *s);

/* room_say - write one encoded message for all members.  Returns 0, or -1 with ENOMEM: nobody gets
 * it. */
int room_say(struct room *r, const char *bytes, size_t size);

void room_settle(struct room *r);
void room_settle_one(struct room *r, struct session *s);

/* room_skip - to be called after room_settle_one and room_say: this member is told otherwise. */
void room_skip(struct room *r, struct session *s);

/* room_unseat, room_reseat - around a change of a member's nickname: take its seat out of the order,
 * and put it back. */
struct seat room_unseat(struct room *r, const struct session *s);
void room_reseat(struct room *r, struct seat seat);

/* room_new_tape - an empty tape, for hub->last_tape; NULL short of memory. */
struct chunk *room_new_tape(void);

/* room_sweep - let the tape go if everybody has been sent everything, and the room if it is empty
 * and not the lobby. */
void room_sweep(struct room *r);

#endif
