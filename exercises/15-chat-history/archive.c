/* archive - the messages of all rooms.  See archive.h. */

#include "archive.h"

#include "store.h"

#include <stdbool.h>
#include <string.h>

static struct {
    struct archive_limits limits;
    uint64_t count; /* of all messages */
} this;

/* ---- transactions --------------------------------------------------------------------------- */

static int execute(const char *text)
{
    return sqlite3_exec(store_db(), text, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

/* [rolled-back-already] After some errors, a full disk is one, SQLite has rolled back by itself. */
static void roll_back(void)
{
    if (sqlite3_get_autocommit(store_db()) == 0)
        execute("ROLLBACK");
}

int archive_writable(void)
{
    if (execute("BEGIN IMMEDIATE; INSERT INTO rooms (name, last) VALUES (' ', 0);"
                "DELETE FROM rooms WHERE name = ' '; COMMIT") == 0)
        return 0;
    roll_back();
    return -1;
}

/* ---- what is beyond the limits -------------------------------------------------------------- */

/* The room of which the last message was dropped is forgotten, but not its seq. */
static int forget_room(sqlite3_stmt *dropped)
{
    static sqlite3_stmt *forget, *keep_floor;
    const char *room = (const char *)sqlite3_column_text(dropped, 0);
    int64_t seq = sqlite3_column_int64(dropped, 1);
    sqlite3_stmt *s = store_prepare(&forget, "DELETE FROM rooms WHERE name = ?1 AND last = ?2");
    if (s == NULL || sqlite3_bind_text(s, 1, room, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
        sqlite3_bind_int64(s, 2, seq) != SQLITE_OK || store_run(s) == -1)
        return -1;
    if (sqlite3_changes(store_db()) == 0)
        return 0;
    s = store_prepare(&keep_floor,
                      "INSERT INTO rooms (name, last) VALUES ('', ?1) ON CONFLICT (name)"
                      " DO UPDATE SET last = max(last, excluded.last)");
    if (s == NULL || sqlite3_bind_int64(s, 1, seq) != SQLITE_OK)
        return -1;
    return store_run(s);
}

static int drop_oldest(void)
{
    static sqlite3_stmt *drop;
    sqlite3_stmt *s = store_prepare(&drop, "DELETE FROM messages WHERE id = (SELECT min(id) FROM"
                                           " messages) RETURNING room, seq");
    if (s == NULL || sqlite3_step(s) != SQLITE_ROW)
        return -1;
    int forgotten = forget_room(s);
    if (store_run(s) == -1 || forgotten == -1)
        return -1;
    this.count--;
    return 0;
}

/* The oldest ones of all, until there are no more than there may be. */
static int drop_beyond_all(void)
{
    while (this.limits.all > 0 && this.count > this.limits.all)
        if (drop_oldest() == -1)
            return -1;
    return 0;
}

/* Those of a room that are too old now. */
static int drop_beyond_each(const char *room, int64_t last)
{
    /* Yours: the messages of this room whose seq is last - limits.each or less; and count tells how
     * many there are. */
    (void)room;
    (void)last;
    return 0;
}

/* Those of every room; the limit may have been another one before. */
static int drop_beyond_each_at_all(void)
{
    static sqlite3_stmt *drop;
    if (this.limits.each == 0)
        return 0;
    sqlite3_stmt *s = store_prepare(&drop, "DELETE FROM messages WHERE seq <="
                                           " (SELECT last FROM rooms WHERE name = room) - ?1");
    if (s == NULL || sqlite3_bind_int64(s, 1, (int64_t)this.limits.each) != SQLITE_OK ||
        store_run(s) == -1)
        return -1;
    this.count -= (uint64_t)sqlite3_changes(store_db());
    return 0;
}

int archive_open(const struct archive_limits *limits)
{
    static sqlite3_stmt *counting;
    this.limits = *limits;
    sqlite3_stmt *s = store_prepare(&counting, "SELECT count(*) FROM messages");
    if (s == NULL || sqlite3_step(s) != SQLITE_ROW)
        return -1;
    uint64_t count = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    this.count = count;
    if (execute("BEGIN IMMEDIATE") == 0 && drop_beyond_each_at_all() == 0 &&
        drop_beyond_all() == 0 && execute("COMMIT") == 0)
        return 0;
    roll_back(); /* locked, or the disk is full: the batches to come will do it */
    this.count = count;
    return 0;
}

/* ---- messages ------------------------------------------------------------------------------- */

int64_t archive_last(const char *room)
{
    /* Yours: from the table rooms; a room that has no row has what the row of '' has, or 0. */
    (void)room;
    return -1;
}

/* Yours, if you like: what inserts one message, and what sets the row of a room. */

int archive_keep(json_t *const messages[], size_t count)
{
    /* Yours: all of them in one transaction.  For each the row of its room is set, too; and then
     * what is beyond the limits goes, of that room and of all. */
    (void)messages;
    (void)count;
    (void)drop_beyond_each;
    return 0;
}

/* ---- pages ---------------------------------------------------------------------------------- */

/* Yours, if you like: a row as a message of the page. */

json_t *archive_page(const char *room, size_t limit, int64_t before)
{
    /* Yours: the newest ones before that seq, at most limit and at most PAGE_BYTES of content; the
     * oldest of them first. */
    (void)room;
    (void)limit;
    (void)before;
    return NULL;
}
