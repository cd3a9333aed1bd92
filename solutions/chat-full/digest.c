/* digest - the SHA-256 of a file, a piece a turn.  See digest.h. */

#include "digest.h"

#include <errno.h>
#include <unistd.h>

enum { PIECE = 1 << 17 };

static void next_piece(struct reactor *r, void *context);

/* The next piece is for the next turn. */
static void go_on(struct digest *d)
{
    if (reactor_timer_start(d->reactor, &d->turn, 0, next_piece, d) == -1)
        d->done(d->context, errno);
}

static void next_piece(struct reactor *r, void *context)
{
    static unsigned char bytes[PIECE];
    struct digest *d = context;
    (void)r;
    int64_t left = d->end - d->at;
    ssize_t n = left > 0 ? pread(d->fd, bytes, left < PIECE ? (size_t)left : PIECE, d->at) : 0;
    if (n == -1 && errno != EINTR) {
        d->done(d->context, errno);
        return;
    }
    if (n > 0) {
        crypto_hash_sha256_update(&d->state, bytes, (unsigned long long)n);
        d->at += n;
    }
    if (d->at == d->end || n == 0)
        d->done(d->context, d->at == d->end ? 0 : ENODATA);
    else
        go_on(d);
}

void digest_begin(struct digest *d)
{
    crypto_hash_sha256_init(&d->state);
}

void digest_file(struct digest *d, struct reactor *r, int fd, int64_t size,
                 void (*done)(void *context, int error), void *context)
{
    d->reactor = r;
    d->fd = fd;
    d->at = 0;
    d->end = size;
    d->done = done;
    d->context = context;
    go_on(d);
}

void digest_stop(struct digest *d)
{
    if (d->reactor != NULL)
        reactor_timer_cancel(d->reactor, &d->turn);
}

void digest_hex(struct digest *d, char hex[DIGEST_HEX_SIZE])
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(&d->state, sum);
    sodium_bin2hex(hex, DIGEST_HEX_SIZE, sum, sizeof sum);
}
