/*
 * upload - files on their way to the server: /send.
 *
 * [window] The server acknowledges each chunk, and there are never more than a few that it has not:
 * what is typed meanwhile waits behind these and no more.
 */
#ifndef UPLOAD_H
#define UPLOAD_H

#include "commands.h"
#include "words.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * upload_start - begin to send a file.
 *
 * room, to  where it goes: to all in a room or, if that is not NULL, to one user
 *
 * A file that cannot be sent makes the command wrong.
 */
void upload_start(struct command *c, const char *path, const char *room, const char *to);

/* upload_hear - take in a message of the server; returns true if it was about an upload alone. */
bool upload_hear(const json_t *message, const json_t *request);

/* upload_shared - a file has been announced: if it was sent from here, that has come to its end. */
bool upload_shared(const char *id);

/* upload_joined, upload_lost - the connection is there again: begin again.  It is lost. */
void upload_joined(void);
void upload_lost(void);

/* upload_meant - how many have an id that begins so, or that name (catalogue.h, file_is_meant).
 * upload_cancel - end the first of them.  Returns false if there is none. */
size_t upload_meant(const char *word);
bool upload_cancel(const char *word);

void upload_offer(struct words *found, const char *start);
bool upload_busy(void);
void upload_progress(FILE *out);
void upload_stop(void);

#endif
