/* buckets - how many attempts are left to a nickname or to an address.  See buckets.h. */

#include "buckets.h"

#include "clock.h"

#include <netinet/in.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>

static unsigned char key[crypto_shorthash_KEYBYTES];

void buckets_init(void)
{
    crypto_shorthash_keygen(key);
}

static uint32_t bucket_of(const void *bytes, size_t size)
{
    unsigned char hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, bytes, size, key);
    return (hash[0] | (uint32_t)hash[1] << 8) % BUCKETS;
}

uint32_t bucket_of_name(const char *nickname)
{
    char folded[64];
    size_t size = 0;
    for (; size < sizeof folded && nickname[size] != '\0'; size++) {
        char c = nickname[size];
        folded[size] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return bucket_of(folded, size);
}

uint32_t bucket_of_ipv6(const unsigned char address[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:192.0.2.1 */
    return memcmp(address, mapped, 12) == 0 ? bucket_of(address + 12, 4) : bucket_of(address, 8);
}

uint32_t bucket_of_address(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {0}};
    socklen_t length = sizeof address;
    if (getpeername(fd, &address.any, &length) == -1)
        return bucket_of("", 0); /* it has gone already */
    if (address.any.sa_family == AF_INET)
        return bucket_of(&address.v4.sin_addr, 4);
    return bucket_of_ipv6(address.v6.sin6_addr.s6_addr);
}

static int64_t ns_of(double seconds)
{
    return (int64_t)(seconds * 1e9);
}

bool buckets_take(struct buckets *b, uint32_t which)
{
    int64_t now = clock_now(), every = ns_of(b->every);
    int64_t full = (b->full[which] > now ? b->full[which] : now) + every;
    if (full - now > (int64_t)b->most * every)
        return false;
    b->full[which] = full;
    return true;
}

void buckets_give(struct buckets *b, uint32_t which)
{
    b->full[which] -= ns_of(b->every);
}
