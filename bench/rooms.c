/* rooms - what the members of chat rooms must get, and whether they do.  See rooms.h. */

#include "rooms.h"

#include "die.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PERIOD = 65521,       /* bytes until the filler repeats: a prime */
    FIRST_CAPACITY = 128, /* places of a room, and messages */
    LINE_EXTRA = 400,     /* what a kept line may have beside the content */
};

struct room *rooms;
size_t rooms_slot;
bool rooms_echo;
uint64_t rooms_in_flight;

static size_t content_size;
static char filler[PERIOD + ROOMS_CONTENT_MAX];

/* Messages by number, a ring: all before `settled` are with everybody. */
static struct message *messages;
static size_t messages_capacity;
static uint64_t n_sent, settled;

static void *grown(void *memory, size_t count, size_t size)
{
    memory = reallocarray(memory, count, size);
    if (memory == NULL)
        die("no memory for the messages that are under way");
    return memory;
}

void rooms_make(size_t n, size_t size, bool echo)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    uint32_t x = 2463534242; /* xorshift: no stretch is like another */
    for (size_t i = 0; i < sizeof filler; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        filler[i] = i < PERIOD ? letters[x % (sizeof letters - 1)] : filler[i - PERIOD];
    }
    content_size = size;
    rooms_echo = echo;
    rooms_slot = size + LINE_EXTRA;
    rooms = calloc_or_die(n, sizeof *rooms);
    for (size_t i = 0; i < n; i++) {
        rooms[i].capacity = FIRST_CAPACITY;
        rooms[i].places = calloc_or_die(FIRST_CAPACITY, sizeof *rooms[i].places);
        rooms[i].lines = calloc_or_die(FIRST_CAPACITY, rooms_slot);
    }
    messages_capacity = FIRST_CAPACITY;
    messages = calloc_or_die(FIRST_CAPACITY, sizeof *messages);
}

void rooms_free(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(rooms[i].places);
        free(rooms[i].lines);
        free(rooms[i].seats);
    }
    free(rooms);
    free(messages);
}

/* ---- who is there ------------------------------------------------------------------------------- */

void rooms_enter(struct seat *seat, uint32_t room, bool member)
{
    struct room *r = &rooms[room];
    *seat = (struct seat){.room = room,
                          .taken = true,
                          .member = member,
                          .fresh = !member,
                          .since = INT64_MAX,
                          .next = r->head};
    if (r->n_seats == r->seats_capacity) {
        r->seats_capacity = r->seats_capacity > 0 ? r->seats_capacity * 2 : FIRST_CAPACITY;
        r->seats = grown(r->seats, r->seats_capacity, sizeof(struct seat *));
    }
    r->seats[r->n_seats++] = seat;
    r->n_members += member;
}

void rooms_inside(struct seat *seat, int64_t now)
{
    seat->since = now;
}

uint64_t rooms_mark(const struct seat *seat)
{
    return rooms[seat->room].head;
}

struct message *rooms_message(uint64_t number)
{
    return number >= settled && number < n_sent ? &messages[number & (messages_capacity - 1)]
                                                : NULL;
}

void rooms_settle(struct message *m)
{
    if (--m->owed > 0)
        return;
    rooms_in_flight--;
    while (settled < n_sent && messages[settled & (messages_capacity - 1)].owed == 0)
        settled++;
}

static const struct place *place_at(const struct room *r, uint64_t place)
{
    return &r->places[place & (r->capacity - 1)];
}

/* Is a seat owed what stands there?  Not what it has sent itself, where there is no echo; nor, if it
 * has just come, what may have been sent before it did. */
static bool is_owed(const struct seat *seat, const struct place *p)
{
    return (rooms_echo || p->from != seat) && (!seat->fresh || p->since > seat->since);
}

/* Go on to a place and give up what was owed before it.  Returns how many messages that is. */
static unsigned long skip_to(struct seat *seat, uint64_t place)
{
    const struct room *r = &rooms[seat->room];
    unsigned long lost = 0;
    for (; seat->next < place; seat->next++) {
        const struct place *p = place_at(r, seat->next);
        if (!is_owed(seat, p))
            continue;
        lost++;
        struct message *m = seat->member ? rooms_message(p->number) : NULL;
        if (m != NULL)
            rooms_settle(m);
    }
    return lost;
}

/* Where the message stands in the order, from where the seat is; the end if it does not. */
static uint64_t find(const struct seat *seat, uint64_t number)
{
    const struct room *r = &rooms[seat->room];
    uint64_t place = seat->next;
    while (place < r->head && place_at(r, place)->number != number)
        place++;
    return place;
}

/* The seat has got what stands there.  Returns how many messages it has not got before. */
static unsigned long go_past(struct seat *seat, uint64_t place)
{
    unsigned long lost = skip_to(seat, place);
    seat->next = place + 1;
    seat->fresh = false;
    return lost;
}

/* What a visitor got before any member may have its place by now.  A visitor cannot tell what the
 * order is: there may be messages from before it came, which the members have still to read. */
static unsigned long settle_early(struct seat *seat)
{
    unsigned long lost = 0;
    size_t i = 0;
    for (; i < seat->n_early; i++) {
        uint64_t place = find(seat, seat->early[i]);
        if (place == rooms[seat->room].head)
            break;
        lost += go_past(seat, place);
    }
    seat->n_early -= i;
    if (i > 0)
        memmove(seat->early, seat->early + i, seat->n_early * sizeof *seat->early);
    return lost;
}

static void keep_early(struct seat *seat, uint64_t number)
{
    if (seat->n_early == seat->early_capacity) {
        seat->early_capacity = seat->early_capacity > 0 ? seat->early_capacity * 2 : FIRST_CAPACITY;
        seat->early = grown(seat->early, seat->early_capacity, sizeof *seat->early);
    }
    seat->early[seat->n_early++] = number;
}

unsigned long rooms_leave(struct seat *seat, uint64_t upto)
{
    struct room *r = &rooms[seat->room];
    unsigned long lost = settle_early(seat);
    free(seat->early);
    seat->early = NULL;
    seat->n_early = seat->early_capacity = 0;
    lost += skip_to(seat, seat->member ? r->head : upto);
    for (uint64_t n = settled; seat->member && n < n_sent; n++) {
        struct message *m = rooms_message(n);
        if (m == NULL || m->owed == 0 || m->placed || m->from->room != seat->room ||
            (!rooms_echo && m->from == seat))
            continue;
        lost++;
        rooms_settle(m);
    }
    for (size_t i = 0; i < r->n_seats; i++)
        if (r->seats[i] == seat) {
            r->seats[i] = r->seats[--r->n_seats];
            break;
        }
    r->n_members -= seat->member;
    seat->taken = false;
    return lost;
}

/* ---- messages ------------------------------------------------------------------------------------ */

static const char *filler_of(uint64_t number)
{
    return filler + number * 7919 % PERIOD;
}

void rooms_send(struct seat *from, uint32_t sender, int64_t since, char *content)
{
    if (n_sent - settled == messages_capacity) {
        struct message *old = messages;
        messages = calloc_or_die(messages_capacity * 2, sizeof *messages);
        for (uint64_t n = settled; n < n_sent; n++)
            messages[n & (messages_capacity * 2 - 1)] = old[n & (messages_capacity - 1)];
        messages_capacity *= 2;
        free(old);
    }
    char mark[ROOMS_CONTENT_MIN + 8];
    snprintf(mark, sizeof mark, "%06u %010llu ", sender % 1000000,
             (unsigned long long)n_sent % 10000000000);
    memcpy(content, mark, ROOMS_CONTENT_MIN);
    memcpy(content + ROOMS_CONTENT_MIN, filler_of(n_sent), content_size - ROOMS_CONTENT_MIN);
    uint32_t owed = (uint32_t)rooms[from->room].n_members - (rooms_echo ? 0 : 1);
    messages[n_sent++ & (messages_capacity - 1)] = (struct message){
        .from = from, .sender = sender, .turn = from->sent++, .owed = owed, .since = since};
    if (owed > 0)
        rooms_in_flight++;
}

/* So many digits; false if there is anything else. */
static bool digits(const char *at, int count, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        *value = *value * 10 + (uint64_t)(at[i] - '0');
    }
    return true;
}

/* Which message this is; *number stays if that cannot be said.  False if the content is not as it
 * was sent. */
static bool recognise(struct text content, uint64_t *number)
{
    uint64_t sender = 0;
    uint64_t named = 0;
    if (content.length != content_size || !digits(content.bytes + 7, 10, &named))
        return false;
    *number = named;
    const struct message *m = rooms_message(named);
    return digits(content.bytes, 6, &sender) && (m == NULL || m->sender == sender) &&
           content.bytes[6] == ' ' && content.bytes[17] == ' ' &&
           memcmp(content.bytes + ROOMS_CONTENT_MIN, filler_of(named),
                  content_size - ROOMS_CONTENT_MIN) == 0;
}

/* Is the sender's name the one that its number makes? */
static bool is_from(struct text who, uint32_t sender)
{
    char name[16];
    snprintf(name, sizeof name, ROOMS_NICKNAME, sender);
    return who.bytes == NULL || text_is(who, name);
}

/* Make room for one more place: forget those that everybody has passed, or take more memory. */
static void room_make_place(struct room *r)
{
    if (r->head - r->tail < r->capacity)
        return;
    r->tail = r->head;
    for (size_t i = 0; i < r->n_seats; i++)
        if (r->seats[i]->next < r->tail)
            r->tail = r->seats[i]->next;
    if (r->head - r->tail <= r->capacity / 2)
        return;
    struct place *places = calloc_or_die(r->capacity * 2, sizeof *places);
    char *lines = calloc_or_die(r->capacity * 2, rooms_slot);
    for (uint64_t n = r->tail; n < r->head; n++) {
        size_t from = n & (r->capacity - 1);
        size_t to = n & (r->capacity * 2 - 1);
        places[to] = r->places[from];
        memcpy(lines + to * rooms_slot, r->lines + from * rooms_slot, r->places[from].length);
    }
    free(r->places);
    free(r->lines);
    r->places = places;
    r->lines = lines;
    r->capacity *= 2;
}

static void room_append(struct room *r, struct message *m, uint64_t number, const char *line,
                        size_t length)
{
    room_make_place(r);
    size_t slot = r->head++ & (r->capacity - 1);
    r->places[slot] = (struct place){.number = number,
                                     .from = m->from,
                                     .since = m->since,
                                     .length = length <= rooms_slot ? length : 0};
    memcpy(r->lines + slot * rooms_slot, line, r->places[slot].length);
    m->placed = true;
}

/* A message that nobody in the room has got yet.  Its sender's must come in turn. */
static void first_seen(struct message *m, uint64_t number, const char *line, size_t length,
                       char fault[ROOMS_FAULT], unsigned long *errors)
{
    struct seat *from = m->from;
    if (m->turn != from->ordered) {
        snprintf(fault, ROOMS_FAULT, "message %u of client %u came before its message %u",
                 m->turn + 1, m->sender + 1, from->ordered + 1);
        (*errors)++;
    }
    from->ordered = m->turn + 1;
    room_append(&rooms[from->room], m, number, line, length);
}

struct message *rooms_take(struct seat *seat, const char *line, size_t length,
                           const struct arrival *a, char fault[ROOMS_FAULT], unsigned long *errors)
{
    const struct room *r = &rooms[seat->room];
    uint64_t number = seat->next < r->head ? place_at(r, seat->next)->number : r->head;
    *fault = '\0';
    if (a->content.bytes != NULL && !recognise(a->content, &number)) {
        snprintf(fault, ROOMS_FAULT, "a message was altered: '%.*s'",
                 a->content.length < 100 ? (int)a->content.length : 100, a->content.bytes);
        (*errors)++;
        length = SIZE_MAX; /* not to be kept: each that comes so is an error */
    }
    struct message *m = rooms_message(number);
    if (number >= n_sent || (m != NULL && m->from->room != seat->room)) {
        snprintf(fault, ROOMS_FAULT, "message %llu came, which %s", (unsigned long long)number + 1,
                 number >= n_sent ? "nobody sent" : "was sent to another room");
        (*errors)++;
        return NULL;
    }
    if (m != NULL && !is_from(a->who, m->sender)) {
        snprintf(fault, ROOMS_FAULT, "message %llu came as if from %.*s",
                 (unsigned long long)number + 1, (int)a->who.length, a->who.bytes);
        (*errors)++;
        length = SIZE_MAX;
    }
    unsigned long lost = settle_early(seat);
    uint64_t place = find(seat, number);
    if (place == r->head && (m == NULL || m->placed)) {
        snprintf(fault, ROOMS_FAULT, "message %llu came twice, or out of order",
                 (unsigned long long)number + 1);
        (*errors)++;
        return NULL;
    }
    if (place < r->head || seat->member) {
        if (place == r->head)
            first_seen(m, number, line, length, fault, errors);
        lost += go_past(seat, place);
    } else {
        keep_early(seat, number);
    }
    if (lost > 0 && *fault == '\0')
        snprintf(fault, ROOMS_FAULT, "message %llu came, and not the %lu before it",
                 (unsigned long long)number + 1, lost);
    *errors += lost;
    return seat->member ? m : NULL;
}
