/* data_folder - the folder of a test's server.  See data_folder.h. */

#include "data_folder.h"

#include "die.h"

#include <check.h>
#include <ftw.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char data_folder[64];

const char *data_server(void)
{
    static char path[PATH_MAX + 16];
    ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (size == -1)
        die("/proc/self/exe");
    path[size] = '\0';
    for (int i = 0; i < 2; i++) /* tests/history_test */
        *strrchr(path, '/') = '\0';
    strncat(path, "/server", sizeof path - strlen(path) - 1);
    return path;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

/* In memory, where there is a file system for it: what a server has written is there after kill -9 as on a
 * disk, and a disk that is busy with other things does not hold the test up. */
void data_make(void)
{
    bool memory = access("/dev/shm", W_OK | X_OK) == 0;
    snprintf(data_folder, sizeof data_folder, "%s/chat-test-XXXXXX", memory ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(data_folder));
}

void data_remove(void)
{
    nftw(data_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

sqlite3 *data_open(void)
{
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/chat.db", data_folder);
    ck_assert_msg(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK, "%s: %s",
                  path, sqlite3_errmsg(db));
    sqlite3_busy_timeout(db, 10000);
    return db;
}

static const char *answer(const char *question)
{
    static char text[256];
    sqlite3 *db = data_open();
    sqlite3_stmt *s = NULL;
    ck_assert_msg(sqlite3_prepare_v2(db, question, -1, &s, NULL) == SQLITE_OK &&
                      sqlite3_step(s) == SQLITE_ROW,
                  "%s: %s", question, sqlite3_errmsg(db));
    snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    sqlite3_close(db);
    return text;
}

long data_count(const char *question)
{
    return strtol(answer(question), NULL, 10);
}

const char *data_integrity(void)
{
    return answer("PRAGMA integrity_check");
}
