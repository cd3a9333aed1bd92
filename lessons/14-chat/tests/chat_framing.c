/* chat_framing - lines, however the bytes of them arrive. */

#include "chat_suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MB = 1024 * 1024 };

START_TEST(byte_by_byte)
{
    static const char lines[] =
        "{\"type\":\"join\",\"nickname\":\"ann\"}\n"
        "{\"type\":\"message\",\"content\":\"\xf0\x9f\x98\x80 \\ud83d\\ude00\"}\r\n"
        "\n\r\n"
        "no JSON\n"
        "{\"type\":\"quit\",\"id\":1}\n";
    start_server("--rate", "0");
    struct room_peer ann;
    must(room_connect(&ann, "ann", &server));
    for (size_t i = 0; i < sizeof lines - 1; i++)
        must(room_send(&ann, lines + i, 1));
    expect(&ann, "{'type':'welcome','nickname':'ann','room':'lobby','users':['ann']}");
    expect(&ann, "{'type':'broadcast','from':'ann','room':'lobby',"
                 "'content':'\xf0\x9f\x98\x80 \xf0\x9f\x98\x80'}");
    expect_error(&ann, "bad_json", NULL);
    expect(&ann, "{'type':'bye','reason':'quit','id':1}");
    expect_end(&ann);
    stop_server();
}
END_TEST

/* Hundreds of lines in one write, the join among them. */
START_TEST(in_bulk)
{
    enum { LINES = 800 };
    start_server("--rate", "0", "--send-queue", "1048576");
    struct room_peer ann;
    char *all = malloc(LINES * 100);
    ck_assert_ptr_nonnull(all);
    char *end = all + sprintf(all, "{\"type\":\"join\",\"nickname\":\"ann\"}\n");
    for (int i = 0; i < LINES; i++)
        end += sprintf(end, "{\"type\":\"message\",\"content\":\"line %d\",\"id\":%d}%s\n", i, i,
                       i % 3 == 0 ? "\r" : "");
    must(room_connect(&ann, "ann", &server));
    must(room_send(&ann, all, (size_t)(end - all)));
    expect(&ann, "{'type':'welcome','nickname':'ann','room':'lobby','users':['ann']}");
    for (int i = 0; i < LINES; i++)
        expect(&ann, "{'type':'broadcast','from':'ann','room':'lobby','content':'line %d','id':%d}",
               i, i);
    expect_silence(&ann);
    free(all);
    stop_server();
}
END_TEST

/* At each place: the server has taken a turn, for bob has been answered, before the rest comes. */
START_TEST(a_line_split_anywhere)
{
    static const char line[] = "{\"type\":\"message\",\"content\":\"\xe2\x82\xac\\u20ac\"}\r\n";
    start_server("--rate", "0");
    struct room_peer people[2], *ann = &people[0], *bob = &people[1];
    come(ann, "ann", "den");
    come(bob, "bob", "lobby");
    for (size_t at = 1; at < sizeof line - 1; at++) {
        must(room_send(ann, line, at));
        expect_silence(bob);
        must(room_send(ann, line + at, sizeof line - 1 - at));
        expect(ann, "{'type':'broadcast','from':'ann','room':'den','content':'\xe2\x82\xac"
                    "\xe2\x82\xac'}");
    }
    stop_server();
}
END_TEST

START_TEST(empty_lines_are_ignored)
{
    start_server("--rate", "0");
    struct room_peer ann;
    must(room_connect(&ann, "ann", &server));
    must(room_send(&ann, "\n\r\n\n", 4));
    for (int i = 0; i < 1000; i++)
        must(room_send(&ann, i % 2 ? "\n" : "\r\n", i % 2 ? 1 : 2));
    expect_silence(&ann);
    stop_server();
}
END_TEST

/* A ping that is so long, without its line feed. */
static void send_ping(struct room_peer *p, size_t length)
{
    char line[4096] = "{\"type\":\"ping\",\"x\":\"";
    size_t start = strlen(line);
    ck_assert_uint_lt(length, sizeof line);
    memset(line + start, 'x', length - start - 2);
    line[length - 2] = '"';
    line[length - 1] = '}';
    must(room_send(p, line, length));
}

START_TEST(the_longest_line)
{
    enum { MOST = 1000 };
    static const char *const ends[] = {"\n", "\r\n"};
    start_server("--rate", "0", "--max-line", "1000");
    struct room_peer ann;
    come(&ann, "ann", "lobby");
    for (size_t e = 0; e < 2; e++)
        for (size_t length = MOST - 3; length < MOST + 4; length++) {
            send_ping(&ann, length);
            must(room_send(&ann, ends[e], strlen(ends[e])));
            if (length <= MOST)
                expect(&ann, "{'type':'pong'}");
            else
                expect_error(&ann, "too_long", NULL);
            expect_silence(&ann);
        }
    stop_server();
}
END_TEST

/* What is too long is refused once, however it arrives, and the next line is served: in the same
 * write, or after the server has looked at each piece. */
START_TEST(too_long_in_pieces)
{
    enum { MOST = 200 };
    start_server("--rate", "0", "--max-line", "200");
    struct room_peer ann, bob;
    come(&ann, "ann", "den");
    come(&bob, "bob", "lobby");
    for (int length = MOST + 1; length < 10 * MOST; length += 77) {
        char line[10 * MOST + 100];
        memset(line, 'y', (size_t)length);
        int size = length + sprintf(line + length, "\n{\"type\":\"ping\",\"id\":%d}\n", length);
        must(room_send(&ann, line, (size_t)size));
        expect_error(&ann, "too_long", NULL);
        expect(&ann, "{'type':'pong','id':%d}", length);

        for (int sent = 0; sent < size; sent += 99) {
            must(room_send(&ann, line + sent, (size_t)(size - sent < 99 ? size - sent : 99)));
            expect_silence(&bob);
        }
        expect_error(&ann, "too_long", NULL);
        expect(&ann, "{'type':'pong','id':%d}", length);
    }
    stop_server();
}
END_TEST

/* 64 MB of one line are thrown away as they come. */
START_TEST(too_long_is_not_stored)
{
    static char bytes[MB];
    start_server("--rate", "0");
    struct room_peer people[2], *ann = &people[0], *bob = &people[1];
    meet(people, 2, "ann", "bob");
    memset(bytes, 'z', sizeof bytes);
    must(room_send(ann, bytes, sizeof bytes));
    expect_silence(bob);
    long before = chat_rss(), most = before;
    for (int i = 0; i < 64; i++) {
        must(room_send(ann, bytes, sizeof bytes));
        long now = chat_rss();
        most = now > most ? now : most;
    }
    say(ann, "\n{'type':'message','content':'after it','id':1}");
    expect_error(ann, "too_long", NULL);
    expect(ann, "{'type':'broadcast','from':'ann','room':'lobby','content':'after it','id':1}");
    expect(bob, "{'type':'broadcast','from':'ann','room':'lobby','content':'after it'}");
    ck_assert_msg(most - before < MB * WAIT_SCALE, ": grew by %ld KB during a line of 64 MB",
                  (most - before) / 1024);
    stop_server();
}
END_TEST

/* ---- the end of what is sent ------------------------------------------------------------------- */

START_TEST(what_came_before_a_half_close_is_served)
{
    enum { LINES = 50 };
    start_server("--rate", "0");
    struct room_peer ann, bob;
    for (int round = 0; round < 20; round++) {
        come(&bob, "bob", "lobby");
        must(room_connect(&ann, "ann", &server));
        say(&ann, "{'type':'join','nickname':'ann'}");
        for (int i = 0; i < LINES; i++)
            say(&ann, "{'type':'message','content':'%d'}", i);
        must(room_finish(&ann));
        expect(&ann, "{'type':'welcome','nickname':'ann','room':'lobby','users':['ann','bob']}");
        expect(&bob, "{'type':'user_joined','nickname':'ann','room':'lobby'}");
        for (int i = 0; i < LINES; i++) {
            expect(&ann, "{'type':'broadcast','from':'ann','room':'lobby','content':'%d'}", i);
            expect(&bob, "{'type':'broadcast','from':'ann','room':'lobby','content':'%d'}", i);
        }
        expect_end(&ann);
        expect(&bob, "{'type':'user_left','nickname':'ann','room':'lobby',"
                     "'reason':'connection lost'}");
        say(&bob, "{'type':'quit'}");
        expect(&bob, "{'type':'bye','reason':'quit'}");
        expect_end(&bob);
        room_close(&ann);
        room_close(&bob);
    }
    stop_server();
}
END_TEST

START_TEST(a_line_without_its_end_is_none)
{
    start_server("--rate", "0");
    struct room_peer ann, bob;
    come(&bob, "bob", "lobby");
    come(&ann, "ann", "lobby");
    expect(&bob, "{'type':'user_joined','nickname':'ann','room':'lobby'}");
    static const char line[] = "{\"type\":\"message\",\"content\":\"unfinished\"}";
    must(room_send(&ann, line, sizeof line - 1));
    must(room_finish(&ann));
    expect_end(&ann);
    expect(&bob, "{'type':'user_left','nickname':'ann','room':'lobby','reason':'connection lost'}");
    expect_silence(&bob);
    stop_server();
}
END_TEST

void chat_framing(Suite *suite)
{
    TCase *group = chat_group(suite, "framing");
    tcase_add_loop_test(group, byte_by_byte, 0, BACKENDS);
    tcase_add_loop_test(group, in_bulk, 0, BACKENDS);
    tcase_add_test(group, a_line_split_anywhere);
    tcase_add_test(group, empty_lines_are_ignored);
    tcase_add_test(group, the_longest_line);
    tcase_add_test(group, too_long_in_pieces);
    tcase_add_test(group, too_long_is_not_stored);
    tcase_add_loop_test(group, what_came_before_a_half_close_is_served, 0, BACKENDS);
    tcase_add_test(group, a_line_without_its_end_is_none);
}
