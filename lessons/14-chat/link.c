/* link - a connection that is opened again when it is lost.  See link.h. */

#include "link.h"

#include "queue.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = 16384,         /* bytes received at once */
    PAUSE_FIRST_MS = 1000, /* doubled after each failure */
    PAUSE_LAST_MS = 30000
};

struct link {
    struct reactor *reactor;
    const struct link_events *events;
    void *context;
    int64_t limit_ms;

    struct addrinfo *addresses;    /* of the server */
    const struct addrinfo *trying; /* the one that a connection is being opened to */
    int fd;                        /* -1: no connection */
    bool open;                     /* it is there, not only being opened */
    bool paused;                   /* nothing is read */
    bool ever;                     /* it has been open before */
    bool last;                     /* it is not opened again */

    struct reactor_timer timer; /* the limit of connecting, or the pause before it */
    int64_t pause_ms;           /* the next one */

    struct queue in;  /* received: the beginning of a line */
    struct queue out; /* not sent yet */
    size_t scanned;   /* bytes of in without a newline */
};

static reactor_handler link_ready;
static void link_open(struct link *l);

/* [sent-and-erased] What is sent may hold a password: none of it stays in memory that is given
 * back. */
static void drop_sent(struct link *l, size_t size)
{
    if (size > 0)
        explicit_bzero(l->out.memory + l->out.start, size);
    queue_drop(&l->out, size);
}

/* ---- losing it ---------------------------------------------------------------------------------- */

static void link_close(struct link *l)
{
    reactor_timer_cancel(l->reactor, &l->timer);
    if (l->fd != -1) {
        reactor_unwatch(l->reactor, l->fd);
        close(l->fd);
    }
    l->fd = -1;
    l->open = false;
    l->scanned = 0;
    queue_free(&l->in);
    drop_sent(l, l->out.length);
}

static void pause_over(struct reactor *r, void *context)
{
    (void)r;
    link_open(context);
}

/* The next pause, longer by up to a quarter. */
static int64_t next_pause(struct link *l)
{
    uint16_t dice = 0;
    if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) == -1)
        dice = 0; /* no harm: then this client is punctual */
    int64_t pause = l->pause_ms + l->pause_ms * dice / (4 * UINT16_MAX);
    l->pause_ms = l->pause_ms * 2 < PAUSE_LAST_MS ? l->pause_ms * 2 : PAUSE_LAST_MS;
    return pause;
}

void link_lose(struct link *l, const char *why)
{
    link_close(l);
    l->trying = NULL;
    int64_t pause = -1;
    if (l->ever && !l->last) {
        pause = next_pause(l);
        if (reactor_timer_start(l->reactor, &l->timer, pause, pause_over, l) == -1)
            pause = -1;
    }
    l->events->closed(l->context, why, pause);
}

/* ---- opening it --------------------------------------------------------------------------------- */

static void link_watch(struct link *l)
{
    unsigned wanted = l->paused ? 0 : REACTOR_READ;
    if (!l->open || l->out.length > 0)
        wanted |= REACTOR_WRITE;
    if (reactor_watch(l->reactor, l->fd, wanted, link_ready, l) == -1)
        link_lose(l, strerror(errno));
}

/* [next-address] This address does not answer: try the name's next, and after the last one give up
 * for the reason of that. */
static void next_address(struct link *l, int error)
{
    const struct addrinfo *next = l->trying->ai_next;
    if (next == NULL) {
        link_lose(l, strerror(error));
        return;
    }
    link_close(l);
    l->trying = next;
    link_open(l);
}

static void limit_over(struct reactor *r, void *context)
{
    (void)r;
    next_address(context, ETIMEDOUT);
}

/* [connect-limit] A nonblocking connect(2) goes on in the kernel.  The descriptor becomes writable
 * when it is decided; the timer decides if that takes too long, for the kernel's own limit is over
 * two minutes. */
static void link_open(struct link *l)
{
    static const int on = 1;
    if (l->trying == NULL)
        l->trying = l->addresses;
    const struct addrinfo *a = l->trying;
    l->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (l->fd == -1 || setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == -1 ||
        (connect(l->fd, a->ai_addr, a->ai_addrlen) == -1 && errno != EINPROGRESS) ||
        reactor_watch(l->reactor, l->fd, REACTOR_WRITE, link_ready, l) == -1 ||
        reactor_timer_start(l->reactor, &l->timer, l->limit_ms, limit_over, l) == -1)
        next_address(l, errno);
}

static void link_decided(struct link *l)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
        error = errno;
    if (error != 0) {
        next_address(l, error);
        return;
    }
    reactor_timer_cancel(l->reactor, &l->timer);
    l->trying = NULL;
    l->open = l->ever = true;
    link_watch(l);
    if (l->open)
        l->events->opened(l->context);
}

/* ---- while it is there -------------------------------------------------------------------------- */

static void link_flush(struct link *l)
{
    while (l->out.length > 0) {
        ssize_t n = send(l->fd, queue_data(&l->out), l->out.length, MSG_NOSIGNAL);
        if (n >= 0) {
            drop_sent(l, (size_t)n);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            link_lose(l, strerror(errno));
            return;
        }
    }
}

int link_send(struct link *l, const char *bytes, size_t size)
{
    if (!l->open) {
        errno = ENOTCONN;
        return -1;
    }
    if (queue_put(&l->out, bytes, size) == -1)
        return -1;
    link_watch(l); /* [send-later] the loop sends it: whoever sends cannot lose the link by it */
    return 0;
}

/* Hand over one line of the server, copied: who gets it may lose the link. */
static void hand_over_line(struct link *l, const char *bytes, size_t size)
{
    size_t length = size - 1;
    if (length > 0 && bytes[length - 1] == '\r')
        length--;
    char *line = malloc(length + 1);
    if (line == NULL) {
        link_lose(l, strerror(ENOMEM));
        return;
    }
    memcpy(line, bytes, length);
    line[length] = '\0';
    queue_drop(&l->in, size);
    l->scanned = 0;
    l->events->line(l->context, line, length);
    free(line);
}

/* Hand over the lines that are whole, until there is none, or it is paused, or lost. */
static void hand_over(struct link *l)
{
    while (l->open && !l->paused && l->scanned < l->in.length) {
        const char *bytes = queue_data(&l->in);
        const char *end = memchr(bytes + l->scanned, '\n', l->in.length - l->scanned);
        if (end != NULL)
            hand_over_line(l, bytes, (size_t)(end - bytes) + 1);
        else if (l->in.length > LINK_LINE_MAX)
            link_lose(l, "the server sent a line that is too long");
        else
            l->scanned = l->in.length;
    }
}

static void link_receive(struct link *l)
{
    char buf[CHUNK];
    ssize_t n = recv(l->fd, buf, sizeof buf, 0);
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == 0)
        link_lose(l, "the server has closed the connection");
    else if (n == -1 || queue_put(&l->in, buf, (size_t)n) == -1)
        link_lose(l, strerror(errno));
    else
        hand_over(l);
}

static void link_ready(struct reactor *r, int fd, unsigned events, void *context)
{
    struct link *l = context;
    (void)r;
    (void)fd;
    if (!l->open) {
        link_decided(l);
        return;
    }
    if (events & REACTOR_READ)
        link_receive(l);
    if (events & REACTOR_WRITE && l->open)
        link_flush(l);
    if (l->open)
        link_watch(l);
}

static void reading_resumed(struct reactor *r, void *context)
{
    (void)r;
    hand_over(context);
}

void link_pause_reading(struct link *l, bool pause)
{
    if (l->paused == pause)
        return;
    l->paused = pause;
    if (!l->open)
        return;
    link_watch(l);
    if (!pause && l->open) /* lines that have come already come first, but from the loop */
        reactor_timer_start(l->reactor, &l->timer, 0, reading_resumed, l);
}

void link_settled(struct link *l)
{
    l->pause_ms = PAUSE_FIRST_MS;
}

size_t link_queued(const struct link *l)
{
    return l->out.length;
}

void link_last(struct link *l)
{
    l->last = true;
}

/* ---- beginning and end -------------------------------------------------------------------------- */

struct link *link_new(struct reactor *r, const char *host, const char *port, int64_t limit_ms,
                      const struct link_events *events, void *context)
{
    struct link *l = malloc(sizeof *l);
    if (l == NULL)
        return NULL;
    *l = (struct link){.reactor = r,
                       .events = events,
                       .context = context,
                       .limit_ms = limit_ms,
                       .fd = -1,
                       .pause_ms = PAUSE_FIRST_MS,
                       .in.limit = LINK_LINE_MAX + CHUNK,
                       .out.limit = LINK_QUEUE_MAX};
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int error = getaddrinfo(host, port, &hints, &l->addresses);
    if (error == 0 && reactor_timer_start(r, &l->timer, 0, pause_over, l) == 0)
        return l;
    int saved = error == 0 || error == EAI_MEMORY ? ENOMEM
                : error == EAI_SYSTEM             ? errno
                                                  : EADDRNOTAVAIL;
    link_free(l);
    errno = saved;
    return NULL;
}

void link_free(struct link *l)
{
    link_close(l);
    if (l->addresses != NULL)
        freeaddrinfo(l->addresses);
    free(l);
}
