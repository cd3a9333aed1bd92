/*
 * stage - a client between its user and its server, and the test is both.
 *
 * The client runs in a pseudo-terminal.  The test types, and works out the screen from the bytes;
 * it is the server as well, and says what it likes.  There is one stage.
 *
 * Interface:
 *   stage_find                         a program that stands a folder above the test's
 *   stage_listen, stage_start, stage_accept, stage_start_joined   the client comes
 *   stage_say, stage_welcome, stage_broadcast                     the server talks
 *   stage_next, stage_expect           what the client asks for
 *   stage_type                         the user types
 *   stage_await, _text, _line          until the screen shows something
 *   stage_has_ended, stage_await_end, stage_expect_exit, stage_expect_modes_restored   the end
 *   filter_open, _feed, _expect, _expect_end                      a client without a terminal
 *
 * What is not as it should be fails the running test.  Every wait ends after wait_patience.
 */
#ifndef STAGE_H
#define STAGE_H

#include "screen.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <termios.h>

enum { STAGE_LINE_SIZE = 16384 };

/* A list of arguments: STAGE_ARGS("--json"). */
#define STAGE_ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

extern struct stage {
    pid_t pid;
    int pty, lfd, cfd;
    char port[8];
    struct screen screen;
    struct termios modes;     /* before the client came */
    char in[STAGE_LINE_SIZE]; /* from the client to the server */
    size_t in_length;
} stage;

extern char stage_client[4096];    /* the program */
extern const char *stage_no_color; /* NO_COLOR in its environment */

/* stage_find - the path of a program in the folder above the one that the test's own program,
 * argv[0], stands in. */
void stage_find(const char *program, char *found, size_t size, const char *name);

void stage_listen(void);

/* stage_start - start the client; more arguments may be NULL. */
void stage_start(const char *locale, int columns, const char *const *more);
void stage_accept(void);

/* stage_start_joined - the client, joined. */
void stage_start_joined(int columns);

void stage_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void stage_welcome(const char *nickname, const char *room, int id);
void stage_broadcast(const char *from, const char *content);

/* stage_next - the next request of the client; to be released. */
json_t *stage_next(void);

/* stage_expect - the next request has this type, and this text in a field.  Returns its id. */
int stage_expect(const char *type, const char *field, const char *value);

void stage_type(const char *keys);

/* stage_look - take in what the client prints, if there is anything. */
void stage_look(void);

/* stage_await - wait until the screen satisfies a condition; _text: shows a text; _line: the row of
 * the cursor is exactly this. */
void stage_await(bool (*condition)(const void *), const void *argument, const char *what);
void stage_await_text(const char *text);
void stage_await_line(const char *text);

/* stage_has_ended - for wait_until: has the client?  status is that of waitpid(2). */
bool stage_has_ended(void *status);

/* stage_await_end - wait for the client's end.  Returns the status of waitpid(2). */
int stage_await_end(void);

/* stage_expect_modes_restored - the terminal has the modes that it had, and no marks around what is
 * pasted.  stage_expect_exit: and the client ends with this status. */
void stage_expect_modes_restored(void);
void stage_expect_exit(int wanted);

struct filter {
    FILE *in, *out;
    pid_t pid;
};

struct filter filter_open(const char *port, const char *name, const char *const *more);
void filter_feed(const struct filter *f, const char *line);

/* filter_expect - read what it prints up to a line that holds a text. */
void filter_expect(const struct filter *f, const char *text);
void filter_expect_end(struct filter *f, int wanted);

#endif
