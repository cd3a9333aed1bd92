/* utf8 - one character at a time, whatever the locale.  See RFC 3629. */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { UTF8_MAX = 4 }; /* bytes of a character at most */

/*
 * utf8_decode - read the character at the front of some bytes.
 *
 * Returns its length in bytes; 0 if the bytes are the beginning of a character; -1 if the first of
 * them is not the start of one.  Overlong forms, surrogates and what lies beyond U+10FFFF are none.
 */
int utf8_decode(const char *bytes, size_t size, uint32_t *character);

/* utf8_encode - write a character, U+FFFD for one that cannot be.  Returns its length. */
size_t utf8_encode(uint32_t character, char bytes[UTF8_MAX]);

#endif
