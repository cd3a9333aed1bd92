/*
 * emoji_table - GitHub's short codes, and the characters that they stand for.
 *
 * Interface:
 *   emoji_codes, emoji_code_count   all of them, in byte order of the codes
 *   emoji_find                      what a code stands for
 *   emoji_complete                  the codes that begin with some bytes
 *
 * A code is one or more of a-z, 0-9, "_", "+" and "-"; its colons are no part of it here.  It stands
 * for one emoji, of 3 to 28 bytes of UTF-8: up to eight code points that are one character on the
 * screen.  The table is data: make-table writes emoji_codes.c.
 */
#ifndef EMOJI_TABLE_H
#define EMOJI_TABLE_H

#include <stddef.h>

struct emoji_code {
    const char *code; /* "smile" */
    const char *text; /* "😄" */
};

extern const struct emoji_code emoji_codes[];
extern const size_t emoji_code_count;

/*
 * emoji_find - look a code up: some ten comparisons, however many codes there are.
 *
 * code  size bytes, of any value; no final 0 is needed
 *
 * Returns the emoji with a final 0, or NULL if there is no such code.
 */
const char *emoji_find(const char *code, size_t size);

/* emoji_complete - the codes that begin with some bytes; they stand next to each other in the table.
 * Returns the first of them, and in *count how many there are. */
const struct emoji_code *emoji_complete(const char *prefix, size_t size, size_t *count);

#endif
