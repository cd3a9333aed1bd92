/*
 * wording - the server's messages as people read them.
 *
 * Whatever others wrote goes through printable: a notice is safe to print, and one line.
 */
#ifndef WORDING_H
#define WORDING_H

#include <jansson.h>
#include <stdbool.h>

struct wording_style {
    int colours;         /* of the terminal; 0 for none */
    bool dated;          /* every line has its date, and every message its room */
    const char *current; /* the room that needs no naming, or NULL */
    const char *self;    /* our nickname */
};

/*
 * wording_of - one message of the server in words, with its time where we are.
 *
 * Returns the text, to be freed; NULL if there is nothing to say, as for a pong, or memory is
 * short.
 */
char *wording_of(const json_t *message, const struct wording_style *style);

/* wording_own - something that this program says itself, in the same form; text is safe.  message:
 * what it is about, and has its time from; or NULL. */
char *wording_own(const json_t *message, const char *text, const struct wording_style *style);

#endif
