/*
 * emoji - short codes in what is said become the emoji that they stand for.
 *
 * A short code is a colon, a code that emoji_table.h knows, and a colon.  Whoever says ":smile:", to a
 * room or to one user, is heard to say "😄".
 */
#ifndef EMOJI_H
#define EMOJI_H

#include "dispatch.h"

#include <stddef.h>

enum { EMOJI_LIMIT = 4096 }; /* the bytes that may be said at once */

/*
 * emoji_expand - put the emoji in place of the short codes.
 *
 * content   what was typed: size bytes, of any value, without a final 0
 * expanded  where what is said instead is written, without a final 0; it has room for limit bytes, and
 *           not for one more.  limit is size at least.
 *
 * What was typed is read once, from the left to the right:
 * - of two codes that share a colon, the left one is meant, if it is known: its colons are used up;
 * - everything else stays as it was typed, and the closing colon of what is no known code may be the
 *   opening one of the next;
 * - what an emoji brings is not looked at again;
 * - [whole-limit] a short code stays as it was typed, with both its colons, if with its emoji the whole
 *   would be longer than limit: what is written so far, the emoji, and what follows as it was typed.
 *
 * Returns how many bytes it has written.
 */
size_t emoji_expand(const char *content, size_t size, char *expanded, size_t limit);

extern const struct extension emoji;

#endif
