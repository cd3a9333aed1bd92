/*
 * The course says: epoll uses mmap to avoid copies.
 *
 * It never has.  A descriptor of epoll cannot be mapped; a process that uses one has no mapping that
 * it did not have before; and epoll_wait copies events into the caller's array like any other call
 * - but only those of what is ready, which is why it is cheap.
 */

#include "claim.h"
#include "die.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WATCHED = 900, EVENTS = 1000 };

static const struct claim claim = {"epoll uses mmap to avoid copies",
                                   "false: it copies, but only the ready events"};

/* Read /proc/self/maps whole, into memory that was there before.  Returns its length. */
static size_t maps_read(char *text, size_t size)
{
    FILE *f = fopen("/proc/self/maps", "re");
    if (f == NULL)
        die("/proc/self/maps");
    size_t n = fread(text, 1, size, f);
    fclose(f);
    return n;
}

static size_t lines(const char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++)
        n += text[i] == '\n';
    return n;
}

int main(void)
{
    static char before[1 << 20], after[1 << 20];
    static struct epoll_event events[EVENTS];
    size_t limit = claim_descriptors(WATCHED + 64);
    if (limit < WATCHED + 64)
        claim_cannot(&claim, "needs %d descriptors, and the limit is %zu", WATCHED + 64, limit);
    maps_read(before, sizeof before); /* once, for what the library itself maps to do it */
    size_t length_before = maps_read(before, sizeof before);

    int silent = eventfd(0, EFD_CLOEXEC), ready = eventfd(1, EFD_CLOEXEC);
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    if (silent == -1 || ready == -1 || epfd == -1)
        die("epoll");
    for (int i = 0; i < WATCHED; i++) {
        int fd = i == WATCHED / 2 ? ready : dup(silent);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd == -1 || epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == -1)
            die("epoll_ctl");
    }
    memset(events, 0xff, sizeof events);
    int n = epoll_wait(epfd, events, EVENTS, 0);
    int written = 0;
    for (int i = 0; i < EVENTS; i++)
        written += events[i].data.u64 != UINT64_MAX;
    size_t length_after = maps_read(after, sizeof after);

    const void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, epfd, 0);
    const char *error = map == MAP_FAILED ? strerrorname_np(errno) : "works";
    size_t more = lines(after, length_after) - lines(before, length_before);
    claim_end(&claim, map == MAP_FAILED && more == 0 && n == 1 && written == 1,
              "%d watched: %zu more lines in /proc/self/maps; mmap of the descriptor: %s; with 1 "
              "ready, epoll_wait wrote %d of the array's %d entries",
              WATCHED, more, error, written, EVENTS);
}
