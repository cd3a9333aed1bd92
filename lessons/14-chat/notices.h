/*
 * notices - the server's messages as people read them.
 *
 * Whatever others wrote goes through printable: a notice is safe to print, and one line.
 */
#ifndef NOTICES_H
#define NOTICES_H

#include <jansson.h>
#include <stdbool.h>

struct notices_style {
    int colours;         /* of the terminal; 0 for none */
    bool dated;          /* every line has its date, and every message its room */
    const char *current; /* the room that needs no naming, or NULL */
    const char *self;    /* our nickname */
};

/*
 * notices_text - one message of the server in words, with its time where we are.
 *
 * Returns the text, to be freed; NULL if there is nothing to say, as for a pong, or memory is short.
 */
char *notices_text(const json_t *message, const struct notices_style *style);

/* notices_own - something that this program says itself, in the same form; text is safe. */
char *notices_own(const char *text, const struct notices_style *style);

#endif
