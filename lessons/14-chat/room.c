/* room - who is in a room, and what is said there.  See room.h. */

#include "room.h"

#include "hub.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAPE = (32 << 10) - sizeof(struct chunk) }; /* bytes; a longer message gets a longer one */

static struct room *room_of(struct name *n)
{
    return (struct room *)n; /* its first member */
}

struct room *room_find(struct hub *hub, const char *name)
{
    struct name *n = names_find(&hub->rooms, name);
    if (n == NULL || (room_of(n)->count == 0 && room_of(n) != hub->lobby))
        return NULL;
    return room_of(n);
}

static void make_dirty(struct room *r)
{
    if (r->dirty)
        return;
    r->dirty = true;
    r->next_dirty = r->hub->dirty;
    r->hub->dirty = r;
}

struct chunk *room_new_tape(void)
{
    return chunk_new(TAPE, true);
}

struct room *room_open(struct hub *hub, const char *name)
{
    struct name *n = names_find(&hub->rooms, name);
    if (n != NULL)
        return room_of(n);
    struct room *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->hub = hub;
    snprintf(r->name.text, sizeof r->name.text, "%s", name);
    names_add(&hub->rooms, &r->name);
    make_dirty(r);
    return r;
}

/* ---- seats ---------------------------------------------------------------------------------- */

/* The first seat that does not come before a nickname. */
static size_t seat_place(const struct room *r, const char *nickname)
{
    size_t low = 0;
    size_t high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(r->seats[middle].session->name.text, nickname) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct seat *seat_of(const struct room *r, const struct session *s)
{
    return &r->seats[seat_place(r, s->name.text)];
}

struct seat room_unseat(struct room *r, const struct session *s)
{
    struct seat *seat = seat_of(r, s);
    struct seat taken = *seat;
    r->count--;
    memmove(seat, seat + 1, (size_t)(r->seats + r->count - seat) * sizeof *seat);
    return taken;
}

void room_reseat(struct room *r, struct seat seat)
{
    struct seat *place = seat_of(r, seat.session);
    memmove(place + 1, place, (size_t)(r->seats + r->count - place) * sizeof *place);
    *place = seat;
    r->count++;
}

static uint32_t tape_end(const struct room *r)
{
    return r->tape != NULL ? r->tape->used : 0;
}

int room_enter(struct room *r, struct session *s)
{
    if (r->count == r->capacity) {
        size_t capacity = r->capacity > 0 ? 2 * r->capacity : 4;
        struct seat *seats = realloc(r->seats, capacity * sizeof *seats);
        if (seats == NULL)
            return -1;
        r->seats = seats;
        r->capacity = capacity;
    }
    if (session_add_room(s, r) == -1)
        return -1;
    room_reseat(r, (struct seat){s, tape_end(r), r->serial});
    return 0;
}

void room_leave(struct room *r, struct session *s)
{
    room_settle_one(r, s);
    room_unseat(r, s);
    session_remove_room(s, r);
    if (r->count == 0)
        make_dirty(r); /* to be swept */
}

/* ---- the tape ------------------------------------------------------------------------------- */

/* Let a member's outbox refer to what it has not got yet. */
static void settle_seat(const struct room *r, struct seat *seat)
{
    uint32_t from = seat->serial == r->serial ? seat->from : 0;
    seat->serial = r->serial;
    seat->from = r->tape->used;
    session_refer(seat->session, r->tape, from, r->tape->used);
}

void room_settle(struct room *r)
{
    if (r->tape == NULL)
        return;
    for (size_t i = 0; i < r->count; i++)
        settle_seat(r, &r->seats[i]);
}

void room_settle_one(struct room *r, struct session *s)
{
    if (r->tape != NULL && r->dirty)
        settle_seat(r, seat_of(r, s));
}

void room_skip(struct room *r, struct session *s)
{
    struct seat *seat = seat_of(r, s);
    seat->serial = r->serial;
    seat->from = tape_end(r);
}

/* A fresh tape, where all members stand at the beginning.  The full one goes out at once: a turn that
 * brings more than a tape holds must not let it pile up in the outboxes. */
static int change_tape(struct room *r, size_t least)
{
    struct hub *hub = r->hub;
    if (r->tape != NULL) {
        room_settle(r);
        hub_flush(hub);
    }
    struct chunk *tape = NULL;
    if (r->tape != NULL && r->tape->references == 1 && r->tape->capacity >= least) {
        tape = r->tape;
        tape->used = 0;
    } else if (hub->spare_tape != NULL && hub->spare_tape->capacity >= least) {
        tape = hub->spare_tape;
        hub->spare_tape = NULL;
    } else if ((tape = chunk_new(least > TAPE ? least : TAPE, true)) == NULL) {
        if (hub->last_tape == NULL || hub->last_tape->capacity < least)
            return -1;
        tape = hub->last_tape;
        hub->last_tape = NULL;
    }
    if (r->tape != NULL && r->tape != tape)
        chunk_drop(r->tape);
    r->tape = tape;
    r->serial++;
    return 0;
}

int room_say(struct room *r, const char *bytes, size_t size)
{
    struct hub *hub = r->hub;
    if (r->crossing > 0 && hub->written != r) {
        if (hub->written != NULL)
            room_settle(hub->written);
        hub->written = r;
    }
    if ((r->tape == NULL || r->tape->capacity - r->tape->used < size) && change_tape(r, size) == -1)
        return -1;
    memcpy(r->tape->bytes + r->tape->used, bytes, size);
    r->tape->used += (uint32_t)size;
    hub->stats.out += r->count;
    make_dirty(r);
    return 0;
}

void room_sweep(struct room *r)
{
    struct hub *hub = r->hub;
    if (r->tape != NULL && (r->tape->references == 1 || r->count == 0)) {
        struct chunk **kept = hub->last_tape == NULL ? &hub->last_tape : &hub->spare_tape;
        if (*kept == NULL && r->tape->references == 1 && r->tape->capacity == TAPE) {
            r->tape->used = 0;
            *kept = r->tape;
        } else {
            chunk_drop(r->tape);
        }
        r->tape = NULL;
        r->serial++;
    }
    if (r->count == 0 && r != hub->lobby) {
        names_remove(&hub->rooms, &r->name);
        free(r->seats);
        free(r);
    }
}
