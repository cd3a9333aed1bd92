/* chat_operation - the program: its options and its configuration, what it logs and counts, its
 * signals, and strangers who speak another protocol. */

#include "chat_suite.h"
#include "net.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- options ----------------------------------------------------------------------------------- */

static bool is_one_line(const char *text)
{
    const char *end = strchr(text, '\n');
    return end != NULL && end > text && end[1] == '\0';
}

static bool fails_with(const char *const *arguments, int status, const char *named)
{
    struct subject_outcome o;
    if (!subject_run(&o, chat_program, arguments))
        return false;
    if (o.status == status && is_one_line(o.err) && o.out[0] == '\0' && strstr(o.err, named))
        return true;
    return fault("%s %s: status %d and not %d with one line that names '%s', but: %s%s",
                 arguments[0], arguments[1] != NULL ? arguments[1] : "", o.status, status, named,
                 o.out, o.err);
}

START_TEST(help)
{
    static const char *const options[] = {
        "--host",         "--port",          "--backend",      "--quiet",        "--config",
        "--stats",        "--max-clients",   "--max-line",     "--rate",         "--burst",
        "--send-queue",   "--max-bad-lines", "--join-timeout", "--idle-timeout", "--help",
        "--ping-timeout", "--drain-timeout"};
    struct subject_outcome o;
    must(subject_run(&o, chat_program, SUBJECT_ARGS("--help")));
    ck_assert_int_eq(o.status, 0);
    ck_assert_str_eq(o.err, "");
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        ck_assert_msg(strstr(o.out, options[i]) != NULL, ": --help does not list %s", options[i]);
}
END_TEST

START_TEST(bad_usage)
{
    must(fails_with(SUBJECT_ARGS("--nonsense"), 2, "--nonsense"));
    must(fails_with(SUBJECT_ARGS("surplus"), 2, "surplus"));
    must(fails_with(SUBJECT_ARGS("--port"), 2, "--port"));
    must(fails_with(SUBJECT_ARGS("--port", "65536"), 2, "65536"));
    must(fails_with(SUBJECT_ARGS("--backend", "kqueue"), 2, "kqueue"));
    must(fails_with(SUBJECT_ARGS("--backend", ""), 2, "backend"));
    must(fails_with(SUBJECT_ARGS("--quiet=yes"), 2, "--quiet"));
    static const char *const numbers[] = {"--max-clients",  "--max-line",     "--max-bad-lines",
                                          "--join-timeout", "--idle-timeout", "--rate",
                                          "--send-queue",   "--drain-timeout"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        must(fails_with(SUBJECT_ARGS(numbers[i]), 2, numbers[i]));
        must(fails_with(SUBJECT_ARGS(numbers[i], "many"), 2, numbers[i]));
        must(fails_with(SUBJECT_ARGS(numbers[i], "-1"), 2, numbers[i]));
        must(fails_with(SUBJECT_ARGS(numbers[i], "1x"), 2, numbers[i]));
        must(fails_with(SUBJECT_ARGS(numbers[i], "nan"), 2, numbers[i]));
    }
}
END_TEST

START_TEST(taken_port)
{
    start_server("--rate", "0");
    must(fails_with(SUBJECT_ARGS("--port", server.port), 1, server.port));
    must(chat_serves());
    stop_server();
}
END_TEST

START_TEST(ipv6)
{
    int fd = net_listen("::1", "0", 1);
    if (fd == -1)
        suite_skip("this machine has no IPv6");
    close(fd);
    start_server("--rate", "0", "--host", "::1");
    ck_assert_str_eq(server.host, "::1");
    must(chat_serves());
    stop_server();
}
END_TEST

/* ---- configuration ----------------------------------------------------------------------------- */

/* A file with that text; unlink it. */
static void write_file(char path[32], const char *text)
{
    snprintf(path, 32, "/tmp/chat_test.XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ne(fd, -1);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static json_int_t max_line_of_welcome(void)
{
    struct room_peer ann;
    must(room_connect(&ann, "ann", &server));
    say(&ann, "{'type':'join','nickname':'ann'}");
    json_t *welcome = room_next_of(&ann, "welcome");
    must(welcome != NULL);
    json_int_t most = json_integer_value(
        json_object_get(json_object_get(welcome, "limits"), "max-line"));
    json_decref(welcome);
    room_close(&ann);
    return most;
}

START_TEST(configuration)
{
    char path[32];
    write_file(path, "# the room\nmax-line 3000\n\nrate = 0\nbackend poll\nquiet\n");
    must(subject_start(&server, chat_program, SUBJECT_ARGS("--port", "0", "--config", path), 0));
    ck_assert_int_eq(max_line_of_welcome(), 3000);
    stop_server();

    static const char *const first[] = {"--max-line", "--config"};
    for (size_t i = 0; i < 2; i++) { /* the command line wins, whatever stands first on it */
        must(subject_start(&server, chat_program,
                           i == 0
                               ? SUBJECT_ARGS(first[0], "4000", "--port", "0", "--config", path)
                               : SUBJECT_ARGS(first[1], path, "--port", "0", "--max-line", "4000"),
                           0));
        ck_assert_int_eq(max_line_of_welcome(), 4000);
        stop_server();
    }
    unlink(path);
}
END_TEST

START_TEST(bad_configuration)
{
    static const char *const texts[] = {"max-line many\n", "nonsense 5\n", "max-line\n",
                                        "max-line 3000\nmax-line -1\n", "quiet 7\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char path[32];
        write_file(path, texts[i]);
        bool failed = fails_with(SUBJECT_ARGS("--port", "0", "--config", path), 2, path);
        unlink(path);
        must(failed || fault("%s\nfor %s", fault_text(), texts[i]));
    }
    must(fails_with(SUBJECT_ARGS("--config", "/nowhere/at/all"), 2, "/nowhere/at/all"));
}
END_TEST

/* ---- counters ---------------------------------------------------------------------------------- */

START_TEST(sigusr1_prints_counters)
{
    static const char *const counted[] = {"clients", "rooms", "messages", "queued", "slow", "loop"};
    must(chat_start(_i, SUBJECT_ARGS("--quiet", "--rate", "0"), 0));
    struct room_peer people[2];
    meet(people, 2, "ann", "bob");
    ck_assert_int_eq(kill(server.pid, SIGUSR1), 0);
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++)
        must(chat_log_has(counted[i]));
    must(chat_log_has("clients 2"));
    expect_silence(&people[0]);
    stop_server();
}
END_TEST

static bool two_lines(void *context)
{
    (void)context;
    const char *first = strstr(chat_log(), "clients ");
    return first != NULL && strstr(first + 1, "clients ") != NULL;
}

START_TEST(counters_at_an_interval)
{
    must(chat_start(_i, SUBJECT_ARGS("--quiet", "--stats", "0.1"), 0));
    must(wait_until(two_lines, NULL, "two lines of counters"));
    must(chat_serves());
    stop_server();
}
END_TEST

/* ---- the log ----------------------------------------------------------------------------------- */

static int lines_of_log(void)
{
    int lines = 0;
    for (const char *c = chat_log(); (c = strchr(c, '\n')) != NULL; c++)
        lines++;
    return lines;
}

static int lines_wanted;

static bool log_has_lines(void *what)
{
    (void)what;
    return lines_of_log() >= lines_wanted;
}

static void log_grows(const char *what)
{
    must(wait_until(log_has_lines, NULL, "a line in the log") ||
         fault("%s about %s: %s", fault_text(), what, chat_log()));
}

START_TEST(the_log_has_a_line_for_each)
{
    must(chat_start(_i, SUBJECT_ARGS("--rate", "0"), 0));
    struct room_peer ann;
    lines_wanted = lines_of_log() + 1;
    must(room_connect(&ann, "ann", &server));
    log_grows("a connect");
    lines_wanted = lines_of_log() + 1;
    say(&ann, "{'type':'join','nickname':'ann-the-first'}");
    log_grows("a join");
    must(chat_log_has("ann-the-first"));
    lines_wanted = lines_of_log() + 1;
    say(&ann, "{'type':'private','to':'nobody','content':'x'}");
    log_grows("a refusal");
    must(chat_log_has("no_such_user"));
    lines_wanted = lines_of_log() + 1;
    room_close(&ann);
    log_grows("a leave");
    stop_server();
}
END_TEST

START_TEST(the_log_has_no_raw_bytes)
{
    static const char hostile[] =
        "\x1b[2J\x1b]0;owned\x07\n"
        "{\"type\":\"join\",\"nickname\":\"\\u001b[31mevil\\nclient 99: joined\"}\n"
        "{\"type\":\"join\",\"nickname\":\"\xe2\x80\xaelive\"}\n"
        "{\"type\":\"\\u001b[31mevil\\n\\u202e\"}\n"
        "{\"type\":\"join\",\"nickname\":\"ann\",\"room\":\"\\u001b[5m\\r\\n\"}\n"
        "{\"type\":\"join\",\"nickname\":\"ann\"}\n"
        "{\"type\":\"message\",\"content\":\"\\u001b[31mevil\\n%s%n\",\"room\":\"\\u001b[0m\"}\n"
        "{\"type\":\"private\",\"to\":\"\\u001b[31mevil\\n\",\"content\":\"x\"}\n"
        "{\"type\":\"join_room\",\"room\":\"\\u001b[31mevil\\n\"}\n"
        "{\"type\":\"dance\",\"id\":\"\\u001b[31mevil\\n\"}\n"
        "\xff\xfe\x9b"
        "31m\n";
    must(chat_start(_i, SUBJECT_ARGS("--rate", "0", "--max-bad-lines", "100"), 0));
    struct room_peer ann;
    must(room_connect(&ann, "ann", &server));
    must(room_send(&ann, hostile, sizeof hostile - 1));
    json_t *m = NULL;
    int errors = 0;
    say(&ann, "{'type':'ping','id':'last'}");
    do {
        json_decref(m);
        must((m = room_next(&ann)) != NULL);
        errors += strcmp(room_text(m, "type"), "error") == 0;
    } while (strcmp(room_text(m, "id"), "last") != 0);
    json_decref(m);
    ck_assert_int_ge(errors, 9);
    room_close(&ann);
    must(chat_serves());
    for (const char *c = chat_log(); *c != '\0'; c++)
        ck_assert_msg((*c >= ' ' && *c <= '~') || *c == '\n', ": byte 0x%02x in the log: %s",
                      (unsigned char)*c, chat_log());
    ck_assert_ptr_null(strstr(chat_log(), "\nclient 99"));
    stop_server();
}
END_TEST

/* ---- strangers --------------------------------------------------------------------------------- */

/* Whatever it is answered, its connection ends, and the witness hears nothing of it. */
static void is_turned_away(struct room_peer *witness, const char *bytes, size_t size)
{
    struct room_peer stranger;
    char answer[4096] = "";
    must(room_connect(&stranger, "stranger", &server));
    must(room_send(&stranger, bytes, size));
    size_t length = 0;
    int64_t deadline = wait_deadline();
    for (;;) {
        must(wait_ready(stranger.fd, POLLIN, deadline, "the connection of a stranger to close"));
        ssize_t n = recv(stranger.fd, answer + length, sizeof answer - 1 - length, 0);
        if (n <= 0)
            break;
        length += (size_t)n;
        ck_assert_uint_lt(length, sizeof answer - 1);
    }
    bool http = strncmp(answer, "HTTP/1.", 7) == 0;
    bool tls = (unsigned char)answer[0] == 0x15;
    ck_assert_msg(length == 0 || http || tls || answer[0] == '{', ": answered with %.200s", answer);
    ck_assert_ptr_null(strstr(answer, "welcome"));
    room_close(&stranger);
    expect_silence(witness);
}

START_TEST(http_and_tls_are_turned_away)
{
    static const char join[] = "{\"type\":\"join\",\"nickname\":\"stranger\"}\n"
                               "{\"type\":\"message\",\"content\":\"from a web page\"}\n";
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.0\n\n",
        "POST / HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 200\r\n\r\n",
        "PUT /x HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n\r\n",
        "HEAD / HTTP/1.1\r\n\r\n",
    };
    static const char hello[] = "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"
                                "0123456789abcdef0123456789abcdef\x00\x00\x02\x13\x01\x01\x00\n";
    start_server("--rate", "0");
    struct room_peer ann;
    come(&ann, "ann", "lobby");
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        char bytes[1024];
        int size = snprintf(bytes, sizeof bytes, "%s%s", requests[i], join);
        is_turned_away(&ann, bytes, (size_t)size);
    }
    char bytes[1024];
    memcpy(bytes, hello, sizeof hello - 1);
    memcpy(bytes + sizeof hello - 1, join, sizeof join);
    is_turned_away(&ann, bytes, sizeof hello + sizeof join - 2);
    say(&ann, "{'type':'list_users'}");
    expect(&ann, "{'type':'users','room':null,'users':['ann']}");
    stop_server();
}
END_TEST

void chat_operation(Suite *suite)
{
    TCase *group = chat_group(suite, "operation");
    tcase_add_test(group, help);
    tcase_add_test(group, bad_usage);
    tcase_add_test(group, taken_port);
    tcase_add_test(group, ipv6);
    tcase_add_test(group, configuration);
    tcase_add_test(group, bad_configuration);
    tcase_add_test(group, sigusr1_prints_counters);
    tcase_add_test(group, counters_at_an_interval);
    tcase_add_test(group, the_log_has_a_line_for_each);
    tcase_add_loop_test(group, http_and_tls_are_turned_away, 0, BACKENDS);
    tcase_add_test(group, the_log_has_no_raw_bytes);
}
