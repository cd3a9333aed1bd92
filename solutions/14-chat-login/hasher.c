/* hasher - threads that hash passwords, so that the loop need not.  See hasher.h. */

#include "hasher.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, NICER = 10 };

static struct {
    pthread_mutex_t lock;           /* of the queue, and of `stopping` */
    struct hash_job *first, **last; /* the queue; last: where the next one is linked to */
    size_t count, most;             /* jobs in it */
    pthread_cond_t filled;
    bool stopping;
    struct reactor *reactor;
    pthread_t threads[THREADS_MAX];
    size_t thread_count;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};

/* What takes so long. */
static void compute(struct hash_job *j)
{
    j->verdict = j->make ? password_hash(j->hash, j->password, j->size)
                         : password_check(j->hash, j->password, j->size);
#ifdef STUB
#else
    /* [wipe] It is not needed any more: what is not there cannot be read from a dump of the
     * memory, nor be found in the next block that malloc gives away.  memset would be optimized
     * away. */
    sodium_memzero(j->password, sizeof j->password);
#endif
}

#ifdef STUB
/* Yours: a bounded queue, the threads that take from it, and the way back to the loop.  So far no
 * job is ever taken. */
bool hasher_put(struct hash_job *j)
{
    (void)j;
    return false;
}

int hasher_start(struct reactor *r, unsigned long threads, unsigned long most)
{
    (void)threads;
    (void)compute;
    pool.reactor = r;
    pool.last = &pool.first;
    pool.count = pool.thread_count = 0;
    pool.most = most;
    pool.stopping = false;
    return 0;
}

void hasher_stop(void)
{
    pool.stopping = true;
}
#else
/* ---- the queue ------------------------------------------------------------------------------ */

/* [bounded] A login costs its client nothing, and us tens of milliseconds: without a bound whoever
 * sends many would fill the memory, and the answers would come when nobody waits for them any
 * more.  And the loop must not wait for room, as the loop of lesson 09 does: here it says so. */
bool hasher_put(struct hash_job *j)
{
    pthread_mutex_lock(&pool.lock);
    bool room = pool.count < pool.most;
    if (room) {
        j->next = NULL;
        *pool.last = j;
        pool.last = &j->next;
        pool.count++;
        pthread_cond_signal(&pool.filled);
    }
    pthread_mutex_unlock(&pool.lock);
    return room;
}

/* The next job, which belongs to this thread now; NULL when it is to end. */
static struct hash_job *take(void)
{
    struct hash_job *j = NULL;
    pthread_mutex_lock(&pool.lock);
    while (pool.count == 0 && !pool.stopping)
        pthread_cond_wait(&pool.filled, &pool.lock);
    if (!pool.stopping) {
        j = pool.first;
        pool.first = j->next;
        if (pool.first == NULL)
            pool.last = &pool.first;
        pool.count--;
    }
    pthread_mutex_unlock(&pool.lock);
    return j;
}

static bool is_stopping(void)
{
    pthread_mutex_lock(&pool.lock);
    bool stopping = pool.stopping;
    pthread_mutex_unlock(&pool.lock);
    return stopping;
}

/* ---- the threads ---------------------------------------------------------------------------- */

/* [wake-up] The loop sleeps in epoll_wait, and its data is its own: it is given the job and woken,
 * and does the rest itself.  Short of memory that is tried again, for a client waits for his
 * answer. */
static void give_back(struct hash_job *j)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    while (reactor_post(pool.reactor, j->done, j) == -1 && !is_stopping())
        nanosleep(&pause, NULL);
}

static void *work(void *unused)
{
    (void)unused;
    /* [the-loop-wins] Where they share a processor with the loop, it gets more of it.  On Linux
     * each thread has a priority of its own; see setpriority(2). */
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICER);
    struct hash_job *j;
    while ((j = take()) != NULL) {
        compute(j);
        give_back(j);
    }
    return NULL;
}

int hasher_start(struct reactor *r, unsigned long threads, unsigned long most)
{
    pool.reactor = r;
    pool.first = NULL;
    pool.last = &pool.first;
    pool.count = pool.thread_count = 0;
    pool.most = most;
    pool.stopping = false;
    while (pool.thread_count < threads && pool.thread_count < THREADS_MAX) {
        int error = pthread_create(&pool.threads[pool.thread_count], NULL, work, NULL);
        if (error != 0) {
            hasher_stop();
            errno = error;
            return -1;
        }
        pool.thread_count++;
    }
    return 0;
}

void hasher_stop(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.stopping = true;
    pthread_cond_broadcast(&pool.filled);
    pthread_mutex_unlock(&pool.lock);
    for (size_t i = 0; i < pool.thread_count; i++)
        pthread_join(pool.threads[i], NULL);
    pool.thread_count = 0;
}
#endif
