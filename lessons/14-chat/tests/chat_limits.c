/* chat_limits - what happens when a limit of the protocol page is passed. */

#include "chat_suite.h"
#include "clock.h"
#include "testkit/proc.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { MB = 1024 * 1024 };

static double seconds_since(int64_t begin)
{
    return (double)(clock_now() - begin) / 1e9;
}

/* ---- max-clients ------------------------------------------------------------------------------- */

static void is_refused(void)
{
    struct room_peer p;
    must(room_connect(&p, "one too many", &server));
    expect_error(&p, "server_full", NULL);
    expect_end(&p);
    room_close(&p);
}

static bool has_room(void *context)
{
    struct room_peer *p = context;
    if (!room_connect(p, "dan", &server) || !room_say(p, "{'type':'ping'}"))
        return false;
    json_t *answer = room_next(p);
    bool served = answer != NULL && strcmp(room_text(answer, "type"), "pong") == 0;
    json_decref(answer);
    if (!served)
        room_close(p);
    return served;
}

START_TEST(full)
{
    start_server("--rate", "0", "--max-clients", "3");
    struct room_peer people[3], dan;
    meet(people, 3, "ann", "bob", "eve");
    for (int i = 0; i < 20; i++)
        is_refused();
    for (int i = 0; i < 3; i++)
        expect_silence(&people[i]);
    room_close(&people[2]);
    for (int i = 0; i < 2; i++)
        expect(&people[i], "{'type':'user_left','nickname':'eve','room':'lobby',"
                           "'reason':'connection lost'}");
    must(wait_until(has_room, &dan, "room for one more"));
    is_refused();
    stop_server();
}
END_TEST

START_TEST(max_clients_is_lowered_to_the_descriptors)
{
    must(chat_start(_i, SUBJECT_ARGS("--rate", "0"), 64));
    must(chat_log_has("max-clients"));
    struct room_peer ann;
    must(room_connect(&ann, "ann", &server));
    say(&ann, "{'type':'join','nickname':'ann'}");
    json_t *welcome = room_next_of(&ann, "welcome");
    must(welcome != NULL);
    json_int_t most = json_integer_value(
        json_object_get(json_object_get(welcome, "limits"), "max-clients"));
    ck_assert_int_gt(most, 1);
    ck_assert_int_lt(most, 64);
    json_decref(welcome);
    struct room_peer others[64];
    for (json_int_t i = 1; i < most; i++) {
        must(room_connect(&others[i], "other", &server));
        expect_silence(&others[i]);
    }
    is_refused();
    expect_silence(&ann);
    stop_server();
}
END_TEST

/* ---- bad lines --------------------------------------------------------------------------------- */

START_TEST(bad_lines_in_a_row)
{
    start_server("--rate", "0", "--max-bad-lines", "3", "--max-line", "100");
    struct room_peer people[2], *ann = &people[0];
    char too_long[201];
    meet(people, 2, "ann", "bob");
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    for (int round = 0; round < 4; round++) {
        say(ann, "bad");
        expect_error(ann, "bad_json", NULL);
        say(ann, "%s", too_long);
        expect_error(ann, "too_long", NULL);
        say(ann, round % 2 ? "{'type':'ping'}" : "{'type':'dance'}"); /* not bad in this sense */
        if (round % 2)
            expect(ann, "{'type':'pong'}");
        else
            expect_error(ann, "unknown_type", NULL);
    }
    /* Three are the limit, and the fourth passes it. */
    say(ann, "bad\n%s\nbad\nbad\n{'type':'message','content':'too late'}", too_long);
    expect_error(ann, "bad_json", NULL);
    expect_error(ann, "too_long", NULL);
    expect_error(ann, "bad_json", NULL);
    expect_error(ann, "bad_json", NULL);
    json_t *next = room_next(ann);
    must(next != NULL);
    ck_assert_str_eq(room_text(next, "type"), "bye");
    ck_assert_str_eq(room_text(next, "reason"), "too many bad lines");
    json_decref(next);
    expect_end(ann);
    json_t *left = room_next_of(&people[1], "user_left"); /* the page has no reason for it */
    must(left != NULL);
    ck_assert_str_eq(room_text(left, "nickname"), "ann");
    json_decref(left);
    expect_silence(&people[1]);
    stop_server();
}
END_TEST

/* ---- time-outs --------------------------------------------------------------------------------- */

START_TEST(join_timeout)
{
    start_server("--rate", "0", "--join-timeout", "0.4");
    struct room_peer ann, silent, talker, half;
    come(&ann, "ann", "lobby");
    int64_t begin = clock_now();
    must(room_connect(&silent, "silent", &server));
    must(room_connect(&talker, "talker", &server));
    must(room_connect(&half, "half", &server));
    must(room_send(&half, "{\"type\":", 8));
    say(&talker, "{'type':'ping'}");
    expect(&talker, "{'type':'pong'}");
    struct room_peer *const late[] = {&silent, &talker, &half};
    for (size_t i = 0; i < 3; i++) {
        expect(late[i], "{'type':'bye','reason':'timeout'}");
        expect_end(late[i]);
    }
    ck_assert_double_ge(seconds_since(begin), 0.39);
    expect_silence(&ann); /* who has joined in time stays */
    stop_server();
}
END_TEST

START_TEST(idle_timeout)
{
    start_server("--rate", "0", "--idle-timeout", "0.3", "--ping-timeout", "4");
    static const char *const answers[] = {"{'type':'ping'}", "{'type':'dance'}", "no JSON"};
    struct room_peer ann;
    int64_t begin = clock_now();
    come(&ann, "ann", "lobby");
    for (int i = 0; i < 3; i++) { /* any line answers */
        expect(&ann, "{'type':'ping'}");
        ck_assert_double_ge(seconds_since(begin), 0.29);
        begin = clock_now();
        say(&ann, "%s", answers[i]);
        json_t *answer = room_next(&ann);
        must(answer != NULL);
        json_decref(answer);
    }
    stop_server();
}
END_TEST

START_TEST(ping_timeout)
{
    start_server("--rate", "0", "--idle-timeout", "0.3", "--ping-timeout", "0.3");
    struct room_peer bob, ann;
    come(&bob, "bob", "lobby");
    int64_t begin = clock_now();
    come(&ann, "ann", "lobby");
    must(room_send(&ann, "{", 1)); /* which is no line */
    /* Bob stays in the room by answering, and sees her go. */
    bool gone = false;
    while (!gone) {
        json_t *m = room_next(&bob);
        must(m != NULL);
        if (strcmp(room_text(m, "type"), "ping") == 0)
            say(&bob, "{'type':'ping'}");
        if (strcmp(room_text(m, "type"), "user_left") == 0) {
            ck_assert_str_eq(room_text(m, "nickname"), "ann");
            ck_assert_str_eq(room_text(m, "reason"), "timeout");
            gone = true;
        }
        json_decref(m);
    }
    ck_assert_double_ge(seconds_since(begin), 0.59);
    expect(&ann, "{'type':'ping'}");
    expect(&ann, "{'type':'bye','reason':'timeout'}");
    expect_end(&ann);
    stop_server();
}
END_TEST

/* ---- rate -------------------------------------------------------------------------------------- */

START_TEST(rate_delays_and_loses_nothing)
{
    enum { LINES = 30 };
    start_server("--rate", "20", "--burst", "5");
    struct room_peer people[2], *ann = &people[0], *bob = &people[1];
    meet(people, 2, "ann", "bob");
    int64_t begin = clock_now();
    for (int i = 0; i < LINES; i++)
        say(ann, "{'type':'message','content':'%d'}", i);
    for (int i = 0; i < LINES; i++) {
        expect(ann, "{'type':'broadcast','from':'ann','room':'lobby','content':'%d'}", i);
        expect(bob, "{'type':'broadcast','from':'ann','room':'lobby','content':'%d'}", i);
    }
    ck_assert_double_ge(seconds_since(begin), (LINES - 5) / 20.0 - 0.06);
    stop_server();
}
END_TEST

/* The server stops reading: TCP stops the sender. */
START_TEST(rate_stops_the_sender)
{
    enum { MOST = 32 * MB };
    static char line[1001] = "{\"type\":\"ping\",\"x\":\"";
    start_server("--rate", "10", "--burst", "2");
    struct room_peer ann, bob;
    come(&ann, "ann", "lobby");
    come(&bob, "bob", "den");
    memset(line + strlen(line), 'x', 997 - strlen(line));
    memcpy(line + 997, "\"}\n", 4);
    long before = chat_rss();
    size_t sent = 0;
    struct pollfd room = {.fd = ann.fd, .events = POLLOUT};
    while (sent < MOST && poll(&room, 1, 200) > 0) {
        ssize_t n = send(ann.fd, line + sent % 1000, 1000 - sent % 1000, MSG_NOSIGNAL);
        ck_assert_int_gt(n, 0);
        sent += (size_t)n;
    }
    ck_assert_msg(sent < MOST, ": the server took %zu MB at 10 lines a second", sent / MB);
    ck_assert_int_lt(chat_rss() - before, MB * WAIT_SCALE);
    expect_silence(&bob);
    stop_server();
}
END_TEST

/* ---- send-queue -------------------------------------------------------------------------------- */

/* Talk until the one who does not read is gone; each line is awaited by both others, so that none is
 * ever far behind. */
static void talk_until_gone(struct room_peer *ann, struct room_peer *bob, const char *slow)
{
    char content[3001];
    memset(content, 'c', sizeof content - 1);
    content[sizeof content - 1] = '\0';
    bool gone[2] = {false, false};
    struct room_peer *const both[] = {ann, bob};
    for (int i = 0; !(gone[0] && gone[1]); i++) {
        ck_assert_msg(i < 20000, ": %s is still there after %d MB", slow, i * 3000 / MB);
        say(ann, "{'type':'message','room':'lobby','content':'%d %s'}", i, content);
        for (size_t k = 0; k < 2; k++)
            for (int number = -1; number != i;) {
                json_t *m = room_next(both[k]);
                must(m != NULL);
                if (strcmp(room_text(m, "type"), "user_left") == 0) {
                    ck_assert_str_eq(room_text(m, "nickname"), slow);
                    ck_assert_str_eq(room_text(m, "reason"), "slow consumer");
                    ck_assert(!gone[k]);
                    gone[k] = true;
                } else {
                    ck_assert_int_eq(sscanf(room_text(m, "content"), "%d", &number), 1);
                    ck_assert_int_eq(number, i);
                }
                json_decref(m);
            }
    }
}

START_TEST(slow_consumer)
{
    start_server("--rate", "0", "--send-queue", "65536");
    struct room_peer people[2], slow;
    must(room_connect_narrow(&slow, "slow", &server));
    say(&slow, "{'type':'join','nickname':'slow'}");
    expect(&slow, "{'type':'welcome','nickname':'slow','room':'lobby','users':['slow']}");
    meet(people, 2, "ann", "bob");
    talk_until_gone(&people[0], &people[1], "slow");
    for (int i = 0; i < 2; i++)
        expect_silence(&people[i]);
    say(&people[0], "{'type':'list_users'}");
    expect(&people[0], "{'type':'users','room':null,'users':['ann','bob']}");
    stop_server();
}
END_TEST

START_TEST(send_queues_in_all)
{
    start_server("--rate", "0", "--send-queue", "1000000000", "--send-queue-total", "1000000");
    struct room_peer people[2], slow;
    must(room_connect_narrow(&slow, "slow", &server));
    say(&slow, "{'type':'join','nickname':'slow'}");
    expect(&slow, "{'type':'welcome','nickname':'slow','room':'lobby','users':['slow']}");
    meet(people, 2, "ann", "bob");
    long before = chat_rss();
    talk_until_gone(&people[0], &people[1], "slow");
    ck_assert_int_lt(chat_rss() - before, 8 * MB * WAIT_SCALE);
    stop_server();
}
END_TEST

/* ---- the end ----------------------------------------------------------------------------------- */

/* What was said before the signal arrives, then the bye, then the end; nobody waits for the
 * drain-timeout. */
START_TEST(sigterm_says_bye_to_all)
{
    enum { LINES = 100 };
    start_server("--rate", "0", "--drain-timeout", "1000");
    struct room_peer people[3], waiting;
    meet(people, 3, "ann", "bob", "eve");
    must(room_connect(&waiting, "waiting", &server));
    expect_silence(&waiting);
    for (int i = 0; i < LINES; i++) {
        say(&people[0], "{'type':'message','content':'%d'}", i);
        expect(&people[0], "{'type':'broadcast','from':'ann','room':'lobby','content':'%d'}", i);
    }
    ck_assert_int_eq(kill(server.pid, SIGTERM), 0);
    for (int p = 0; p < 3; p++) {
        for (int i = 0; p > 0 && i < LINES; i++)
            expect(&people[p], "{'type':'broadcast','from':'ann','room':'lobby','content':'%d'}",
                   i);
        for (bool bye = false; !bye;) {
            json_t *m = room_next(&people[p]);
            must(m != NULL);
            bye = strcmp(room_text(m, "type"), "bye") == 0;
            ck_assert_str_eq(room_text(m, "reason"), "server closing");
            json_decref(m);
        }
        expect_end(&people[p]);
    }
    expect(&waiting, "{'type':'bye','reason':'server closing'}");
    expect_end(&waiting);
    must(subject_ends_well(&server));
}
END_TEST

/* Fill what waits for somebody who does not read. */
static void stuff(struct room_peer *slow)
{
    struct room_peer talker;
    char content[4001];
    memset(content, 's', sizeof content - 1);
    content[sizeof content - 1] = '\0';
    must(room_connect_narrow(slow, "slow", &server));
    say(slow, "{'type':'join','nickname':'slow','room':'den'}");
    expect(slow, "{'type':'welcome','nickname':'slow','room':'den','users':['slow']}");
    come(&talker, "talker", "hall");
    for (int i = 0; i < 2500; i++) { /* 10 MB: more than the kernel takes */
        say(&talker, "{'type':'private','to':'slow','content':'%s'}", content);
        json_t *m = room_next_of(&talker, "private");
        must(m != NULL);
        json_decref(m);
    }
    say(&talker, "{'type':'quit'}");
    expect(&talker, "{'type':'bye','reason':'quit'}");
    room_close(&talker);
}

START_TEST(drain_timeout_bounds_the_end)
{
    start_server("--rate", "0", "--send-queue", "100000000", "--drain-timeout", "0.5");
    struct room_peer slow;
    stuff(&slow);
    int64_t begin = clock_now();
    ck_assert_int_eq(kill(server.pid, SIGTERM), 0);
    must(subject_ends_well(&server));
    ck_assert_double_ge(seconds_since(begin), 0.49);
}
END_TEST

START_TEST(a_slow_reader_is_waited_for)
{
    start_server("--rate", "0", "--send-queue", "100000000", "--drain-timeout", "1000");
    struct room_peer slow;
    stuff(&slow);
    ck_assert_int_eq(kill(server.pid, SIGTERM), 0);
    for (int i = 0; i < 2500; i++) {
        json_t *m = room_next_of(&slow, "private");
        must(m != NULL);
        json_decref(m);
    }
    expect(&slow, "{'type':'bye','reason':'server closing'}");
    expect_end(&slow);
    room_close(&slow);
    must(subject_ends_well(&server));
}
END_TEST

static bool has_ended(void *argument)
{
    (void)argument;
    return waitpid(server.pid, NULL, WNOHANG) == server.pid;
}

START_TEST(second_sigterm_ends_at_once)
{
    start_server("--rate", "0", "--send-queue", "100000000", "--drain-timeout", "1000");
    struct room_peer slow, ann, late;
    stuff(&slow);
    come(&ann, "ann", "lobby");
    ck_assert_int_eq(kill(server.pid, SIGTERM), 0);
    expect(&ann, "{'type':'bye','reason':'server closing'}");
    ck_assert(!room_connect(&late, "late", &server)); /* it accepts nobody */
    ck_assert(proc_alive(server.pid));
    ck_assert_int_eq(kill(server.pid, SIGTERM), 0);
    must(wait_until(has_ended, NULL, "the server to end at the second signal"));
    server.pid = 0;
}
END_TEST

void chat_limits(Suite *suite)
{
    TCase *group = chat_group(suite, "limits");
    tcase_add_loop_test(group, full, 0, BACKENDS);
    tcase_add_test(group, max_clients_is_lowered_to_the_descriptors);
    tcase_add_test(group, bad_lines_in_a_row);
    tcase_add_loop_test(group, join_timeout, 0, BACKENDS);
    tcase_add_test(group, idle_timeout);
    tcase_add_loop_test(group, ping_timeout, 0, BACKENDS);
    tcase_add_loop_test(group, rate_delays_and_loses_nothing, 0, BACKENDS);
    tcase_add_test(group, rate_stops_the_sender);
    tcase_add_loop_test(group, slow_consumer, 0, BACKENDS);
    tcase_add_test(group, send_queues_in_all);
    tcase_add_loop_test(group, sigterm_says_bye_to_all, 0, BACKENDS);
    tcase_add_test(group, drain_timeout_bounds_the_end);
    tcase_add_test(group, a_slow_reader_is_waited_for);
    tcase_add_test(group, second_sigterm_ends_at_once);
}
