/* vault - the files that are whole.  See vault.h. */

#include "vault.h"

#include "hub.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    OWN_MOST = 1000, /* files of one nickname: an empty one costs something as well */
    MOST = 100000,   /* of everybody */
    AT_ONCE = 16,    /* old ones removed in one turn of the loop */
    DAY = 86400      /* seconds */
};

static struct {
    struct hub *hub;
    int folder;
    int64_t count, bytes; /* of all rows */
} this = {.folder = -1};

/* ---- statements ----------------------------------------------------------------------------- */

/* [own-transaction] Whoever else writes to the database may have begun a transaction in this turn.  It
 * is committed first: what becomes of it shall not become of our row. */
static void settle_others(void)
{
    if (!sqlite3_get_autocommit(store_db()))
        hub_flush(this.hub);
}

static void bind(sqlite3_stmt *statement, int place, const char *text)
{
    if (text[0] != '\0')
        sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC);
}

static void copy(char *to, size_t size, sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    snprintf(to, size, "%s", text != NULL ? (const char *)text : "");
}

/* Two numbers of a row. */
static bool ask(sqlite3_stmt *question, int64_t *first, int64_t *second)
{
    bool told = sqlite3_step(question) == SQLITE_ROW;
    if (told) {
        *first = sqlite3_column_int64(question, 0);
        *second = sqlite3_column_int64(question, 1);
    }
    sqlite3_reset(question);
    return told;
}

/* ---- the rows ------------------------------------------------------------------------------- */

int vault_find(const char *id, struct vault_file *f)
{
    static sqlite3_stmt *statement;
    *f = (struct vault_file){.size = 0};
    sqlite3_stmt *row = store_prepare(
        &statement,
        "SELECT id, owner, room, addressee, name, size, sha256 FROM files WHERE id = ?");
    if (row == NULL)
        return -1;
    bind(row, 1, id);
    int step = sqlite3_step(row);
    if (step == SQLITE_ROW) {
        copy(f->id, sizeof f->id, row, 0);
        copy(f->owner, sizeof f->owner, row, 1);
        copy(f->room, sizeof f->room, row, 2);
        copy(f->addressee, sizeof f->addressee, row, 3);
        copy(f->name, sizeof f->name, row, 4);
        f->size = sqlite3_column_int64(row, 5);
        copy(f->sha256, sizeof f->sha256, row, 6);
    }
    sqlite3_reset(row);
    return step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : -1;
}

int vault_add(const struct vault_file *f)
{
    static sqlite3_stmt *statement;
    settle_others();
    sqlite3_stmt *row = store_prepare(
        &statement, "INSERT INTO files (id, owner, room, addressee, name, size, sha256, made) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    if (row == NULL)
        return -1;
    bind(row, 1, f->id);
    bind(row, 2, f->owner);
    bind(row, 3, f->room);
    bind(row, 4, f->addressee);
    bind(row, 5, f->name);
    sqlite3_bind_int64(row, 6, f->size);
    bind(row, 7, f->sha256);
    sqlite3_bind_int64(row, 8, time(NULL));
    if (store_run(row) == -1)
        return -1;
    this.count++;
    this.bytes += f->size;
    return 0;
}

void vault_remove(const char *id)
{
    static sqlite3_stmt *statement;
    struct vault_file f;
    if (vault_find(id, &f) != 1)
        return;
    settle_others();
    sqlite3_stmt *row = store_prepare(&statement, "DELETE FROM files WHERE id = ?");
    if (row == NULL)
        return;
    bind(row, 1, f.id);
    if (store_run(row) == -1)
        return; /* it stays, with its row: the next start, or the next day, tries again */
    this.count--;
    this.bytes -= f.size;
    unlinkat(this.folder, f.id, 0);
}

int64_t vault_used(const char *owner)
{
    static sqlite3_stmt *statement;
    int64_t count = this.count;
    int64_t bytes = this.bytes;
    if (owner != NULL) {
        sqlite3_stmt *question = store_prepare(
            &statement, "SELECT count(*), ifnull(sum(size), 0) FROM files WHERE owner = ?");
        if (question == NULL)
            return INT64_MAX;
        bind(question, 1, owner);
        if (!ask(question, &count, &bytes))
            return INT64_MAX;
    }
    return count < (owner != NULL ? OWN_MOST : MOST) ? bytes : INT64_MAX;
}

bool vault_has_account(const char *nickname)
{
    static sqlite3_stmt *statement;
    int64_t found = 0, unused;
    sqlite3_stmt *question = store_prepare(&statement,
                                           "SELECT count(*), 0 FROM accounts WHERE name = ?");
    if (question == NULL)
        return false;
    bind(question, 1, nickname);
    return ask(question, &found, &unused) && found > 0;
}

/* ---- what is to go -------------------------------------------------------------------------- */

/* Gather up to AT_ONCE ids that a question answers with, from where it stands.  Returns how many. */
static int gather(sqlite3_stmt *question, char ids[AT_ONCE][VAULT_ID_SIZE])
{
    int count = 0;
    while (count < AT_ONCE && sqlite3_step(question) == SQLITE_ROW)
        copy(ids[count++], VAULT_ID_SIZE, question, 0);
    return count;
}

bool vault_expire(unsigned long days)
{
    static sqlite3_stmt *statement;
    char ids[AT_ONCE][VAULT_ID_SIZE];
    sqlite3_stmt *question = days > 0
                                 ? store_prepare(&statement, "SELECT id FROM files WHERE made < ?")
                                 : NULL;
    if (question == NULL)
        return false;
    sqlite3_bind_int64(question, 1, time(NULL) - (int64_t)days * DAY);
    int count = gather(question, ids);
    sqlite3_reset(question);
    for (int i = 0; i < count; i++)
        vault_remove(ids[i]);
    struct vault_file f;
    return count == AT_ONCE && vault_find(ids[0], &f) == 0;
}

/* A row whose file is not there promises what cannot be had. */
static void forget_the_missing(void)
{
    static sqlite3_stmt *statement;
    char last[VAULT_ID_SIZE] = "";
    char ids[AT_ONCE][VAULT_ID_SIZE];
    int count;
    do {
        sqlite3_stmt *question = store_prepare(
            &statement, "SELECT id FROM files WHERE id > ifnull(?, '') ORDER BY id");
        if (question == NULL)
            return;
        bind(question, 1, last);
        count = gather(question, ids);
        sqlite3_reset(question);
        for (int i = 0; i < count; i++) {
            struct stat status;
            memcpy(last, ids[i], sizeof last);
            if (fstatat(this.folder, ids[i], &status, AT_SYMLINK_NOFOLLOW) == -1 && errno == ENOENT)
                vault_remove(ids[i]);
        }
    } while (count == AT_ONCE);
}

/* ---- the folder ----------------------------------------------------------------------------- */

int vault_folder(void)
{
    return this.folder;
}

int vault_open(struct hub *hub)
{
    static sqlite3_stmt *statement;
    this.hub = hub;
    if (mkdirat(store_folder(), "files", 0700) == -1 && errno != EEXIST)
        return -1;
    this.folder = openat(store_folder(), "files", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (this.folder == -1)
        return -1;
    sqlite3_stmt *question = store_prepare(&statement,
                                           "SELECT count(*), ifnull(sum(size), 0) FROM files");
    if (question == NULL || !ask(question, &this.count, &this.bytes)) {
        errno = EIO;
        return -1;
    }
    forget_the_missing();
    return 0;
}

void vault_close(void)
{
    if (this.folder != -1)
        close(this.folder);
    this.folder = -1;
}
