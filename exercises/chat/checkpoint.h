/*
 * checkpoint - move what has been committed from the write-ahead log into the database, without the
 * loop.
 *
 * A commit only appends to DIR/chat.db-wal.  A checkpoint copies from there to DIR/chat.db, and has
 * to wait for the disk twice (fsync): tens of milliseconds, in which no message would be passed on.
 * So a thread does it, over a connection of its own; meanwhile the loop goes on to commit.
 *
 * Interface:
 *   checkpoint_start, checkpoint_stop
 *   checkpoint_ask                      when nothing can be committed
 */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include <sqlite3.h>

/* checkpoint_start - from now on the commits of db, which is open on file, make the thread look.
 * file is to stay where it is.  Returns 0, or -1 with errno. */
int checkpoint_start(sqlite3 *db, const char *file);

/* checkpoint_ask - let the thread look soon, although nothing was committed.  Where the log cannot
 * grow any more, on a full disk, it begins anew once all of it is in the database: so there may be
 * room again that nobody has made.  Nothing waits. */
void checkpoint_ask(void);

/* checkpoint_stop - wait for the thread's end; to be called before db is closed.  Nothing if it has
 * not been started. */
void checkpoint_stop(void);

#endif
