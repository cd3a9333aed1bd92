/* input - lines from a file, a pipe or a terminal without editing.  See input.h. */

#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 16384 };

struct input {
    struct reactor *reactor;
    int fd;
    size_t most;
    input_line *line;
    void *context;
    struct reactor_timer resume;
    bool paused, at_end, ended;
    bool too_long; /* the rest of this line is thrown away */
    char chunk[CHUNK];
    size_t start, end; /* of what was read and not looked at */
    size_t length;     /* of the line so far */
    char text[];       /* the line so far; most + 1 bytes */
};

static void hand_over(struct input *i)
{
    bool too_long = i->too_long;
    i->text[i->length] = '\0';
    size_t length = i->length;
    i->length = 0;
    i->too_long = false;
    i->line(i->context, too_long ? NULL : i->text, length);
}

/* Look at what was read, until it is used up or the owner pauses us. */
static void look(struct input *i)
{
    while (!i->paused && i->start < i->end) {
        const char *bytes = i->chunk + i->start;
        const char *newline = memchr(bytes, '\n', i->end - i->start);
        size_t size = newline != NULL ? (size_t)(newline - bytes) : i->end - i->start;
        if (size > i->most - i->length) {
            i->too_long = true;
            i->length = 0;
        }
        if (!i->too_long) {
            memcpy(i->text + i->length, bytes, size);
            i->length += size;
        }
        i->start += size + (newline != NULL);
        if (newline != NULL)
            hand_over(i);
    }
    if (!i->paused && i->at_end && i->start == i->end && !i->ended) {
        i->ended = true;
        if (i->length > 0 || i->too_long)
            hand_over(i);
        else
            i->line(i->context, "", 0); /* the end is news as well */
    }
}

static void input_ready(struct reactor *r, int fd, unsigned events, void *context)
{
    struct input *i = context;
    (void)events;
    ssize_t n = read(fd, i->chunk, CHUNK);
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return;
    i->start = 0;
    i->end = n > 0 ? (size_t)n : 0;
    if (n <= 0) {
        i->at_end = true;
        reactor_watch(r, fd, 0, input_ready, i);
    }
    look(i);
}

static void resumed(struct reactor *r, void *context)
{
    struct input *i = context;
    look(i);
    if (!i->paused && !i->at_end)
        reactor_watch(r, i->fd, REACTOR_READ, input_ready, i);
}

struct input *input_new(struct reactor *r, int fd, size_t most, input_line *line, void *context)
{
    struct input *i = calloc(1, sizeof *i + most + 1);
    if (i == NULL)
        return NULL;
    i->reactor = r;
    i->fd = fd;
    i->most = most;
    i->line = line;
    i->context = context;
    i->paused = true;
    return i;
}

void input_free(struct input *i)
{
    reactor_timer_cancel(i->reactor, &i->resume);
    reactor_unwatch(i->reactor, i->fd);
    free(i);
}

void input_pause(struct input *i, bool pause)
{
    if (i->paused == pause)
        return;
    i->paused = pause;
    if (pause)
        reactor_watch(i->reactor, i->fd, 0, input_ready, i);
    else
        reactor_timer_start(i->reactor, &i->resume, 0, resumed, i);
}

bool input_ended(const struct input *i)
{
    return i->ended;
}
