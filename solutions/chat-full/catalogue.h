/*
 * catalogue - the files that others have shared, as far as they have been announced here.
 *
 * Interface:
 *   announced_read             an announcement, if it is as it must be
 *   file_is_meant              what a user types, and one file
 *   catalogue_add, _find       keep one, look one up
 *   catalogue_offer            complete an id
 *
 * An id comes from the server, and becomes part of a file's name: so it is 32 hexadecimal digits or
 * it is none.  The name comes from a stranger and is only shown: what becomes of it is shelf.h's.
 */
#ifndef CATALOGUE_H
#define CATALOGUE_H

#include "digest.h"
#include "words.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FILE_ID_SIZE = 33,
    FILE_NAME_SIZE = 1024,
    FILE_ID_SHOWN = 8, /* digits are enough to type */
    FILE_ID_MIN = 4    /* and fewer than these are not */
};

struct announced {
    char id[FILE_ID_SIZE];
    char name[FILE_NAME_SIZE];
    char sum[DIGEST_HEX_SIZE]; /* "": it has not been announced */
    int64_t size;              /* -1: the same */
};

bool is_file_id(const char *text);

/* file_is_meant - does a word mean the file of this id and name?  It is the name, or the id begins
 * so, with FILE_ID_MIN digits at least. */
bool file_is_meant(const char *id, const char *name, const char *word);

/* announced_read - read the id, name, size and sum of an object.  Returns false if one is wrong. */
bool announced_read(struct announced *a, const json_t *object, const char *id);

/* catalogue_add - remember it, and forget the oldest of too many. */
void catalogue_add(const struct announced *a);

/* catalogue_find - the file whose id begins with some digits, at least FILE_ID_MIN; NULL if there is
 * none, or more than one. */
const struct announced *catalogue_find(const char *start);

/* catalogue_offer - add the ids that begin with start to found. */
void catalogue_offer(struct words *found, const char *start);

#endif
