/* ring - the io_uring of a server, and the buffers that it lends to the kernel.  See ring.h. */

#include "ring.h"

#include "die.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

enum { ORDERS = 1024 }; /* handed over at once */

struct io_uring ring;
bool ring_multishot = false;

static bool is_open(unsigned flags)
{
    struct io_uring_params params = {.flags = flags | IORING_SETUP_CQSIZE,
                                     .cq_entries = RING_COMPLETIONS};
    errno = -io_uring_queue_init_params(ORDERS, &ring, &params);
    return errno == 0;
}

/* The buffers, and behind them the small ring through which they are lent: the addresses of those
 * that the kernel may fill next. */
static char *buffers = NULL;
static const size_t buffers_size = (size_t)RING_BUFFERS * RING_CHUNK;

char *ring_buffer(const struct io_uring_cqe *cqe)
{
    if (!(cqe->flags & IORING_CQE_F_BUFFER))
        return NULL;
    return buffers + (size_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT) * RING_CHUNK;
}

#ifdef RING_WITHOUT_MULTISHOT

static const size_t lent_size = 0;

void ring_lend(char *buffer)
{
    (void)buffer;
}

static void open_with_multishot(void)
{
}

#else

static struct io_uring_buf_ring *lent;
static const size_t lent_size = RING_BUFFERS * sizeof(struct io_uring_buf);

void ring_lend(char *buffer)
{
    if (buffer == NULL || !ring_multishot)
        return;
    unsigned short id = (unsigned short)((buffer - buffers) / RING_CHUNK);
    io_uring_buf_ring_add(lent, buffer, RING_CHUNK, id, RING_BUFFERS - 1, 0);
    io_uring_buf_ring_advance(lent, 1);
}

static void lend_all_or_die(void)
{
    buffers = mmap(NULL, buffers_size + lent_size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffers == MAP_FAILED)
        die("no memory for buffers");
    lent = (struct io_uring_buf_ring *)(buffers + buffers_size);
    struct io_uring_buf_reg reg = {.ring_addr = (uintptr_t)lent, .ring_entries = RING_BUFFERS};
    errno = -io_uring_register_buf_ring(&ring, &reg, 0);
    if (errno != 0)
        die("cannot lend buffers to io_uring");
    for (size_t i = 0; i < RING_BUFFERS; i++)
        ring_lend(buffers + i * RING_CHUNK);
}

/* [kernel-versions] A kernel that takes these flags (6.0) has multishot and lent buffers as well.
 * They say that one thread hands over all orders, and that the kernel need not interrupt it to
 * complete them: it comes by often enough. */
static void open_with_multishot(void)
{
    ring_multishot = is_open(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN);
    if (ring_multishot)
        lend_all_or_die();
}

#endif

void ring_open_or_die(bool plain)
{
    if (!plain)
        open_with_multishot();
    if (!ring_multishot && !is_open(0))
        die("no io_uring here (kernel too old, or forbidden: see kernel.io_uring_disabled and the "
            "container's seccomp profile)");
    if (!(ring.features & IORING_FEAT_FAST_POLL)) {
        errno = 0;
        die("io_uring is too old here: Linux 5.7 is needed");
    }
}

void ring_close(void)
{
    io_uring_queue_exit(&ring);
    if (buffers != NULL)
        munmap(buffers, buffers_size + lent_size);
}

struct io_uring_sqe *ring_order(void)
{
    struct io_uring_sqe *order;
    while ((order = io_uring_get_sqe(&ring)) == NULL)
        io_uring_submit(&ring); /* full: hand over what there is */
    return order;
}

bool ring_is_settled(void)
{
    return io_uring_sq_ready(&ring) == 0 &&
           !(IO_URING_READ_ONCE(*ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW);
}
