/* chat_order - nothing lost, nothing doubled, and one order, with many who talk at the same time. */

#include "chat_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SENDERS = 40,
    ROOMS = 8,
    ROOMS_OF_EACH = 3,
    MESSAGES = 96, /* of each: three of four to its rooms in turn, one to its friend */
    TALK_MAX = SENDERS * MESSAGES
};

/* The room that a sender is in as its nth one. */
static int room_of(int sender, int n)
{
    return (sender + n * (n + 1) / 2) % ROOMS; /* steps of 1 and 2: all different */
}

static bool is_in(int sender, int room)
{
    for (int n = 0; n < ROOMS_OF_EACH; n++)
        if (room_of(sender, n) == room)
            return true;
    return false;
}

static int friend_of(int sender)
{
    return (sender + 7) % SENDERS;
}

/* What has come so far. */
struct talk {
    struct room_peer peers[SENDERS];
    size_t left;
    int order[ROOMS][TALK_MAX]; /* of a room's messages, as the first who got each tells */
    int length[ROOMS];
    int seen[SENDERS][ROOMS];     /* how many of that order each has got */
    int newest[SENDERS][SENDERS]; /* the number of the last message from each to each, or -1 */
};

static bool is_in_order(struct talk *t, int who, int room, int message)
{
    int place = t->seen[who][room]++;
    if (place == t->length[room])
        t->order[room][t->length[room]++] = message;
    return t->order[room][place] == message ||
           fault(
               "as number %d of room %d came message %d of sender %d, and somebody else got %d of "
               "%d",
               place, room, message % MESSAGES, message / MESSAGES,
               t->order[room][place] % MESSAGES, t->order[room][place] / MESSAGES);
}

static bool take_talk(struct room_peer *p, json_t *message, void *context)
{
    struct talk *t = context;
    int who = (int)(p - t->peers), sender = -1, number = -1, from = -1, room = -1;
    bool is_private = strcmp(room_text(message, "type"), "private") == 0;
    if (!is_private && strcmp(room_text(message, "type"), "broadcast") != 0)
        return fault("%s: got a message of type %s", p->name, room_text(message, "type"));
    if (sscanf(room_text(message, "content"), "%d %d", &sender, &number) != 2 ||
        sscanf(room_text(message, "from"), "s%d", &from) != 1 || from != sender)
        return fault("%s: '%s' from %s", p->name, room_text(message, "content"),
                     room_text(message, "from"));
    if (t->newest[sender][who] >= number)
        return fault("%s: message %d of sender %d came after %d", p->name, number, sender,
                     t->newest[sender][who]);
    t->newest[sender][who] = number;
    t->left--;
    if (is_private)
        return who == sender || who == friend_of(sender) ||
               fault("%s: got what %d said to %d", p->name, sender, friend_of(sender));
    if (sscanf(room_text(message, "room"), "r%d", &room) != 1 || !is_in(who, room))
        return fault("%s: got a message of room %s", p->name, room_text(message, "room"));
    return is_in_order(t, who, room, sender * MESSAGES + number) ||
           fault("%s: %s", p->name, fault_text());
}

/* Whatever comes before the answer to a ping is of no interest. */
static void skip_to_pong(struct room_peer *p, const char *id)
{
    say(p, "{'type':'ping','id':'%s'}", id);
    for (bool there = false; !there;) {
        json_t *m = room_next(p);
        must(m != NULL);
        there = strcmp(room_text(m, "id"), id) == 0;
        json_decref(m);
    }
}

/* All join and wait until all are there; the joins and welcomes are taken as they come. */
static void gather(struct talk *t)
{
    for (int i = 0; i < SENDERS; i++) {
        char name[16], room[16];
        snprintf(name, sizeof name, "s%d", i);
        snprintf(room, sizeof room, "r%d", room_of(i, 0));
        come(&t->peers[i], name, room);
        for (int n = 1; n < ROOMS_OF_EACH; n++)
            say(&t->peers[i], "{'type':'join_room','room':'r%d'}", room_of(i, n));
        skip_to_pong(&t->peers[i], "there");
    }
    for (int i = 0; i < SENDERS; i++)
        skip_to_pong(&t->peers[i], "all");
}

START_TEST(many_who_talk_at_once)
{
    start_server("--rate", "0", "--send-queue", "67108864");
    struct talk *t = calloc(1, sizeof *t);
    ck_assert_ptr_nonnull(t);
    memset(t->newest, -1, sizeof t->newest);
    gather(t);
    int members[ROOMS] = {0};
    for (int i = 0; i < SENDERS; i++)
        for (int n = 0; n < ROOMS_OF_EACH; n++)
            members[room_of(i, n)]++;
    for (int i = 0; i < SENDERS; i++)
        for (int m = 0; m < MESSAGES; m++) {
            int room = room_of(i, m % 4);
            if (m % 4 == ROOMS_OF_EACH) {
                must(room_queue(&t->peers[i], "{'type':'private','to':'S%d','content':'%d %d'}",
                                friend_of(i), i, m));
                t->left += 2;
            } else {
                must(room_queue(&t->peers[i], "{'type':'message','room':'r%d','content':'%d %d'}",
                                room, i, m));
                t->left += (size_t)members[room];
            }
        }
    must(room_pump(t->peers, SENDERS, take_talk, t, &t->left, "the messages of many"));
    for (int i = 0; i < SENDERS; i++) { /* all has come, and nothing twice */
        expect_silence(&t->peers[i]);
        for (int r = 0; r < ROOMS; r++)
            ck_assert_int_eq(t->seen[i][r], is_in(i, r) ? t->length[r] : 0);
    }
    free(t);
    stop_server();
}
END_TEST

/* ---- coming and going while others talk -------------------------------------------------------- */

enum { VISITS = 60 };

struct visits {
    struct room_peer peers[3]; /* the visitor, the talker, the witness */
    size_t left;
    bool inside, there; /* the visitor, as it was told, and as the witness was */
};

/* cppcheck-suppress constParameter ; a room_take */
static bool take_visit(struct room_peer *p, json_t *message, void *context)
{
    struct visits *v = context;
    const char *type = room_text(message, "type");
    bool of_den = strcmp(room_text(message, "room"), "den") == 0;
    if (p == &v->peers[0]) {
        if (strcmp(type, "room_joined") == 0)
            v->inside = true;
        else if (strcmp(type, "room_left") == 0)
            v->inside = false;
        else if (!v->inside && of_den)
            return fault("the visitor got a %s of a room that it has left", type);
    } else if (p == &v->peers[2] && strcmp(room_text(message, "nickname"), "visitor") == 0) {
        bool came = strcmp(type, "user_joined") == 0;
        if (came == v->there)
            return fault("the witness was told twice that the visitor has %s",
                         came ? "come" : "left");
        v->there = came;
        v->left--;
    }
    return true;
}

START_TEST(who_has_left_gets_nothing_afterwards)
{
    start_server("--rate", "0", "--send-queue", "67108864");
    struct visits v = {.left = 2 * VISITS};
    come(&v.peers[0], "visitor", "hall");
    come(&v.peers[1], "talker", "den");
    come(&v.peers[2], "witness", "den");
    for (int i = 0; i < VISITS; i++) {
        must(room_queue(&v.peers[0], "{'type':'join_room','room':'den'}"));
        for (int n = 0; n < 5; n++)
            must(room_queue(&v.peers[0], "{'type':'message','room':'den','content':'in'}"));
        must(room_queue(&v.peers[0], "{'type':'leave_room','room':'den'}"));
        for (int n = 0; n < 20; n++)
            must(room_queue(&v.peers[1], "{'type':'message','content':'talk'}"));
    }
    must(room_pump(v.peers, 3, take_visit, &v, &v.left, "the visitor's comings and goings"));
    stop_server();
}
END_TEST

void chat_order(Suite *suite)
{
    TCase *group = chat_group(suite, "order");
    tcase_add_loop_test(group, many_who_talk_at_once, 0, BACKENDS);
    tcase_add_test(group, who_has_left_gets_nothing_afterwards);
}
