/*
 * talk - the chat room's client as a program, and what others may add to it.
 *
 * Interface:
 *   talk_run                    be a client
 *   talk_send                   ask the server for something
 *   talk_joined, talk_room      where we are
 *   talk_last                   the end comes with that of this connection
 *   talk_tell                   a line for the user
 *   talk_report, talk_show      a message of the server, in our words or in the usual ones
 *   talk_progress               what is under way, just above the line being typed
 *   talk_reactor                the loop
 *
 * The functions but talk_run are for extensions, from talk_run's loop.
 */
#ifndef TALK_H
#define TALK_H

#include "commands.h"
#include "options.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* What an extension may bring; every member may be NULL. */
struct talk_extension {
    const struct option_spec *options;
    const struct command_row *commands;

    /* The options have been read, and the terminal is still in its usual modes; to give up, die. */
    void (*start)(const char *nickname);
    /* The loop has ended. */
    void (*stop)(void);

    /* The connection is there: what to ask for instead of to join.  NULL: to join. */
    json_t *(*enter)(const char *nickname, const char *room);
    /* A message of the server, before anybody has taken it in; request is what it answers, or NULL.
     * Returns true if nothing else is to be done with it. */
    bool (*hear)(const json_t *message, const json_t *request);
    /* We are in, for the first time or again; the rooms of before are asked for already. */
    void (*joined)(void);
    /* The connection is lost. */
    void (*lost)(void);

    /* Add to found what the last bytes of `before` could become.  Returns how many those are; 0 if
     * there is nothing. */
    size_t (*complete)(const char *before, struct words *found);
    /* Is something under way?  A script's client does not end before. */
    bool (*busy)(void);
};

/*
 * talk_run - be a client until the user or the server ends it; what main returns.
 *
 * summary     one line for --help
 * extensions  what it can do beyond lesson 14, NULL at the end
 */
int talk_run(int argc, char **argv, const char *summary,
             const struct talk_extension *const *extensions);

/*
 * talk_send - send a request, which is taken over, with an id.
 *
 * An error as the answer is shown to the user, unless an extension has heard it.  Returns the id;
 * 0, having told the user why, if it cannot be sent.
 */
json_int_t talk_send(json_t *request);

/* talk_joined - true while the server lets us talk. */
bool talk_joined(void);

/* talk_room - the room that a message typed now goes to, or NULL. */
const char *talk_room(void);

/* talk_last - once this connection is lost, it is the end. */
void talk_last(void);

/* talk_tell - tell the user one line, printf-like; it is safe to print. */
void talk_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* talk_report - say in words what a message of the server is about, with its time, printf-like and
 * safe; nothing to who wants its lines as they come. */
void talk_report(const json_t *message, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* talk_show - show a message of the server, or one like it, in words. */
void talk_show(const json_t *message);

/* talk_progress - show these lines, each safe and ended by a newline, above the one being typed
 * until others take their place; "" for none.  To a script nothing is shown. */
void talk_progress(const char *lines);

struct reactor *talk_reactor(void);

#endif
