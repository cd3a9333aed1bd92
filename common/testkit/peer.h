/*
 * peer - a client of an echo server who knows every byte that must come back.
 *
 * Interface:
 *   peer_open                      connect
 *   peer_send, peer_receive        one direction at a time
 *   peer_exchange, peers_exchange  both at the same time, for one or for many
 *   peers_fill                     send until the server takes no more
 *   peer_finish, peer_expect_end   half-close, and the end that must follow
 *   peer_reset, peer_close         leave, in either way
 *
 * What a peer sends is a pattern that follows from its seed and the position, so that nothing
 * has to be kept, and a byte that is lost, doubled, swapped or somebody else's is noticed.
 * Functions that return bool return false with a fault.
 */
#ifndef TESTKIT_PEER_H
#define TESTKIT_PEER_H

#include "subject.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer {
    int fd;            /* -1 when closed */
    uint64_t seed;     /* of the pattern */
    uint64_t sent;     /* bytes that the kernel took */
    uint64_t received; /* bytes that came back, all of them right */
};

/* peer_open - connect a peer with a seed of its own; peer_open_narrow gives it a small window, so
 * that little fits between the server and a peer who does not read. */
bool peer_open(struct peer *p, const struct subject *s);
bool peer_open_narrow(struct peer *p, const struct subject *s);
bool peers_open(struct peer *peers, size_t count, const struct subject *s);
bool peers_open_narrow(struct peer *peers, size_t count, const struct subject *s);

/* peer_send - send the next size bytes of the pattern. */
bool peer_send(struct peer *p, size_t size);

/* peer_receive - receive size bytes and check each. */
bool peer_receive(struct peer *p, size_t size);

/* peer_exchange - send size bytes, and receive until everything ever sent has come back, both
 * at the same time.  peers_exchange does so with many at once.  They wait for as long as
 * patience lasts whenever nothing moves. */
bool peer_exchange(struct peer *p, uint64_t size);
bool peers_exchange(struct peer *peers, size_t count, uint64_t size);

/*
 * peers_fill - send, and never read, until the server takes no more from any of them.
 *
 * most  bytes that a peer has sent at most, from its first one on; there it stops
 *
 * No more is taken when nothing was for a fifth of a second.
 */
bool peers_fill(struct peer *peers, size_t count, uint64_t most);

/* peer_finish - half-close: nothing more will be sent. */
bool peer_finish(struct peer *p);

/* peer_expect_end - the server has closed too, and sent nothing that was not asked for. */
bool peer_expect_end(struct peer *p);

void peer_reset(struct peer *p);
void peer_close(struct peer *p);
void peers_close(struct peer *peers, size_t count);

/* peer_pattern - write size bytes of the pattern of seed, from position at. */
void peer_pattern(uint64_t seed, uint64_t at, unsigned char *bytes, size_t size);

#endif
