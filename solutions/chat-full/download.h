/*
 * download - files on their way from the server: /get.
 *
 * A file comes under a hidden name into the folder of downloads, and gets its own once it is whole
 * and its sum is right (shelf.h).  What has come of it stays there after a loss or the end of the
 * program, and the next /get goes on behind it.
 *
 * The server is not trusted: it may send only what was asked for, in order, and no byte more than
 * it promised.
 */
#ifndef DOWNLOAD_H
#define DOWNLOAD_H

#include "commands.h"
#include "words.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* download_start - begin to fetch a file; word is its id, or as much of it as is not another's, if
 * it has been announced.  What cannot be begun makes the command wrong. */
void download_start(struct command *c, const char *folder, const char *word);

/* download_hear - take in a message of the server; returns true if it was about a download
 * alone. */
bool download_hear(const json_t *message, const json_t *request);

/* download_joined, download_lost - the connection is there again: go on.  It is lost. */
void download_joined(void);
void download_lost(void);

/* download_meant - how many have an id that begins so, or that name (catalogue.h, file_is_meant).
 * download_cancel - end the first of them, and throw away what there is of it.  Returns false if
 * there is none. */
size_t download_meant(const char *word);
bool download_cancel(const char *word);

void download_offer(struct words *found, const char *start);
bool download_busy(void);
void download_progress(FILE *out);
void download_stop(void);

#endif
