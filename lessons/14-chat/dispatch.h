/*
 * dispatch - from a line to the function that serves it.
 *
 * [extension-point] A request is one row of a table and one function.  An extension brings a table
 * of its own, whose rows come before the room's, and may take part at a few more points.
 *
 * Interface:
 *   dispatch_line              serve one line
 *   call_text, call_name       a field of the request
 *   call_reply, call_error     the answer to it
 *   call_join                  what join does, once the nickname is found to be right
 *   call_keep, call_end        a request whose answer is being made elsewhere
 */
#ifndef DISPATCH_H
#define DISPATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct chunk;
struct hub;
struct option_spec;
struct room;
struct session;

/* One request that is being served. */
struct call {
    struct hub *hub;
    struct session *session;
    json_t *body; /* the object */
    json_t *id;   /* a string or an integer that the reply repeats; or NULL */
};

/* A row; the last one of a table has no type. */
struct request {
    const char *type;
    void (*serve)(struct call *c);
    bool before_join; /* served also to those who have not joined */
};

/* The room's own. */
extern const struct request requests[];

/* What an extension may bring; every member but the name may be NULL. */
struct extension {
    const char *name;
    const struct request *requests;
    const struct option_spec *options;
    int (*start)(struct hub *hub); /* before the first client; -1 with errno ends the server */
    void (*stop)(struct hub *hub); /* after the last; in the reverse order */

    /* May this session take this nickname?  NULL, or the error code that says why not. */
    const char *(*refuse_nickname)(struct session *s, const char *nickname);
    /* What is to be said instead of content: it, or a new reference in place of it, which is taken
     * over. */
    json_t *(*rewrite)(struct session *s, json_t *content);
    /* A message is about to be said in a room: fields may be added to it. */
    void (*before_broadcast)(struct room *r, json_t *message);
    /* It has been said: size bytes at `at` of a chunk, which may be changed in place until the next
     * before_output has returned.  Called again for the copy of a sender whose request had an id.  A
     * chunk of NULL: it could not be said. */
    void (*after_broadcast)(struct hub *hub, struct chunk *k, size_t at, size_t size);
    /* What was said in this turn is about to be sent.  A message may be in hub->line just now: not to
     * be overwritten. */
    void (*before_output)(struct hub *hub);
    /* A session has joined, and its welcome is on its way. */
    void (*joined)(struct session *s);
    /* A session is being buried. */
    void (*gone)(struct session *s);
};

/* dispatch_line - serve one line, length bytes without its end; or say what is wrong with it. */
void dispatch_line(struct session *s, const char *line, size_t length);

/*
 * call_text - a field that must be a string.
 *
 * Returns it, valid while the call is, and its bytes in *size unless that is NULL; or NULL after
 * bad_request has been answered.
 */
const char *call_text(struct call *c, const char *field, size_t *size);

/*
 * call_name - a field that must be the name of a room or a user.
 *
 * otherwise  what a field that is missing stands for; NULL: it must not be missing
 * most       characters, at most
 * code       the error if it is no valid name
 */
const char *call_name(struct call *c, const char *field, const char *otherwise, size_t most,
                      const char *code);

/* call_reply - answer; takes the reference to message over, which may be NULL (memory was short). */
void call_reply(struct call *c, json_t *message);

/* call_error - answer that it cannot be done; the session stays as it is. */
void call_error(struct call *c, const char *code, const char *sentence);

/* call_join - let the requester join under a nickname that is valid and free. */
void call_join(struct call *c, const char *nickname, const char *room);

/*
 * call_keep - put the answer to a request off.
 *
 * The session serves no other line until call_end, so that what a client has sent comes in its order.
 * Returns the call, to be answered from the loop's thread while call_is_open says so, and to be given
 * back with call_end: at the latest when the session is `gone`.
 */
struct call call_keep(const struct call *c);
bool call_is_open(const struct call *kept);
void call_end(struct call *kept);

/* call_add_id - give a reply, which may be NULL, the id of its request.  Returns it; or NULL short of
 * memory, and the reference is gone. */
json_t *call_add_id(const struct call *c, json_t *message);

#endif
