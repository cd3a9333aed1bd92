/* scene - what the clients of an echo server do in more than one exercise.  See scene.h. */

#include "scene.h"

#include "../testkit/proc.h"

enum {
    STEP = 24 << 10,    /* bytes between two looks: no queue is filled by it */
    OWED_MOST = 8 << 20 /* that a client sends for something to be queued */
};

bool scene_exchange(struct trial *t, struct peer *p, uint64_t size)
{
    return trial_ok(t, p->fd, peer_exchange(p, size));
}

bool scene_read_all(struct trial *t, struct peer *p)
{
    return trial_ok(t, p->fd, peer_receive(p, p->sent - p->received));
}

bool scene_new_client(struct trial *t)
{
    struct peer p = {.fd = -1};
    bool served = trial_peer(t, &p) && scene_exchange(t, &p, 1000);
    peer_close(&p);
    return served;
}

bool scene_late_reader(struct trial *t, struct peer *p)
{
    return trial_ok(t, -1, peer_open_narrow(p, &t->s)) &&
           trial_ok(t, p->fd, peers_fill(p, 1, SCENE_UNREAD_MOST));
}

/* Whether the last send to a client did not take everything. */
static bool is_owed(struct trial *t, const struct peer *p)
{
    bool owed = false;
    const struct call *c;
    int fd = trial_server_fd(t, p->fd);
    for (uint64_t n = 0; (c = trial_next_call(t, &n, CALL_NAMES, fd)) != NULL; n++)
        if (c->name == CALL_send || c->name == CALL_write || c->name == CALL_sendto)
            owed = c->result < c->size;
    return owed;
}

bool scene_owed_reader(struct trial *t, struct peer *p)
{
    return trial_ok(t, -1, peer_open_narrow(p, &t->s)) && scene_send_until_owed(t, p);
}

/* Owed at two looks in a row, with a step between them, and after a while still: the kernel may take a
 * little more once the other side has acknowledged. */
bool scene_send_until_owed(struct trial *t, struct peer *p)
{
    bool before = false;
    while (p->sent < OWED_MOST) {
        bool owed = is_owed(t, p);
        if (owed && before && trial_quiet(t, 60) && is_owed(t, p))
            return true;
        before = owed;
        if (!trial_ok(t, p->fd, peer_send(p, STEP) && trial_quiet(t, 10)))
            return false;
    }
    return true;
}

bool scene_freeze(struct trial *t)
{
    return trial_ok(t, -1, trial_quiet(t, 20)) &&
           (proc_freeze(t->s.pid) || trial_fault(t, "%s", fault_text()));
}

bool scene_thaw(struct trial *t)
{
    return proc_thaw(t->s.pid) || trial_fault(t, "%s", fault_text());
}

struct level {
    struct trial *trial;
    long descriptors;
};

static bool is_level(void *argument)
{
    const struct level *l = argument;
    return trial_look(l->trial)->descriptors == l->descriptors;
}

/* Mark the close of a descriptor that no call has given. */
static void mark_stranger(struct trial *t)
{
    const struct call *closed, *c;
    for (uint64_t n = 0; (closed = trial_next_call(t, &n, CALL_close, -1)) != NULL; n++) {
        bool given = closed->result != 0;
        for (uint64_t m = 0;
             !given && (c = trial_next_call(t, &m, CALL_NAMES, -1)) != NULL && m < n; m++)
            given = c->result == closed->fd &&
                    (c->name == CALL_accept || c->name == CALL_accept4 || c->name == CALL_socket ||
                     c->name == CALL_epoll_create || c->name == CALL_epoll_create1);
        if (!given) {
            trial_mark(t, n, "no accept gave it descriptor %d: this is no client's", closed->fd);
            return;
        }
    }
}

bool scene_descriptors(struct trial *t, long count)
{
    struct level l = {t, count};
    if (wait_until(is_level, &l, "the server to close its descriptors"))
        return true;
    long now = trial_look(t)->descriptors;
    if (now < count)
        mark_stranger(t);
    return trial_fail(t, -1, "%ld descriptors are open, and it should be %ld: %s", now, count,
                      now < count ? "one was closed that was nobody's who has left"
                                  : "close what accept gave, however a client leaves");
}
