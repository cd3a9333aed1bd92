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
}

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
