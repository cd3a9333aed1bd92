/*
 * printable - text from strangers, made safe for a terminal, and the columns that it takes.
 *
 * Interface:
 *   printable_begin, printable_next   a text piece by piece, each with its width
 *   printable_copy                    a whole text
 *   printable_json                    a line of JSON: the same value, written differently
 *   printable_columns                 how wide a character is: may be replaced
 *
 * A terminal obeys what it is sent: an escape sequence in a message could move the cursor, retitle
 * the window or answer for the user; a bidirectional override reorders what stands around it; a
 * character without width hides.  Here all of that is shown and none of it sent:
 *
 *   control characters (C0, DEL)                       ^[  ^?
 *   C1, line and paragraph separators, bidirectional
 *   controls, characters that nobody sees, those
 *   that this locale cannot show                       <U+202E>
 *   bytes that are not UTF-8                           <FF>
 *   a fifth combining mark on one character, or
 *   one on nothing                                     <U+0301>
 *
 * Left out without a trace are the joiner and the variation selectors inside an emoji: they ask for
 * one picture whose width no one knows, and what remains are its parts, side by side.
 *
 * The width is that of wcwidth(3), unless the program knows better.  Where the locale's character
 * set is not UTF-8, as in the C locale, ASCII is shown as it is and everything else as <U+XXXX>.
 */
#ifndef PRINTABLE_H
#define PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The columns of a character beyond ASCII, 0 for a mark that stands on the one before it, -1 for
 * one that cannot be shown.  A program may set another function before it shows anything. */
extern int (*printable_columns)(uint32_t character);

/* Where printable_next stands in a text, and the piece that it has found. */
struct printable {
    const char *at, *end; /* what is left */
    char text[16];        /* the piece, safe; without a final 0 */
    size_t length;        /* of text; may be 0 */
    int width;            /* the columns that it takes */
    bool utf8;            /* the terminal's character set */
    uint32_t base;        /* the character that a mark would stand on; 0: none */
    unsigned marks;       /* that stand on it already */
};

/* printable_begin - start at the first of size bytes, which must stay where they are. */
struct printable printable_begin(const char *bytes, size_t size);

/* printable_next - find the next piece.  Returns false at the end of the text. */
bool printable_next(struct printable *p);

/* printable_copy - the safe form of a text, with a final 0; to be freed.  NULL if memory is
 * short. */
char *printable_copy(const char *bytes, size_t size);

/*
 * printable_json - the same for one line of JSON.
 *
 * What must not reach a terminal can only stand inside its strings, where \uXXXX says the same: the
 * value stays what it was.  A byte that is not UTF-8 becomes \ufffd.
 */
char *printable_json(const char *bytes, size_t size);

#endif
