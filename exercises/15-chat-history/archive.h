/*
 * archive - the messages of all rooms, in the tables `rooms` and `messages` of the store.
 *
 * Interface:
 *   archive_open       before the others
 *   archive_last       the seq that a room has reached
 *   archive_keep       some messages, in one transaction: all of them, or none
 *   archive_writable   whether something could be kept now
 *   archive_page       what was said in a room
 *
 * Nothing here waits: a database that another process has locked is one that fails.  See
 * sqlite3_errmsg of store_db for why.
 *
 * rooms has a row for each room of which a message is kept, with the seq of its last one.  A room
 * of which no message is left has none, so that the table does not grow for ever; the row of the
 * empty name has the highest seq that such a room had, and a room without a row begins above it: so
 * no seq is used twice, but between two messages of such a room there may be a gap.
 */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PAGE_MESSAGES = 100,  /* in one page, at most */
    PAGE_BYTES = 64 << 10 /* of content in one page, at most; but one message there always is */
};

/* How many messages are kept: of each room, and in all; 0: every one. */
struct archive_limits {
    unsigned long each, all;
};

/* archive_open - count what there is, and drop what is beyond the limits.  Returns 0, or -1. */
int archive_open(const struct archive_limits *limits);

/* archive_last - the seq of the last message of a room, also if that is not kept any more; or a
 * number that is no less than any that a room of this name has ever used; or -1. */
int64_t archive_last(const char *room);

/*
 * archive_keep - put messages into the database, in one transaction.
 *
 * messages  count objects with the strings "room", "from", "content", "timestamp", and the integer
 *           "seq"
 *
 * What is beyond the limits now goes in the same transaction.  Returns 0; or -1, and nothing has
 * changed.
 */
int archive_keep(json_t *const messages[], size_t count);

/* archive_writable - write something, and keep it: 0, or -1. */
int archive_writable(void);

/*
 * archive_page - the last messages of a room before a seq.
 *
 * limit   how many, at most
 * before  the seq; INT64_MAX for the end
 *
 * Returns the object {"messages": [{"seq", "from", "content", "timestamp"}, ...], "more"}: the
 * oldest one first; more tells whether there are older ones.  Or NULL: it cannot be read, or memory
 * is short.
 */
json_t *archive_page(const char *room, size_t limit, int64_t before);

#endif
