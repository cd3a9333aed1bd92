/*
 * extended - a client's extensions, asked one after the other.
 *
 * Each function here is that member of struct talk_extension, of all that have it.
 */
#ifndef EXTENDED_H
#define EXTENDED_H

#include "talk.h"

/* extended_by - these are the extensions, NULL at the end: from now on their commands are known. */
void extended_by(const struct talk_extension *const *extensions);

/* extended_options - the options of all, in memory of this file. */
const struct option_spec *extended_options(void);

void extended_start(const char *nickname);
void extended_stop(void);

/* extended_enter - what the first that has something to ask for asks for; NULL: nobody. */
json_t *extended_enter(const char *nickname, const char *room);

/* extended_hear - true if the message is the affair of one. */
bool extended_hear(const json_t *message, const json_t *request);
void extended_joined(void);
void extended_lost(void);

/* extended_complete - the answer of the first that has one; 0: nobody. */
size_t extended_complete(const char *before, struct words *found);
bool extended_busy(void);

#endif
