/*
 * ring - the io_uring of a server, and the buffers that it lends to the kernel.
 *
 * Interface:
 *   ring_open_or_die, ring_close   with what the library and the kernel have
 *   ring_multishot                 does one order bring many completions?
 *   ring_order                     the next free entry of the submission queue
 *   ring_is_settled                can everything be seen that has completed so far?
 *   ring_buffer, ring_lend         a lent buffer that has come back filled; lend it again
 *
 * What is ordered, and where the server waits, is not hidden here: that is the lesson.
 */
#ifndef RING_H
#define RING_H

#include <liburing.h>
#include <stdbool.h>

enum {
    RING_COMPLETIONS = 4096, /* may wait for us; the kernel keeps more, but at a price */
    RING_BUFFERS = 256,      /* lent to the kernel; a power of two */
    RING_CHUNK = 4096        /* bytes of a buffer */
};

/* liburing before 2.3 does not know them; ring_multishot is false then. */
#ifndef IORING_RECV_MULTISHOT
#define RING_WITHOUT_MULTISHOT
#define IORING_ACCEPT_MULTISHOT 0
#define IORING_RECV_MULTISHOT   0
#endif

extern struct io_uring ring;

/* True: accept and receive stay in the kernel and complete again and again, a receive into one of
 * the lent buffers.  False: each order completes once, and a receive brings its own buffer. */
extern bool ring_multishot;

/*
 * ring_open_or_die - set up the ring, and lend the buffers if the kernel can take them.
 *
 * plain  without multishot, even where the kernel has it
 *
 * Exits 1 with one line where io_uring is missing, too old (before Linux 5.7) or forbidden.
 * See io_uring_setup(2) and IORING_REGISTER_PBUF_RING in io_uring_register(2).
 */
void ring_open_or_die(bool plain);

/* ring_close - give everything back.  Nothing may be left in the kernel. */
void ring_close(void);

/* ring_order - an entry to fill in, with an io_uring_prep function and then user_data, flags and
 * ioprio.  It reaches the kernel with the next submission.  Never NULL. */
struct io_uring_sqe *ring_order(void);

/* ring_is_settled - true if the kernel has taken all orders, and keeps no completion back because
 * the completion queue was full. */
bool ring_is_settled(void);

/* ring_buffer - the lent buffer that came with a completion, or NULL.  It is the caller's until
 * it is lent again: NULL is left alone, and so is every buffer without multishot. */
char *ring_buffer(const struct io_uring_cqe *cqe);
void ring_lend(char *buffer);

#endif
