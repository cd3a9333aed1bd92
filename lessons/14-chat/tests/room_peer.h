/*
 * room_peer - somebody in the chat room, as a test sees one.
 *
 * Interface:
 *   room_connect, room_connect_narrow   come, without joining yet
 *   room_say, room_send                 a line, or any bytes
 *   room_queue                          a line that room_pump sends
 *   room_next, room_next_of             the next message of the server
 *   room_expect, room_expect_error      that it is this one
 *   room_expect_silence                 that there is none
 *   room_expect_end                     that the connection is at its end
 *   room_pump                           send and receive with many at once
 *   room_finish, room_reset, room_close leave, in each way
 *
 * Lines to say and messages to expect are written with ' for ", as in {'type':'ping'}.
 *
 * Every message that is received is held against the protocol page: that it is one JSON object with
 * the fields of its type, each of the type that it must be, nothing beside them, and dated where it
 * has to be.  Functions that return bool return false with a fault that begins with the peer's name.
 */
#ifndef ROOM_PEER_H
#define ROOM_PEER_H

#include "queue.h"
#include "testkit/subject.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Whether the server has the extensions of the protocol's last section: their messages and errors are
 * known then, and a broadcast may have a seq.  False at the start. */
extern bool room_extensions;

struct room_peer {
    char name[32]; /* for faults */
    int fd;        /* -1 when closed */
    bool ended;    /* the end of what the server sends has come */
    struct queue in, out;
    size_t scanned; /* bytes at the front of in that are known to hold no line feed */
};

/* room_connect - connect to the server; the peer of that name gives what it held before back only
 * by room_close.  room_connect_narrow gives it a small window, so that little fits between the server
 * and a peer who does not read. */
bool room_connect(struct room_peer *p, const char *name, const struct subject *s);
bool room_connect_narrow(struct room_peer *p, const char *name, const struct subject *s);

/* room_say - send one line, printf-like; its line feed is added. */
bool room_say(struct room_peer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* room_send - send bytes as they are. */
bool room_send(struct room_peer *p, const void *bytes, size_t size);

/* room_queue - keep one line for room_pump to send. */
bool room_queue(struct room_peer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* room_next - the next message of the server, which the caller releases with json_decref; or NULL
 * with a fault.  room_next_of: and it is of that type. */
json_t *room_next(struct room_peer *p);
json_t *room_next_of(struct room_peer *p, const char *type);

/*
 * room_expect - the next message is exactly this one, but for what only the server can know: the
 * timestamp, the limits of a welcome, the words of an error.  In particular it has an id only if one
 * is expected.
 */
bool room_expect(struct room_peer *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* room_expect_error - the next message is an error with that code; id is JSON, or NULL for none. */
bool room_expect_error(struct room_peer *p, const char *code, const char *id);

/* room_expect_silence - the server has nothing to say to the peer but the answer to its ping. */
bool room_expect_silence(struct room_peer *p);

/* room_expect_end - the end of file, with nothing before it. */
bool room_expect_end(struct room_peer *p);

/* room_text - a field of a message that is a string; "" if it has none. */
const char *room_text(const json_t *message, const char *field);

/* What is done with a message: false with a fault if it should not have come. */
typedef bool room_take(struct room_peer *p, json_t *message, void *context);

/*
 * room_pump - send what is queued and receive, with all peers at the same time.
 *
 * take  is called for each message, in the order of arrival at each peer
 * left  counts what is yet to come; take lowers it
 * what  names that, for the sentence that a time-out leaves
 *
 * Ends when *left is 0 and everything queued is sent.  It waits for as long as patience lasts
 * whenever nothing moves.  A connection that ends is a fault; those with fd -1 are left out.
 */
bool room_pump(struct room_peer *peers, size_t count, room_take *take, void *context,
               const size_t *left, const char *what);

/* room_finish - half-close: nothing more will be said. */
bool room_finish(struct room_peer *p);
void room_reset(struct room_peer *p);
void room_close(struct room_peer *p);

/* room_close_all - close every connection that is open, whoever holds it: at the end of a test. */
void room_close_all(void);

#endif
