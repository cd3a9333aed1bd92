/*
 * screen - a terminal that is a model: what it shows, worked out from the bytes that it is sent.
 *
 * Interface:
 *   screen_byte              take a byte in
 *   screen_row, screen_find  what a row shows, which row shows something
 *   screen_text              all of it
 *
 * It knows only the few sequences that the client itself needs; any other is noted, so that
 * whatever a stranger smuggles in is noticed.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

enum { SCREEN_ROWS = 24, SCREEN_COLUMNS_MAX = 200, SCREEN_ROW_SIZE = SCREEN_COLUMNS_MAX * 16 + 1 };

/* All zero bytes but for its columns: it is empty. */
struct screen {
    int columns;
    wchar_t cell[SCREEN_ROWS]
                [SCREEN_COLUMNS_MAX + 1]; /* 0: empty, or the right half of a wide character */
    int row, column;                      /* column == columns: the next character wraps */
    char pending[64];                     /* the beginning of a sequence or character */
    size_t length;
    bool paste_marks;
    bool coloured; /* a colour has been set at some time */
    bool obscene;  /* something came that a client must not send */
};

void screen_byte(struct screen *s, char byte);

/* screen_row - a row as text, without the blanks at its end. */
void screen_row(const struct screen *s, int row, char *text, size_t size);

/* screen_find - the row that holds a text; -1: none. */
int screen_find(const struct screen *s, const char *wanted);

/* screen_text - the rows that show something, valid until the next call. */
const char *screen_text(const struct screen *s);

#endif
