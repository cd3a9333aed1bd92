/*
 * The course says: epoll is O(1).
 *
 * epoll_wait costs what is ready, and what is merely watched costs nothing: O(ready).  epoll_ctl
 * finds its entry in a red-black tree: O(log watched).  Compare with 04-poll/claim_copy.c, where a
 * call costs O(watched).
 */

#include "claim.h"
#include "die.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MOST = 10000, FEW = 10, READY = 1000, SPARE = 64 };

static const struct claim claim = {
    "epoll is O(1)", "half true: epoll_wait costs what is ready, epoll_ctl is a tree operation"};

struct set {
    int epfd, count, ready;
    const int *fds;     /* those that are not ready stand behind the first `ready` */
    unsigned long step; /* the entry that was changed last */
};

/* Watch `count` descriptors, of which the first `ready` have something to read. */
static struct set set_open(const int *silent, const int *loud, int count, int ready)
{
    struct set s = {epoll_create1(EPOLL_CLOEXEC), count, ready, silent, 0};
    if (s.epfd == -1)
        die("epoll_create1");
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN};
        if (epoll_ctl(s.epfd, EPOLL_CTL_ADD, i < ready ? loud[i] : silent[i], &event) == -1)
            die("epoll_ctl");
    }
    return s;
}

static void wait_once(void *context)
{
    static struct epoll_event events[READY];
    const struct set *s = context;
    if (epoll_wait(s->epfd, events, READY, 0) != s->ready)
        die("epoll_wait reports what is not ready");
}

/* Change nothing in one entry, each time another one. */
static void change_one(void *context)
{
    struct set *s = context;
    struct epoll_event event = {.events = EPOLLIN};
    s->step = (s->step + 7919) %
              (unsigned long)(s->count - s->ready); /* a prime: it comes to all */
    if (epoll_ctl(s->epfd, EPOLL_CTL_MOD, s->fds[(unsigned long)s->ready + s->step], &event) == -1)
        die("epoll_ctl");
}

int main(void)
{
    static int silent[MOST], loud[READY];
    const int needed = MOST + READY + SPARE;
    size_t limit = claim_descriptors((size_t)needed);
    if (limit < (size_t)needed)
        claim_cannot(&claim, "needs %d descriptors, and the limit is %zu (ulimit -n)", needed,
                     limit);
    for (int i = 0; i < MOST; i++)
        silent[i] = eventfd(0, EFD_CLOEXEC);
    for (int i = 0; i < READY; i++)
        if ((loud[i] = eventfd(1, EFD_CLOEXEC)) == -1)
            die("eventfd");

    struct set small = set_open(silent, loud, FEW, 1);
    struct set large = set_open(silent, loud, MOST, 1);
    struct set busy = set_open(silent, loud, MOST, READY);
    double us_small = claim_ns_a_call(wait_once, &small) / 1e3;
    double us_large = claim_ns_a_call(wait_once, &large) / 1e3;
    double us_busy = claim_ns_a_call(wait_once, &busy) / 1e3;
    double us_ctl_small = claim_ns_a_call(change_one, &small) / 1e3;
    double us_ctl_large = claim_ns_a_call(change_one, &large) / 1e3;
    claim_end(&claim,
              us_large < 5 * us_small && us_busy > 20 * us_large &&
                  us_ctl_large < 20 * us_ctl_small,
              "epoll_wait, 1 ready: %.2f us of 10 watched, %.2f of 10000; 1000 ready: %.0f us; "
              "epoll_ctl: %.2f us beside 10, %.2f beside 10000",
              us_small, us_large, us_busy, us_ctl_small, us_ctl_large);
}
