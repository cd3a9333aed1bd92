/* commands - what a user types: messages, commands that begin with /, and their completion. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "roster.h"
#include "words.h"

#include <jansson.h>
#include <stddef.h>

enum {
    COMMANDS_LINE_MAX = 4096, /* bytes of a line; the server takes as much content */
    COMMANDS_FAULT_SIZE = 160
};

enum command_kind {
    COMMAND_NOTHING, /* an empty line */
    COMMAND_REQUEST, /* something to send */
    COMMAND_ENTER,   /* a room that we are in becomes the current one: `room` */
    COMMAND_HELP,
    COMMAND_QUIT,
    COMMAND_WRONG /* see `fault` */
};

struct command {
    enum command_kind kind;
    json_t *request;                 /* the caller's */
    char room[ROSTER_NAME_SIZE];     /* of COMMAND_ENTER */
    char fault[COMMANDS_FAULT_SIZE]; /* one line; safe to print */
};

/*
 * command_parse - understand one line.
 *
 * line  of COMMANDS_LINE_MAX bytes at most; "//" at its start is a message that begins with "/"
 * room  where a message goes, or NULL
 */
struct command command_parse(const char *line, const struct roster *roster, const char *room);

/* command_complete - add to found what the last word of `before` could become, with what follows it.
 * Returns the length of that word in bytes. */
size_t command_complete(const char *before, const struct roster *roster, struct words *found);

/* command_help - the lines of /help, one for each i from 0 on; NULL at the end. */
const char *command_help(size_t i);

#endif
