/*
 * buckets - how many attempts are left to a nickname or to an address.
 *
 * Each has a bucket of `most` tokens: an attempt takes one, and every `every` seconds one comes
 * back.
 *
 * [bounded-buckets] The table never grows, however many names a stranger makes up; and none of
 * them pushes another one's bucket out, to be full again.  Those whose hashes fall together share
 * a bucket, so that they can only be limited sooner.  The hash has a key that nobody knows: so
 * nobody can aim.
 *
 * Interface:
 *   buckets_init                   before the first
 *   bucket_of_name, _of_address,
 *   bucket_of_ipv6                 whose bucket it is
 *   buckets_take, buckets_give     an attempt; and one that shall not count
 */
#ifndef BUCKETS_H
#define BUCKETS_H

#include <stdbool.h>
#include <stdint.h>

enum { BUCKETS = 1 << 16 };

struct buckets {
    unsigned long most;
    double every;          /* seconds */
    int64_t full[BUCKETS]; /* when it will be, as clock_now tells the time */
};

/* buckets_init - choose the key.  libsodium must be ready. */
void buckets_init(void);

/* bucket_of_name - in whatever case of letters.  bucket_of_address - of the peer of a socket.
 * bucket_of_ipv6 - of all that one subscriber has: the first 64 bits; or of the IPv4 address that
 * is mapped there. */
uint32_t bucket_of_name(const char *nickname);
uint32_t bucket_of_address(int fd);
uint32_t bucket_of_ipv6(const unsigned char address[16]);

/* buckets_take - take a token; false if there is none.  buckets_give - put one back. */
bool buckets_take(struct buckets *b, uint32_t which);
void buckets_give(struct buckets *b, uint32_t which);

#endif
