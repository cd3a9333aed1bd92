/*
 * commands - what a user types: messages, commands that begin with /, and their completion.
 *
 * A command is one row of a table and one function; who extends the client adds a table (talk.h).
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "roster.h"
#include "words.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    COMMANDS_LINE_MAX = 4096, /* bytes of a line; the server takes as much content */
    COMMANDS_FAULT_SIZE = 512,
    COMMANDS_TABLES = 8 /* at most, with the one of this file */
};

enum command_kind {
    COMMAND_NOTHING, /* an empty line, or a command that is done already */
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

/* What completes a word that begins with start: added to found, with what follows it.  Where case
 * counts, found becomes exact first. */
typedef void command_offer(struct words *found, const struct roster *roster, const char *start);

/* A row; the last one of a table has no name. */
struct command_row {
    const char *name;     /* with its slash */
    command_offer *offer; /* what completes the first argument; NULL: nothing does */
    bool needed;          /* that argument must be there */
    /* Understand the rest of the line, which may be changed.  What is left alone is
     * COMMAND_NOTHING. */
    void (*run)(struct command *c, char *rest, const struct roster *roster);
    const char *help; /* one line of /help */
};

/* commands_add - understand these commands as well; rows stay the caller's. */
void commands_add(const struct command_row *rows);

/*
 * command_parse - understand one line.
 *
 * line  of COMMANDS_LINE_MAX bytes at most; "//" at its start is a message that begins with "/"
 * room  where a message goes, or NULL
 */
struct command command_parse(const char *line, const struct roster *roster, const char *room);

/* command_complete - add to found what the last word of `before` could become, with what follows
 * it.  Returns the length of that word in bytes. */
size_t command_complete(const char *before, const struct roster *roster, struct words *found);

/* command_word - cut the next word off the front of a text: "" at its end. */
char *command_word(char **text);

/* command_request - c is this request, which is taken over; NULL, as jansson gives for text that is
 * not UTF-8, makes it wrong. */
void command_request(struct command *c, json_t *request);

/* command_wrong - c cannot be done, and why, printf-like; safe to print. */
void command_wrong(struct command *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* command_offer_word - offer word, if it begins with start, and what follows it. */
void command_offer_word(struct words *found, const char *word, const char *start,
                        const char *behind);

/* command_help - the lines of /help, one for each i from 0 on; NULL at the end. */
const char *command_help(size_t i);

#endif
