/* syncer - fsync(2), without the loop waiting for it.  See syncer.h. */

#include "syncer.h"

#include "reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct job {
    struct job *next;
    char name[64];
    syncer_done *done;
    void *context;
    int error;
};

struct queue_of_jobs {
    struct job *first, **last;
};

static struct {
    struct reactor *reactor;
    int folder;
    bool running, stopping;
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows, and of stopping */
    pthread_cond_t wake;
    struct queue_of_jobs waiting, told;
} this = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void put(struct queue_of_jobs *q, struct job *j)
{
    j->next = NULL;
    *q->last = j;
    q->last = &j->next;
}

static struct job *take_all(struct queue_of_jobs *q)
{
    struct job *list = q->first;
    *q = (struct queue_of_jobs){NULL, &q->first};
    return list;
}

static void drop_all(struct queue_of_jobs *q)
{
    for (struct job *j = take_all(q), *next; j != NULL; j = next) {
        next = j->next;
        free(j);
    }
}

/* ---- in the loop ---------------------------------------------------------------------------- */

static void tell(struct reactor *r, void *context)
{
    (void)r;
    (void)context;
    pthread_mutex_lock(&this.lock);
    struct job *list = take_all(&this.told);
    pthread_mutex_unlock(&this.lock);
    for (struct job *j = list, *next; j != NULL; j = next) {
        next = j->next;
        j->done(j->context, j->error);
        free(j);
    }
}

/* ---- in the thread -------------------------------------------------------------------------- */

/* [told-once] The kernel tells the error of a file once, to whoever asks first; whoever opens it later is told
 * that all is well.  So what failed while nobody waited for it is removed: its next chunk, or its last sync, will
 * not find it. */
static int sync_file(const char *name, bool awaited)
{
    int fd = openat(this.folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1)
        return errno;
    int error = fsync(fd) == -1 ? errno : 0;
    close(fd);
    if (error != 0 && !awaited)
        unlinkat(this.folder, name, 0);
    return error;
}

/* A post needs memory, and somebody waits for this one. */
static void post(void)
{
    static const struct timespec a_moment = {.tv_nsec = 10000000};
    while (reactor_post(this.reactor, tell, NULL) == -1)
        nanosleep(&a_moment, NULL);
}

static void *work(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&this.lock);
    for (;;) {
        struct job *j = this.waiting.first;
        if (this.stopping)
            break;
        if (j == NULL) {
            pthread_cond_wait(&this.wake, &this.lock);
            continue;
        }
        this.waiting.first = j->next;
        if (j->next == NULL)
            this.waiting.last = &this.waiting.first;
        pthread_mutex_unlock(&this.lock);
        j->error = sync_file(j->name, j->done != NULL);
        pthread_mutex_lock(&this.lock);
        if (j->done == NULL) {
            free(j);
            continue;
        }
        bool first = this.told.first == NULL; /* else the loop has been told to look */
        put(&this.told, j);
        pthread_mutex_unlock(&this.lock);
        if (first)
            post();
        pthread_mutex_lock(&this.lock);
    }
    pthread_mutex_unlock(&this.lock);
    return NULL;
}

/* ---- its owner ------------------------------------------------------------------------------ */

int syncer_start(struct reactor *r, int folder)
{
    this.reactor = r;
    this.folder = folder;
    this.stopping = false;
    take_all(&this.waiting);
    take_all(&this.told);
    int error = pthread_create(&this.thread, NULL, work, NULL);
    this.running = error == 0;
    errno = error;
    return error == 0 ? 0 : -1;
}

void syncer_stop(void)
{
    if (!this.running)
        return;
    pthread_mutex_lock(&this.lock);
    this.stopping = true;
    pthread_cond_signal(&this.wake);
    pthread_mutex_unlock(&this.lock);
    pthread_join(this.thread, NULL);
    this.running = false;
    drop_all(&this.waiting);
    drop_all(&this.told);
}

int syncer_add(const char *name, syncer_done *done, void *context)
{
    struct job *j = malloc(sizeof *j);
    if (j == NULL)
        return -1;
    *j = (struct job){.done = done, .context = context};
    snprintf(j->name, sizeof j->name, "%s", name);
    pthread_mutex_lock(&this.lock);
    put(&this.waiting, j);
    pthread_cond_signal(&this.wake);
    pthread_mutex_unlock(&this.lock);
    return 0;
}
