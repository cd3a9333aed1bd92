/*
 * reserve - memory for the JSON parser when there is none.
 *
 * [parser-memory] jansson does not look whether the buffer in which it gathers a token could grow.  A
 * byte of a message is lost then; and if it was the closing quote, the parser runs on past the end.
 * So it is never told: from the first malloc(3) that fails until the line is parsed, it gets its memory
 * from here, and then all that it has made is thrown away.
 *
 * Interface:
 *   reserve_init, reserve_free     for lines of a given length
 *   reserve_begin, reserve_end     around the parsing of one line
 */
#ifndef RESERVE_H
#define RESERVE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the memory of what was parsed is erased when it is released.  False at the start. */
extern bool reserve_wipes;

/* reserve_init - set memory aside for the parsing of max_line bytes, whatever is in them: address
 * space, of which a page costs nothing until it is used.  Returns 0, or -1 with ENOMEM. */
int reserve_init(size_t max_line);

/* reserve_free - give it back; nothing that was parsed may be left. */
void reserve_free(void);

/* reserve_begin - a line is about to be parsed, and nothing is left of the last one that was not. */
void reserve_begin(void);

/* reserve_end - the line is parsed.  Returns true if memory was short: what has been made of it is to
 * be released before the next reserve_begin, and is not to be believed. */
bool reserve_end(void);

#endif
