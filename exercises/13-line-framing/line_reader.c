/* line_reader - the bytes of a stream to lines.  See line_reader.h. */

#include "line_reader.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct line_reader {
    size_t limit;
    const char *bytes; /* fed, and not looked at yet */
    size_t size;
    /* Yours: what must be remembered from one chunk to the next. */
};

struct line_reader *line_reader_new(size_t limit)
{
    /* Yours: the room that a line needs. */
    struct line_reader *r = calloc(1, sizeof *r);
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

enum line_event line_reader_next(struct line_reader *r, const char **line, size_t *length)
{
    /* Yours: look for the newline in what was fed.  With it, a line is complete; without it, the chunk
     * is a piece of one.  Either may be too much. */
    (void)r, (void)line, (void)length;
    return LINE_NONE;
}

size_t line_reader_left(const struct line_reader *r)
{
    (void)r; /* Yours: how much of a line there is. */
    return 0;
}
