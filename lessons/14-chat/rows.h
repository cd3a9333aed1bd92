/*
 * rows - a text laid out in rows of a screen, and where the cursor stands in it.
 *
 * Each row is ended by hand, never by the terminal's own wrapping, so that what is on the screen is
 * known: a character of width 2 that does not fit goes to the next row, and a cursor behind the last
 * column stands at the start of an empty row.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stdbool.h>
#include <stddef.h>

struct row {
    size_t start, end; /* of its bytes */
    int width;         /* columns */
};

/* All zero bytes before the first use. */
struct rows {
    char *bytes; /* safe to print */
    size_t length, capacity;
    struct row *row;
    size_t count, room;
    size_t cursor_row;
    int cursor_column;
};

/*
 * rows_lay - lay out a prompt and a line behind it; a newline in either starts a row.
 *
 * cursor   the byte of line that the cursor stands on, at most its length
 * columns  the width of the screen, at least 2
 *
 * Returns false if memory is short.
 */
bool rows_lay(struct rows *rows, const char *prompt, const char *line, size_t cursor, int columns);

/* rows_above - how many rows of a screen stand above the cursor's, once a terminal has become
 * `columns` wide and has broken the rows that are too long for it now. */
size_t rows_above(const struct rows *rows, size_t first, int columns);

void rows_free(struct rows *rows);

#endif
