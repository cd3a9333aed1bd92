/* chat_crowds - many who come and go at once: races for a name, sudden leaves, no descriptors left,
 * and nothing left behind. */

#include "chat_suite.h"
#include "testkit/proc.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { MB = 1024 * 1024 };

/* ---- races for a name -------------------------------------------------------------------------- */

enum { RACERS = 50 };

/* All ask at the same moment, for the server stands still until all have asked.  Exactly one gets
 * the name; returns who. */
static int race(struct room_peer racers[RACERS], const char *request)
{
    int winner = -1;
    must(proc_freeze(server.pid));
    for (int i = 0; i < RACERS; i++)
        say(&racers[i], "{'type':'%s','nickname':'%s','id':'race'}", request,
            i % 2 ? "Highlander" : "highlandeR");
    must(proc_thaw(server.pid));
    for (int i = 0; i < RACERS; i++) {
        json_t *m = NULL;
        do { /* what others do is told as well */
            json_decref(m);
            must((m = room_next(&racers[i])) != NULL);
        } while (strcmp(room_text(m, "id"), "race") != 0);
        if (strcmp(room_text(m, "type"), "error") == 0) {
            ck_assert_str_eq(room_text(m, "code"), "nickname_taken");
        } else {
            ck_assert_int_eq(winner, -1);
            ck_assert_str_eq(room_text(m, "nickname"), i % 2 ? "Highlander" : "highlandeR");
            winner = i;
        }
        json_decref(m);
    }
    ck_assert_int_ne(winner, -1);
    return winner;
}

START_TEST(one_wins_a_race_for_a_name)
{
    static struct room_peer racers[RACERS];
    start_server("--rate", "0");
    struct room_peer witness;
    come(&witness, "witness", "lobby");
    for (int i = 0; i < RACERS; i++)
        must(room_connect(&racers[i], "racer", &server));
    for (int round = 0; round < 10; round++) { /* the name is free again, however its owner left */
        int winner = race(racers, "join");
        const char *name = winner % 2 ? "Highlander" : "highlandeR";
        expect(&witness, "{'type':'user_joined','nickname':'%s','room':'lobby'}", name);
        if (round % 3 == 0)
            room_reset(&racers[winner]);
        else if (round % 3 == 1)
            room_close(&racers[winner]);
        else
            say(&racers[winner], "{'type':'quit'}");
        expect(&witness, "{'type':'user_left','nickname':'%s','room':'lobby','reason':'%s'}", name,
               round % 3 == 2 ? "quit" : "connection lost");
        room_close(&racers[winner]);
        must(room_connect(&racers[winner], "racer", &server));
    }
    for (int i = 0; i < RACERS; i++) { /* those who lost are served */
        say(&racers[i], "{'type':'join','nickname':'r%d','room':'r%d'}", i, i);
        expect(&racers[i], "{'type':'welcome','nickname':'r%d','room':'r%d','users':['r%d']}", i, i,
               i);
    }
    race(racers, "nick");
    expect_silence(&witness);
    stop_server();
}
END_TEST

/* ---- joins and sudden leaves ------------------------------------------------------------------- */

/* So many guests in rooms of a hundred, in each a witness who stays. */
enum { ROOM_SIZE = 100, MOST_ROOMS = 100 };

struct leaving {
    struct room_peer witnesses[MOST_ROOMS];
    bool left_already[MOST_ROOMS][ROOM_SIZE];
    size_t left;
};

static bool take_leaving(struct room_peer *p, json_t *message, void *context)
{
    struct leaving *l = context;
    int room = -1, guest = -1;
    const char *type = room_text(message, "type");
    if (strcmp(type, "user_joined") == 0)
        return true;
    if (strcmp(type, "user_left") != 0 ||
        strcmp(room_text(message, "reason"), "connection lost") != 0 ||
        sscanf(room_text(message, "nickname"), "g%d.%d", &room, &guest) != 2 ||
        room != p - l->witnesses || l->left_already[room][guest])
        return fault("%s: %s of %s, %s: not once, or not expected", p->name, type,
                     room_text(message, "nickname"), room_text(message, "reason"));
    l->left_already[room][guest] = true;
    l->left--;
    return true;
}

static void count_joined(struct leaving *l, int rooms)
{
    for (int r = 0; r < rooms; r++)
        for (int g = 0; g < ROOM_SIZE; g++)
            expect(&l->witnesses[r], "{'type':'user_joined','nickname':'g%d.%d','room':'room%d'}",
                   r, g, r);
}

START_TEST(ten_thousand_join_and_leave_suddenly)
{
    size_t crowd = chat_crowd(WAIT_SCALE > 1 ? 2000 : MOST_ROOMS * ROOM_SIZE);
    int rooms = (int)(crowd / ROOM_SIZE);
    static struct leaving l;
    struct room_peer *guests = calloc((size_t)rooms * ROOM_SIZE, sizeof *guests);
    ck_assert_ptr_nonnull(guests);
    start_server("--rate", "0", "--max-clients", "15000", "--idle-timeout", "1000");
    for (int r = 0; r < rooms; r++) {
        char name[32], room[32];
        snprintf(name, sizeof name, "witness%d", r);
        snprintf(room, sizeof room, "room%d", r);
        come(&l.witnesses[r], name, room);
    }
    for (int i = 0; i < rooms * ROOM_SIZE; i++) {
        char name[32];
        snprintf(name, sizeof name, "g%d.%d", i / ROOM_SIZE, i % ROOM_SIZE);
        must(room_connect(&guests[i], name, &server));
        say(&guests[i], "{'type':'join','nickname':'%s','room':'room%d'}", name, i / ROOM_SIZE);
    }
    count_joined(&l, rooms);
    say(&l.witnesses[0], "{'type':'list_users'}");
    json_t *users = room_next_of(&l.witnesses[0], "users");
    must(users != NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(users, "users")),
                      (size_t)rooms * (ROOM_SIZE + 1));
    json_decref(users);
    long descriptors = proc_tree(server.pid).descriptors;

    l.left = (size_t)rooms * ROOM_SIZE;
    for (int i = 0; i < rooms * ROOM_SIZE;
         i++) { /* some have not read what came, some have a reset */
        if (i % 2 == 0)
            room_close(&guests[i]);
        else
            room_reset(&guests[i]);
    }
    must(room_pump(l.witnesses, (size_t)rooms, take_leaving, &l, &l.left, "all to have left"));
    for (int r = 0; r < rooms; r++)
        expect_silence(&l.witnesses[r]);
    must(chat_level(descriptors - (long)rooms * ROOM_SIZE));
    must(chat_serves());
    free(guests);
    stop_server();
}
END_TEST

/* ---- nothing is left behind -------------------------------------------------------------------- */

static void comes_and_goes(int turn)
{
    struct room_peer p;
    must(room_connect(&p, "guest", &server));
    if (turn % 5 > 0)
        say(&p, "{'type':'join','nickname':'guest%d','room':'room%d'}", turn, turn % 7);
    if (turn % 5 > 1)
        say(&p, "{'type':'message','content':'x'}\n{'type':'join_room','room':'other%d'}", turn);
    if (turn % 5 > 2)
        must(room_send(&p, "{\"type\":\"mess", 13));
    if (turn % 5 > 3)
        must(room_finish(&p));
    if (turn % 2)
        room_reset(&p);
    else
        room_close(&p);
}

/* Fifty at a time: what a crowd that is there at once takes is not what it leaves behind. */
static void come_and_go(int guests, long descriptors)
{
    for (int i = 0; i < guests; i++) {
        comes_and_goes(i);
        if (i % 50 < 49)
            continue;
        must(chat_serves());
        must(chat_level(descriptors));
    }
}

START_TEST(nothing_is_left_behind)
{
    enum { GUESTS = 1000 };
    start_server("--rate", "0");
    struct room_peer ann;
    come(&ann, "ann", "lobby");
    long descriptors = proc_tree(server.pid).descriptors;
    come_and_go(200, descriptors); /* warm */
    long before = chat_rss();
    come_and_go(GUESTS, descriptors);
    long grown = chat_rss() - before;
    ck_assert_msg(grown < MB * WAIT_SCALE, ": %d guests left %ld KB behind", GUESTS, grown / 1024);
    say(&ann, "{'type':'list_rooms'}");
    expect(&ann, "{'type':'rooms','rooms':[{'name':'lobby','users':1}]}");
    say(&ann, "{'type':'list_users'}");
    expect(&ann, "{'type':'users','room':null,'users':['ann']}");
    stop_server();
}
END_TEST

/* ---- no descriptors left ----------------------------------------------------------------------- */

static bool again_serves(void *context)
{
    (void)context;
    return chat_serves();
}

/* The limit is lowered while the server runs, so that max-clients cannot foresee it. */
START_TEST(no_descriptors_left)
{
    enum { WAITING = 20 };
    start_server("--rate", "0");
    struct room_peer people[2], waiting[WAITING];
    meet(people, 2, "ann", "bob");
    struct rlimit old, few = {0};
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_NOFILE, NULL, &old), 0);
    few = (struct rlimit){(rlim_t)proc_tree(server.pid).descriptors + 5, old.rlim_max};
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_NOFILE, &few, NULL), 0);
    for (int i = 0; i < WAITING; i++)
        must(room_connect(&waiting[i], "waiting", &server));
    for (int i = 0; i < 20; i++) { /* those who are in the room do not notice */
        say(&people[0], "{'type':'message','content':'%d'}", i);
        for (int k = 0; k < 2; k++)
            expect(&people[k], "{'type':'broadcast','from':'ann','room':'lobby','content':'%d'}",
                   i);
    }
    must(chat_sleeps());
    chat_close(waiting, WAITING);
    must(wait_until(again_serves, NULL, "a new client to be served"));
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_NOFILE, &old, NULL), 0);
    must(chat_serves());
    stop_server();
}
END_TEST

/* Who says good-bye and does not close holds a descriptor for a while; only so many do. */
START_TEST(who_quits_and_stays_is_counted)
{
    enum { QUITTERS = 200, MOST = 5, REFUSALS = 32 };
    static struct room_peer quitters[QUITTERS];
    start_server("--rate", "0", "--max-clients", "5");
    long most = proc_tree(server.pid).descriptors + MOST + REFUSALS + 1; /* turned away just now */
    for (int i = 0; i < QUITTERS; i++) {
        must(room_connect(&quitters[i], "quitter", &server));
        if (room_say(&quitters[i], "{'type':'quit'}"))
            json_decref(room_next(&quitters[i])); /* bye; or server_full, and it may be lost */
        ck_assert_int_le(proc_tree(server.pid).descriptors, most);
    }
    must(wait_until(again_serves, NULL, "a new client to be served"));
    stop_server();
}
END_TEST

START_TEST(idle_clients_cost_nothing)
{
    enum { IDLE = 500 };
    static struct room_peer idle[IDLE];
    start_server("--rate", "0");
    for (int i = 0; i < IDLE; i++) {
        char name[32];
        snprintf(name, sizeof name, "idle%d", i);
        come(&idle[i], name, name);
    }
    must(chat_sleeps());
    stop_server();
}
END_TEST

void chat_crowds(Suite *suite)
{
    TCase *group = chat_group(suite, "crowds");
    tcase_add_loop_test(group, one_wins_a_race_for_a_name, 0, BACKENDS);
    tcase_add_test(group, ten_thousand_join_and_leave_suddenly);
    tcase_add_test(group, nothing_is_left_behind);
    tcase_add_loop_test(group, no_descriptors_left, 0, BACKENDS);
    tcase_add_test(group, who_quits_and_stays_is_counted);
    tcase_add_loop_test(group, idle_clients_cost_nothing, 0, BACKENDS);
}
