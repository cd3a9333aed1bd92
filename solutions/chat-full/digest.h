/*
 * digest - the SHA-256 of a file, a piece in each turn of the loop.
 *
 * Interface:
 *   digest_begin           an empty sum, to be updated by hand
 *   digest_file            add the first bytes of a file
 *   digest_stop            no more
 *   digest_hex             the sum as text
 *
 * [a-piece-a-turn] 100 MB take half a second, in which no key would be answered.  A piece takes
 * half a millisecond.
 */
#ifndef DIGEST_H
#define DIGEST_H

#include "../../lessons/10-reactor/reactor.h"

#include <sodium.h>
#include <stdint.h>

enum { DIGEST_HEX_SIZE = 2 * crypto_hash_sha256_BYTES + 1 };

/* Storage is the caller's, all zero bytes before its first use, and must stay where it is. */
struct digest {
    crypto_hash_sha256_state state;
    struct reactor *reactor;
    struct reactor_timer turn; /* for the next piece */
    int fd;
    int64_t at, end;                        /* of the file: what has been added, what is to be */
    void (*done)(void *context, int error); /* error: 0, or an errno */
    void *context;
};

void digest_begin(struct digest *d);

/*
 * digest_file - add the first size bytes of fd, which is not moved, and call done from the loop.
 *
 * A file that is shorter by now is ENODATA.
 */
void digest_file(struct digest *d, struct reactor *r, int fd, int64_t size,
                 void (*done)(void *context, int error), void *context);

/* digest_stop - add nothing more, and do not call done. */
void digest_stop(struct digest *d);

/* digest_hex - end the sum, and write it in lower case. */
void digest_hex(struct digest *d, char hex[DIGEST_HEX_SIZE]);

#endif
