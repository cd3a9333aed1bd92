/*
 * terminal - a line being typed at the bottom of a terminal, and lines that appear above it.
 *
 * Interface:
 *   terminal_new, terminal_free   take the terminal over, give it back as it was
 *   terminal_run, terminal_stop   type, until there is an end
 *   terminal_print                a line above the one being typed
 *   terminal_prompt               what stands before it
 *
 * libedit(3) edits: it knows the keys, the history, the search in it and the user's .editrc.  What it
 * would draw goes nowhere; the line is drawn here, for a line that others push up has to be erased
 * and drawn again at any time, and libedit does not tell where it is.
 *
 * [loop-inside] libedit asks for a key and waits for it, also between the bytes of an arrow key and
 * in the middle of a search.  So the program does not wait in its loop and call libedit, but the other
 * way round: libedit's reading function turns the loop until a key is there.
 *
 * SIGWINCH, SIGTSTP and SIGCONT are handled here; the signals that end a program are its own affair.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "../10-reactor/reactor.h"
#include "words.h"

#include <stdbool.h>
#include <stddef.h>

struct terminal;

struct terminal_events {
    /* The return key.  Returns false to keep the line in the editor. */
    bool (*line)(void *context, const char *line);

    /* The tabulator key after the text `before`: add to found what could stand in place of its last
     * bytes.  Returns how many those are. */
    size_t (*complete)(void *context, const char *before, struct words *found);

    /* The terminal does not take what is printed, as after ctrl-S; or it does again. */
    void (*full)(void *context, bool full);
};

/* terminal_new - take over the terminal of standard input and output.  Returns NULL with errno. */
struct terminal *terminal_new(struct reactor *r, const struct terminal_events *events,
                              void *context);

/* terminal_free - give the terminal back in the modes that it had. */
void terminal_free(struct terminal *t);

/* terminal_run - let the user type, and the reactor turn, until ctrl-D, terminal_stop or the end of
 * the terminal. */
void terminal_run(struct terminal *t);
void terminal_stop(struct terminal *t);

/* terminal_print - print text and a line end above the line being typed.  It is sent as it is: what
 * strangers wrote goes through printable first. */
void terminal_print(struct terminal *t, const char *text);

/* terminal_prompt - set the text before the line, of which a newline ends a row. */
void terminal_prompt(struct terminal *t, const char *prompt);

#endif
