/*
 * glyph - the columns of a character, by utf8proc: the same on every machine, whatever its C
 * library and locale know.
 */
#ifndef GLYPH_H
#define GLYPH_H

#include <stdint.h>

/* glyph_columns - see printable_columns. */
int glyph_columns(uint32_t character);

#endif
