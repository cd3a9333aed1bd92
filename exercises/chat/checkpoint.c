/* checkpoint - from the write-ahead log into the database, without the loop.  See checkpoint.h. */

#include "checkpoint.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    PAGES = 1000,          /* of the log: then the thread looks, and again after so many more */
    PAGES_MOST = 8 * PAGES /* then the loop does it itself */
};

static struct {
    pthread_t thread;
    bool running;
    const char *file;
    int asked; /* the length of the log when the thread was last asked; the loop's */

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool wanted, ending; /* guarded by it */
} this = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Wait until there is something to do; false: to end. */
static bool is_wanted(void)
{
    pthread_mutex_lock(&this.mutex);
    while (!this.wanted && !this.ending)
        pthread_cond_wait(&this.changed, &this.mutex);
    this.wanted = false;
    bool wanted = !this.ending;
    pthread_mutex_unlock(&this.mutex);
    return wanted;
}

static void ask(bool ending)
{
    pthread_mutex_lock(&this.mutex);
    this.wanted = true;
    this.ending = ending;
    pthread_cond_signal(&this.changed);
    pthread_mutex_unlock(&this.mutex);
}

/* A connection of our own; NULL if there cannot be one now.  That it has a log is known to it when
 * it has read something. */
static sqlite3 *connect_again(void)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(this.file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
            SQLITE_OK &&
        sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) == SQLITE_OK)
        return db;
    sqlite3_close(db);
    return NULL;
}

/* [passive] It takes no lock that a commit needs, and leaves what it cannot have.  An error is one
 * more checkpoint that was not made: the next one does its work. */
static void *run(void *context)
{
    sqlite3 *db = NULL;
    (void)context;
    while (is_wanted()) {
        if (db == NULL)
            db = connect_again();
        if (db != NULL)
            sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    sqlite3_close(db);
    return NULL;
}

/* After each commit of the loop: so many pages are in the log.  [keeps-up] The log begins anew when
 * all of it has been copied.  If the loop writes without a pause, the thread never comes to its
 * end: then the last bit is copied here.  Whoever reads for long from outside keeps it from
 * beginning anew, so that is tried now and then, and not at each commit. */
static int committed(void *context, sqlite3 *db, const char *name, int pages)
{
    (void)context;
    if (pages < this.asked)
        this.asked = 0; /* it has begun anew */
    if (pages - this.asked < PAGES)
        return SQLITE_OK;
    this.asked = pages;
    if (pages < PAGES_MOST)
        ask(false);
    else
        sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK;
}

int checkpoint_start(sqlite3 *db, const char *file)
{
    sigset_t all, before;
    this.file = file;
    this.asked = 0;
    this.wanted = this.ending = false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's */
    int failed = pthread_create(&this.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        errno = failed;
        return -1;
    }
    this.running = true;
    sqlite3_wal_hook(db, committed, NULL);
    return 0;
}

void checkpoint_ask(void)
{
    ask(false);
}

void checkpoint_stop(void)
{
    if (!this.running)
        return;
    ask(true);
    pthread_join(this.thread, NULL);
    this.running = false;
}
