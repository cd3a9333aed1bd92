/*
 * client_test - the client as its user sees it, on a terminal that is a model.
 *
 * The client runs between a user and a server that are this test (stage.h); last, two clients talk
 * through the real server.
 */

#include "stage.h"

#include "clock.h"
#include "net.h"
#include "testkit/fault.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

enum { NARROW = 40 };

static char server[4096];

/* ---- tests -------------------------------------------------------------------------------------- */

START_TEST(messages_appear_above_the_line)
{
    stage_start_joined(80);
    stage_type("half a li");
    stage_await_line("lobby> half a li");
    stage_broadcast("bob", "hello there");
    stage_await_text("<bob> hello there");
    stage_await_line("lobby> half a li");
    ck_assert_int_lt(screen_find(&stage.screen, "<bob> hello there"),
                     screen_find(&stage.screen, "lobby> half a li"));
    stage_type("ne\r");
    stage_expect("message", "content", "half a line");
    stage_await_line("lobby>");
}
END_TEST

START_TEST(shows_the_time_of_the_reader)
{
    stage_start_joined(80);
    stage_broadcast("bob", "when?");
    stage_await_text("2024-01-15 12:30 <bob> when?");
}
END_TEST

START_TEST(edits_and_remembers)
{
    stage_start_joined(80);
    stage_type("one\rtwo\r");
    stage_expect("message", "content", "one");
    stage_expect("message", "content", "two");
    stage_type("\033[A\033[A");
    stage_await_line("lobby> one");
    stage_type("\033[H\xf0\x9f\x98\x80 ");
    stage_await_line("lobby> \xf0\x9f\x98\x80 one");
    ck_assert_int_eq(stage.screen.column, 10);
    stage_type("\033[F\177\177x\r");
    stage_expect("message", "content", "\xf0\x9f\x98\x80 ox");
    stage_type("\022tw"); /* search backwards */
    stage_await_text("bck:tw");
    stage_broadcast("bob", "in between");
    stage_await_text("<bob> in between");
    stage_type("\r");
    stage_expect("message", "content", "two");
}
END_TEST

START_TEST(wraps_a_long_line)
{
    stage_start_joined(NARROW);
    char line[101];
    memset(line, 'x', 100);
    line[100] = '\0';
    stage_type(line);
    stage_type("END");
    stage_await_text("xEND");
    stage_broadcast("bob", "above");
    stage_await_text("<bob> above");
    stage_await_text("xEND");
    int row = screen_find(&stage.screen, "lobby> xxx");
    ck_assert_int_eq(screen_find(&stage.screen, "<bob> above"), row - 1);
    ck_assert_int_eq(screen_find(&stage.screen, "xEND"), row + 2);
    stage_type("\025"); /* kill it: nothing stays behind */
    stage_await_line("lobby>");
    ck_assert_int_eq(screen_find(&stage.screen, "xxx"), -1);
}
END_TEST

START_TEST(completes)
{
    stage_start_joined(80);
    stage_type("/he\t");
    stage_await_line("lobby> /help");
    stage_type("\025/msg BO\t");
    stage_await_line("lobby> /msg bob");
    stage_type("hi\r");
    stage_expect("private", "to", "bob");
    stage_type("/leave lo\t\r");
    stage_expect("leave_room", "room", "lobby");
    stage_type("bo\t");
    stage_await_line("lobby> bob:");
}
END_TEST

START_TEST(knows_its_commands)
{
    static const char *const typed[][4] = {
        {"/nick ally\r", "nick", "nickname", "ally"},
        {"/msg bob a b\r", "private", "content", "a b"},
        {"/join dev\r", "join_room", "room", "dev"},
        {"/leave lobby\r", "leave_room", "room", "lobby"},
        {"/users lobby\r", "list_users", "room", "lobby"},
        {"/users\r", "list_users", "type", "list_users"},
        {"/rooms\r", "list_rooms", "type", "list_rooms"},
        {"//slash\r", "message", "content", "/slash"},
    };
    stage_start_joined(80);
    for (size_t i = 0; i < sizeof typed / sizeof typed[0]; i++) {
        stage_type(typed[i][0]);
        stage_expect(typed[i][1], typed[i][2], typed[i][3]);
    }
    stage_type("/help\r");
    stage_await_text("/msg NAME TEXT");
    stage_type("/nonsense\r");
    stage_await_text("there is no /nonsense");
    stage_await_text("> /nonsense");
}
END_TEST

static void enter(const char *room)
{
    char typed[64];
    snprintf(typed, sizeof typed, "/join %s\r", room);
    stage_type(typed);
    int id = stage_expect("join_room", "room", room);
    stage_say("{\"type\":\"room_joined\",\"room\":\"%s\",\"users\":[\"alice\"],\"id\":%d}", room,
              id);
}

/* Of rooms case counts, of people it does not. */
START_TEST(tells_rooms_by_their_case)
{
    stage_start_joined(80);
    enter("dev");
    stage_await_line("dev>");
    enter("Dev");
    stage_await_line("Dev>");
    stage_type("hello\r");
    stage_expect("message", "room", "Dev");
    stage_say("{\"type\":\"broadcast\",\"from\":\"bob\",\"room\":\"dev\",\"content\":\"not here\","
              "\"timestamp\":\"2024-01-15 10:30:00\"}");
    stage_await_text("[dev] <bob> not here");
    stage_type("/leave d\t");
    stage_await_text("Dev  dev");
    stage_type("\025/join dev\r");
    stage_await_line("dev>");
    stage_type("/leave\r");
    int id = stage_expect("leave_room", "room", "dev");
    stage_say("{\"type\":\"room_left\",\"room\":\"dev\",\"id\":%d}", id);
    stage_await_line("Dev>");
    stage_say("{\"type\":\"nick_changed\",\"old\":\"BOB\",\"nickname\":\"Robert\"}");
    stage_await_text("BOB is now Robert");
    stage_type("/msg ro\t");
    stage_await_line("Dev> /msg Robert");
}
END_TEST

START_TEST(obeys_no_stranger)
{
    stage_start_joined(SCREEN_COLUMNS_MAX);
    stage_broadcast("b\\u001b[2Job",
                    "\\u001b]0;title\\u0007 \\u009b2J \\u202eevil\\u2066 \\u200b\\u007f\\r\\n|");
    stage_await_text("^[]0;title^G <U+009B>2J <U+202E>evil<U+2066> <U+200B>^?^M^J|");
    stage_say(
        "{\"type\":\"user_left\",\"nickname\":\"x\\u001bc\",\"room\":\"\\u001b[H\",\"reason\":"
        "\"\\u009b1m\"}");
    stage_await_text("x^[c has left ^[[H (<U+009B>1m)");
    stage_say("{\"type\":\"error\",\"code\":\"\\u001b[7m\",\"message\":\"\\u001b[5m.\"}");
    stage_await_text("! ^[[5m. (^[[7m)");
    stage_say("{\"type\":\"\\u001B[2J\",\"what\":\"\\u2028\"}");
    stage_await_text("? {\"type\":\"\\u001B[2J\",\"what\":\"<U+2028>\"}");
    stage_say("\033[2Jno json \xff\x9b");
    stage_await_text("^[[2Jno json <FF><9B>");
    stage_say("{\"type\":\"users\",\"room\":null,\"users\":[\"\\u001b[2J\",\"\\u202e\"]}");
    stage_await_text("2 on the server: ^[[2J, <U+202E>");
    stage_say("{\"type\":\"rooms\",\"rooms\":[{\"name\":\"\\u001b[2J\",\"users\":1}]}");
    stage_await_text("* rooms: ^[[2J (1)");
    stage_type("still here\r");
    stage_expect("message", "content", "still here");
}
END_TEST

START_TEST(prints_json_that_a_terminal_can_have)
{
    stage_listen();
    stage_start("C.UTF-8", SCREEN_COLUMNS_MAX, STAGE_ARGS("--json"));
    stage_accept();
    stage_welcome("alice", "lobby", stage_expect("join", "nickname", "alice"));
    stage_broadcast("bob", "\xe2\x80\xae \x7f");
    stage_await_text("\"content\":\"\\u202e \\u007f\"");
}
END_TEST

START_TEST(answers_a_ping)
{
    stage_start_joined(80);
    stage_say("{\"type\":\"ping\"}");
    stage_expect("ping", "type", "ping");
}
END_TEST

START_TEST(comes_back)
{
    stage_start_joined(SCREEN_COLUMNS_MAX);
    stage_type("/join dev\r");
    int id = stage_expect("join_room", "room", "dev");
    stage_say("{\"type\":\"room_joined\",\"room\":\"dev\",\"users\":[\"alice\"],\"id\":%d}", id);
    stage_await_line("dev>");
    stage_type("not lost");
    stage_await_line("dev> not lost");
    close(stage.cfd);
    stage_await_text("trying again in 1.");
    stage_await_line("(offline) dev> not lost");
    stage_type("\r"); /* is not sent, and stays */
    stage_await_text("not connected: not sent");
    stage_await_line("(offline) dev> not lost");
    stage_accept();
    json_t *join = stage_next();
    ck_assert_str_eq(json_string_value(json_object_get(join, "nickname")), "alice");
    ck_assert_str_eq(json_string_value(json_object_get(join, "room")), "lobby");
    id = (int)json_integer_value(json_object_get(join, "id"));
    json_decref(join);
    stage_welcome("alice", "lobby", id);
    id = stage_expect("join_room", "room", "dev");
    stage_say("{\"type\":\"room_joined\",\"room\":\"dev\",\"users\":[\"alice\"],\"id\":%d}", id);
    stage_await_line("dev> not lost");
    stage_type("\r");
    stage_expect("message", "room", "dev");
}
END_TEST

START_TEST(gets_its_nickname_back)
{
    stage_start_joined(80);
    close(stage.cfd);
    stage_accept();
    int id = stage_expect("join", "nickname", "alice");
    stage_say("{\"type\":\"error\",\"code\":\"nickname_taken\",\"message\":\"Taken.\",\"id\":%d}",
              id);
    stage_welcome("alice-2", "lobby", stage_expect("join", "nickname", "alice-2"));
    stage_await_text("alice is taken");
    stage_say("{\"type\":\"user_left\",\"nickname\":\"alice\",\"room\":\"lobby\",\"reason\":"
              "\"timeout\"}");
    id = stage_expect("nick", "nickname", "alice");
    stage_say("{\"type\":\"nick_changed\",\"old\":\"alice-2\",\"nickname\":\"alice\",\"id\":%d}",
              id);
    stage_await_text("alice-2 is now alice");
}
END_TEST

START_TEST(says_why_it_cannot_join)
{
    static const char *const codes[] = {"bad_nickname", "nickname_taken", "server_full"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        stage_listen();
        stage_start("C.UTF-8", 80, NULL);
        stage_accept();
        stage_expect("join", "nickname", "alice");
        stage_say("{\"type\":\"error\",\"code\":\"%s\",\"message\":\"So it is.\"}", codes[i]);
        stage_await_text("cannot join: So it is.");
        stage_await_text(codes[i]);
        stage_expect_exit(1);
        close(stage.cfd);
        close(stage.lfd);
        close(stage.pty);
    }
}
END_TEST

START_TEST(cannot_connect)
{
    stage_listen();
    close(stage.lfd);
    stage_start("C.UTF-8", 80, NULL);
    stage_await_text("cannot connect to 127.0.0.1 port");
    stage_expect_exit(1);
}
END_TEST

/* The queue of the listener is full, and the kernel drops what else knocks. */
START_TEST(connects_within_its_time)
{
    stage.lfd = net_listen("127.0.0.1", "0", 0);
    ck_assert_int_ne(stage.lfd, -1);
    snprintf(stage.port, sizeof stage.port, "%d", net_local_port(stage.lfd));
    int filler = net_connect("127.0.0.1", stage.port);
    ck_assert_int_ne(filler, -1);
    int64_t begin = clock_now();
    stage_start("C.UTF-8", 80, STAGE_ARGS("--timeout=0.5"));
    stage_await_text("Connection timed out");
    ck_assert_int_ge(clock_now() - begin, 500000000);
    stage_expect_exit(1);
    close(filler);
}
END_TEST

START_TEST(joins_within_its_time)
{
    stage_listen();
    stage_start("C.UTF-8", 80, STAGE_ARGS("--timeout=0.5"));
    stage_accept();
    stage_await_text("the server does not answer");
    stage_expect_exit(1);
}
END_TEST

START_TEST(has_colours_where_they_are_wanted)
{
    static const char *const values[] = {NULL, "", "1"};
    stage_no_color = values[_i];
    stage_start_joined(80);
    stage_broadcast("bob", "hello");
    stage_await_text("<bob> hello");
    ck_assert(stage.screen.coloured == (stage_no_color == NULL || *stage_no_color == '\0'));
}
END_TEST

START_TEST(ends_at_quit_and_at_ctrl_d)
{
    stage_start_joined(80);
    stage_type(_i == 0 ? "/quit\r" : "\004");
    int id = stage_expect("quit", "type", "quit");
    stage_say("{\"type\":\"bye\",\"reason\":\"quit\",\"id\":%d}", id);
    stage_expect_exit(0);
}
END_TEST

START_TEST(ends_at_a_signal)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    stage_start_joined(80);
    stage_type("half a line");
    stage_await_line("lobby> half a line");
    if (signals[_i] == SIGINT)
        stage_type("\003"); /* the terminal sends it */
    else
        kill(stage.pid, signals[_i]);
    int id = stage_expect("quit", "type", "quit");
    stage_say("{\"type\":\"bye\",\"reason\":\"quit\",\"id\":%d}", id);
    int status = stage_await_end();
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == signals[_i], "status %#x",
                  (unsigned)status);
    stage_expect_modes_restored();
}
END_TEST

START_TEST(ends_when_the_terminal_goes_away)
{
    stage_start_joined(80);
    close(stage.pty);
    stage_expect("quit", "type", "quit");
    close(stage.cfd);
    int status = 0;
    stage.pty = open("/dev/null", O_RDONLY);
    ck_assert_msg(wait_until(stage_has_ended, &status, "the client to end"), "%s", fault_text());
}
END_TEST

static bool is_stopped(void *unused)
{
    (void)unused;
    int status = 0;
    stage_look();
    return waitpid(stage.pid, &status, WNOHANG | WUNTRACED) == stage.pid && WIFSTOPPED(status);
}

/* The client leads a session of its own here, whose group is an orphan: the kernel does not stop it for
 * SIGTSTP.  So it is stopped for good, as by kill -STOP, with the terminal's modes spoilt meanwhile. */
START_TEST(takes_the_terminal_back_when_continued)
{
    stage_start_joined(80);
    stage_type("half");
    stage_await_line("lobby> half");
    kill(stage.pid, SIGTSTP);
    stage_type(" a");
    stage_await_line("lobby> half a"); /* an orphan goes on */
    kill(stage.pid, SIGSTOP);
    ck_assert_msg(wait_until(is_stopped, NULL, "the client to stop"), "%s", fault_text());
    ck_assert_int_eq(tcsetattr(stage.pty, TCSANOW, &stage.modes), 0);
    kill(stage.pid, SIGCONT);
    stage_type(" line");
    stage_await_line("lobby> half a line");
    stage_type("\r");
    stage_expect("message", "content", "half a line");
}
END_TEST

START_TEST(draws_again_when_resized)
{
    stage_start_joined(80);
    stage_type("0123456789012345678901234567890123456789");
    stage_await_line("lobby> 0123456789012345678901234567890123456789");
    struct winsize size = {.ws_row = SCREEN_ROWS, .ws_col = 100};
    ck_assert_int_eq(ioctl(stage.pty, TIOCSWINSZ, &size), 0);
    stage.screen.columns = 100;
    stage_type("0123456789012345678901234567890123456789ABCD");
    stage_await_line(
        "lobby> "
        "01234567890123456789012345678901234567890123456789012345678901234567890123456789ABCD");
}
END_TEST

START_TEST(takes_a_paste_literally)
{
    stage_start_joined(80);
    stage_type("\033[200~one\ttab\033[A\rtwo\033[201~");
    stage_expect("message", "content", "one tab[A");
    stage_await_line("lobby> two");
}
END_TEST

START_TEST(keeps_a_line_that_is_too_long)
{
    stage_start_joined(80);
    char line[5001];
    memset(line, 'x', 5000);
    line[5000] = '\0';
    stage_type(line);
    stage_type("\r");
    stage_await_text("a line has 4096 bytes at most, and this one 5000");
    stage_type("\025short\r");
    stage_expect("message", "content", "short");
}
END_TEST

START_TEST(is_not_blocked_by_a_server_that_does_not_read)
{
    stage_start_joined(80);
    char line[4002];
    memset(line, 'x', 4000);
    memcpy(line + 4000, "\r", 2);
    for (int i = 0; i < 65; i++)
        stage_type(line);
    stage_await_text("the server has not answered the last 64 requests");
    stage_broadcast("bob", "still heard");
    stage_await_text("<bob> still heard");
}
END_TEST

START_TEST(shows_ascii_in_the_c_locale)
{
    stage_listen();
    stage_start("C", 80, NULL);
    stage_accept();
    stage_welcome("alice", "lobby", stage_expect("join", "nickname", "alice"));
    stage_broadcast("bob", "caf\xc3\xa9");
    stage_await_text("<bob> caf<U+00E9>");
    stage_type("\xc3\xa9\r");
    stage_expect("message", "content", "\xc3\xa9");
}
END_TEST

/* ---- the filter, and the real server ------------------------------------------------------------ */

START_TEST(is_a_filter_for_scripts)
{
    stage_listen();
    struct filter f = filter_open(stage.port, "alice", NULL);
    stage.pty = open("/dev/null", O_RDONLY);
    filter_feed(&f, "one");
    char line[4098];
    memset(line, 'x', 4097);
    line[4097] = '\0';
    filter_feed(&f, line);
    filter_feed(&f, "/rooms");
    stage_accept();
    stage_welcome("alice", "lobby", stage_expect("join", "nickname", "alice"));
    int id = stage_expect("message", "content", "one");
    stage_say(
        "{\"type\":\"broadcast\",\"from\":\"alice\",\"room\":\"lobby\",\"content\":\"one\",\"id\":%"
        "d}",
        id);
    id = stage_expect("list_rooms", "type", "list_rooms");
    fclose(f.in);
    stage_say("{\"type\":\"rooms\",\"rooms\":[],\"id\":%d}", id); /* only now it may quit */
    id = stage_expect("quit", "type", "quit");
    stage_say("{\"type\":\"bye\",\"reason\":\"quit\",\"id\":%d}", id);
    filter_expect(&f, "a line of more than 4096 bytes");
    f.in = fopen("/dev/null", "w");
    filter_expect_end(&f, 0);
}
END_TEST

START_TEST(passes_json_on_as_it_is)
{
    stage_listen();
    struct filter f = filter_open(stage.port, "alice", STAGE_ARGS("--json"));
    stage_accept();
    stage.pty = open("/dev/null", O_RDONLY);
    stage_welcome("alice", "lobby", stage_expect("join", "nickname", "alice"));
    filter_expect(&f, "\"type\":\"welcome\"");
    stage_say("{\"type\" : \"new\",\"x\":\"\xe2\x80\xae\"}");
    filter_expect(&f, "{\"type\" : \"new\",\"x\":\"\xe2\x80\xae\"}\n");
}
END_TEST

START_TEST(a_script_learns_that_there_is_no_server)
{
    stage_listen();
    close(stage.lfd);
    struct filter f = filter_open(stage.port, "alice", NULL);
    filter_expect(&f, "cannot connect");
    filter_expect_end(&f, 1);
}
END_TEST

START_TEST(two_clients_talk)
{
    if (access(server, X_OK) == -1)
        suite_skip("the server is not built");
    struct subject s;
    ck_assert_msg(subject_start(&s, server, SUBJECT_ARGS("--port", "0", "--quiet"), 0), "%s",
                  fault_text());
    struct filter alice = filter_open(s.port, "alice", NULL);
    filter_expect(&alice, "you are alice, in lobby");
    struct filter bob = filter_open(s.port, "bob", NULL);
    filter_expect(&alice, "bob has joined lobby");
    filter_feed(&alice, "hello bob");
    filter_expect(&bob, "[lobby] <alice> hello bob");
    filter_feed(&bob, "/msg ALICE psst");
    filter_expect(&alice, "bob -> alice: psst");
    filter_feed(&bob, "/join dev");
    filter_feed(&bob, "anybody?");
    filter_expect(&bob, "[dev] <bob> anybody?");
    filter_feed(&bob, "/nick robert");
    filter_expect(&alice, "bob is now robert");
    filter_expect_end(&bob, 0);
    filter_expect(&alice, "robert has left lobby (quit)");
    filter_expect_end(&alice, 0);
    ck_assert_msg(subject_stop(&s), "%s", fault_text());
}
END_TEST

int main(int argc, char **argv)
{
    (void)argc;
    setlocale(LC_ALL, "C.UTF-8");
    stage_find(argv[0], stage_client, sizeof stage_client, "client");
    stage_find(argv[0], server, sizeof server, "server");

    Suite *suite = suite_create("client");
    TCase *tests = tcase_create("client");
    tcase_set_timeout(tests, SUITE_TIMEOUT);
    tcase_add_test(tests, messages_appear_above_the_line);
    tcase_add_test(tests, shows_the_time_of_the_reader);
    tcase_add_test(tests, edits_and_remembers);
    tcase_add_test(tests, wraps_a_long_line);
    tcase_add_test(tests, completes);
    tcase_add_test(tests, knows_its_commands);
    tcase_add_test(tests, tells_rooms_by_their_case);
    tcase_add_test(tests, obeys_no_stranger);
    tcase_add_test(tests, prints_json_that_a_terminal_can_have);
    tcase_add_test(tests, answers_a_ping);
    tcase_add_test(tests, comes_back);
    tcase_add_test(tests, gets_its_nickname_back);
    tcase_add_test(tests, says_why_it_cannot_join);
    tcase_add_test(tests, cannot_connect);
    tcase_add_test(tests, connects_within_its_time);
    tcase_add_test(tests, joins_within_its_time);
    tcase_add_loop_test(tests, has_colours_where_they_are_wanted, 0, 3);
    tcase_add_loop_test(tests, ends_at_quit_and_at_ctrl_d, 0, 2);
    tcase_add_loop_test(tests, ends_at_a_signal, 0, 4);
    tcase_add_test(tests, ends_when_the_terminal_goes_away);
    tcase_add_test(tests, takes_the_terminal_back_when_continued);
    tcase_add_test(tests, draws_again_when_resized);
    tcase_add_test(tests, takes_a_paste_literally);
    tcase_add_test(tests, keeps_a_line_that_is_too_long);
    tcase_add_test(tests, is_not_blocked_by_a_server_that_does_not_read);
    tcase_add_test(tests, shows_ascii_in_the_c_locale);
    tcase_add_test(tests, is_a_filter_for_scripts);
    tcase_add_test(tests, passes_json_on_as_it_is);
    tcase_add_test(tests, a_script_learns_that_there_is_no_server);
    tcase_add_test(tests, two_clients_talk);
    suite_add_tcase(suite, tests);
    return suite_run("client_test", suite, NULL);
}
