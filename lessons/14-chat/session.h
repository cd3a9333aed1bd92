/*
 * session - one client: its connection, from the first byte to the last.
 *
 * It owns what was received and not yet served, what is to be sent, and the times that it must keep.
 * Nothing here is freed while the loop's turn goes on: a session that has died is marked, and the
 * hub buries it at the end of the turn.  So whoever walks over sessions may do to them what he likes.
 *
 * Interface:
 *   session_new, session_free       made by the hub, buried by it
 *   session_ready                   its connection is ready to be read or written
 *   session_put                     send it bytes
 *   session_refer                   send it a part of a chunk
 *   session_flush                   hand what waits to the connection
 *   session_resume                  serve what had to wait for that
 *   session_hold, session_release   serve no further line, until an answer is there
 *   session_unmetered               the line being served costs none of its rate
 *   session_finish                  say good-bye: no more is read, what waits is sent, then it closes
 *   session_die                     it is lost: close without another word
 *   session_leave_rooms             what others see of either
 *   session_add_room, session_remove_room, session_in_room
 */
#ifndef SESSION_H
#define SESSION_H

#include "../10-reactor/reactor.h"
#include "names.h"
#include "outbox.h"
#include "transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct download;
struct hub;
struct room;
struct upload;

enum session_state {
    SESSION_OPEN,      /* its requests are served */
    SESSION_FINISHING, /* nothing more is read; what waits is being sent */
    SESSION_LINGERING, /* all is sent; what it still sends is thrown away until its end of file */
    SESSION_DEAD       /* to be buried at the end of the turn */
};

struct session {
    struct outbox out;
    struct session *next_flush; /* on the hub's list */
    enum session_state state;
    bool to_flush;   /* it is on that list */
    bool blocked;    /* the connection takes no more: it is on the hub's list of slow ones */
    bool eof;        /* the client has finished sending */
    bool throttled;  /* its next line must wait for its time */
    bool paused;     /* its next line must wait until it has read the answers to the last ones */
    bool waiting;    /* its next line must wait until the answer to the last one has been made */
    bool discarding; /* the rest of a line that is too long */
    bool greeted;    /* its first bytes have been looked at: they are no other protocol's */
    bool pinged;     /* it was asked for a sign of life, at the time asked */

    struct name name;    /* its nickname; empty until it has joined */
    struct room **rooms; /* in the order in which it entered them */
    uint32_t room_count, room_capacity;
    uint32_t bad_lines; /* in a row */

    /* What an extension that passes files on has for it; see exercises/16-chat-files. */
    struct upload *uploads;
    struct download *downloads; /* answers that take many turns: it is not done before they are */

    struct hub *hub;
    uint64_t serial; /* among all that ever were: an address may be another's later, this is not */
    struct connection connection;
    char *held; /* received and not yet served, held_size bytes; or NULL */
    size_t held_size;
    size_t grace; /* bytes by which its queue may be longer, for one reply that is long itself */

    struct reactor_timer timer;
    int64_t since;  /* when it connected; when it finished, or began to linger */
    int64_t heard;  /* its last line, or the ping if pinged; after its eof: what it took last */
    int64_t credit; /* when its lines would have come if evenly: see may_serve */
    uint64_t round; /* of the hub's last walk that met it: see requests.c */

    struct session *next, *previous;           /* all sessions */
    struct session *next_slow, *previous_slow; /* those that are blocked, the longest first */
    struct session *next_dead, *next_resumed;
    const char *reason; /* why it ended, as others are told */
};

/* session_new - a session for a connection, which it takes over.  NULL short of memory: then the
 * connection is still the caller's. */
struct session *session_new(struct hub *hub, struct connection connection);
void session_free(struct session *s);

/* session_ready - the connection is ready: REACTOR_READ, REACTOR_WRITE or both. */
void session_ready(struct session *s, unsigned events);

/* session_put, session_refer - append to what waits to be sent.  A session for which memory is
 * short dies of it; to one that is not open any more nothing is sent. */
void session_put(struct session *s, const char *bytes, size_t size);
void session_refer(struct session *s, struct chunk *k, uint32_t from, uint32_t to);

/* session_refer_all - the same with a whole chunk, behind what its rooms owe it. */
void session_refer_all(struct session *s, struct chunk *k);

/* session_flush - give what waits to the connection, in one call, as far as it takes it. */
void session_flush(struct session *s);

/* session_resume - to be called after it, but by nobody who is being served: serve the lines that
 * waited until the client has read the answers to earlier ones; or end, if it has sent all and got all. */
void session_resume(struct session *s);

/* session_hold - serve no further line until session_release, which serves those that have come
 * meanwhile: to be called by nobody who is being served.  A dead session is not released. */
void session_hold(struct session *s);
void session_release(struct session *s);

/* session_unmetered - do not count the line being served: something else bounds its rate. */
void session_unmetered(struct session *s);

/*
 * session_finish - let a session end in an orderly way.
 *
 * reason  what the rooms are told
 * bye     what the client is told, or NULL: nothing
 */
void session_finish(struct session *s, const char *reason, const char *bye);
void session_die(struct session *s, const char *reason);

/* session_leave_rooms - leave every room, with a user_left to each, and give up the nickname. */
void session_leave_rooms(struct session *s, const char *reason);

/* session_add_room, session_remove_room - keep the list of its rooms; called by the room.  To add
 * returns 0, or -1 with ENOMEM. */
int session_add_room(struct session *s, struct room *r);
void session_remove_room(struct session *s, struct room *r);
bool session_in_room(const struct session *s, const struct room *r);

/* session_joined - it has a nickname. */
static inline bool session_joined(const struct session *s)
{
    return s->name.text[0] != '\0';
}

#endif
