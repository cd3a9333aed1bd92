/* rows - a text laid out in rows of a screen.  See rows.h. */

#include "rows.h"

#include "printable.h"

#include <stdlib.h>
#include <string.h>

/* Begin a row at the end of the bytes. */
static bool new_row(struct rows *rows)
{
    if (rows->count == rows->room) {
        size_t room = rows->room > 0 ? 2 * rows->room : 8;
        struct row *row = realloc(rows->row, room * sizeof *row);
        if (row == NULL)
            return false;
        rows->row = row;
        rows->room = room;
    }
    rows->row[rows->count++] = (struct row){rows->length, rows->length, 0};
    return true;
}

static bool append(struct rows *rows, const char *text, size_t length, int width, int columns)
{
    if (rows->row[rows->count - 1].width + width > columns && !new_row(rows))
        return false;
    if (rows->length + length > rows->capacity) {
        size_t capacity = 2 * (rows->length + length) + 64;
        char *bytes = realloc(rows->bytes, capacity);
        if (bytes == NULL)
            return false;
        rows->bytes = bytes;
        rows->capacity = capacity;
    }
    memcpy(rows->bytes + rows->length, text, length);
    rows->length += length;
    rows->row[rows->count - 1].end = rows->length;
    rows->row[rows->count - 1].width += width;
    return true;
}

/* The cursor stands before what comes next, of this width. */
static bool put_cursor(struct rows *rows, int width, int columns)
{
    if (rows->row[rows->count - 1].width + width > columns && !new_row(rows))
        return false;
    rows->cursor_row = rows->count - 1;
    rows->cursor_column = rows->row[rows->count - 1].width;
    return true;
}

bool rows_lay(struct rows *rows, const char *prompt, const char *line, size_t cursor, int columns)
{
    rows->length = rows->count = 0;
    if (!new_row(rows))
        return false;
    struct printable p = printable_begin(prompt, strlen(prompt));
    while (p.at < p.end) {
        bool newline = *p.at == '\n';
        printable_next(&p);
        if (newline ? !new_row(rows) : !append(rows, p.text, p.length, p.width, columns))
            return false;
    }
    p = printable_begin(line, strlen(line));
    for (;;) {
        bool here = p.at == line + cursor;
        bool newline = *p.at == '\n';
        bool more = printable_next(&p);
        if (here && !put_cursor(rows, more && !newline ? p.width : 1, columns))
            return false;
        if (!more)
            return true;
        if (newline ? !new_row(rows) : !append(rows, p.text, p.length, p.width, columns))
            return false;
    }
}

size_t rows_above(const struct rows *rows, size_t first, int columns)
{
    /* Behind the last character the cursor does not go to a row that is not there. */
    int column = rows->cursor_column;
    if (column > 0 && column == rows->row[rows->cursor_row].width)
        column--;
    size_t above = (size_t)(column / columns);
    for (size_t i = first; i < rows->cursor_row; i++)
        above += rows->row[i].width > 0 ? (size_t)((rows->row[i].width - 1) / columns + 1) : 1;
    return above;
}

void rows_free(struct rows *rows)
{
    free(rows->bytes);
    free(rows->row);
    *rows = (struct rows){0};
}
