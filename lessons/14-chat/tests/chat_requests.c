/* chat_requests - every request of the protocol page: its direct reply, what others see, and what
 * they do not see. */

#include "chat_suite.h"

#include <string.h>

/* ---- join and quit ----------------------------------------------------------------------------- */

START_TEST(join_welcomes)
{
    start_server("--rate", "0");
    struct room_peer ann, bob, eve;
    must(room_connect(&ann, "ann", &server));
    say(&ann, "{'type':'join','nickname':'ann'}");
    expect(&ann, "{'type':'welcome','nickname':'ann','room':'lobby','users':['ann']}");
    come(&eve, "eve", "den");
    must(room_connect(&bob, "Bob", &server));
    say(&bob, "{'type':'join','nickname':'Bob','id':'j1'}");
    expect(&bob, "{'type':'welcome','nickname':'Bob','room':'lobby','users':['Bob','ann'],"
                 "'id':'j1'}");
    expect(&ann, "{'type':'user_joined','nickname':'Bob','room':'lobby'}");
    expect_silence(&ann);
    expect_silence(&eve);
    stop_server();
}
END_TEST

START_TEST(join_may_name_a_room)
{
    start_server("--rate", "0");
    struct room_peer ann, bob;
    come(&ann, "ann", "lobby");
    must(room_connect(&bob, "bob", &server));
    say(&bob, "{'type':'join','nickname':'bob','room':'den','id':7}");
    expect(&bob, "{'type':'welcome','nickname':'bob','room':'den','users':['bob'],'id':7}");
    say(&bob, "{'type':'message','content':'x'}");
    expect(&bob, "{'type':'broadcast','from':'bob','room':'den','content':'x'}");
    expect_silence(&ann);
    say(&ann, "{'type':'list_users'}");
    expect(&ann, "{'type':'users','room':null,'users':['ann','bob']}");
    stop_server();
}
END_TEST

static bool limit_is(const json_t *welcome, const char *name, double value)
{
    const json_t *limit = json_object_get(json_object_get(welcome, "limits"), name);
    if (!json_is_number(limit))
        return fault("welcome has no limit %s", name);
    return json_number_value(limit) == value ||
           fault("limit %s is %g, not %g", name, json_number_value(limit), value);
}

START_TEST(welcome_tells_the_limits)
{
    struct room_peer ann;
    must(chat_start(_i,
                    SUBJECT_ARGS("--quiet", "--max-line", "5000", "--max-bad-lines", "7",
                                 "--join-timeout", "11", "--idle-timeout", "33", "--rate", "9",
                                 "--send-queue", "100000", "--drain-timeout", "3", "--max-clients",
                                 "99"),
                    0));
    must(room_connect(&ann, "ann", &server));
    say(&ann, "{'type':'join','nickname':'ann'}");
    json_t *welcome = room_next_of(&ann, "welcome");
    must(welcome != NULL && limit_is(welcome, "max-line", 5000) &&
         limit_is(welcome, "max-bad-lines", 7) && limit_is(welcome, "join-timeout", 11) &&
         limit_is(welcome, "idle-timeout", 33) && limit_is(welcome, "rate", 9) &&
         limit_is(welcome, "send-queue", 100000) && limit_is(welcome, "drain-timeout", 3) &&
         limit_is(welcome, "max-clients", 99));
    json_decref(welcome);
    stop_server();
}
END_TEST

START_TEST(default_limits)
{
    struct room_peer ann;
    must(chat_start(_i, SUBJECT_ARGS("--quiet"), 0));
    must(room_connect(&ann, "ann", &server));
    say(&ann, "{'type':'join','nickname':'ann'}");
    json_t *welcome = room_next_of(&ann, "welcome");
    must(welcome != NULL && limit_is(welcome, "max-line", 8192) &&
         limit_is(welcome, "max-bad-lines", 10) && limit_is(welcome, "join-timeout", 15) &&
         limit_is(welcome, "idle-timeout", 60) && limit_is(welcome, "rate", 20) &&
         limit_is(welcome, "send-queue", 256 * 1024) && limit_is(welcome, "drain-timeout", 10));
    if (chat_crowd(11000) == 11000)
        must(limit_is(welcome, "max-clients", 10000));
    json_decref(welcome);
    stop_server();
}
END_TEST

START_TEST(quit_says_bye)
{
    start_server("--rate", "0");
    struct room_peer people[3], *ann = &people[0], *bob = &people[1], *eve = &people[2];
    meet(people, 3, "ann", "bob", "eve");
    say(bob, "{'type':'join_room','room':'den'}");
    expect(bob, "{'type':'room_joined','room':'den','users':['bob']}");
    say(ann, "{'type':'join_room','room':'den'}");
    expect(ann, "{'type':'room_joined','room':'den','users':['ann','bob']}");
    expect(bob, "{'type':'user_joined','nickname':'ann','room':'den'}");

    say(ann, "{'type':'quit','id':9}\n{'type':'message','room':'lobby','content':'after'}");
    expect(ann, "{'type':'bye','reason':'quit','id':9}");
    expect_end(ann);
    expect(eve, "{'type':'user_left','nickname':'ann','room':'lobby','reason':'quit'}");
    expect_silence(eve);
    for (int lobby = 0, den = 0; lobby + den < 2;) { /* once for each room, in any order */
        json_t *left = room_next_of(bob, "user_left");
        must(left != NULL);
        lobby += strcmp(room_text(left, "room"), "lobby") == 0;
        den += strcmp(room_text(left, "room"), "den") == 0;
        ck_assert_str_eq(room_text(left, "nickname"), "ann");
        ck_assert_str_eq(room_text(left, "reason"), "quit");
        ck_assert_int_le(lobby, 1);
        ck_assert_int_le(den, 1);
        json_decref(left);
    }
    expect_silence(bob);
    come(ann, "ann", "lobby"); /* the name is free again */
    stop_server();
}
END_TEST

START_TEST(quit_before_join)
{
    start_server("--rate", "0");
    struct room_peer ann, bob;
    come(&ann, "ann", "lobby");
    must(room_connect(&bob, "bob", &server));
    say(&bob, "{'type':'quit'}");
    expect(&bob, "{'type':'bye','reason':'quit'}");
    expect_end(&bob);
    expect_silence(&ann);
    stop_server();
}
END_TEST

START_TEST(connection_lost_is_told_once)
{
    start_server("--rate", "0");
    struct room_peer people[3], *ann = &people[0];
    for (int way = 0; way < 3; way++) {
        meet(people, 3, "ann", "bob", "eve");
        if (way == 0)
            room_close(ann);
        else if (way == 1)
            room_reset(ann);
        else
            must(room_finish(ann));
        for (size_t i = 1; i < 3; i++) {
            expect(&people[i], "{'type':'user_left','nickname':'ann','room':'lobby',"
                               "'reason':'connection lost'}");
            expect_silence(&people[i]);
        }
        if (way == 2)
            expect_end(ann);
        for (size_t i = 1; i < 3; i++) {
            say(&people[i], "{'type':'list_users','room':'lobby'}");
            expect(&people[i], "{'type':'users','room':'lobby','users':['bob','eve']}");
        }
        for (size_t i = 1; i < 3; i++) { /* leave, so that the next round begins with nobody */
            say(&people[i], "{'type':'quit'}");
            expect(&people[i], "{'type':'bye','reason':'quit'}");
            expect_end(&people[i]);
            if (i == 1)
                expect(&people[2],
                       "{'type':'user_left','nickname':'bob','room':'lobby','reason':'quit'}");
        }
        chat_close(people, 3);
    }
    stop_server();
}
END_TEST

/* ---- nick -------------------------------------------------------------------------------------- */

START_TEST(nick_is_told_once_to_each_who_shares_a_room)
{
    start_server("--rate", "0");
    struct room_peer people[3], stranger, *ann = &people[0], *bob = &people[1];
    meet(people, 3, "ann", "bob", "eve");
    come(&stranger, "stranger", "elsewhere");
    for (size_t i = 0; i < 2; i++) /* ann and bob share two rooms */
        say(&people[i], "{'type':'join_room','room':'den'}");
    json_t *first = room_next_of(ann, "room_joined"), *second = room_next_of(bob, "room_joined");
    must(first != NULL && second != NULL);
    bool ann_was_first = json_array_size(json_object_get(first, "users")) == 1;
    json_decref(first);
    json_decref(second);
    expect(ann_was_first ? ann : bob, "{'type':'user_joined','nickname':'%s','room':'den'}",
           ann_was_first ? "bob" : "ann");

    say(ann, "{'type':'nick','nickname':'Anna','id':'n'}");
    expect(ann, "{'type':'nick_changed','old':'ann','nickname':'Anna','id':'n'}");
    for (size_t i = 1; i < 3; i++) {
        expect(&people[i], "{'type':'nick_changed','old':'ann','nickname':'Anna'}");
        expect_silence(&people[i]);
    }
    expect_silence(ann);
    expect_silence(&stranger);

    /* From now on she is Anna, and ann is free. */
    say(ann, "{'type':'message','content':'x','room':'lobby'}");
    for (size_t i = 0; i < 3; i++)
        expect(&people[i], "{'type':'broadcast','from':'Anna','room':'lobby','content':'x'}");
    say(&stranger, "{'type':'private','to':'ann','content':'x'}");
    expect_error(&stranger, "no_such_user", NULL);
    say(&stranger, "{'type':'private','to':'ANNA','content':'x'}");
    expect(&stranger, "{'type':'private','from':'stranger','to':'Anna','content':'x'}");
    expect(ann, "{'type':'private','from':'stranger','to':'Anna','content':'x'}");
    say(&stranger, "{'type':'nick','nickname':'ann'}");
    expect(&stranger, "{'type':'nick_changed','old':'stranger','nickname':'ann'}");
    say(bob, "{'type':'list_users'}");
    expect(bob, "{'type':'users','room':null,'users':['Anna','ann','bob','eve']}");
    stop_server();
}
END_TEST

START_TEST(nick_may_change_its_case_only)
{
    start_server("--rate", "0");
    struct room_peer people[2];
    meet(people, 2, "ann", "bob");
    say(&people[0], "{'type':'nick','nickname':'ANN'}");
    for (size_t i = 0; i < 2; i++)
        expect(&people[i], "{'type':'nick_changed','old':'ann','nickname':'ANN'}");
    say(&people[1], "{'type':'list_users','room':'lobby'}");
    expect(&people[1], "{'type':'users','room':'lobby','users':['ANN','bob']}");
    stop_server();
}
END_TEST

/* ---- message and private ----------------------------------------------------------------------- */

START_TEST(message_reaches_the_room_alone)
{
    start_server("--rate", "0");
    struct room_peer people[3], stranger, waiting;
    meet(people, 3, "ann", "bob", "eve");
    come(&stranger, "stranger", "den");
    must(room_connect(&waiting, "waiting", &server));
    say(&people[0], "{'type':'message','content':'good morning','id':'m 1'}");
    expect(&people[0], "{'type':'broadcast','from':'ann','room':'lobby',"
                       "'content':'good morning','id':'m 1'}");
    for (size_t i = 1; i < 3; i++) {
        expect(&people[i],
               "{'type':'broadcast','from':'ann','room':'lobby','content':'good morning'}");
        expect_silence(&people[i]);
    }
    expect_silence(&people[0]);
    expect_silence(&stranger);
    expect_silence(&waiting);
    stop_server();
}
END_TEST

static void enter(struct room_peer *p, const char *room)
{
    say(p, "{'type':'join_room','room':'%s'}", room);
    expect(p, "{'type':'room_joined','room':'%s','users':['%s']}", room, p->name);
}

static void leave(struct room_peer *p, const char *room)
{
    say(p, "{'type':'leave_room','room':'%s'}", room);
    expect(p, "{'type':'room_left','room':'%s'}", room);
}

static void speaks_in(struct room_peer *p, const char *room)
{
    say(p, "{'type':'message','content':'where?'}");
    expect(p, "{'type':'broadcast','from':'%s','room':'%s','content':'where?'}", p->name, room);
}

START_TEST(message_without_room_goes_to_the_one_joined_last)
{
    start_server("--rate", "0");
    struct room_peer ann;
    come(&ann, "ann", "lobby");
    speaks_in(&ann, "lobby");
    enter(&ann, "one");
    enter(&ann, "two");
    enter(&ann, "three");
    speaks_in(&ann, "three");
    say(&ann, "{'type':'message','content':'x','room':'one'}"); /* which does not change it */
    expect(&ann, "{'type':'broadcast','from':'ann','room':'one','content':'x'}");
    speaks_in(&ann, "three");
    leave(&ann, "two");
    speaks_in(&ann, "three");
    leave(&ann, "three");
    speaks_in(&ann, "one");
    leave(&ann, "lobby");
    speaks_in(&ann, "one");
    say(&ann, "{'type':'join_room','room':'lobby'}");
    expect(&ann, "{'type':'room_joined','room':'lobby','users':['ann']}");
    speaks_in(&ann, "lobby");
    leave(&ann, "lobby");
    leave(&ann, "one");
    say(&ann, "{'type':'message','content':'nowhere','id':1}");
    expect_error(&ann, "not_in_room", "1");
    say(&ann, "{'type':'private','to':'ann','content':'x'}"); /* still joined */
    expect(&ann, "{'type':'private','from':'ann','to':'ann','content':'x'}");
    stop_server();
}
END_TEST

START_TEST(private_reaches_one_alone)
{
    start_server("--rate", "0");
    struct room_peer people[3], far, *ann = &people[0], *bob = &people[1], *eve = &people[2];
    meet(people, 3, "ann", "Bob", "eve");
    come(&far, "Far-away", "den");
    say(ann, "{'type':'private','to':'bOB','content':'psst','id':-5}");
    expect(ann, "{'type':'private','from':'ann','to':'Bob','content':'psst','id':-5}");
    expect(bob, "{'type':'private','from':'ann','to':'Bob','content':'psst'}");
    say(ann, "{'type':'private','to':'far-AWAY','content':'also there'}");
    expect(ann, "{'type':'private','from':'ann','to':'Far-away','content':'also there'}");
    expect(&far, "{'type':'private','from':'ann','to':'Far-away','content':'also there'}");
    say(ann, "{'type':'private','to':'ANN','content':'note','id':'self'}");
    expect(ann, "{'type':'private','from':'ann','to':'ann','content':'note','id':'self'}");
    expect_silence(ann);
    expect_silence(bob);
    expect_silence(eve);
    expect_silence(&far);
    stop_server();
}
END_TEST

/* ---- rooms ------------------------------------------------------------------------------------- */

START_TEST(rooms_come_and_go)
{
    start_server("--rate", "0");
    struct room_peer people[3], *ann = &people[0], *bob = &people[1], *eve = &people[2];
    meet(people, 3, "ann", "bob", "eve");
    say(ann, "{'type':'join_room','room':'den','id':1}");
    expect(ann, "{'type':'room_joined','room':'den','users':['ann'],'id':1}");
    say(bob, "{'type':'join_room','room':'den','id':2}");
    expect(bob, "{'type':'room_joined','room':'den','users':['ann','bob'],'id':2}");
    expect(ann, "{'type':'user_joined','nickname':'bob','room':'den'}");
    expect_silence(eve);
    say(eve, "{'type':'list_rooms','id':'r'}");
    expect(eve, "{'type':'rooms','id':'r','rooms':[{'name':'den','users':2},"
                "{'name':'lobby','users':3}]}");

    say(ann, "{'type':'leave_room','room':'den','id':3}");
    expect(ann, "{'type':'room_left','room':'den','id':3}");
    expect(bob, "{'type':'user_left','nickname':'ann','room':'den','reason':'left'}");
    say(bob, "{'type':'message','room':'den','content':'alone'}");
    expect(bob, "{'type':'broadcast','from':'bob','room':'den','content':'alone'}");
    expect_silence(ann);
    expect_silence(eve);

    say(bob, "{'type':'leave_room','room':'den'}");
    expect(bob, "{'type':'room_left','room':'den'}");
    say(eve, "{'type':'list_rooms'}");
    expect(eve, "{'type':'rooms','rooms':[{'name':'lobby','users':3}]}");
    say(bob, "{'type':'message','content':'lobby again'}");
    for (size_t i = 0; i < 3; i++)
        expect(&people[i],
               "{'type':'broadcast','from':'bob','room':'lobby','content':'lobby again'}");
    stop_server();
}
END_TEST

START_TEST(lobby_is_always_there)
{
    start_server("--rate", "0");
    struct room_peer ann, waiting;
    must(room_connect(&waiting, "waiting", &server));
    say(&waiting, "{'type':'list_rooms'}");
    expect(&waiting, "{'type':'rooms','rooms':[{'name':'lobby','users':0}]}");
    come(&ann, "ann", "Zoo");
    enter(&ann, "lobby2");
    enter(&ann, "a");
    say(&waiting, "{'type':'list_rooms','id':1}");
    expect(&waiting, "{'type':'rooms','id':1,'rooms':[{'name':'Zoo','users':1},"
                     "{'name':'a','users':1},{'name':'lobby','users':0},"
                     "{'name':'lobby2','users':1}]}");
    enter(&ann, "lobby");
    leave(&ann, "lobby");
    say(&ann, "{'type':'list_rooms'}");
    expect(&ann, "{'type':'rooms','rooms':[{'name':'Zoo','users':1},{'name':'a','users':1},"
                 "{'name':'lobby','users':0},{'name':'lobby2','users':1}]}");
    stop_server();
}
END_TEST

START_TEST(list_users_of_all_or_of_a_room)
{
    start_server("--rate", "0");
    struct room_peer people[3], waiting;
    meet(people, 3, "b", "B2", "a");
    must(room_connect(&waiting, "waiting", &server));
    enter(&people[1], "den");
    say(&waiting, "{'type':'list_users','id':'all'}");
    expect(&waiting, "{'type':'users','room':null,'users':['B2','a','b'],'id':'all'}");
    say(&waiting, "{'type':'list_users','room':'den','id':2}");
    expect(&waiting, "{'type':'users','room':'den','users':['B2'],'id':2}");
    say(&people[0], "{'type':'list_users','room':'lobby'}");
    expect(&people[0], "{'type':'users','room':'lobby','users':['B2','a','b']}");
    say(&people[0], "{'type':'list_users','room':'nowhere'}");
    expect(&people[0], "{'type':'users','room':'nowhere','users':[]}");
    say(&people[0], "{'type':'list_rooms'}"); /* asking has made none */
    expect(&people[0], "{'type':'rooms','rooms':[{'name':'den','users':1},"
                       "{'name':'lobby','users':3}]}");
    expect_silence(&people[2]);
    stop_server();
}
END_TEST

/* ---- ping, id, what is ignored ----------------------------------------------------------------- */

START_TEST(ping_before_and_after_join)
{
    start_server("--rate", "0");
    struct room_peer ann;
    must(room_connect(&ann, "ann", &server));
    say(&ann, "{'type':'ping'}");
    expect(&ann, "{'type':'pong'}");
    say(&ann, "{'type':'ping','id':'p'}");
    expect(&ann, "{'type':'pong','id':'p'}");
    say(&ann, "{'type':'join','nickname':'ann'}");
    expect(&ann, "{'type':'welcome','nickname':'ann','room':'lobby','users':['ann']}");
    say(&ann, "{'type':'ping','id':0}");
    expect(&ann, "{'type':'pong','id':0}");
    stop_server();
}
END_TEST

START_TEST(id_comes_back_as_it_was)
{
    static const char *const ids[] = {"1",
                                      "0",
                                      "-1",
                                      "2147483648",
                                      "9007199254740993",
                                      "9223372036854775807",
                                      "-9223372036854775808",
                                      "'1'",
                                      "''",
                                      "'a b'",
                                      "'\\u0022\\\\\\n\\u001b'",
                                      "'\xf0\x9f\x98\x80 \\ud83d\\ude00'"};
    start_server("--rate", "0");
    struct room_peer people[2], *ann = &people[0];
    meet(people, 2, "ann", "bob");
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        say(ann, "{'type':'ping','id':%s}", ids[i]);
        expect(ann, "{'type':'pong','id':%s}", ids[i]);
        say(ann, "{'id':%s,'type':'dance'}", ids[i]);
        expect(ann, "{'type':'error','code':'unknown_type','id':%s}", ids[i]);
        say(ann, "{'type':'message','id':%s,'content':'x'}", ids[i]);
        expect(ann, "{'type':'broadcast','from':'ann','room':'lobby','content':'x','id':%s}",
               ids[i]);
        expect(&people[1], "{'type':'broadcast','from':'ann','room':'lobby','content':'x'}");
    }
    stop_server();
}
END_TEST

START_TEST(id_of_another_type_is_refused)
{
    static const char *const ids[] = {"1.5", "1.0", "true", "null", "[]", "{}", "[1]"};
    start_server("--rate", "0");
    struct room_peer ann;
    come(&ann, "ann", "lobby");
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        say(&ann, "{'type':'message','content':'x','id':%s}", ids[i]);
        expect_error(&ann, "bad_request", NULL);
        expect_silence(&ann);
    }
    stop_server();
}
END_TEST

START_TEST(fields_not_listed_are_ignored)
{
    start_server("--rate", "0");
    struct room_peer people[2];
    meet(people, 2, "ann", "bob");
    say(&people[0], "{'from':'bob','type':'message','content':'x','timestamp':5,'seq':{'a':[]},"
                    "'':null,'nickname':'bob'}");
    for (size_t i = 0; i < 2; i++)
        expect(&people[i], "{'type':'broadcast','from':'ann','room':'lobby','content':'x'}");
    say(&people[0], "{'type':'ping','room':17,'content':false}");
    expect(&people[0], "{'type':'pong'}");
    stop_server();
}
END_TEST

void chat_requests(Suite *suite)
{
    TCase *group = chat_group(suite, "requests");
    tcase_add_loop_test(group, join_welcomes, 0, BACKENDS);
    tcase_add_test(group, join_may_name_a_room);
    tcase_add_test(group, welcome_tells_the_limits);
    tcase_add_test(group, default_limits);
    tcase_add_loop_test(group, quit_says_bye, 0, BACKENDS);
    tcase_add_test(group, quit_before_join);
    tcase_add_loop_test(group, connection_lost_is_told_once, 0, BACKENDS);
    tcase_add_test(group, nick_is_told_once_to_each_who_shares_a_room);
    tcase_add_test(group, nick_may_change_its_case_only);
    tcase_add_loop_test(group, message_reaches_the_room_alone, 0, BACKENDS);
    tcase_add_test(group, message_without_room_goes_to_the_one_joined_last);
    tcase_add_loop_test(group, private_reaches_one_alone, 0, BACKENDS);
    tcase_add_loop_test(group, rooms_come_and_go, 0, BACKENDS);
    tcase_add_test(group, lobby_is_always_there);
    tcase_add_test(group, list_users_of_all_or_of_a_room);
    tcase_add_test(group, ping_before_and_after_join);
    tcase_add_test(group, id_comes_back_as_it_was);
    tcase_add_test(group, id_of_another_type_is_refused);
    tcase_add_test(group, fields_not_listed_are_ignored);
}
