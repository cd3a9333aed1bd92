/*
 * hub - what the sessions of one server share, and the end of each of the loop's turns.
 *
 * Interface:
 *   hub_init, hub_free          a hub on a reactor
 *   hub_accept                  a new connection
 *   hub_find_user               who has a nickname
 *   hub_encode                  JSON to a line
 *   hub_flush, hub_turn         send what waits: now, and at the end of the turn
 *   hub_close_all, hub_is_empty the end of the server
 *   hub_print_stats             the counters
 */
#ifndef HUB_H
#define HUB_H

#include "names.h"
#include "session.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct extension;
struct reactor;
struct room;

struct stats {
    uint64_t in, out; /* lines received; messages sent, one for each receiver */
    uint64_t connected, refused, slow;
    uint64_t turns;
    int64_t turn_sum_ns, turn_max_ns; /* from a turn's first event to its end */
};

struct hub {
    struct reactor *reactor;
    const struct extension *const *extensions; /* NULL at the end */
    struct names users, rooms;
    struct room *lobby;

    struct session *sessions; /* all of them */
    size_t session_count;
    size_t open_count; /* those whose requests are served */
    bool closing;      /* the server ends */

    struct session *to_flush;            /* something waits for them */
    struct session *dead;                /* to be buried */
    struct session *slowest, *last_slow; /* blocked ones, the longest first */
    struct room *dirty;                  /* something was said there, or everybody has left */
    struct room *written;                /* see [one-order] in room.h */
    struct chunk *spare_tape;            /* for the next room that needs one; or NULL */
    struct chunk *last_tape;             /* kept for when memory is short; or NULL */

    char *line; /* what hub_encode has made */
    size_t line_size, line_capacity;
    bool line_failed; /* memory was short for it */
    char *input;      /* what is being received */
    size_t input_size;
    bool wipes; /* what has been received is erased when it is released: see reserve.h, too */
    int64_t turn_started; /* 0: nothing has happened in this turn */
    uint64_t round;       /* walks so far that meet a session only once */
    struct stats stats;
};

/* hub_init - make a hub with an empty lobby.  Returns 0, or -1 with errno. */
int hub_init(struct hub *hub, struct reactor *reactor, const struct extension *const *extensions);

/* hub_free - end every session without a word, and release all. */
void hub_free(struct hub *hub);

/* hub_accept - serve a new connection, or turn it away with an error.  It is the hub's from now
 * on. */
void hub_accept(struct hub *hub, struct connection connection);

/* hub_now - the time of this turn, as clock_now tells it. */
int64_t hub_now(struct hub *hub);

/* hub_find_user - the session that has this nickname, without regard to case; or NULL. */
struct session *hub_find_user(const struct hub *hub, const char *nickname);

/*
 * hub_encode - make a line of a message: hub->line, hub->line_size bytes with the "\n".
 *
 * Takes the reference to message over, which may be NULL (memory was short).  Returns 0, or -1.
 * The line is valid until the next hub_encode.
 */
int hub_encode(struct hub *hub, json_t *message);

/*
 * hub_list_begin, _add, _end - put one more field into the line that hub_encode has made: an array,
 * piece by piece, for lists that may be ten thousand names long and need no escaping.
 *
 * value  JSON, size bytes
 *
 * Only the last one tells how it went: 0, or -1 short of memory.
 */
void hub_list_begin(struct hub *hub, const char *key);
void hub_list_add(struct hub *hub, const char *value, size_t size);
int hub_list_end(struct hub *hub);

/* hub_flush_later, hub_bury_later - remember a session for the end of the turn. */
void hub_flush_later(struct session *s);
void hub_bury_later(struct session *s);

/* hub_slow, hub_not_slow - keep the list of blocked sessions. */
void hub_slow(struct session *s);
void hub_not_slow(struct session *s);

/* hub_flush - send what is in the outboxes. */
void hub_flush(struct hub *hub);

/* hub_turn - the end of a turn: settle what was said, send what waits, close those that are too
 * slow, bury the dead.  Nothing is left to do afterwards. */
void hub_turn(struct hub *hub);

/* hub_close_all - the server ends: bye to everybody.  hub_is_empty: nobody is left. */
void hub_close_all(struct hub *hub);
bool hub_is_empty(const struct hub *hub);

/* hub_print_stats - one line of counters on standard error. */
void hub_print_stats(struct hub *hub);

#endif
