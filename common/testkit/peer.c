/* peer - a client of an echo server who knows every byte that must come back.  See peer.h. */

#include "peer.h"

#include "fault.h"
#include "wait.h"
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = 65536,   /* bytes sent or received at once */
    SETTLE_MS = 200, /* so long nothing is taken: nothing more will be */
    NARROW = 4096    /* SO_RCVBUF of a narrow peer */
};

/* ---- the pattern -------------------------------------------------------------------------- */

/* The finalizer of splitmix64: every bit of n decides about every bit of the result. */
static uint64_t mix(uint64_t n)
{
    n += 0x9e3779b97f4a7c15;
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
    n = (n ^ n >> 27) * 0x94d049bb133111eb;
    return n ^ n >> 31;
}

void peer_pattern(uint64_t seed, uint64_t at, unsigned char *bytes, size_t size)
{
    while (size > 0) {
        uint64_t word = mix(seed ^ at / sizeof word);
        size_t skip = at % sizeof word;
        size_t n = sizeof word - skip < size ? sizeof word - skip : size;
        memcpy(bytes, (unsigned char *)&word + skip, n);
        at += n;
        bytes += n;
        size -= n;
    }
}

/* Where in all that was sent do the first bytes of `got` stand?  Words of the pattern hardly ever repeat,
 * so that eight bytes tell. */
static bool find_pattern(const struct peer *p, const unsigned char *got, size_t size, uint64_t *at)
{
    enum { ENOUGH = 8 };
    unsigned char window[CHUNK];
    if (size < ENOUGH)
        return false;
    for (uint64_t from = 0; from + ENOUGH <= p->sent; from += sizeof window - ENOUGH) {
        size_t n = p->sent - from < sizeof window ? (size_t)(p->sent - from) : sizeof window;
        peer_pattern(p->seed, from, window, n);
        const unsigned char *found = memmem(window, n, got, ENOUGH);
        if (found == NULL)
            continue;
        *at = from + (uint64_t)(found - window);
        return true;
    }
    return false;
}

static bool check_pattern(const struct peer *p, const unsigned char *got, size_t size)
{
    static unsigned char right[CHUNK];
    peer_pattern(p->seed, p->received, right, size);
    if (memcmp(got, right, size) == 0)
        return true;
    size_t i = 0;
    while (got[i] == right[i])
        i++;
    uint64_t at = p->received + i, from;
    if (find_pattern(p, got + i, size - i, &from))
        return fault("wrong byte: at %llu came what was sent at %llu: %s", (unsigned long long)at,
                     (unsigned long long)from,
                     from > at ? "the bytes between are lost, or were overtaken"
                               : "it came before, and comes again");
    return fault("wrong byte: at %llu came 0x%02x, and 0x%02x was sent", (unsigned long long)at,
                 got[i], right[i]);
}

/* ---- one step in either direction --------------------------------------------------------- */

static size_t at_most(uint64_t size)
{
    return size < CHUNK ? (size_t)size : CHUNK;
}

/* Send up to size bytes, as the kernel takes them.  Returns how many, or -1 with a fault. */
static ssize_t send_some(struct peer *p, uint64_t size)
{
    static unsigned char bytes[CHUNK];
    peer_pattern(p->seed, p->sent, bytes, at_most(size));
    ssize_t n = send(p->fd, bytes, at_most(size), MSG_NOSIGNAL);
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n == -1)
        fault("cannot send after %llu bytes: %s", (unsigned long long)p->sent, strerror(errno));
    else
        p->sent += (uint64_t)n;
    return n;
}

/* Receive up to size bytes, as they are there, and check them.  Returns how many, or -1 with a
 * fault. */
static ssize_t receive_some(struct peer *p, uint64_t size)
{
    static unsigned char bytes[CHUNK];
    ssize_t n = recv(p->fd, bytes, at_most(size), 0);
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n == 0)
        fault("end of file after %llu of %llu bytes", (unsigned long long)p->received,
              (unsigned long long)p->sent);
    else if (n == -1)
        fault("cannot receive after %llu bytes: %s", (unsigned long long)p->received,
              strerror(errno));
    if (n <= 0 || !check_pattern(p, bytes, (size_t)n))
        return -1;
    p->received += (uint64_t)n;
    return n;
}

/* ---- one peer ----------------------------------------------------------------------------- */

static bool open_with(struct peer *p, const struct subject *s, int window)
{
    static uint64_t opened = 0;
    *p = (struct peer){.seed = mix((uint64_t)getpid() << 32 | ++opened)};
    p->fd = wire_connect(s->host, s->port, window);
    return p->fd != -1;
}

bool peer_open(struct peer *p, const struct subject *s)
{
    return open_with(p, s, 0);
}

bool peer_open_narrow(struct peer *p, const struct subject *s)
{
    return open_with(p, s, NARROW);
}

bool peer_send(struct peer *p, size_t size)
{
    int64_t deadline = wait_deadline();
    while (size > 0) {
        ssize_t n = -1;
        if (wait_ready(p->fd, POLLOUT, deadline, "the server to take bytes"))
            n = send_some(p, size);
        if (n == -1)
            return false;
        size -= (size_t)n;
    }
    return true;
}

bool peer_receive(struct peer *p, size_t size)
{
    int64_t deadline = wait_deadline();
    while (size > 0) {
        ssize_t n = -1;
        if (wait_ready(p->fd, POLLIN, deadline, "an echo"))
            n = receive_some(p, size);
        if (n == -1)
            return false;
        size -= (size_t)n;
    }
    return true;
}

bool peer_finish(struct peer *p)
{
    return shutdown(p->fd, SHUT_WR) == 0 || fault("shutdown: %s", strerror(errno));
}

bool peer_expect_end(struct peer *p)
{
    return wire_expect_end(p->fd);
}

void peer_reset(struct peer *p)
{
    wire_reset(p->fd);
    p->fd = -1;
}

void peer_close(struct peer *p)
{
    if (p->fd != -1)
        close(p->fd);
    p->fd = -1;
}

/* ---- many peers --------------------------------------------------------------------------- */

static bool open_all(struct peer *peers, size_t count, const struct subject *s, int window)
{
    for (size_t i = 0; i < count; i++)
        peers[i].fd = -1;
    for (size_t i = 0; i < count; i++)
        if (!open_with(&peers[i], s, window))
            return fault("client %zu of %zu: %s", i + 1, count, fault_text());
    return true;
}

bool peers_open(struct peer *peers, size_t count, const struct subject *s)
{
    return open_all(peers, count, s, 0);
}

bool peers_open_narrow(struct peer *peers, size_t count, const struct subject *s)
{
    return open_all(peers, count, s, NARROW);
}

void peers_close(struct peer *peers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        peer_close(&peers[i]);
}

/* Ask poll for those of the events that each peer still needs to reach its goal.  Returns how
 * many need any. */
static size_t watch(struct pollfd *watched, const struct peer *peers, const uint64_t *goals,
                    size_t count, short events)
{
    size_t unfinished = 0;
    for (size_t i = 0; i < count; i++) {
        short needed = 0;
        if (peers[i].sent < goals[i])
            needed |= events & POLLOUT;
        if (peers[i].received < goals[i])
            needed |= events & POLLIN;
        unfinished += needed != 0;
        watched[i] = (struct pollfd){.fd = needed != 0 ? peers[i].fd : -1, .events = needed};
    }
    return unfinished;
}

/* Do what is possible now for one peer.  Returns false with a fault. */
static bool step(struct peer *p, uint64_t goal, short events)
{
    if (events & POLLOUT && send_some(p, goal - p->sent) == -1)
        return false;
    return !(events & (POLLIN | POLLERR | POLLHUP)) || receive_some(p, goal - p->received) != -1;
}

/* Say how far the peers have come, after the fault that says why they go no further. */
static bool stuck(const struct peer *peers, const uint64_t *goals, size_t count, size_t unfinished)
{
    size_t i = 0;
    while (i < count - 1 && peers[i].sent == goals[i] && peers[i].received == goals[i])
        i++;
    if (count == 1)
        return fault("%llu of %llu bytes sent and %llu received; %s",
                     (unsigned long long)peers[0].sent, (unsigned long long)goals[0],
                     (unsigned long long)peers[0].received, fault_text());
    return fault("%llu of %llu bytes sent and %llu received by client %zu; %zu of %zu clients "
                 "unfinished; %s",
                 (unsigned long long)peers[i].sent, (unsigned long long)goals[i],
                 (unsigned long long)peers[i].received, i + 1, unfinished, count, fault_text());
}

static bool exchange(struct peer *peers, const uint64_t *goals, struct pollfd *watched,
                     size_t count)
{
    size_t unfinished;
    while ((unfinished = watch(watched, peers, goals, count, POLLIN | POLLOUT)) > 0) {
        if (!wait_any(watched, count, wait_deadline(), "a byte to move"))
            return stuck(peers, goals, count, unfinished);
        for (size_t i = 0; i < count; i++)
            if (watched[i].revents != 0 && !step(&peers[i], goals[i], watched[i].revents))
                return count > 1 && fault("client %zu of %zu: %s", i + 1, count, fault_text());
    }
    return true;
}

bool peers_exchange(struct peer *peers, size_t count, uint64_t size)
{
    struct pollfd *watched = calloc(count, sizeof *watched);
    uint64_t *goals = calloc(count, sizeof *goals);
    bool done = watched != NULL && goals != NULL;
    if (!done)
        fault("out of memory");
    for (size_t i = 0; done && i < count; i++)
        goals[i] = peers[i].sent + size;
    done = done && exchange(peers, goals, watched, count);
    free(goals);
    free(watched);
    return done;
}

bool peer_exchange(struct peer *p, uint64_t size)
{
    return peers_exchange(p, 1, size);
}

bool peers_fill(struct peer *peers, size_t count, uint64_t most)
{
    struct pollfd *watched = calloc(count, sizeof *watched);
    uint64_t *goals = calloc(count, sizeof *goals);
    bool good = watched != NULL && goals != NULL;
    if (!good)
        fault("out of memory");
    for (size_t i = 0; good && i < count; i++)
        goals[i] = most;
    while (good && watch(watched, peers, goals, count, POLLOUT) > 0 &&
           poll(watched, count, SETTLE_MS) > 0)
        for (size_t i = 0; good && i < count; i++)
            if (watched[i].revents != 0)
                good = send_some(&peers[i], most - peers[i].sent) != -1;
    free(goals);
    free(watched);
    return good;
}
