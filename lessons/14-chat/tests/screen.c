/* screen - a terminal that is a model.  See screen.h. */

#include "screen.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void screen_line_feed(struct screen *s)
{
    if (s->row < SCREEN_ROWS - 1) {
        s->row++;
        return;
    }
    memmove(s->cell[0], s->cell[1], sizeof s->cell - sizeof s->cell[0]);
    memset(s->cell[SCREEN_ROWS - 1], 0, sizeof s->cell[0]);
}

static void screen_put(struct screen *s, wchar_t c)
{
    int width = wcwidth(c);
    if (width < 0)
        s->obscene = true;
    if (width <= 0)
        return; /* a mark stands on what is there */
    if (s->column + width > s->columns) {
        s->column = 0;
        screen_line_feed(s);
    }
    s->cell[s->row][s->column] = c;
    if (width == 2)
        s->cell[s->row][s->column + 1] = 0;
    s->column += width;
}

static void screen_erase_below(struct screen *s)
{
    for (int i = s->column; i < s->columns; i++)
        s->cell[s->row][i] = 0;
    if (s->row < SCREEN_ROWS - 1)
        memset(s->cell[s->row + 1], 0, sizeof s->cell[0] * (size_t)(SCREEN_ROWS - 1 - s->row));
}

/* Obey a whole sequence. */
static void screen_obey(struct screen *s, const char *sequence)
{
    int n = 0;
    char end = 0;
    if (strcmp(sequence, "\033[?2004h") == 0 || strcmp(sequence, "\033[?2004l") == 0)
        s->paste_marks = sequence[7] == 'h';
    else if (strcmp(sequence, "\033[J") == 0)
        screen_erase_below(s);
    else if (strcmp(sequence, "\033[H") == 0)
        s->row = s->column = 0;
    else if (strcmp(sequence, "\033[2J") == 0)
        memset(s->cell, 0, sizeof s->cell);
    else if (sscanf(sequence, "\033[%d%c", &n, &end) == 2 && end == 'A')
        s->row = s->row > n ? s->row - n : 0;
    else if (end == 'C')
        s->column = s->column + n < s->columns ? s->column + n : s->columns - 1;
    else if (end == 'm') /* a colour changes no cell */
        s->coloured = s->coloured || (n >= 31 && n <= 96);
    else
        s->obscene = true;
}

void screen_byte(struct screen *s, char byte)
{
    s->pending[s->length++] = byte;
    s->pending[s->length] = '\0';
    if (s->pending[0] == '\033') {
        bool whole = s->length > 2 && byte >= 0x40;
        if (whole)
            screen_obey(s, s->pending);
        else if (s->length < sizeof s->pending - 1 && (s->length != 2 || byte == '['))
            return;
        else
            s->obscene = true;
    } else if (byte == '\r') {
        s->column = 0;
    } else if (byte == '\n') {
        screen_line_feed(s);
    } else if (byte != '\a') {
        wchar_t c = 0;
        mbstate_t state = {0};
        size_t n = mbrtowc(&c, s->pending, s->length, &state);
        if (n == (size_t)-2)
            return;
        if (n == (size_t)-1)
            s->obscene = true;
        else
            screen_put(s, c);
    }
    s->length = 0;
}

void screen_row(const struct screen *s, int row, char *text, size_t size)
{
    size_t length = 0;
    size_t end = 0;
    for (int i = 0; i < s->columns && length + MB_LEN_MAX + 1 < size; i++) {
        wchar_t c = s->cell[row][i];
        if (c == 0 && i > 0 && wcwidth(s->cell[row][i - 1]) == 2)
            continue;
        mbstate_t state = {0};
        length += wcrtomb(text + length, c != 0 ? c : L' ', &state);
        if (c != 0 && c != L' ')
            end = length;
    }
    text[end] = '\0';
}

int screen_find(const struct screen *s, const char *wanted)
{
    for (int i = 0; i < SCREEN_ROWS; i++) {
        char text[SCREEN_ROW_SIZE];
        screen_row(s, i, text, sizeof text);
        if (strstr(text, wanted) != NULL)
            return i;
    }
    return -1;
}

const char *screen_text(const struct screen *s)
{
    static char all[SCREEN_ROWS * (SCREEN_ROW_SIZE + 1)];
    size_t length = 0;
    for (int i = 0; i < SCREEN_ROWS; i++) {
        screen_row(s, i, all + length, sizeof all - length - 2);
        if (all[length] == '\0')
            continue;
        length += strlen(all + length);
        all[length++] = '\n';
    }
    all[length] = '\0';
    return all;
}
