/*
 * line_reader - the bytes of a stream to lines, however they are cut into chunks.
 *
 * Interface:
 *   line_reader_new, line_reader_free   a reader at the start of a stream; the end of it
 *   line_reader_feed                    the next bytes of the stream
 *   line_reader_next                    what they complete, one after the other
 *   line_reader_left                    what is left of a line without its end
 *
 * A line ends with a newline; a carriage return just before it belongs to the end as well.  Every other
 * byte is data, whatever its value.  Use:
 *
 *     while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0) {
 *         line_reader_feed(r, chunk, (size_t)n);
 *         while ((event = line_reader_next(r, &line, &length)) != LINE_NONE)
 *             ...
 *     }
 */
#ifndef LINE_READER_H
#define LINE_READER_H

#include <stddef.h>

struct line_reader;

enum line_event {
    LINE_NONE,    /* what was fed is used up: feed more */
    LINE_READY,   /* a line */
    LINE_TOO_LONG /* a line has passed the limit; it is thrown away, up to its end */
};

/* line_reader_new - a reader of lines of at most `limit` bytes, not counting their end.  Its memory is
 * bounded by that limit, whatever comes.  Returns NULL with errno if memory is short. */
struct line_reader *line_reader_new(size_t limit);
void line_reader_free(struct line_reader *r);

/* line_reader_feed - lend the reader the next bytes of the stream.  They must stay where they are
 * until line_reader_next has returned LINE_NONE, and only then may more be fed. */
void line_reader_feed(struct line_reader *r, const char *bytes, size_t size);

/*
 * line_reader_next - the next event in the bytes that were fed.
 *
 * line, length  of LINE_READY: the line without its end and with a final 0 that is not counted; it is
 *               valid until the next call
 *
 * A line is told in the chunk that has its newline.  A line that is too long is told once, in the chunk
 * with the byte that is too many; what follows of it, up to its newline, is never stored.
 */
enum line_event line_reader_next(struct line_reader *r, const char **line, size_t *length);

/* line_reader_left - how many bytes are stored of a line whose newline has not come; at the end of the
 * stream: of one that never will.  0 of a line that was told to be too long. */
size_t line_reader_left(const struct line_reader *r);

#endif
