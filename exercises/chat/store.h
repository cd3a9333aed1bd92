/*
 * store - what the chat room keeps on disk: one folder, and one SQLite file in it.
 *
 * Interface:
 *   store                        the extension: --data DIR; to stand before those that use it
 *   store_db, store_folder       the database, the folder
 *   store_prepare                a statement to be used again and again
 *   store_run                    one of them, whose rows nobody wants
 *   store_open, store_close      without a chat room: for tests
 *
 * The file is in WAL mode: who reads it from outside (sqlite3 DIR/chat.db) does not stop the room,
 * and a transaction whose commit has returned is there after kill -9 (see PRAGMA journal_mode and
 * synchronous in SQLite's documentation: after a loss of power the last ones may be missing, never
 * a part of one).  Nothing here waits for another process's lock: SQLITE_BUSY comes at once, for the
 * loop must not stop.
 *
 * [one-call] There is one connection for all extensions.  A transaction begins and ends within one
 * call of the loop: what another extension writes meanwhile would be part of it, and be lost with
 * it.
 *
 * Everything is to be called from the loop's thread.
 */
#ifndef STORE_H
#define STORE_H

#include "dispatch.h"

#include <sqlite3.h>

extern const struct extension store;

/* store_open - open DIR/chat.db, made if need be: the folder with mode 0700, the tables in their
 * newest version.  folder may be NULL: a new one, which store_close removes.  Returns 0, or -1
 * after a line on standard error that says why. */
int store_open(const char *folder);
void store_close(void);

/* store_db - the open database.  store_folder - a descriptor of DIR, for openat(2) and its like.
 * Both are the store's. */
sqlite3 *store_db(void);
int store_folder(void);

/*
 * store_prepare - the statement of this text, with its parameters unbound; made at the first call
 * with this *statement, and kept until the store is closed.
 *
 * statement  static, NULL at first
 *
 * Returns it, or NULL if it cannot be made: then the database says why (sqlite3_errmsg).
 */
sqlite3_stmt *store_prepare(sqlite3_stmt **statement, const char *text);

/* store_run - step a statement to its end and reset it.  Returns 0, or -1: see sqlite3_errmsg. */
int store_run(sqlite3_stmt *statement);

#endif
