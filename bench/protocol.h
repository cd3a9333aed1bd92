/*
 * protocol - the languages in which a room of clients can be spoken to.
 *
 * The chat room's own, and those of the peers that it is compared with, so that one and the same
 * generator sends to them all and checks them all.  Each knows only how bytes are put together and
 * taken apart; what must arrive where is none of its business.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

/* Some bytes of a buffer, without a final 0; bytes is NULL if there is no such thing. */
struct text {
    const char *bytes;
    size_t length;
};

enum arrival_kind {
    ARRIVAL_PART,    /* not whole yet: more bytes are needed */
    ARRIVAL_MESSAGE, /* somebody's message: content, and room and who if they are named */
    ARRIVAL_JOINED,  /* this client is in a room now */
    ARRIVAL_LEFT,    /* and not any more */
    ARRIVAL_COMING,  /* who has come into the room */
    ARRIVAL_GOING,   /* who has gone */
    ARRIVAL_ASKED,   /* the server wants a sign of life: protocol.answer */
    ARRIVAL_PROBED,  /* the reply to protocol.probe */
    ARRIVAL_FAULT,   /* what complains: content is what it says */
    ARRIVAL_OTHER,   /* understood, and nothing to do */
};

/* What one server message says.  The texts point into the bytes that were read. */
struct arrival {
    enum arrival_kind kind;
    size_t length; /* of the whole thing */
    struct text content, room, who;
};

/*
 * The functions write one request with all its bytes and return their number; `out` has room for
 * PROTOCOL_EXTRA bytes more than the content.
 */
enum { PROTOCOL_EXTRA = 256 };

struct protocol {
    const char *name;
    bool one_order; /* all members see one order of all messages; else only of each sender's */
    bool echoes;    /* who sends a message gets it, too */
    bool announces; /* members are told who comes and goes */
    size_t (*join)(char *out, const char *nickname, const char *room); /* the first request */
    size_t (*enter)(char *out, const char *room); /* one more room; NULL: one room only */
    size_t (*leave)(char *out, const char *room);
    size_t (*message)(char *out, const char *room, struct text content);
    const char *answer; /* to ARRIVAL_ASKED */
    const char *probe;  /* a request whose reply comes behind all that was sent before; or NULL */
    struct arrival (*read)(const char *bytes, size_t size);
};

/* protocol_find - the protocol of that name, or NULL; protocol_names lists them, with blanks. */
const struct protocol *protocol_find(const char *name);
extern const char protocol_names[];

/* text_is - is it these characters? */
bool text_is(struct text t, const char *characters);

#endif
