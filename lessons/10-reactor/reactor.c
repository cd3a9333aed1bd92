/* reactor - one thread that waits for everything at once.  See reactor.h. */

#include "reactor.h"

#include "backend.h"
#include "clock.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* What is known of a descriptor; its number is the place in the table. */
struct watch {
    reactor_handler *handler; /* NULL: not watched */
    void *context;
    unsigned events;  /* asked of the backend */
    uint64_t watched; /* the batch in which it came to be watched */
};

/* A call posted from some thread. */
struct post {
    struct post *next;
    reactor_call *call;
    void *context;
};

struct signal_handler {
    reactor_call *call;
    void *context;
};

struct reactor {
    const struct backend *backend;
    void *state; /* the backend's */

    struct watch *watches;
    struct ready *ready; /* the batch: what the last wait has reported */
    size_t capacity;     /* of both */
    uint64_t batch;      /* waits so far */
    bool stopping;
    reactor_call *each_turn; /* or NULL */
    void *each_turn_context;

    struct reactor_timer **timers; /* a binary heap on due, from place 1 */
    size_t timer_count, timer_capacity;

    int signal_fd; /* -1 until a signal is asked for */
    sigset_t signals;
    struct signal_handler on_signal[_NSIG];

    int wake_fd;
    pthread_mutex_t lock; /* of the posts */
    struct post *first_post, **last_post;
};

static const struct backend *const backends[] = {&backend_epoll, &backend_poll, &backend_select};
const char *const reactor_backends[] = {"epoll", "poll", "select", NULL};

/* ---- descriptors ---------------------------------------------------------------------------- */

static int grow_tables(struct reactor *r, size_t least)
{
    size_t capacity = r->capacity > 0 ? r->capacity : 64;
    while (capacity < least)
        capacity *= 2;
    struct watch *watches = realloc(r->watches, capacity * sizeof *watches);
    if (watches == NULL)
        return -1;
    r->watches = watches;
    struct ready *ready = realloc(r->ready, capacity * sizeof *ready);
    if (ready == NULL)
        return -1;
    r->ready = ready;
    memset(watches + r->capacity, 0, (capacity - r->capacity) * sizeof *watches);
    r->capacity = capacity;
    return 0;
}

int reactor_watch(struct reactor *r, int fd, unsigned events, reactor_handler *handler,
                  void *context)
{
    if (fd < 0) {
        errno = EBADF;
        return -1;
    }
    if ((size_t)fd >= r->capacity && grow_tables(r, (size_t)fd + 1) == -1)
        return -1;
    struct watch *w = &r->watches[fd];
    if (events != w->events && r->backend->set(r->state, fd, w->events, events) == -1)
        return -1;
    if (w->handler == NULL)
        w->watched = r->batch;
    w->handler = handler;
    w->context = context;
    w->events = events;
    return 0;
}

void reactor_unwatch(struct reactor *r, int fd)
{
    if (fd < 0 || (size_t)fd >= r->capacity || r->watches[fd].handler == NULL)
        return;
    struct watch *w = &r->watches[fd];
    if (w->events != 0)
        r->backend->set(r->state, fd, w->events, 0); /* to watch less never fails */
    *w = (struct watch){0};
}

/* Call the handler of one ready descriptor, if the event is still meant for it. */
static void deliver(struct reactor *r, const struct ready *ready)
{
    const struct watch *w = &r->watches[ready->fd];
    if (w->handler == NULL)
        return; /* an earlier handler of this batch has closed it */
    if (w->watched == r->batch)
        return; /* and another has taken its number since: the event is not the new one's */
    unsigned events = ready->events & w->events;
    if (events != 0)
        w->handler(r, ready->fd, events, w->context);
}

/* ---- timers --------------------------------------------------------------------------------- */

static void heap_put(struct reactor *r, size_t place, struct reactor_timer *t)
{
    r->timers[place] = t;
    t->place = place;
}

/* Move a timer to where it belongs, from the free place given. */
static void heap_settle(struct reactor *r, size_t place, struct reactor_timer *t)
{
    for (; place > 1 && t->due < r->timers[place / 2]->due; place /= 2)
        heap_put(r, place, r->timers[place / 2]);
    for (size_t child; (child = 2 * place) <= r->timer_count; place = child) {
        if (child < r->timer_count && r->timers[child + 1]->due < r->timers[child]->due)
            child++;
        if (t->due <= r->timers[child]->due)
            break;
        heap_put(r, place, r->timers[child]);
    }
    heap_put(r, place, t);
}

int reactor_timer_start(struct reactor *r, struct reactor_timer *t, int64_t delay_ms,
                        reactor_call *call, void *context)
{
    if (t->place == 0 && r->timer_count + 1 >= r->timer_capacity) {
        size_t capacity = r->timer_capacity > 0 ? 2 * r->timer_capacity : 64;
        struct reactor_timer **timers = realloc(r->timers,
                                                capacity * sizeof(struct reactor_timer *));
        if (timers == NULL)
            return -1;
        r->timers = timers;
        r->timer_capacity = capacity;
    }
    t->due = clock_now() + delay_ms * 1000000;
    t->call = call;
    t->context = context;
    heap_settle(r, t->place != 0 ? t->place : ++r->timer_count, t);
    return 0;
}

void reactor_timer_cancel(struct reactor *r, struct reactor_timer *t)
{
    size_t place = t->place;
    if (place == 0)
        return;
    t->place = 0;
    struct reactor_timer *last = r->timers[r->timer_count--];
    if (last != t)
        heap_settle(r, place, last);
}

/* The milliseconds until the first timer is due, rounded up so that none is early; -1: no timer. */
static int timers_wait(const struct reactor *r)
{
    if (r->timer_count == 0)
        return -1;
    int64_t left = r->timers[1]->due - clock_now();
    if (left <= 0)
        return 0;
    int64_t ms = (left + 999999) / 1000000;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* Call what is due.  A timer that is started meanwhile is due later than now, so this ends. */
static void timers_run(struct reactor *r)
{
    if (r->timer_count == 0)
        return;
    int64_t now = clock_now();
    while (!r->stopping && r->timer_count > 0 && r->timers[1]->due <= now) {
        struct reactor_timer *t = r->timers[1];
        reactor_timer_cancel(r, t);
        t->call(r, t->context);
    }
}

/* ---- signals -------------------------------------------------------------------------------- */

static void signals_ready(struct reactor *r, int fd, unsigned events, void *context)
{
    (void)events;
    (void)context;
    struct signalfd_siginfo info;
    while (!r->stopping && read(fd, &info, sizeof info) == sizeof info) {
        const struct signal_handler *h = &r->on_signal[info.ssi_signo];
        h->call(r, h->context);
    }
}

int reactor_signal(struct reactor *r, int number, reactor_call *call, void *context)
{
    sigset_t signals = r->signals;
    if (number < 1 || number >= _NSIG || sigaddset(&signals, number) == -1) {
        errno = EINVAL;
        return -1;
    }
    int error = pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (error != 0) {
        errno = error;
        return -1;
    }
    int fd = signalfd(r->signal_fd, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd == -1)
        return -1;
    r->signal_fd = fd;
    r->signals = signals;
    r->on_signal[number] = (struct signal_handler){call, context};
    return reactor_watch(r, fd, REACTOR_READ, signals_ready, NULL);
}

/* ---- calls from other threads --------------------------------------------------------------- */

int reactor_post(struct reactor *r, reactor_call *call, void *context)
{
    struct post *p = malloc(sizeof *p);
    if (p == NULL)
        return -1;
    *p = (struct post){NULL, call, context};
    pthread_mutex_lock(&r->lock);
    bool first = r->first_post == NULL;
    *r->last_post = p;
    r->last_post = &p->next;
    pthread_mutex_unlock(&r->lock);
    if (first) /* else the loop has been woken and has not come to look yet */
        eventfd_write(r->wake_fd, 1);
    return 0;
}

static struct post *posts_take(struct reactor *r)
{
    pthread_mutex_lock(&r->lock);
    struct post *list = r->first_post;
    r->first_post = NULL;
    r->last_post = &r->first_post;
    pthread_mutex_unlock(&r->lock);
    return list;
}

/* [wake-up] The count is taken before the list: a post in between wakes the loop once more, which
 * is harmless; the other way round it would be lost. */
static void posts_ready(struct reactor *r, int fd, unsigned events, void *context)
{
    (void)events;
    (void)context;
    eventfd_t count;
    eventfd_read(fd, &count);
    for (struct post *p = posts_take(r), *next; p != NULL; p = next) {
        next = p->next;
        if (!r->stopping)
            p->call(r, p->context);
        free(p);
    }
}

/* ---- the loop ------------------------------------------------------------------------------- */

struct reactor *reactor_new(const char *backend)
{
    struct reactor *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->signal_fd = r->wake_fd = -1;
    r->last_post = &r->first_post;
    pthread_mutex_init(&r->lock, NULL);
    sigemptyset(&r->signals);
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
        if (strcmp(backends[i]->name, backend) == 0)
            r->backend = backends[i];
    errno = EINVAL;
    if (r->backend != NULL && (r->state = r->backend->open()) != NULL &&
        (r->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) != -1 &&
        reactor_watch(r, r->wake_fd, REACTOR_READ, posts_ready, NULL) == 0)
        return r;
    int saved = errno;
    reactor_free(r);
    errno = saved;
    return NULL;
}

void reactor_free(struct reactor *r)
{
    for (struct post *p = posts_take(r), *next; p != NULL; p = next) {
        next = p->next;
        free(p);
    }
    if (r->signal_fd != -1)
        close(r->signal_fd);
    if (r->wake_fd != -1)
        close(r->wake_fd);
    if (r->state != NULL)
        r->backend->close(r->state);
    pthread_mutex_destroy(&r->lock);
    free(r->timers);
    free(r->watches);
    free(r->ready);
    free(r);
}

int reactor_run(struct reactor *r)
{
    while (!r->stopping) {
        int n = r->backend->wait(r->state, timers_wait(r), r->ready, r->capacity);
        if (n == -1 && errno != EINTR)
            return -1;
        r->batch++;
        for (int i = 0; i < n && !r->stopping; i++)
            deliver(r, &r->ready[i]);
        timers_run(r);
        if (r->each_turn != NULL && !r->stopping)
            r->each_turn(r, r->each_turn_context);
    }
    r->stopping = false;
    return 0;
}

void reactor_each_turn(struct reactor *r, reactor_call *call, void *context)
{
    r->each_turn = call;
    r->each_turn_context = context;
}

void reactor_stop(struct reactor *r)
{
    r->stopping = true;
}
