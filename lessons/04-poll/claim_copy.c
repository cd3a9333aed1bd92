/*
 * The course says: poll need not copy its whole set at each call.
 *
 * It copies the whole array in and out each time, whether anything is ready or not:
 *
 *   - in: an entry that was changed by a plain assignment counts in the next call;
 *   - out: each revents is written, though nothing is ready;
 *   - and a call with more entries takes longer, in proportion.
 */

#include "claim.h"
#include "die.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MOST = 10000, FEW = 10 };

static const struct claim claim = {"poll need not copy its whole set at each call",
                                   "false: the whole array goes in and out, each time"};

static struct pollfd entries[MOST];

static void poll_once(void *count)
{
    if (poll(entries, *(nfds_t *)count, 0) != 0)
        die("poll reports what is not ready");
}

int main(void)
{
    nfds_t few = FEW, middle = MOST / 10, most = MOST;
    size_t limit = claim_descriptors(MOST); /* poll takes no more entries than that */
    if (limit < MOST)
        claim_cannot(&claim, "needs %d descriptors, and the limit is %zu (ulimit -n)", MOST, limit);
    int silent = eventfd(0, EFD_CLOEXEC), ready = eventfd(1, EFD_CLOEXEC);
    if (silent == -1 || ready == -1)
        die("eventfd");

    for (int i = 0; i < MOST; i++)
        entries[i] = (struct pollfd){.fd = silent, .events = POLLIN, .revents = -1};
    poll_once(&most);
    int written = 0;
    for (int i = 0; i < MOST; i++)
        written += entries[i].revents == 0;

    entries[MOST - 1].fd = ready;
    bool read_again = poll(entries, MOST, 0) == 1 && entries[MOST - 1].revents == POLLIN;
    entries[MOST - 1].fd = silent;

    double us_few = claim_ns_a_call(poll_once, &few) / 1e3;
    double us_middle = claim_ns_a_call(poll_once, &middle) / 1e3;
    double us_most = claim_ns_a_call(poll_once, &most) / 1e3;
    claim_end(
        &claim, written == MOST && read_again && us_most > 20 * us_few,
        "nothing ready: %d of %d revents written; a changed entry is %s; a call takes %.2f us "
        "with %d entries, %.1f with 1000, %.0f with 10000",
        written, MOST, read_again ? "seen by the next call" : "not seen", us_few, FEW, us_middle,
        us_most);
}
