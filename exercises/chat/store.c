/* store - what the chat room keeps on disk.  See store.h. */

#include "store.h"

#include "checkpoint.h"
#include "options.h"
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h> /* limits.h is the chat room's here */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STATEMENTS = 64,
    APPLICATION = 0x63686174, /* "chat": what the file says that it is, see PRAGMA application_id */
    LOG_BYTES = 8 << 20       /* that the write-ahead log keeps when it begins anew */
};

/* [schema] Version N is what the first N of these have made.  One that has been released is never
 * changed: what is to be different comes as one more. */
static const char *const versions[] = {
    /* 1: accounts and messages */
    "CREATE TABLE accounts (name TEXT PRIMARY KEY COLLATE NOCASE, hash TEXT NOT NULL,"
    " made TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE rooms (name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE messages (id INTEGER PRIMARY KEY, room TEXT NOT NULL, seq INTEGER NOT NULL,"
    " sender TEXT NOT NULL, content TEXT NOT NULL, said TEXT NOT NULL, UNIQUE (room, seq));",

    /* 2: files */
    "CREATE TABLE files (id TEXT PRIMARY KEY, owner TEXT NOT NULL COLLATE NOCASE, room TEXT,"
    " addressee TEXT COLLATE NOCASE, name TEXT NOT NULL, size INTEGER NOT NULL,"
    " sha256 TEXT NOT NULL, made INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX files_of ON files (owner);",
};
enum { VERSIONS = sizeof versions / sizeof versions[0] };

static const char *data_option = NULL;

static const struct option_spec options[] = {
    {"data", "DIR", OPTION_TEXT, &data_option, 0, 0,
     "where accounts, messages and files are kept; without it they go at the end"},
    {0},
};

static struct {
    sqlite3 *db;
    int folder;
    bool temporary;      /* the folder is to be removed */
    char path[PATH_MAX]; /* of it */
    char file[PATH_MAX + 16];
    sqlite3_stmt **statements[STATEMENTS];
    size_t statement_count;
} this = {.folder = -1};

/* ---- statements ----------------------------------------------------------------------------- */

sqlite3 *store_db(void)
{
    return this.db;
}

int store_folder(void)
{
    return this.folder;
}

sqlite3_stmt *store_prepare(sqlite3_stmt **statement, const char *text)
{
    if (*statement != NULL) {
        sqlite3_reset(*statement);
        sqlite3_clear_bindings(*statement);
        return *statement;
    }
    if (this.statement_count == STATEMENTS ||
        sqlite3_prepare_v3(this.db, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) !=
            SQLITE_OK)
        return NULL;
    this.statements[this.statement_count++] = statement;
    return *statement;
}

int store_run(sqlite3_stmt *statement)
{
    int step;
    do
        step = sqlite3_step(statement);
    while (step == SQLITE_ROW);
    sqlite3_reset(statement);
    return step == SQLITE_DONE ? 0 : -1;
}

/* ---- the tables ----------------------------------------------------------------------------- */

static int execute(const char *text)
{
    return sqlite3_exec(this.db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

/* The one number that a question is answered with; -1 if it cannot be asked. */
static int number(const char *question)
{
    sqlite3_stmt *s = NULL;
    int found = -1;
    if (sqlite3_prepare_v2(this.db, question, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        found = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return found;
}

/* Whether the file is a chat room's, of a version that is known here; or why not. */
static const char *refusal(int version)
{
    int tables = version != -1 ? number("SELECT count(*) FROM sqlite_schema") : -1;
    if (tables == -1)
        return sqlite3_errmsg(this.db);
    if (version == 0 ? tables > 0 : number("PRAGMA application_id") != APPLICATION)
        return "it is the database of something else";
    if (version < 0 || version > VERSIONS)
        return "it was made by a newer chat room: this one would spoil it";
    return NULL;
}

/* One transaction for all: a file is of one version or of the other. */
static int migrate(int from)
{
    char text[128];
    if (from < 0 || from >= VERSIONS)
        return 0;
    if (execute("BEGIN IMMEDIATE") == -1)
        return -1;
    for (int v = from; v < VERSIONS; v++)
        if (execute(versions[v]) == -1)
            return -1;
    snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             APPLICATION, VERSIONS);
    return execute(text);
}

/* How the file is written; it remembers only the first. */
static int set_up(void)
{
    char text[256];
    sqlite3_stmt *s = NULL;
    bool wal = sqlite3_prepare_v2(this.db, "PRAGMA journal_mode = WAL", -1, &s, NULL) ==
                   SQLITE_OK &&
               sqlite3_step(s) == SQLITE_ROW &&
               strcmp((const char *)sqlite3_column_text(s, 0), "wal") == 0;
    sqlite3_finalize(s);
    /* [no-spill] A transaction is written at its commit and not before: nothing else can fail for
     * want of space. */
    snprintf(
        text, sizeof text,
        "PRAGMA synchronous = NORMAL; PRAGMA cache_spill = OFF; PRAGMA journal_size_limit = %d;"
        "PRAGMA trusted_schema = OFF",
        LOG_BYTES);
    return wal ? execute(text) : -1;
}

/* ---- the folder ----------------------------------------------------------------------------- */

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
    store_close();
    return -1;
}

/* Remove all that a folder holds, two floors deep at most: what we have made ourselves. */
static void empty(int folder, int floors)
{
    DIR *list = fdopendir(folder);
    const struct dirent *entry;
    while (list != NULL && (entry = readdir(list)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || unlinkat(folder, name, 0) == 0)
            continue;
        int below = floors > 1 ? openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) : -1;
        if (below != -1)
            empty(below, floors - 1);
        unlinkat(folder, name, AT_REMOVEDIR);
    }
    if (list != NULL)
        closedir(list);
    else
        close(folder);
}

/* Open the folder, made if need be. */
static int open_folder(const char *folder)
{
    char path[PATH_MAX];
    const bool temporary = folder == NULL;
    if (folder == NULL) {
        const char *above = getenv("TMPDIR");
        int size = snprintf(path, sizeof path, "%s/chat-XXXXXX", above != NULL ? above : "/tmp");
        if (size >= (int)sizeof path || mkdtemp(path) == NULL)
            return -1;
        folder = path;
    } else if (mkdir(folder, 0700) == -1 && errno != EEXIST) {
        return -1;
    }
    if (realpath(folder, this.path) == NULL) /* what is refused below is a link to the file */
        return -1;
    this.temporary = temporary;
    this.folder = open(this.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return this.folder;
}

/* The file, for its owner alone; what SQLite puts beside it gets the same mode. */
static int make_file(void)
{
    int fd = openat(this.folder, "chat.db", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                    0600);
    struct stat status;
    if (fd == -1)
        return -1;
    int made = fstat(fd, &status);
    if (made == 0 && !S_ISREG(status.st_mode)) {
        errno = EINVAL;
        made = -1;
    }
    if (made == 0 && (status.st_mode & 077) != 0)
        made = fchmod(fd, 0600);
    close(fd);
    return made;
}

static int open_database(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* nobody asks how much memory it has */
    if (sqlite3_open_v2(this.file, &this.db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return fail(this.file, this.db != NULL ? sqlite3_errmsg(this.db) : strerror(ENOMEM));
    sqlite3_busy_timeout(this.db, 2000); /* another one may be about to close it */
    int from = number("PRAGMA user_version");
    const char *why = refusal(from);
    if (why != NULL)
        return fail(this.file, why);
    if (set_up() == -1 || migrate(from) == -1)
        return fail(this.file, sqlite3_errmsg(this.db));
    sqlite3_busy_timeout(this.db, 0);
    return 0;
}

int store_open(const char *folder)
{
    /* [file-limit] A limit of the file's size is an error of write(2), as a full disk is. */
    signal(SIGXFSZ, SIG_IGN);
    if (open_folder(folder) == -1)
        return fail(folder != NULL ? folder : "a folder for the data", strerror(errno));
    if (flock(this.folder, LOCK_EX | LOCK_NB) == -1)
        return fail(this.path,
                    errno == EWOULDBLOCK ? "another chat room uses it" : strerror(errno));
    snprintf(this.file, sizeof this.file, "%s/chat.db", this.path);
    if (make_file() == -1)
        return fail(this.file, errno == ELOOP ? "it is a symbolic link" : strerror(errno));
    if (open_database() == -1)
        return -1;
    if (checkpoint_start(this.db, this.file) == -1)
        return fail("a thread for checkpoints", strerror(errno));
    return 0;
}

void store_close(void)
{
    for (size_t i = 0; i < this.statement_count; i++) {
        sqlite3_finalize(*this.statements[i]);
        *this.statements[i] = NULL;
    }
    this.statement_count = 0;
    checkpoint_stop();
    sqlite3_close(this.db);
    this.db = NULL;
    if (this.temporary && this.folder != -1)
        empty(dup(this.folder), 2);
    if (this.temporary)
        rmdir(this.path);
    this.temporary = false;
    if (this.folder != -1)
        close(this.folder);
    this.folder = -1;
}

/* ---- the extension -------------------------------------------------------------------------- */

static int start(struct hub *hub)
{
    (void)hub;
    if (store_open(data_option) == 0)
        return 0;
    exit(EXIT_FAILURE); /* it has said why */
}

static void stop(struct hub *hub)
{
    (void)hub;
    store_close();
}

const struct extension store = {
    .name = "the store", .options = options, .start = start, .stop = stop};
