/* accounts - who has registered, and the hash of the password.  See accounts.h. */

#include "accounts.h"

#include "hub.h"
#include "notice.h"
#include "store.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

static struct {
    uint64_t count, most;
} this;

int accounts_open(unsigned long most)
{
    static sqlite3_stmt *statement = NULL;
    sqlite3_stmt *counting = store_prepare(&statement, "SELECT count(*) FROM accounts");
    this.most = most;
    if (counting == NULL || sqlite3_step(counting) != SQLITE_ROW) {
        errno = EIO;
        return -1;
    }
    this.count = (uint64_t)sqlite3_column_int64(counting, 0);
    sqlite3_reset(counting);
    return 0;
}

int accounts_find(const char *nickname, char hash[HASH_SIZE])
{
    static sqlite3_stmt *statement = NULL;
    sqlite3_stmt *find = store_prepare(&statement, "SELECT hash FROM accounts WHERE name = ?1");
    int step = SQLITE_ERROR;
    if (find != NULL && sqlite3_bind_text(find, 1, nickname, -1, SQLITE_STATIC) == SQLITE_OK)
        step = sqlite3_step(find);
    if (step == SQLITE_ROW && hash != NULL)
        snprintf(hash, HASH_SIZE, "%s", (const char *)sqlite3_column_text(find, 0));
    if (find != NULL)
        sqlite3_reset(find);
    if (step == SQLITE_ROW || step == SQLITE_DONE)
        return step == SQLITE_ROW;
    errno = EIO;
    return -1;
}

int accounts_add(struct hub *hub, const char *nickname, const char *hash)
{
    static sqlite3_stmt *statement = NULL;
    if (this.count >= this.most) {
        errno = ENOSPC;
        return -1;
    }
    /* [own-transaction] What else is being written in this turn may still be taken back as a
     * whole: it is committed first, so that it cannot take this along. */
    if (!sqlite3_get_autocommit(store_db()))
        hub_flush(hub);
    sqlite3_stmt *add = store_prepare(
        &statement, "INSERT INTO accounts (name, hash, made) VALUES (?1, ?2, ?3)");
    if (add != NULL && sqlite3_bind_text(add, 1, nickname, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_text(add, 2, hash, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_text(add, 3, notice_time(), -1, SQLITE_STATIC) == SQLITE_OK &&
        store_run(add) == 0) {
        this.count++;
        return 0;
    }
    errno = (sqlite3_errcode(store_db()) & 0xff) == SQLITE_CONSTRAINT ? EEXIST : EIO;
    return -1;
}
