/*
 * history_test - the chat room's history, from outside: the requests, what is kept, and what is
 * not.
 *
 * What happens when the server is killed is crash_test's.
 */

#include "../../../lessons/14-chat/tests/chat_suite.h"

#include "data_folder.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { CONTENT = 4096, PAGE_BYTES = 64 << 10, MANY = 250 };

/* ---- steps ----------------------------------------------------------------------------------- */

/* Start the server on this test's folder, with an option or NULL. */
static void start_on_folder(const char *option, const char *value)
{
    must(chat_start(0, SUBJECT_ARGS("--quiet", "--data", data_folder, "--rate", "0", option, value),
                    0));
}

/* The next broadcast is this one; its seq is returned, 0 if there is none. */
static int64_t hear(struct room_peer *p, const char *content)
{
    json_t *m = room_next_of(p, "broadcast");
    must(m != NULL);
    ck_assert_str_eq(room_text(m, "content"), content);
    int64_t seq = json_integer_value(json_object_get(m, "seq"));
    json_decref(m);
    return seq;
}

static void say_and_hear(struct room_peer *p, const char *room, const char *content, int64_t seq)
{
    say(p, "{'type':'message','room':'%s','content':'%s'}", room, content);
    ck_assert_int_eq(hear(p, content), seq);
}

/* Say the numbers from..to in a room, which are their seqs. */
static void count_up(struct room_peer *p, const char *room, int from, int to)
{
    char content[16];
    for (int i = from; i <= to; i++)
        must(room_queue(p, "{'type':'message','room':'%s','content':'%d'}", room, i));
    must(room_send(p, queue_data(&p->out), p->out.length));
    queue_drop(&p->out, p->out.length);
    for (int i = from; i <= to; i++) {
        snprintf(content, sizeof content, "%d", i);
        ck_assert_int_eq(hear(p, content), i);
    }
}

/* The page that is answered to these fields. */
static json_t *page_of(struct room_peer *p, const char *fields)
{
    say(p, "{'type':'history',%s}", fields);
    json_t *page = room_next_of(p, "history");
    must(page != NULL);
    return page;
}

static const json_t *message_of(const json_t *page, size_t n)
{
    return json_array_get(json_object_get(page, "messages"), n);
}

static int64_t seq_of(const json_t *page, size_t n)
{
    return json_integer_value(json_object_get(message_of(page, n), "seq"));
}

static size_t length_of(const json_t *page)
{
    return json_array_size(json_object_get(page, "messages"));
}

/* The page has the numbers from..to, each with its seq, and there are older ones or not. */
static void expect_page(struct room_peer *p, const char *fields, int from, int to, bool more)
{
    char content[16];
    json_t *page = page_of(p, fields);
    ck_assert_int_eq((int)length_of(page), to - from + 1);
    for (size_t i = 0; i < length_of(page); i++) {
        snprintf(content, sizeof content, "%d", from + (int)i);
        ck_assert_int_eq(seq_of(page, i), from + (int)i);
        ck_assert_str_eq(room_text(message_of(page, i), "content"), content);
    }
    ck_assert_int_eq(json_is_true(json_object_get(page, "more")), more);
    json_decref(page);
}

static void enter(struct room_peer *p, const char *room)
{
    say(p, "{'type':'join_room','room':'%s'}", room);
    json_t *joined = room_next_of(p, "room_joined");
    must(joined != NULL);
    json_decref(joined);
}

static void expect_state(struct room_peer *p, bool on)
{
    json_t *state = room_next_of(p, "history_state");
    must(state != NULL);
    ck_assert_int_eq(json_is_true(json_object_get(state, "on")), on);
    json_decref(state);
}

/* ---- the request ---------------------------------------------------------------------------- */

START_TEST(a_message_has_its_seq)
{
    struct room_peer ann, bob;
    start_on_folder(NULL, NULL);
    come(&ann, "Ann", "lobby");
    come(&bob, "bob", "lobby");
    expect(&ann, "{'type':'user_joined','nickname':'bob','room':'lobby'}");
    say(&ann, "{'type':'message','content':'one','id':'x'}");
    json_t *own = room_next_of(&ann, "broadcast");
    must(own != NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(own, "seq")), 1);
    ck_assert_str_eq(room_text(own, "id"), "x");
    ck_assert_int_eq(hear(&bob, "one"), 1);
    say(&bob, "{'type':'message','content':'two'}");
    ck_assert_int_eq(hear(&ann, "two"), 2);
    ck_assert_int_eq(hear(&bob, "two"), 2);
    json_t *page = page_of(&bob, "'room':'lobby','id':7");
    ck_assert_int_eq(json_integer_value(json_object_get(page, "id")), 7);
    ck_assert_str_eq(room_text(page, "room"), "lobby");
    ck_assert_int_eq((int)length_of(page), 2);
    const json_t *first = message_of(page, 0);
    ck_assert_int_eq((int)json_object_size(first), 4);
    ck_assert_int_eq(seq_of(page, 0), 1);
    ck_assert_str_eq(room_text(first, "from"), "Ann");
    ck_assert_str_eq(room_text(first, "content"), "one");
    ck_assert_str_eq(room_text(first, "timestamp"), room_text(own, "timestamp"));
    json_decref(page);
    json_decref(own);
    stop_server();
}
END_TEST

START_TEST(its_fields_are_checked)
{
    static const char *const bad[] = {
        "'room':'lobby','limit':0",
        "'room':'lobby','limit':101",
        "'room':'lobby','limit':-1",
        "'room':'lobby','limit':'9'",
        "'room':'lobby','limit':1.5",
        "'room':'lobby','limit':null",
        "'room':'lobby','before':0",
        "'room':'lobby','before':-7",
        "'room':'lobby','before':'9'",
        "'room':'lobby','before':true",
        "'room':'lobby','before':[1]",
        "'room':7",
        "'room':null",
        "'limit':5",
    };
    struct room_peer ann;
    start_on_folder(NULL, NULL);
    come(&ann, "ann", "lobby");
    count_up(&ann, "lobby", 1, 3);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        say(&ann, "{'type':'history',%s,'id':%zu}", bad[i], i);
        char id[16];
        snprintf(id, sizeof id, "%zu", i);
        expect_error(&ann, "bad_request", id);
    }
    say(&ann, "{'type':'history','room':'a b'}");
    expect_error(&ann, "bad_room", NULL);
    say(&ann, "{'type':'history','room':''}");
    expect_error(&ann, "bad_room", NULL);
    expect_page(&ann, "'room':'lobby','limit':1", 3, 3, true);
    expect_page(&ann, "'room':'lobby','limit':100,'before':9223372036854775807", 1, 3, false);
    expect_page(&ann, "'room':'lobby','before':3", 1, 2, false);
    stop_server();
}
END_TEST

START_TEST(is_for_members)
{
    struct room_peer ann, bob;
    start_on_folder(NULL, NULL);
    come(&ann, "ann", "den");
    must(room_connect(&bob, "bob", &server));
    say(&bob, "{'type':'history','room':'den'}");
    expect_error(&bob, "not_joined", NULL);
    room_close(&bob);
    come(&bob, "bob", "lobby");
    count_up(&ann, "den", 1, 3);
    for (int i = 0; i < 2; i++) {
        say(&bob, "{'type':'history','room':'den'}");
        expect_error(&bob, "not_in_room", NULL);
        say(&bob, "{'type':'history','room':'DEN'}");
        expect_error(&bob, "not_in_room", NULL);
        if (i == 1)
            break;
        enter(&bob, "den");
        expect(&ann, "{'type':'user_joined','nickname':'bob','room':'den'}");
        expect_page(&bob, "'room':'den'", 1, 3, false); /* what was said before he came */
        say(&bob, "{'type':'leave_room','room':'den'}");
        expect(&bob, "{'type':'room_left','room':'den'}");
    }
    stop_server();
}
END_TEST

START_TEST(what_is_private_is_not_kept)
{
    struct room_peer people[2];
    start_on_folder(NULL, NULL);
    meet(people, 2, "ann", "bob");
    say(&people[0], "{'type':'private','to':'bob','content':'a secret'}");
    expect(&people[1], "{'type':'private','from':'ann','to':'bob','content':'a secret'}");
    expect(&people[0], "{'type':'private','from':'ann','to':'bob','content':'a secret'}");
    expect_page(&people[1], "'room':'lobby'", 1, 0, false);
    stop_server();
    ck_assert_int_eq(data_count("SELECT count(*) FROM messages"), 0);
}
END_TEST

/* ---- pages ---------------------------------------------------------------------------------- */

START_TEST(is_read_to_the_beginning)
{
    static const int sizes[] = {100, 50, 7, 1};
    struct room_peer ann;
    start_on_folder(NULL, NULL);
    come(&ann, "ann", "lobby");
    count_up(&ann, "lobby", 1, MANY);
    expect_page(&ann, "'room':'lobby'", MANY - 49, MANY, true);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int before = MANY + 1; before > 1;) {
            char fields[80];
            int from = before > sizes[i] ? before - sizes[i] : 1;
            snprintf(fields, sizeof fields, "'room':'lobby','limit':%d,'before':%d", sizes[i],
                     before);
            expect_page(&ann, fields, from, before - 1, from > 1);
            before = from;
        }
    expect_page(&ann, "'room':'lobby','before':1", 1, 0, false);
    stop_server();
}
END_TEST

/* Of long messages there are fewer in a page, but one at least; and none is left out. */
START_TEST(a_page_is_bounded_in_bytes)
{
    enum { LONG = 40 };
    static char content[CONTENT + 1];
    struct room_peer ann;
    start_on_folder(NULL, NULL);
    come(&ann, "ann", "lobby");
    memset(content, 'x', CONTENT);
    for (int i = 1; i <= LONG; i++)
        say_and_hear(&ann, "lobby", content, i);
    for (int64_t before = LONG + 1; before > 1;) {
        char fields[80];
        snprintf(fields, sizeof fields, "'room':'lobby','limit':100,'before':%lld",
                 (long long)before);
        json_t *page = page_of(&ann, fields);
        size_t count = length_of(page);
        ck_assert_int_ge((int)count, 1);
        ck_assert_int_le((int)count * CONTENT, PAGE_BYTES);
        ck_assert_int_eq(seq_of(page, count - 1), before - 1);
        before = seq_of(page, 0);
        ck_assert_int_eq(json_is_true(json_object_get(page, "more")), before > 1);
        json_decref(page);
    }
    stop_server();
}
END_TEST

/* ---- what is kept --------------------------------------------------------------------------- */

START_TEST(is_there_after_a_restart)
{
    struct room_peer ann;
    for (int i = 0; i < 3; i++) {
        start_on_folder(NULL, NULL);
        come(&ann, "ann", "lobby");
        enter(&ann, "den");
        expect_page(&ann, "'room':'lobby','limit':100", 1, 5 * i, false);
        count_up(&ann, "lobby", 5 * i + 1, 5 * i + 5);
        count_up(&ann, "den", 2 * i + 1, 2 * i + 2);
        expect_page(&ann, "'room':'den','limit':100", 1, 2 * i + 2, false);
        stop_server();
    }
}
END_TEST

START_TEST(a_room_that_was_empty_goes_on)
{
    struct room_peer ann;
    start_on_folder(NULL, NULL);
    come(&ann, "ann", "lobby");
    for (int i = 0; i < 3; i++) {
        enter(&ann, "den");
        count_up(&ann, "den", 2 * i + 1, 2 * i + 2);
        expect_page(&ann, "'room':'den'", 1, 2 * i + 2, false);
        say(&ann, "{'type':'leave_room','room':'den'}");
        expect(&ann, "{'type':'room_left','room':'den'}");
    }
    stop_server();
}
END_TEST

START_TEST(any_content_comes_back)
{
    static const char *const said[] = {"'); DELETE FROM messages; --",
                                       "\"",
                                       "\\",
                                       "%s%n",
                                       ",\"seq\":1",
                                       "\xf0\x9f\x98\x84",
                                       "\x01\x7f\t",
                                       "''"};
    struct room_peer ann;
    start_on_folder(NULL, NULL);
    come(&ann, "ann", "lobby");
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
            json_t *request = json_pack("{ss ss}", "type", "message", "content", said[i]);
            char *line = json_dumps(request, JSON_COMPACT);
            must(room_send(&ann, line, strlen(line)) && room_send(&ann, "\n", 1));
            free(line);
            json_decref(request);
            hear(&ann, said[i]);
        }
    json_t *page = page_of(&ann, "'room':'lobby'");
    ck_assert_int_eq((int)length_of(page), 16);
    for (size_t i = 0; i < 16; i++)
        ck_assert_str_eq(room_text(message_of(page, i), "content"), said[i % 8]);
    json_decref(page);
    stop_server();
}
END_TEST

START_TEST(an_emoji_is_kept_as_it_was_said)
{
    struct room_peer ann;
    start_on_folder(NULL, NULL);
    come(&ann, "ann", "lobby");
    say(&ann, "{'type':'message','content':':tada:'}");
    ck_assert_int_eq(hear(&ann, "\xf0\x9f\x8e\x89"), 1);
    json_t *page = page_of(&ann, "'room':'lobby'");
    ck_assert_str_eq(room_text(message_of(page, 0), "content"), "\xf0\x9f\x8e\x89");
    json_decref(page);
    stop_server();
}
END_TEST

/* Somebody who asks behind what he says, in one piece, finds it. */
START_TEST(what_was_just_said_is_in_it)
{
    struct room_peer ann;
    start_on_folder(NULL, NULL);
    come(&ann, "ann", "lobby");
    for (int i = 1; i <= 20; i++) {
        char content[16];
        must(room_queue(&ann, "{'type':'message','content':'%d'}", i));
        must(room_queue(&ann, "{'type':'history','room':'lobby','limit':1}"));
        must(room_send(&ann, queue_data(&ann.out), ann.out.length));
        queue_drop(&ann.out, ann.out.length);
        snprintf(content, sizeof content, "%d", i);
        ck_assert_int_eq(hear(&ann, content), i);
        json_t *page = room_next_of(&ann, "history");
        must(page != NULL);
        ck_assert_int_eq(seq_of(page, 0), i);
        json_decref(page);
    }
    stop_server();
}
END_TEST

/* ---- order ---------------------------------------------------------------------------------- */

enum { SENDERS = 6, ROOMS = 3, SAID = 200 };

/* What one who is in all rooms has seen. */
struct seen {
    size_t left;
    int64_t last[SENDERS + 1][ROOMS];        /* the last seq that each has got */
    char content[ROOMS][SENDERS * SAID][16]; /* by seq - 1 */
};
static struct room_peer talkers[SENDERS + 1];

static bool take(struct room_peer *p, json_t *message, void *context)
{
    struct seen *seen = context;
    int who = (int)(p - talkers), room = room_text(message, "room")[1] - '0';
    int64_t seq = json_integer_value(json_object_get(message, "seq"));
    if (strcmp(room_text(message, "type"), "broadcast") != 0)
        return true;
    if (seq != seen->last[who][room] + 1 || seq > SENDERS * SAID)
        return fault("%s: seq %lld of room %d came after %lld", p->name, (long long)seq, room,
                     (long long)seen->last[who][room]);
    seen->last[who][room] = seq;
    char *content = seen->content[room][seq - 1];
    if (*content == '\0')
        snprintf(content, sizeof seen->content[0][0], "%s", room_text(message, "content"));
    seen->left--;
    return strcmp(content, room_text(message, "content")) == 0 ||
           fault("seq %lld of room %d is '%s' for one, and '%s' for another", (long long)seq, room,
                 content, room_text(message, "content"));
}

/* All members see one order, without a gap, and the history has the same. */
START_TEST(is_in_the_order_that_members_saw)
{
    static struct seen seen;
    start_on_folder("--send-queue", "67108864");
    for (int i = 0; i <= SENDERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        come(&talkers[i], name, "r0");
        for (int r = 1; r < ROOMS; r++)
            must(room_queue(&talkers[i], "{'type':'join_room','room':'r%d'}", r));
    }
    for (int i = 0; i < SENDERS; i++)
        for (int n = 0; n < SAID; n++, seen.left += SENDERS + 1)
            must(room_queue(&talkers[i], "{'type':'message','room':'r%d','content':'%d %d'}",
                            (i + n) % ROOMS, i, n));
    for (int i = 0; i <= SENDERS; i++) { /* all are in all rooms before anybody talks */
        struct queue *out = &talkers[i].out;
        const char *end = queue_data(out);
        for (int r = 1; r < ROOMS; r++)
            end = (const char *)memchr(end, '\n', 1000) + 1;
        size_t size = (size_t)(end - queue_data(out));
        must(room_send(&talkers[i], queue_data(out), size));
        queue_drop(out, size);
        for (int r = 1; r < ROOMS; r++)
            for (bool there = false; !there;) {
                json_t *m = room_next(&talkers[i]);
                must(m != NULL);
                there = strcmp(room_text(m, "type"), "room_joined") == 0;
                json_decref(m);
            }
    }
    must(room_pump(talkers, SENDERS + 1, take, &seen, &seen.left, "what was said"));
    for (int r = 0; r < ROOMS; r++)
        for (int64_t before = seen.last[0][r] + 1; before > 1;) {
            char fields[80];
            snprintf(fields, sizeof fields, "'room':'r%d','limit':100,'before':%lld", r,
                     (long long)before);
            json_t *page = page_of(&talkers[SENDERS], fields);
            for (size_t i = length_of(page); i > 0; i--) {
                ck_assert_int_eq(seq_of(page, i - 1), --before);
                ck_assert_str_eq(room_text(message_of(page, i - 1), "content"),
                                 seen.content[r][before - 1]);
            }
            json_decref(page);
        }
    stop_server();
}
END_TEST

/* ---- retention ------------------------------------------------------------------------------ */

START_TEST(of_each_room_the_last_ones_stay)
{
    struct room_peer ann;
    start_on_folder("--history-keep", "20");
    come(&ann, "ann", "lobby");
    enter(&ann, "den");
    count_up(&ann, "den", 1, 15);
    count_up(&ann, "lobby", 1, 100);
    expect_page(&ann, "'room':'lobby','limit':100", 81, 100, false);
    expect_page(&ann, "'room':'lobby','limit':5,'before':86", 81, 85, false);
    expect_page(&ann, "'room':'den','limit':100", 1, 15, false);
    stop_server();
    start_on_folder("--history-keep", "4"); /* another limit: at the start */
    ck_assert_int_eq(data_count("SELECT count(*) FROM messages"), 8);
    come(&ann, "ann", "lobby");
    count_up(&ann, "lobby", 101, 101);
    expect_page(&ann, "'room':'lobby','limit':100", 98, 101, false);
    stop_server();
    start_on_folder("--history-keep", "0"); /* all */
    come(&ann, "ann", "lobby");
    count_up(&ann, "lobby", 102, 200);
    expect_page(&ann, "'room':'lobby','limit':100,'before':103", 98, 102, false);
    stop_server();
}
END_TEST

START_TEST(of_all_rooms_the_last_ones_stay)
{
    struct room_peer ann;
    start_on_folder("--history-total", "30");
    come(&ann, "ann", "lobby");
    count_up(&ann, "lobby", 1, 25);
    enter(&ann, "den");
    count_up(&ann, "den", 1, 20);
    expect_page(&ann, "'room':'lobby','limit':100", 16, 25, false);
    count_up(&ann, "den", 21, 45);
    expect_page(&ann, "'room':'lobby','limit':100", 1, 0, false);
    expect_page(&ann, "'room':'den','limit':100", 16, 45, false);
    ck_assert_int_eq(data_count("SELECT count(*) FROM messages"), 30);
    say(&ann, "{'type':'message','room':'lobby','content':'again'}");
    ck_assert_int_eq(hear(&ann, "again"), 26); /* she has been there all the time */
    stop_server();
}
END_TEST

static void leave(struct room_peer *p, const char *room)
{
    say(p, "{'type':'leave_room','room':'%s'}", room);
    expect(p, "{'type':'room_left','room':'%s'}", room);
}

/* Fill the total with what is said in another room, which is forgotten as well. */
static void crowd_out(struct room_peer *p, const char *room, int64_t first, int count)
{
    enter(p, room);
    for (int i = 0; i < count; i++)
        say_and_hear(p, room, "noise", first + i);
    leave(p, room);
    enter(p, "noise");
    for (int i = 0; i < 3; i++) {
        say(p, "{'type':'message','room':'noise','content':'more'}");
        hear(p, "more");
    }
    leave(p, "noise");
}

/* [no-gap] Of a room that somebody is in no message is left, and others were far ahead of it. */
START_TEST(who_stays_sees_no_gap)
{
    struct room_peer ann, bob;
    start_on_folder("--history-total", "3");
    come(&ann, "ann", "quiet");
    come(&bob, "bob", "lobby");
    say_and_hear(&ann, "quiet", "one", 1);
    crowd_out(&bob, "loud", 1, 50);
    ck_assert_int_eq(data_count("SELECT count(*) FROM rooms WHERE name = 'quiet'"), 0);
    say_and_hear(&ann, "quiet", "two", 2);
    stop_server();
    start_on_folder("--history-total", "3"); /* and if it was said before she came */
    come(&ann, "ann", "quiet");
    come(&bob, "bob", "lobby");
    json_t *page = page_of(&ann, "'room':'quiet'");
    ck_assert_int_eq(seq_of(page, length_of(page) - 1), 2);
    json_decref(page);
    crowd_out(&bob, "louder", 51, 10);
    ck_assert_int_eq(data_count("SELECT count(*) FROM rooms WHERE name = 'quiet'"), 0);
    say_and_hear(&ann, "quiet", "three", 3);
    stop_server();
}
END_TEST

/* What a room is called that nobody is in and of which nothing is left is not remembered: it begins
 * above all that were forgotten, also after kill -9. */
START_TEST(a_forgotten_room_uses_no_seq_twice)
{
    struct room_peer ann;
    start_on_folder("--history-total", "3");
    come(&ann, "ann", "lobby");
    enter(&ann, "den");
    count_up(&ann, "den", 1, 7);
    leave(&ann, "den");
    crowd_out(&ann, "loud", 1, 20);
    enter(&ann, "den");
    say_and_hear(&ann, "den", "again", 21);
    say_and_hear(&ann, "den", "and again", 22);
    crowd_out(&ann, "loud", 21, 3);
    subject_kill(&server);
    room_close_all();
    start_on_folder("--history-total", "3");
    come(&ann, "ann", "den");
    say_and_hear(&ann, "den", "once more", 24);
    stop_server();
}
END_TEST

/* Rooms that nobody uses any more leave nothing behind. */
START_TEST(forgotten_rooms_do_not_add_up)
{
    enum { ROOMS_IN_ALL = 200 };
    struct room_peer ann;
    start_on_folder("--history-total", "10");
    come(&ann, "ann", "lobby");
    for (int i = 0; i < ROOMS_IN_ALL; i++) {
        char room[16];
        snprintf(room, sizeof room, "room-%d", i);
        enter(&ann, room);
        say(&ann, "{'type':'message','room':'%s','content':'hello'}", room);
        ck_assert_int_ge(hear(&ann, "hello"), 1);
        leave(&ann, room);
    }
    ck_assert_int_le(data_count("SELECT count(*) FROM rooms"), 11);
    ck_assert_int_eq(data_count("SELECT count(*) FROM messages"), 10);
    stop_server();
}
END_TEST

/* ---- what goes wrong ------------------------------------------------------------------------ */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = bytes > 0 ? bytes : limit.rlim_max;
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

/* Two in the lobby, one in another room, and one who has not joined. */
static void gather(struct room_peer people[4])
{
    meet(people, 2, "ann", "bob");
    come(&people[2], "cid", "den");
    must(room_connect(&people[3], "dora", &server));
    count_up(&people[0], "lobby", 1, 3);
    for (int i = 1; i <= 3; i++)
        expect(&people[1], "{'type':'broadcast','from':'ann','room':'lobby','content':'%d'}", i);
}

/* The history is off: the first who talks notices, everybody is told, also who joins, and the room goes
 * on. */
static void go_on_without(struct room_peer people[4])
{
    say(&people[0], "{'type':'message','content':'lost','id':1}");
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(hear(&people[i], "lost"), 0);
    for (int i = 0; i < 3; i++)
        expect_state(&people[i], false);
    for (int n = 0; n < 50; n++) {
        say(&people[1], "{'type':'message','content':'lost, too'}");
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(hear(&people[i], "lost, too"), 0);
    }
    expect_page(&people[1], "'room':'lobby'", 1, 3, false);
    expect_silence(&people[2]);
    expect_silence(&people[3]);
    say(&people[3], "{'type':'join','nickname':'dora','room':'attic'}");
    json_decref(room_next_of(&people[3], "welcome"));
    expect_state(&people[3], false);
}

static void come_back(struct room_peer people[4])
{
    for (int i = 0; i < 4; i++)
        expect_state(&people[i], true);
    count_up(&people[0], "lobby", 4, 6);
    expect_page(&people[0], "'room':'lobby'", 1, 6, false);
    expect_silence(&people[2]);
    expect_silence(&people[3]);
    stop_server();
    ck_assert_int_eq(data_count("SELECT count(*) FROM messages"), 6);
    ck_assert_str_eq(data_integrity(), "ok");
}

START_TEST(a_full_disk_stops_nobody)
{
    struct room_peer people[4];
    start_on_folder(NULL, NULL);
    gather(people);
    limit_files(1);
    go_on_without(people);
    limit_files(0);
    come_back(people);
}
END_TEST

START_TEST(a_lock_of_another_process_stops_nobody)
{
    struct room_peer people[4];
    start_on_folder(NULL, NULL);
    gather(people);
    sqlite3 *db = data_open();
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    go_on_without(people);
    sqlite3_close(db);
    come_back(people);
}
END_TEST

/* More than a tape at once, on a full disk: nothing of it has a seq. */
START_TEST(no_seq_leaves_a_full_disk)
{
    enum { AT_ONCE = 1500 };
    struct room_peer people[2];
    start_on_folder("--send-queue", "67108864");
    meet(people, 2, "ann", "bob");
    limit_files(1);
    for (int i = 0; i < AT_ONCE; i++)
        must(room_queue(&people[0], i % 7 == 0 ? "{'type':'message','content':'x','id':0}"
                                               : "{'type':'message','content':'x'}"));
    must(room_send(&people[0], queue_data(&people[0].out), people[0].out.length));
    queue_drop(&people[0].out, people[0].out.length);
    for (int i = 0; i < 2; i++)
        for (int heard = 0; heard < AT_ONCE;) {
            json_t *m = room_next(&people[i]);
            must(m != NULL);
            ck_assert_ptr_null(json_object_get(m, "seq"));
            heard += strcmp(room_text(m, "type"), "broadcast") == 0;
            json_decref(m);
        }
    stop_server();
    ck_assert_int_eq(data_count("SELECT count(*) FROM messages"), 0);
}
END_TEST

START_TEST(several_times_off_and_on)
{
    struct room_peer ann;
    start_on_folder(NULL, NULL);
    come(&ann, "ann", "lobby");
    for (int i = 0; i < 3; i++) {
        count_up(&ann, "lobby", 10 * i + 1, 10 * i + 10);
        limit_files(1);
        say(&ann, "{'type':'message','content':'lost'}");
        ck_assert_int_eq(hear(&ann, "lost"), 0);
        expect_state(&ann, false);
        limit_files(0);
        expect_state(&ann, true);
    }
    expect_page(&ann, "'room':'lobby','limit':100", 1, 30, false);
    stop_server();
}
END_TEST

/* The log is at its limit, and what is in it has room in the database: a checkpoint is all that is
 * needed. */
START_TEST(a_checkpoint_alone_brings_it_back)
{
    static char content[CONTENT + 1];
    struct room_peer ann;
    start_on_folder(NULL, NULL);
    come(&ann, "ann", "lobby");
    memset(content, 'x', CONTENT);
    limit_files(512 << 10);
    int64_t seq = 0;
    for (int64_t heard; (heard = (say(&ann, "{'type':'message','content':'%s'}", content),
                                  hear(&ann, content))) != 0;)
        ck_assert_int_eq(heard, ++seq);
    ck_assert_int_ge(seq, 10);
    expect_state(&ann, false);
    expect_state(&ann, true);
    for (int i = 0; i < 10; i++)
        say_and_hear(&ann, "lobby", content, ++seq);
    stop_server();
    ck_assert_str_eq(data_integrity(), "ok");
}
END_TEST

int main(void)
{
    chat_program = data_server();
    room_extensions = true;
    Suite *suite = suite_create("history");
    TCase *group = chat_group(suite, "history");
    tcase_add_checked_fixture(group, data_make, data_remove);
    tcase_add_test(group, a_message_has_its_seq);
    tcase_add_test(group, its_fields_are_checked);
    tcase_add_test(group, is_for_members);
    tcase_add_test(group, what_is_private_is_not_kept);
    tcase_add_test(group, is_read_to_the_beginning);
    tcase_add_test(group, a_page_is_bounded_in_bytes);
    tcase_add_test(group, is_there_after_a_restart);
    tcase_add_test(group, a_room_that_was_empty_goes_on);
    tcase_add_test(group, any_content_comes_back);
    tcase_add_test(group, an_emoji_is_kept_as_it_was_said);
    tcase_add_test(group, what_was_just_said_is_in_it);
    tcase_add_test(group, is_in_the_order_that_members_saw);
    tcase_add_test(group, of_each_room_the_last_ones_stay);
    tcase_add_test(group, of_all_rooms_the_last_ones_stay);
    tcase_add_test(group, who_stays_sees_no_gap);
    tcase_add_test(group, a_forgotten_room_uses_no_seq_twice);
    tcase_add_test(group, forgotten_rooms_do_not_add_up);
    tcase_add_test(group, a_full_disk_stops_nobody);
    tcase_add_test(group, a_lock_of_another_process_stops_nobody);
    tcase_add_test(group, no_seq_leaves_a_full_disk);
    tcase_add_test(group, several_times_off_and_on);
    tcase_add_test(group, a_checkpoint_alone_brings_it_back);
    return suite_run("history_test", suite, NULL);
}
