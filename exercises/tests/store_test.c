/* Tests of the chat exercises' store: the folder, the file, its versions, and what goes wrong. */

#include "../chat/checkpoint.h"
#include "../chat/store.h"

#include "clock.h"
#include "testkit/fault.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A version 1 file, as the first chat room made it, with one of each. */
static const char version_1[] =
    "CREATE TABLE accounts (name TEXT PRIMARY KEY COLLATE NOCASE, hash TEXT NOT NULL,"
    " made TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE rooms (name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE messages (id INTEGER PRIMARY KEY, room TEXT NOT NULL, seq INTEGER NOT NULL,"
    " sender TEXT NOT NULL, content TEXT NOT NULL, said TEXT NOT NULL, UNIQUE (room, seq));"
    "PRAGMA application_id = 1667785076; PRAGMA user_version = 1;"
    "INSERT INTO accounts VALUES ('Ann', 'a hash', '2024-01-15 10:30:00');"
    "INSERT INTO rooms VALUES ('lobby', 7);"
    "INSERT INTO messages VALUES (1, 'lobby', 7, 'Ann', 'hello', '2024-01-15 10:30:00');";

static char folder[64], data[80], file[96];

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/store-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(file, sizeof file, "%s/chat.db", data);
}

static void remove_folder(void)
{
    store_close();
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static unsigned mode_of(const char *path)
{
    struct stat status;
    ck_assert_msg(stat(path, &status) == 0, "%s is not there", path);
    return status.st_mode & 07777;
}

/* The one value that a question is answered with, as text; of the store, or of any database. */
static const char *answer_of(sqlite3 *db, const char *question)
{
    static char text[128];
    sqlite3_stmt *s = NULL;
    ck_assert_msg(sqlite3_prepare_v2(db, question, -1, &s, NULL) == SQLITE_OK, "%s: %s", question,
                  sqlite3_errmsg(db));
    int step = sqlite3_step(s);
    snprintf(text, sizeof text, "%s",
             step == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : sqlite3_errmsg(db));
    sqlite3_finalize(s);
    return text;
}

static const char *answer(const char *question)
{
    return answer_of(store_db(), question);
}

static int execute(const char *text)
{
    return sqlite3_exec(store_db(), text, NULL, NULL, NULL);
}

/* Make chat.db without the store. */
static void prepare_file(const char *text)
{
    sqlite3 *db;
    ck_assert(mkdir(data, 0700) == 0);
    ck_assert(sqlite3_open(file, &db) == SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void open_and_exit(void *path)
{
    int opened = store_open(path);
    store_close();
    exit(opened == 0 ? 0 : 1);
}

/* In a process of its own the folder must be refused, with these words. */
static void expect_refused(char *path, const char *words)
{
    struct subject_outcome o;
    ck_assert_msg(subject_call(&o, open_and_exit, path), "%s", fault_text());
    ck_assert_msg(o.status == 1 && strstr(o.err, words) != NULL, "exit status %d, and it said: %s",
                  o.status, o.err);
    const char *newline = strchr(o.err, '\n');
    ck_assert_msg(newline != NULL && newline[1] == '\0', "not one line: %s", o.err);
}

/* ---- the folder and the file ---------------------------------------------------------------- */

START_TEST(is_for_its_owner_alone)
{
    char log[128];
    umask(0);
    ck_assert_int_eq(store_open(data), 0);
    ck_assert_int_eq(execute("INSERT INTO rooms VALUES ('lobby', 1)"), SQLITE_OK);
    ck_assert_uint_eq(mode_of(data), 0700);
    ck_assert_uint_eq(mode_of(file), 0600);
    snprintf(log, sizeof log, "%s-wal", file);
    ck_assert_uint_eq(mode_of(log), 0600);
    snprintf(log, sizeof log, "%s-shm", file);
    ck_assert_uint_eq(mode_of(log), 0600);
    ck_assert_str_eq(answer("PRAGMA journal_mode"), "wal");
    ck_assert_str_eq(answer("PRAGMA user_version"), "2");
}
END_TEST

START_TEST(closes_a_file_that_others_could_read)
{
    ck_assert_int_eq(store_open(data), 0);
    store_close();
    ck_assert_int_eq(chmod(file, 0664), 0);
    ck_assert_int_eq(store_open(data), 0);
    ck_assert_uint_eq(mode_of(file), 0600);
}
END_TEST

START_TEST(keeps_what_was_written)
{
    ck_assert_int_eq(store_open(data), 0);
    ck_assert_int_eq(execute("INSERT INTO rooms VALUES ('lobby', 42)"), SQLITE_OK);
    store_close();
    ck_assert_int_eq(store_open(data), 0);
    ck_assert_str_eq(answer("SELECT last FROM rooms"), "42");
}
END_TEST

START_TEST(removes_a_temporary_folder)
{
    char path[PATH_MAX], below[] = "files", deep[] = "files/0123";
    setenv("TMPDIR", folder, 1);
    ck_assert_int_eq(store_open(NULL), 0);
    snprintf(path, sizeof path, "%s", sqlite3_db_filename(store_db(), NULL));
    *strrchr(path, '/') = '\0';
    ck_assert_uint_eq(mode_of(path), 0700);
    ck_assert_int_eq(mkdirat(store_folder(), below, 0700), 0);
    int fd = openat(store_folder(), deep, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ne(fd, -1);
    close(fd);
    ck_assert_int_eq(execute("INSERT INTO rooms VALUES ('lobby', 1)"), SQLITE_OK);
    store_close();
    ck_assert_msg(access(path, F_OK) == -1, "%s is still there", path);
}
END_TEST

/* Another chat room: it says when it has the folder, and when it has written to it a moment later. */
static void use_folder(int talk)
{
    char byte;
    bool good = store_open(data) == 0 && write(talk, "o", 1) == 1 && read(talk, &byte, 1) == 1 &&
                execute("INSERT INTO rooms VALUES ('lobby', 1)") == SQLITE_OK;
    store_close();
    _exit(good ? 0 : 1);
}

/* The other one is a process that was made before there was a store here: a fork copies a lock that a
 * thread has, and not the thread. */
START_TEST(has_one_chat_room)
{
    int talk[2], status = -1;
    char byte;
    ck_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk) == 0);
    pid_t other = fork();
    ck_assert_int_ne(other, -1);
    if (other == 0) {
        close(talk[0]); /* so that it hears of our end */
        use_folder(talk[1]);
    }
    close(talk[1]);
    ck_assert_msg(wait_ready(talk[0], POLLIN, wait_deadline(), "another chat room"), "%s",
                  fault_text());
    ck_assert_int_eq(read(talk[0], &byte, 1), 1);
    expect_refused(data, "another chat room uses it");
    ck_assert_int_eq(write(talk[0], "w", 1), 1);
    ck_assert_int_eq(waitpid(other, &status, 0), other);
    ck_assert_msg(status == 0, "the other one ended with %d", status);
    ck_assert_int_eq(store_open(data), 0);
    ck_assert_str_eq(answer("SELECT count(*) FROM rooms"), "1");
}
END_TEST

START_TEST(refuses_a_link_to_a_file)
{
    char elsewhere[128];
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    ck_assert_int_eq(mkdir(data, 0700), 0);
    ck_assert_int_eq(symlink(elsewhere, file), 0);
    expect_refused(data, "symbolic link");
    ck_assert_msg(access(elsewhere, F_OK) == -1, "the link was followed");
    ck_assert_int_eq(unlink(file), 0);
    ck_assert_int_eq(mkfifo(file, 0600), 0);
    expect_refused(data, file);
}
END_TEST

START_TEST(follows_a_link_to_the_folder)
{
    char link[128];
    snprintf(link, sizeof link, "%s/link", folder);
    ck_assert_int_eq(mkdir(data, 0700), 0);
    ck_assert_int_eq(symlink(data, link), 0);
    ck_assert_int_eq(store_open(link), 0);
    ck_assert_int_eq(access(file, F_OK), 0);
}
END_TEST

START_TEST(refuses_what_is_no_folder)
{
    char nowhere[128];
    snprintf(nowhere, sizeof nowhere, "%s/no/where", folder);
    expect_refused(nowhere, "No such file or directory");
    int fd = open(data, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ne(fd, -1);
    close(fd);
    expect_refused(data, "Not a directory");
}
END_TEST

/* ---- versions ------------------------------------------------------------------------------- */

START_TEST(migrates_version_1)
{
    prepare_file(version_1);
    for (int i = 0; i < 2; i++) { /* the second time there is nothing to do */
        ck_assert_int_eq(store_open(data), 0);
        ck_assert_str_eq(answer("PRAGMA user_version"), "2");
        ck_assert_str_eq(answer("SELECT hash FROM accounts WHERE name = 'ANN'"), "a hash");
        ck_assert_str_eq(answer("SELECT content FROM messages WHERE seq = 7"), "hello");
        ck_assert_str_eq(answer("SELECT last FROM rooms"), "7");
        ck_assert_str_eq(answer("SELECT count(*) FROM files"), "0");
        ck_assert_str_eq(answer("PRAGMA integrity_check"), "ok");
        store_close();
    }
}
END_TEST

START_TEST(migrates_wholly_or_not_at_all)
{
    prepare_file(version_1);
    sqlite3 *db;
    ck_assert(sqlite3_open(file, &db) == SQLITE_OK);
    ck_assert(sqlite3_exec(db, "CREATE TABLE files_of (x)", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    expect_refused(data, "files_of"); /* the index of version 2: its table has been made then */
    ck_assert(sqlite3_open(file, &db) == SQLITE_OK);
    ck_assert_str_eq(answer_of(db, "PRAGMA user_version"), "1");
    ck_assert_str_eq(answer_of(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'files'"), "0");
    sqlite3_close(db);
}
END_TEST

START_TEST(refuses_a_newer_version)
{
    prepare_file(version_1);
    sqlite3 *db;
    ck_assert(sqlite3_open(file, &db) == SQLITE_OK);
    ck_assert(sqlite3_exec(db, "PRAGMA user_version = 3", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    expect_refused(data, "newer");
    ck_assert(sqlite3_open(file, &db) == SQLITE_OK);
    ck_assert_str_eq(answer_of(db, "PRAGMA user_version"), "3");
    ck_assert_str_eq(answer_of(db, "PRAGMA journal_mode"), "delete");
    sqlite3_close(db);
}
END_TEST

START_TEST(refuses_the_database_of_something_else)
{
    prepare_file("CREATE TABLE recipes (x); INSERT INTO recipes VALUES ('soup')");
    expect_refused(data, "something else");
    sqlite3 *db;
    ck_assert(sqlite3_open(file, &db) == SQLITE_OK);
    ck_assert(sqlite3_exec(db, "PRAGMA user_version = 2", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    expect_refused(data, "something else");
}
END_TEST

/* What is left of a file when its first bytes are something else, or most of it is gone. */
START_TEST(refuses_what_is_no_database)
{
    ck_assert_int_eq(mkdir(data, 0700), 0);
    int fd = open(file, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ne(fd, -1);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(write(fd, "no database\n", 12), 12);
    close(fd);
    expect_refused(data, "not a database");
    ck_assert_int_eq(unlink(file), 0);
    ck_assert_int_eq(rmdir(data), 0);
    prepare_file(version_1);
    ck_assert_int_eq(truncate(file, 5000), 0);
    expect_refused(data, "malformed");
}
END_TEST

/* ---- what goes wrong ------------------------------------------------------------------------ */

START_TEST(never_waits_for_a_lock)
{
    sqlite3 *other;
    ck_assert_int_eq(store_open(data), 0);
    ck_assert(sqlite3_open(file, &other) == SQLITE_OK);
    ck_assert(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    int64_t since = clock_now();
    ck_assert_int_eq(execute("INSERT INTO rooms VALUES ('lobby', 1)"), SQLITE_BUSY);
    ck_assert_int_lt(clock_now() - since, 1000000000);
    ck_assert_str_eq(answer("SELECT count(*) FROM rooms"), "0"); /* reading is always possible */
    sqlite3_close(other);
    ck_assert_int_eq(execute("INSERT INTO rooms VALUES ('lobby', 1)"), SQLITE_OK);
}
END_TEST

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Far more than the cache holds, and nothing is written before the commit. */
START_TEST(fails_only_at_the_commit)
{
    ck_assert_int_eq(store_open(data), 0);
    ck_assert_int_eq(execute("INSERT INTO rooms VALUES ('lobby', 1)"), SQLITE_OK);
    limit_files(1);
    ck_assert_int_eq(execute("BEGIN IMMEDIATE"), SQLITE_OK);
    for (int i = 1; i <= 200; i++) {
        char text[128];
        snprintf(text, sizeof text,
                 "INSERT INTO messages (room, seq, sender, content, said) VALUES"
                 " ('lobby', %d, 'ann', hex(zeroblob(20000)), '')",
                 i);
        ck_assert_int_eq(execute(text), SQLITE_OK);
    }
    int commit = execute("COMMIT");
    limit_files(RLIM_INFINITY);
    ck_assert_msg(commit == SQLITE_FULL || commit == SQLITE_IOERR, "it ended with %d", commit);
    if (sqlite3_get_autocommit(store_db()) == 0)
        ck_assert_int_eq(execute("ROLLBACK"), SQLITE_OK);
    ck_assert_str_eq(answer("SELECT count(*) FROM messages"), "0");
    ck_assert_int_eq(execute("UPDATE rooms SET last = 2"), SQLITE_OK);
    ck_assert_str_eq(answer("PRAGMA integrity_check"), "ok");
}
END_TEST

/* ---- checkpoints ---------------------------------------------------------------------------- */

static long size_of(const char *suffix)
{
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s%s", file, suffix);
    return stat(path, &status) == 0 ? (long)status.st_size : -1;
}

static bool has_grown(void *argument)
{
    (void)argument;
    return size_of("") > 1000000;
}

/* The database gets what was committed without a checkpoint by the loop, and the log begins anew.
 * */
START_TEST(copies_the_log_in_a_thread)
{
    enum { COMMITS = 400 }; /* of 10 pages each */
    ck_assert_int_eq(store_open(data), 0);
    for (int i = 0; i < COMMITS; i++)
        ck_assert_int_eq(execute("INSERT INTO messages (room, seq, sender, content, said) SELECT"
                                 " 'lobby', 1 + count(*), 'ann', hex(zeroblob(20000)), ''"
                                 " FROM messages"),
                         SQLITE_OK);
    ck_assert_msg(wait_until(has_grown, NULL, "the database to grow"), "%s", fault_text());
    for (int i = 0; i < 50 * COMMITS && size_of("-wal") > 0; i++) {
        long before = size_of("-wal");
        ck_assert_int_eq(execute("INSERT INTO rooms VALUES ('lobby', 1) ON CONFLICT (name)"
                                 " DO UPDATE SET last = last + 1"),
                         SQLITE_OK);
        if (size_of("-wal") <= before)
            break; /* it has written over what was copied */
        ck_assert_int_ne(i + 1, 50 * COMMITS);
    }
    ck_assert_str_eq(answer("PRAGMA integrity_check"), "ok");
    store_close();
    ck_assert_int_eq(size_of("-wal"), -1);
    ck_assert_int_eq(store_open(data), 0);
    ck_assert_str_eq(answer("SELECT count(*) FROM messages"), "400");
}
END_TEST

static bool is_copied(void *before)
{
    return size_of("") > *(long *)before;
}

/* Far too little was committed for the thread to look by itself. */
START_TEST(copies_the_log_when_it_is_asked)
{
    ck_assert_int_eq(store_open(data), 0);
    long before = size_of("");
    ck_assert_int_eq(execute("INSERT INTO messages (room, seq, sender, content, said) VALUES"
                             " ('lobby', 1, 'ann', hex(zeroblob(20000)), '')"),
                     SQLITE_OK);
    ck_assert_int_eq(size_of(""), before);
    checkpoint_ask();
    ck_assert_msg(wait_until(is_copied, &before, "the database to grow"), "%s", fault_text());
    ck_assert_str_eq(answer("PRAGMA integrity_check"), "ok");
}
END_TEST

/* ---- statements ----------------------------------------------------------------------------- */

START_TEST(prepares_a_statement_once)
{
    static sqlite3_stmt *kept;
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(store_open(data), 0);
        sqlite3_stmt *s = store_prepare(&kept, "SELECT ?1");
        ck_assert_ptr_nonnull(s);
        ck_assert_int_eq(sqlite3_bind_int(s, 1, 17), SQLITE_OK);
        ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
        ck_assert_int_eq(sqlite3_column_int(s, 0), 17);
        ck_assert_ptr_eq(store_prepare(&kept, "SELECT ?1"), s);
        ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW); /* from the beginning, and unbound */
        ck_assert_int_eq(sqlite3_column_type(s, 0), SQLITE_NULL);
        ck_assert_int_eq(store_run(s), 0);
        store_close();
        ck_assert_ptr_null(kept);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *group = tcase_create("store");
    tcase_set_timeout(group, SUITE_TIMEOUT);
    tcase_add_checked_fixture(group, make_folder, remove_folder);
    tcase_add_test(group, is_for_its_owner_alone);
    tcase_add_test(group, closes_a_file_that_others_could_read);
    tcase_add_test(group, keeps_what_was_written);
    tcase_add_test(group, removes_a_temporary_folder);
    tcase_add_test(group, has_one_chat_room);
    tcase_add_test(group, refuses_a_link_to_a_file);
    tcase_add_test(group, follows_a_link_to_the_folder);
    tcase_add_test(group, refuses_what_is_no_folder);
    tcase_add_test(group, migrates_version_1);
    tcase_add_test(group, migrates_wholly_or_not_at_all);
    tcase_add_test(group, refuses_a_newer_version);
    tcase_add_test(group, refuses_the_database_of_something_else);
    tcase_add_test(group, refuses_what_is_no_database);
    tcase_add_test(group, never_waits_for_a_lock);
    tcase_add_test(group, fails_only_at_the_commit);
    tcase_add_test(group, copies_the_log_in_a_thread);
    tcase_add_test(group, copies_the_log_when_it_is_asked);
    tcase_add_test(group, prepares_a_statement_once);
    suite_add_tcase(suite, group);
    return suite_run("store_test", suite, NULL);
}
