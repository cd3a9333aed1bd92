/* line_reader - the bytes of a stream to lines.  See line_reader.h. */

#include "line_reader.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct line_reader {
    size_t limit;
    const char *bytes; /* fed, and not looked at yet */
    size_t size;
#ifdef STUB
    /* Yours: what must be remembered from one chunk to the next. */
#else
    bool discarding; /* inside a line that was told to be too long */
    size_t length;   /* of the line so far */
    char text[];     /* the line so far; limit bytes and one more: see [one-more] */
#endif
};

struct line_reader *line_reader_new(size_t limit)
{
#ifdef STUB
    /* Yours: the room that a line needs. */
    struct line_reader *r = calloc(1, sizeof *r);
#else
    struct line_reader *r = calloc(1, sizeof *r + limit + 1);
#endif
    if (r != NULL)
        r->limit = limit;
    return r;
}

void line_reader_free(struct line_reader *r)
{
    free(r);
}

void line_reader_feed(struct line_reader *r, const char *bytes, size_t size)
{
    r->bytes = bytes;
    r->size = size;
}

#ifdef STUB
enum line_event line_reader_next(struct line_reader *r, const char **line, size_t *length)
{
    /* Yours: look for the newline in what was fed.  With it, a line is complete; without it, the chunk
     * is a piece of one.  Either may be too much. */
    (void)r, (void)line, (void)length;
    return LINE_NONE;
}
#else
/* Append the next bytes to the line.  Returns false if that makes it too long. */
static bool keep(struct line_reader *r, size_t size)
{
    if (size > r->limit + 1 - r->length)
        return false;
    memcpy(r->text + r->length, r->bytes, size);
    r->length += size;
    /* [one-more] A carriage return may stand behind the limit: if a newline is next, it is no part of
     * the line, and its place is the final 0's. */
    return r->length <= r->limit || r->text[r->limit] == '\r';
}

/* Take the line's end off and start a new one. */
static enum line_event hand_over(struct line_reader *r, const char **line, size_t *length)
{
    if (r->length > 0 && r->text[r->length - 1] == '\r')
        r->length--;
    r->text[r->length] = '\0';
    *line = r->text;
    *length = r->length;
    r->length = 0;
    return LINE_READY;
}

enum line_event line_reader_next(struct line_reader *r, const char **line, size_t *length)
{
    while (r->size > 0) {
        const char *newline = memchr(r->bytes, '\n', r->size);
        size_t piece = newline != NULL ? (size_t)(newline - r->bytes) : r->size;
        if (!r->discarding && !keep(r, piece)) {
            /* [told-once] The bytes stay where they are: the next call throws them away. */
            r->discarding = true;
            r->length = 0;
            return LINE_TOO_LONG;
        }
        size_t used = piece + (newline != NULL);
        r->bytes += used;
        r->size -= used;
        if (newline != NULL && !r->discarding)
            return hand_over(r, line, length);
        if (newline != NULL)
            r->discarding = false; /* that was the end of it */
    }
    return LINE_NONE;
}
#endif

size_t line_reader_left(const struct line_reader *r)
{
#ifdef STUB
    (void)r; /* Yours: how much of a line there is. */
    return 0;
#else
    return r->length;
#endif
}
