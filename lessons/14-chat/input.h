/*
 * input - lines from a file, a pipe or a terminal without editing, on the reactor.
 *
 * A line is ended by a newline, the last one by the end of the input.  A line that is too long is
 * reported as such, without having been stored.
 */
#ifndef INPUT_H
#define INPUT_H

#include "../10-reactor/reactor.h"

#include <stdbool.h>
#include <stddef.h>

struct input;

/* A line without its end, with a final 0; NULL for one that is too long.  Not called while paused. */
typedef void input_line(void *context, const char *line, size_t length);

/*
 * input_new - read lines of at most `most` bytes from fd, which stays the caller's.
 *
 * It begins paused.  A file is always ready for reading, and epoll(7) refuses it: the reactor needs
 * another backend.  Returns NULL with errno.
 */
struct input *input_new(struct reactor *r, int fd, size_t most, input_line *line, void *context);
void input_free(struct input *i);

/* input_pause - stop reading, or go on: from the loop, not from within this call. */
void input_pause(struct input *i, bool pause);

/* input_ended - true once the last line has been handed over. */
bool input_ended(const struct input *i);

#endif
