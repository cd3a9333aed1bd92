/*
 * client_full_test - what the whole chat room's client can do beyond lesson 14's, but for files:
 * passwords, history, emoji.
 *
 * The client runs between a user and a server that are this test (stage.h).
 */

#include "../../../lessons/14-chat/tests/stage.h"
#include "../glyph.h"
#include "printable.h"
#include "testkit/fault.h"
#include "testkit/memory.h"
#include "testkit/suite.h"
#include "testkit/wait.h"
#include "utf8.h"
#include "workspace.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char password[] = "correct horse \xc3\xa9";

/* ---- passwords ---------------------------------------------------------------------------------- */

/* The next request is this one, with the password.  Returns its id. */
static int expect_with_password(const char *type)
{
    json_t *request = stage_next();
    const json_t *room = json_object_get(request, "room");
    ck_assert_str_eq(json_string_value(json_object_get(request, "type")), type);
    ck_assert_str_eq(json_string_value(json_object_get(request, "nickname")), "alice");
    ck_assert_str_eq(json_string_value(json_object_get(request, "password")), password);
    if (strcmp(type, "login") == 0)
        ck_assert_str_eq(json_string_value(room), "lobby");
    int id = (int)json_integer_value(json_object_get(request, "id"));
    json_decref(request);
    return id;
}

/* Start a client that has the password in a file. */
static void start_with_file(const char *how)
{
    workspace_enter();
    workspace_write("password", password, strlen(password));
    stage_listen();
    stage_start("C.UTF-8", 80, STAGE_ARGS("--password-file", "password", how));
    stage_accept();
}

START_TEST(logs_in)
{
    start_with_file("--login");
    stage_welcome("alice", "lobby", expect_with_password("login"));
    stage_await_line("lobby>");
    stage_type("/nick ally\r");
    int id = stage_expect("nick", "nickname", "ally");
    stage_say("{\"type\":\"nick_changed\",\"old\":\"alice\",\"nickname\":\"ally\",\"id\":%d}", id);
    stage_await_text("alice is now ally");
    close(stage.cfd); /* the account is alice's, whatever she is called */
    stage_accept();
    stage_welcome("alice", "lobby", expect_with_password("login"));
    stage_await_line("lobby>");
    ck_assert_int_eq(screen_find(&stage.screen, "correct"), -1);
    ck_assert_int_eq(screen_find(&stage.screen, "is taken"), -1);
}
END_TEST

START_TEST(registers)
{
    start_with_file("--register");
    int id = expect_with_password("register");
    stage_say("{\"type\":\"registered\",\"nickname\":\"alice\",\"id\":%d}", id);
    stage_welcome("alice", "lobby", expect_with_password("login"));
    stage_await_text("alice is registered");
    stage_await_line("lobby>");
    close(stage.cfd);
    stage_accept();
    stage_welcome("alice", "lobby", expect_with_password("login")); /* once is enough */
}
END_TEST

START_TEST(says_why_it_cannot_log_in)
{
    static const char *const refused[][3] = {
        {"--login", "bad_credentials", "Wrong nickname or password."},
        {"--login", "busy", "Too many attempts."},
        {"--register", "nickname_registered", "That nickname is registered."},
    };
    start_with_file(refused[_i][0]);
    int id = expect_with_password(refused[_i][0] + 2);
    stage_say("{\"type\":\"error\",\"code\":\"%s\",\"message\":\"%s\",\"id\":%d}", refused[_i][1],
              refused[_i][2], id);
    stage_await_text(refused[_i][2]);
    stage_await_text("cannot join");
    stage_expect_exit(1);
    ck_assert_int_eq(screen_find(&stage.screen, "correct"), -1);
    bool hinted = screen_find(&stage.screen, "if it is yours: --login") != -1;
    ck_assert(hinted == (strcmp(refused[_i][0], "--register") == 0));
}
END_TEST

START_TEST(tells_who_joins_a_registered_name)
{
    stage_listen();
    stage_start("C.UTF-8", 80, NULL);
    stage_accept();
    int id = stage_expect("join", "nickname", "alice");
    stage_say(
        "{\"type\":\"error\",\"code\":\"nickname_registered\",\"message\":\"It is.\",\"id\":%d}",
        id);
    stage_await_text("--login");
    stage_expect_exit(1);
}
END_TEST

START_TEST(does_not_fight_with_itself)
{
    start_with_file("--login");
    stage_welcome("alice", "lobby", expect_with_password("login"));
    stage_await_line("lobby>");
    stage_say("{\"type\":\"bye\",\"reason\":\"logged in elsewhere\"}");
    close(stage.cfd);
    stage_await_text("logged in elsewhere");
    stage_expect_exit(1);
}
END_TEST

START_TEST(refuses_what_is_no_password)
{
    static const struct {
        const char *text, *said;
    } wrong[] = {{"short", "8 to 128 bytes"}, {"", "password"}, {"bad \xff bytes", "not UTF-8"}};
    workspace_enter();
    workspace_write("password", wrong[_i].text, strlen(wrong[_i].text));
    stage_listen();
    stage_start("C.UTF-8", 80, STAGE_ARGS("--password-file", "password"));
    stage_await_text(wrong[_i].said);
    int status = stage_await_end();
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) != 0);
}
END_TEST

START_TEST(takes_no_password_that_is_too_long)
{
    char line[200];
    memset(line, 'x', sizeof line);
    workspace_enter();
    workspace_write("password", line, 129);
    stage_listen();
    stage_start("C.UTF-8", 80, STAGE_ARGS("--password-file", "password"));
    stage_await_text("8 to 128 bytes");
    stage_expect_exit(1);
}
END_TEST

static bool echoes(void)
{
    struct termios modes;
    ck_assert_int_eq(tcgetattr(stage.pty, &modes), 0);
    return modes.c_lflag & ECHO;
}

static bool is_silent(void *unused)
{
    (void)unused;
    stage_look();
    return !echoes();
}

static void await_question(const char *question)
{
    stage_await_text(question);
    ck_assert_msg(wait_until(is_silent, NULL, "the echo to go off"), "%s", fault_text());
}

START_TEST(asks_without_echo)
{
    stage_listen();
    stage_start("C.UTF-8", 80, STAGE_ARGS("--login"));
    await_question("Password of alice:");
    stage_type(password);
    stage_type("x\177\n"); /* the terminal erases by itself */
    stage_accept();
    stage_welcome("alice", "lobby", expect_with_password("login"));
    stage_await_line("lobby>");
    ck_assert_int_eq(screen_find(&stage.screen, "correct"), -1);
    ck_assert_int_eq(screen_find(&stage.screen, "*"), screen_find(&stage.screen, "* you are"));
    stage_type("/quit\r");
    int id = stage_expect("quit", "type", "quit");
    stage_say("{\"type\":\"bye\",\"reason\":\"quit\",\"id\":%d}", id);
    stage_expect_exit(0);
}
END_TEST

START_TEST(asks_twice_for_a_new_one)
{
    stage_listen();
    stage_start("C.UTF-8", 80, STAGE_ARGS("--register"));
    await_question("Password of alice:");
    stage_type(password);
    stage_type("\n");
    await_question("The same again:");
    stage_type(password);
    stage_type(_i == 0 ? "\n" : "!\n");
    if (_i == 0) {
        stage_accept();
        expect_with_password("register");
    } else {
        stage_await_text("two different passwords");
        stage_expect_exit(1);
    }
}
END_TEST

START_TEST(gives_the_echo_back)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    stage_listen();
    stage_start("C.UTF-8", 80, STAGE_ARGS("--login"));
    await_question("Password of alice:");
    stage_type("half");
    if (signals[_i] == SIGINT)
        stage_type("\003");
    else
        kill(stage.pid, signals[_i]);
    int status = stage_await_end();
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == signals[_i], "status %#x",
                  (unsigned)status);
    stage_expect_modes_restored();
}
END_TEST

START_TEST(leaves_no_password_in_memory)
{
    if (_i == 0) {
        start_with_file("--register");
        int id = expect_with_password("register");
        stage_say("{\"type\":\"registered\",\"nickname\":\"alice\",\"id\":%d}", id);
    } else {
        stage_listen();
        stage_start("C.UTF-8", 80, STAGE_ARGS("--login"));
        await_question("Password of alice:");
        stage_type(password);
        stage_type("\n");
        stage_accept();
    }
    stage_welcome("alice", "lobby", expect_with_password("login"));
    stage_await_line("lobby>");
    struct memory_place place;
    if (!memory_find(stage.pid, "lobby", NULL))
        suite_skip("the memory of another process cannot be read here");
    ck_assert_msg(!memory_find(stage.pid, password, &place),
                  "the password is in the memory, %s, behind '%s'", place.mapping, place.before);
}
END_TEST

/* ---- history ------------------------------------------------------------------------------------ */

/* The next request is for a page of the lobby; before: 0 for the last one.  Returns its id. */
static int expect_history(int limit, int before)
{
    json_t *request = stage_next();
    ck_assert_str_eq(json_string_value(json_object_get(request, "type")), "history");
    ck_assert_str_eq(json_string_value(json_object_get(request, "room")), "lobby");
    ck_assert_int_eq(json_integer_value(json_object_get(request, "limit")), limit);
    ck_assert_int_eq(json_integer_value(json_object_get(request, "before")), before);
    int id = (int)json_integer_value(json_object_get(request, "id"));
    json_decref(request);
    return id;
}

static void send_page(int id, int first, int last, bool more)
{
    char page[4096] = "";
    size_t length = 0;
    for (int i = first; i <= last; i++)
        length += (size_t)snprintf(
            page + length, sizeof page - length,
            "%s{\"seq\":%d,\"from\":\"bob\",\"content\":\"line %d\\u001b[2J\","
            "\"timestamp\":\"2024-01-15 10:%02d:00\"}",
            i > first ? "," : "", i, i, i % 60);
    stage_say("{\"type\":\"history\",\"room\":\"lobby\",\"messages\":[%s],\"more\":%s,\"id\":%d}",
              page, more ? "true" : "false", id);
}

START_TEST(scrolls_back)
{
    stage_start_joined(80);
    stage_say("{\"type\":\"broadcast\",\"from\":\"bob\",\"room\":\"lobby\",\"content\":\"live\","
              "\"seq\":51,"
              "\"timestamp\":\"2024-01-15 10:51:00\"}");
    stage_await_text("<bob> live");
    stage_type("/history 2\r");
    send_page(expect_history(2, 51), 49, 50, true);
    stage_await_text("2024-01-15 12:49 <bob> line 49^[[2J");
    stage_await_text("2024-01-15 12:50 <bob> line 50");
    stage_await_text("there is more: /history");
    stage_type("/history\r");
    send_page(expect_history(20, 49), 47, 48, false);
    stage_await_text("2024-01-15 12:47 <bob> line 47");
    stage_await_text("nothing of lobby is older");
    stage_type("/history 100\r");
    send_page(expect_history(100, 47), 1, 0, false);
    stage_await_line("lobby>");
    close(stage.cfd); /* what is said meanwhile is not known */
    stage_accept();
    stage_welcome("alice", "lobby", stage_expect("join", "nickname", "alice"));
    stage_await_line("lobby>");
    stage_type("/history 1\r");
    send_page(expect_history(1, 0), 60, 60, true);
    stage_await_text("<bob> line 60");
}
END_TEST

static void say_live(int number)
{
    char shown[32];
    stage_say("{\"type\":\"broadcast\",\"from\":\"bob\",\"room\":\"lobby\",\"content\":\"live "
              "%d\",\"seq\":%d,\"timestamp\":\"2024-01-15 10:51:00\"}",
              number, number);
    snprintf(shown, sizeof shown, "<bob> live %d", number);
    stage_await_text(shown);
}

/* Who comes back to a room has not heard what was said there meanwhile. */
START_TEST(scrolls_back_over_an_absence)
{
    stage_start_joined(80);
    say_live(1);
    say_live(2);
    stage_type("/leave\r");
    int id = stage_expect("leave_room", "room", "lobby");
    stage_say("{\"type\":\"room_left\",\"room\":\"lobby\",\"id\":%d}", id);
    stage_await_text("you have left lobby");
    stage_type("/join lobby\r");
    id = stage_expect("join_room", "room", "lobby");
    stage_say("{\"type\":\"room_joined\",\"room\":\"lobby\",\"users\":[\"alice\"],\"id\":%d}", id);
    stage_await_line("lobby>");
    stage_type("/history\r");
    send_page(expect_history(20, 0), 1, 4, false);
    stage_await_text("<bob> line 4");
    stage_await_text("nothing of lobby is older");
}
END_TEST

/* What is known of a room is not taken for what is known of another one, whatever their names. */
START_TEST(scrolls_back_in_the_room_that_is_meant)
{
    stage_start_joined(80);
    say_live(7);
    stage_type("/join LOBBY\r");
    int id = stage_expect("join_room", "room", "LOBBY");
    stage_say("{\"type\":\"room_joined\",\"room\":\"LOBBY\",\"users\":[\"alice\"],\"id\":%d}", id);
    stage_await_line("LOBBY>");
    stage_say("{\"type\":\"broadcast\",\"from\":\"bob\",\"room\":\"LOBBY\",\"content\":\"loud\","
              "\"seq\":3,\"timestamp\":\"2024-01-15 10:51:00\"}");
    stage_await_text("<bob> loud");
    stage_type("/join lobby\r");
    stage_await_line("lobby>");
    stage_type("/history 1\r");
    expect_history(1, 7);
}
END_TEST

START_TEST(knows_what_a_page_is)
{
    static const char *const wrong[] = {"/history 0\r", "/history 101\r", "/history x\r",
                                        "/history -1\r", "/history 99999999999999999999\r"};
    stage_start_joined(80);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        stage_type(wrong[i]);
        stage_await_text("N is 1 to 100");
        stage_type("\025\014"); /* kill the line, clear the screen */
        stage_await_line("lobby>");
    }
    stage_type("/history\r/history\r");
    int id = expect_history(20, 0);
    stage_await_text("still on its way");
    stage_say("{\"type\":\"error\",\"code\":\"busy\",\"message\":\"Not now.\",\"id\":%d}", id);
    stage_await_text("! Not now. (busy)");
    stage_type("\025/history\r");
    expect_history(20, 0); /* the error was the answer */
}
END_TEST

START_TEST(tells_when_history_is_off)
{
    stage_start_joined(80);
    stage_say("{\"type\":\"history_state\",\"on\":false,\"message\":\"The disk is full.\","
              "\"timestamp\":\"2024-01-15 10:30:00\"}");
    stage_await_text("history is off: The disk is full.");
    stage_say("{\"type\":\"history_state\",\"on\":true,\"message\":\"It\\u001b[2J is back.\","
              "\"timestamp\":\"2024-01-15 10:30:00\"}");
    stage_await_text("history is on: It^[[2J is back.");
}
END_TEST

/* ---- emoji -------------------------------------------------------------------------------------- */

START_TEST(completes_short_codes)
{
    static const char *const typed[][2] = {
        {"hi :smiley_c\t", "lobby> hi :smiley_cat:"},
        {":smiley_c\t", "lobby> :smiley_cat:"},
        {"a:smiley_c\t", "lobby> a:smiley_cat:"},
        {"/msg bob :smiley_c\t", "lobby> /msg bob :smiley_cat:"},
        {":smile:bo\t", "lobby> :smile:bo"},
        {":nosuchcode\t", "lobby> :nosuchcode"},
        {"bo\t", "lobby> bob:"},
        {":\t", "lobby> :"},
        {":+\t", "lobby> :+1:"},
    };
    stage_start_joined(80);
    stage_type(typed[_i][0]);
    stage_type("\001\005"); /* to the beginning and back: the keys before have been done */
    stage_await_line(typed[_i][1]);
    stage_type("\r");
}
END_TEST

START_TEST(shows_short_codes_to_choose_from)
{
    stage_start_joined(80);
    stage_type(":smi\t");
    stage_await_line("lobby> :smi");
    stage_type("\t");
    stage_await_text(":smile:");
    stage_await_text(":smile_cat:");
}
END_TEST

/* Two characters of two columns: the cursor is right. */
START_TEST(knows_the_width_of_emoji)
{
    stage_start_joined(80);
    stage_type("\xf0\x9f\x98\x84\xe4\xb8\xad");
    stage_await_line("lobby> \xf0\x9f\x98\x84\xe4\xb8\xad");
    ck_assert_int_eq(stage.screen.column, 11);
}
END_TEST

/* Every character there is: what goes through has a width and is none that directs a terminal. */
START_TEST(lets_no_control_through)
{
    printable_columns = glyph_columns;
    for (uint32_t c = 0x80; c <= 0x10ffff; c++) {
        char bytes[UTF8_MAX];
        size_t length = utf8_encode(c, bytes);
        struct printable p = printable_begin(bytes, length);
        if ((c >= 0xd800 && c <= 0xdfff) || !printable_next(&p) || p.length != length ||
            memcmp(p.text, bytes, length) != 0)
            continue;
        bool directs = c < 0xa0 || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
                       (c >= 0x2060 && c <= 0x206f);
        ck_assert_msg(!directs && p.width > 0, "U+%04X goes through, %d columns wide", c, p.width);
    }
    ck_assert_int_eq(glyph_columns(0x1f604), 2);
    ck_assert_int_eq(glyph_columns(0x4e2d), 2);
    ck_assert_int_eq(glyph_columns(0xe9), 1);
    ck_assert_int_eq(glyph_columns(0x301), 0);
    ck_assert_int_eq(glyph_columns(0x202e), -1);
    ck_assert_int_eq(glyph_columns(0x378), -1);
}
END_TEST

int main(int argc, char **argv)
{
    (void)argc;
    setlocale(LC_ALL, "C.UTF-8");
    workspace_begin(argv[0]);
    Suite *suite = suite_create("client_full");
    TCase *tests = tcase_create("client_full");
    tcase_set_timeout(tests, SUITE_TIMEOUT);
    tcase_add_test(tests, logs_in);
    tcase_add_test(tests, registers);
    tcase_add_loop_test(tests, says_why_it_cannot_log_in, 0, 3);
    tcase_add_test(tests, tells_who_joins_a_registered_name);
    tcase_add_test(tests, does_not_fight_with_itself);
    tcase_add_loop_test(tests, refuses_what_is_no_password, 0, 3);
    tcase_add_test(tests, takes_no_password_that_is_too_long);
    tcase_add_test(tests, asks_without_echo);
    tcase_add_loop_test(tests, asks_twice_for_a_new_one, 0, 2);
    tcase_add_loop_test(tests, gives_the_echo_back, 0, 4);
    tcase_add_loop_test(tests, leaves_no_password_in_memory, 0, 2);
    tcase_add_test(tests, scrolls_back);
    tcase_add_test(tests, scrolls_back_over_an_absence);
    tcase_add_test(tests, scrolls_back_in_the_room_that_is_meant);
    tcase_add_test(tests, knows_what_a_page_is);
    tcase_add_test(tests, tells_when_history_is_off);
    tcase_add_loop_test(tests, completes_short_codes, 0, 9);
    tcase_add_test(tests, shows_short_codes_to_choose_from);
    tcase_add_test(tests, knows_the_width_of_emoji);
    tcase_add_test(tests, lets_no_control_through);
    suite_add_tcase(suite, tests);
    int status = suite_run("client_full_test", suite, NULL);
    workspace_end();
    return status;
}
