/*
 * client_test - the client as its user sees it, on a terminal that is a model.
 *
 * The client runs in a pseudo-terminal, with the test at both of its ends: it is the terminal, whose
 * screen it works out from the bytes, and it is the server, which says what it likes.  The screen knows
 * only the few sequences that the client itself needs; any other is a failure, so that whatever a
 * stranger smuggles in is noticed.  Last, two clients talk through the real server.
 */

#include "clock.h"
#include "net.h"
#include "testkit/fault.h"
#include "testkit/subject.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>
#include <wchar.h>

enum { ROWS = 24, COLUMNS_MAX = 200, NARROW = 40, LINE_SIZE = 16384 };

static char client[4096], server[4096];
static const char *no_color = NULL; /* NO_COLOR in the client's environment */

/* ---- the screen --------------------------------------------------------------------------------- */

struct screen {
    int columns;
    wchar_t cell[ROWS][COLUMNS_MAX + 1]; /* 0: empty, or the right half of a wide character */
    int row, column;                     /* column == columns: the next character wraps */
    char pending[64];                    /* the beginning of a sequence or character */
    size_t length;
    bool paste_marks;
    bool coloured; /* a colour has been set at some time */
    bool obscene;  /* something came that a client must not send */
};

static void screen_line_feed(struct screen *s)
{
    if (s->row < ROWS - 1) {
        s->row++;
        return;
    }
    memmove(s->cell[0], s->cell[1], sizeof s->cell - sizeof s->cell[0]);
    memset(s->cell[ROWS - 1], 0, sizeof s->cell[0]);
}

static void screen_put(struct screen *s, wchar_t c)
{
    int width = wcwidth(c);
    if (width < 0)
        s->obscene = true;
    if (width <= 0)
        return; /* a mark stands on what is there */
    if (s->column + width > s->columns) {
        s->column = 0;
        screen_line_feed(s);
    }
    s->cell[s->row][s->column] = c;
    if (width == 2)
        s->cell[s->row][s->column + 1] = 0;
    s->column += width;
}

static void screen_erase_below(struct screen *s)
{
    for (int i = s->column; i < s->columns; i++)
        s->cell[s->row][i] = 0;
    if (s->row < ROWS - 1)
        memset(s->cell[s->row + 1], 0, sizeof s->cell[0] * (size_t)(ROWS - 1 - s->row));
}

/* Obey a whole sequence. */
static void screen_obey(struct screen *s, const char *sequence)
{
    int n = 0;
    char end = 0;
    if (strcmp(sequence, "\033[?2004h") == 0 || strcmp(sequence, "\033[?2004l") == 0)
        s->paste_marks = sequence[7] == 'h';
    else if (strcmp(sequence, "\033[J") == 0)
        screen_erase_below(s);
    else if (strcmp(sequence, "\033[H") == 0)
        s->row = s->column = 0;
    else if (strcmp(sequence, "\033[2J") == 0)
        memset(s->cell, 0, sizeof s->cell);
    else if (sscanf(sequence, "\033[%d%c", &n, &end) == 2 && end == 'A')
        s->row = s->row > n ? s->row - n : 0;
    else if (end == 'C')
        s->column = s->column + n < s->columns ? s->column + n : s->columns - 1;
    else if (end == 'm') /* a colour changes no cell */
        s->coloured = s->coloured || (n >= 31 && n <= 96);
    else
        s->obscene = true;
}

static void screen_byte(struct screen *s, char byte)
{
    s->pending[s->length++] = byte;
    s->pending[s->length] = '\0';
    if (s->pending[0] == '\033') {
        bool whole = s->length > 2 && byte >= 0x40;
        if (whole)
            screen_obey(s, s->pending);
        else if (s->length < sizeof s->pending - 1 && (s->length != 2 || byte == '['))
            return;
        else
            s->obscene = true;
    } else if (byte == '\r') {
        s->column = 0;
    } else if (byte == '\n') {
        screen_line_feed(s);
    } else if (byte != '\a') {
        wchar_t c = 0;
        mbstate_t state = {0};
        size_t n = mbrtowc(&c, s->pending, s->length, &state);
        if (n == (size_t)-2)
            return;
        if (n == (size_t)-1)
            s->obscene = true;
        else
            screen_put(s, c);
    }
    s->length = 0;
}

/* A row as text, without the blanks at its end. */
static void screen_row(const struct screen *s, int row, char *text, size_t size)
{
    size_t length = 0;
    size_t end = 0;
    for (int i = 0; i < s->columns && length + MB_LEN_MAX + 1 < size; i++) {
        wchar_t c = s->cell[row][i];
        if (c == 0 && i > 0 && wcwidth(s->cell[row][i - 1]) == 2)
            continue;
        mbstate_t state = {0};
        length += wcrtomb(text + length, c != 0 ? c : L' ', &state);
        if (c != 0 && c != L' ')
            end = length;
    }
    text[end] = '\0';
}

/* The row that begins with a text, or holds it; -1: none. */
static int screen_find(const struct screen *s, const char *wanted)
{
    for (int i = 0; i < ROWS; i++) {
        char text[COLUMNS_MAX * MB_LEN_MAX + 1];
        screen_row(s, i, text, sizeof text);
        if (strstr(text, wanted) != NULL)
            return i;
    }
    return -1;
}

static const char *screen_text(const struct screen *s)
{
    static char all[ROWS * (COLUMNS_MAX * MB_LEN_MAX + 2)];
    size_t length = 0;
    for (int i = 0; i < ROWS; i++) {
        screen_row(s, i, all + length, sizeof all - length - 2);
        if (all[length] == '\0')
            continue;
        length += strlen(all + length);
        all[length++] = '\n';
    }
    all[length] = '\0';
    return all;
}

/* ---- the stage: a client between its user and its server ------------------------------------------ */

static struct stage {
    pid_t pid;
    int pty, lfd, cfd;
    char port[8];
    struct screen screen;
    struct termios modes; /* before the client came */
    char in[LINE_SIZE];   /* from the client to the server */
    size_t in_length;
} stage = {.pty = -1, .lfd = -1, .cfd = -1};

static void open_listener(void)
{
    stage.lfd = net_listen("127.0.0.1", "0", 8);
    ck_assert_int_ne(stage.lfd, -1);
    snprintf(stage.port, sizeof stage.port, "%d", net_local_port(stage.lfd));
}

/* Read what the client prints, if there is anything. */
static void look(void)
{
    char bytes[4096];
    ssize_t n = read(stage.pty, bytes, sizeof bytes);
    for (ssize_t i = 0; i < n; i++)
        screen_byte(&stage.screen, bytes[i]);
    ck_assert_msg(!stage.screen.obscene, "the terminal got what it must not get; it shows\n%s",
                  screen_text(&stage.screen));
}

/* Start the client; `more` is one further argument or NULL. */
static void start_client(const char *locale, int columns, const char *more)
{
    struct winsize size = {.ws_row = ROWS, .ws_col = (unsigned short)columns};
    int slave = -1;
    ck_assert_int_eq(openpty(&stage.pty, &slave, NULL, NULL, &size), 0);
    ck_assert_int_eq(tcgetattr(slave, &stage.modes), 0);
    ck_assert_int_eq(net_set_nonblocking(stage.pty), 0);
    stage.screen = (struct screen){.columns = columns};
    fcntl(stage.pty, F_SETFD, FD_CLOEXEC); /* or the client would keep its own terminal alive */
    pid_t parent = getpid();
    stage.pid = fork();
    ck_assert_int_ne(stage.pid, -1);
    if (stage.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || login_tty(slave) == -1)
            _exit(126);
        setenv("TERM", "xterm-256color", 1);
        setenv("LC_ALL", locale, 1);
        setenv("TZ", "XXX-2", 1); /* two hours east of UTC */
        setenv("HOME", "/nonexistent", 1);
        unsetenv("NO_COLOR");
        if (no_color != NULL)
            setenv("NO_COLOR", no_color, 1);
        execl(client, client, "--port", stage.port, "--nickname", "alice", "--timeout", "20", more,
              (char *)NULL);
        _exit(127);
    }
    close(slave); /* the pseudo-terminal hangs up when the client ends */
}

static void accept_client(void)
{
    ck_assert_msg(wait_ready(stage.lfd, POLLIN, wait_deadline(), "the client to connect"), "%s",
                  fault_text());
    stage.cfd = accept4(stage.lfd, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ne(stage.cfd, -1);
    stage.in_length = 0;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[n++] = '\n';
    ck_assert_int_eq(net_write_all(stage.cfd, line, (size_t)n), 0);
}

/* The next request of the client; to be released. */
static json_t *next_request(void)
{
    int64_t deadline = wait_deadline();
    char *end = NULL;
    while ((end = memchr(stage.in, '\n', stage.in_length)) == NULL) {
        struct pollfd fds[] = {{.fd = stage.cfd, .events = POLLIN},
                               {.fd = stage.pty, .events = POLLIN}};
        poll(fds, 2, wait_left_ms(deadline));
        if (fds[1].revents != 0)
            look();
        ck_assert_msg(wait_left_ms(deadline) > 0,
                      "timed out after %g s waiting for a request; the screen shows\n%s",
                      wait_patience, screen_text(&stage.screen));
        if (fds[0].revents == 0)
            continue;
        ssize_t n = read(stage.cfd, stage.in + stage.in_length, LINE_SIZE - stage.in_length);
        ck_assert_msg(n > 0, "the client has closed; its screen shows\n%s",
                      screen_text(&stage.screen));
        stage.in_length += (size_t)n;
    }
    size_t length = (size_t)(end - stage.in);
    json_t *request = json_loadb(stage.in, length, 0, NULL);
    ck_assert_msg(json_is_object(request), "no object: %.*s", (int)length, stage.in);
    stage.in_length -= length + 1;
    memmove(stage.in, end + 1, stage.in_length);
    return request;
}

/* The next request has this type, and this text in a field. Returns its id. */
static int expect_request(const char *type, const char *field, const char *value)
{
    json_t *request = next_request();
    const char *got = json_string_value(json_object_get(request, "type"));
    const char *text = json_string_value(json_object_get(request, field));
    ck_assert_str_eq(got, type);
    ck_assert_msg(text != NULL && strcmp(text, value) == 0, "%s of the %s is %s, not %s", field,
                  type, text != NULL ? text : "missing", value);
    int id = (int)json_integer_value(json_object_get(request, "id"));
    json_decref(request);
    return id;
}

static void welcome(const char *nickname, const char *room, int id)
{
    say("{\"type\":\"welcome\",\"nickname\":\"%s\",\"room\":\"%s\",\"users\":[\"%s\",\"bob\"],"
        "\"limits\":{\"max-line\":8192},\"timestamp\":\"2024-01-15 10:30:00\",\"id\":%d}",
        nickname, room, nickname, id);
}

static void broadcast(const char *from, const char *content)
{
    say("{\"type\":\"broadcast\",\"from\":\"%s\",\"room\":\"lobby\",\"content\":\"%s\","
        "\"timestamp\":\"2024-01-15 10:30:00\"}",
        from, content);
}

static void type(const char *keys)
{
    size_t size = strlen(keys);
    for (size_t done = 0; done < size;) {
        ssize_t n = write(stage.pty, keys + done, size - done);
        if (n > 0)
            done += (size_t)n;
        else
            look(); /* it is full of our keys, or of what they caused */
    }
}

/* Wait until the screen satisfies a condition. */
static void await(bool (*condition)(const void *), const void *argument, const char *what)
{
    int64_t deadline = wait_deadline();
    while (!condition(argument)) {
        struct pollfd fd = {.fd = stage.pty, .events = POLLIN};
        poll(&fd, 1, wait_left_ms(deadline));
        ck_assert_msg(wait_left_ms(deadline) > 0 &&
                          !(fd.revents & POLLHUP && !(fd.revents & POLLIN)),
                      "%s waiting for '%s'; the screen shows\n%s",
                      fd.revents & POLLHUP ? "the client has ended," : "timed out", what,
                      screen_text(&stage.screen));
        look();
    }
}

static bool is_shown(const void *text)
{
    return screen_find(&stage.screen, text) != -1;
}

static void await_text(const char *text)
{
    await(is_shown, text, text);
}

/* The row of the cursor is exactly this text. */
static bool is_typed(const void *text)
{
    char row[COLUMNS_MAX * MB_LEN_MAX + 1];
    screen_row(&stage.screen, stage.screen.row, row, sizeof row);
    return strcmp(row, text) == 0;
}

static void await_line(const char *text)
{
    await(is_typed, text, text);
}

/* The client, joined. */
static void start_joined(int columns)
{
    open_listener();
    start_client("C.UTF-8", columns, NULL);
    accept_client();
    welcome("alice", "lobby", expect_request("join", "nickname", "alice"));
    await_line("lobby>");
}

static bool has_ended(void *status)
{
    look();
    return waitpid(stage.pid, status, WNOHANG) == stage.pid;
}

/* Wait for the client's end.  Returns the status of waitpid(2). */
static int await_end(void)
{
    int status = 0;
    ck_assert_msg(wait_until(has_ended, &status, "the client to end"), "%s; the screen shows\n%s",
                  fault_text(), screen_text(&stage.screen));
    for (int i = 0; i < 100; i++)
        look(); /* what it has printed last is still there */
    return status;
}

/* The terminal has the modes that it had, and no marks around what is pasted. */
static void expect_modes_restored(void)
{
    struct termios now;
    ck_assert_int_eq(tcgetattr(stage.pty, &now), 0);
    ck_assert_uint_eq(now.c_lflag, stage.modes.c_lflag);
    ck_assert_uint_eq(now.c_iflag, stage.modes.c_iflag);
    ck_assert_uint_eq(now.c_oflag, stage.modes.c_oflag);
    ck_assert(!stage.screen.paste_marks);
}

static void expect_exit(int wanted)
{
    int status = await_end();
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == wanted,
                  "status %#x; the screen shows\n%s", (unsigned)status, screen_text(&stage.screen));
    expect_modes_restored();
}

/* ---- tests -------------------------------------------------------------------------------------- */

START_TEST(messages_appear_above_the_line)
{
    start_joined(80);
    type("half a li");
    await_line("lobby> half a li");
    broadcast("bob", "hello there");
    await_text("<bob> hello there");
    await_line("lobby> half a li");
    ck_assert_int_lt(screen_find(&stage.screen, "<bob> hello there"),
                     screen_find(&stage.screen, "lobby> half a li"));
    type("ne\r");
    expect_request("message", "content", "half a line");
    await_line("lobby>");
}
END_TEST

START_TEST(shows_the_time_of_the_reader)
{
    start_joined(80);
    broadcast("bob", "when?");
    await_text("2024-01-15 12:30 <bob> when?");
}
END_TEST

START_TEST(edits_and_remembers)
{
    start_joined(80);
    type("one\rtwo\r");
    expect_request("message", "content", "one");
    expect_request("message", "content", "two");
    type("\033[A\033[A");
    await_line("lobby> one");
    type("\033[H\xf0\x9f\x98\x80 ");
    await_line("lobby> \xf0\x9f\x98\x80 one");
    ck_assert_int_eq(stage.screen.column, 10);
    type("\033[F\177\177x\r");
    expect_request("message", "content", "\xf0\x9f\x98\x80 ox");
    type("\022tw"); /* search backwards */
    await_text("bck:tw");
    broadcast("bob", "in between");
    await_text("<bob> in between");
    type("\r");
    expect_request("message", "content", "two");
}
END_TEST

START_TEST(wraps_a_long_line)
{
    start_joined(NARROW);
    char line[101];
    memset(line, 'x', 100);
    line[100] = '\0';
    type(line);
    type("END");
    await_text("xEND");
    broadcast("bob", "above");
    await_text("<bob> above");
    await_text("xEND");
    int row = screen_find(&stage.screen, "lobby> xxx");
    ck_assert_int_eq(screen_find(&stage.screen, "<bob> above"), row - 1);
    ck_assert_int_eq(screen_find(&stage.screen, "xEND"), row + 2);
    type("\025"); /* kill it: nothing stays behind */
    await_line("lobby>");
    ck_assert_int_eq(screen_find(&stage.screen, "xxx"), -1);
}
END_TEST

START_TEST(completes)
{
    start_joined(80);
    type("/he\t");
    await_line("lobby> /help");
    type("\025/msg BO\t");
    await_line("lobby> /msg bob");
    type("hi\r");
    expect_request("private", "to", "bob");
    type("/leave lo\t\r");
    expect_request("leave_room", "room", "lobby");
    type("bo\t");
    await_line("lobby> bob:");
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
    start_joined(80);
    for (size_t i = 0; i < sizeof typed / sizeof typed[0]; i++) {
        type(typed[i][0]);
        expect_request(typed[i][1], typed[i][2], typed[i][3]);
    }
    type("/help\r");
    await_text("/msg NAME TEXT");
    type("/nonsense\r");
    await_text("there is no /nonsense");
    await_text("> /nonsense");
}
END_TEST

START_TEST(obeys_no_stranger)
{
    start_joined(COLUMNS_MAX);
    broadcast("b\\u001b[2Job",
              "\\u001b]0;title\\u0007 \\u009b2J \\u202eevil\\u2066 \\u200b\\u007f\\r\\n|");
    await_text("^[]0;title^G <U+009B>2J <U+202E>evil<U+2066> <U+200B>^?^M^J|");
    say("{\"type\":\"user_left\",\"nickname\":\"x\\u001bc\",\"room\":\"\\u001b[H\",\"reason\":"
        "\"\\u009b1m\"}");
    await_text("x^[c has left ^[[H (<U+009B>1m)");
    say("{\"type\":\"error\",\"code\":\"\\u001b[7m\",\"message\":\"\\u001b[5m.\"}");
    await_text("! ^[[5m. (^[[7m)");
    say("{\"type\":\"\\u001B[2J\",\"what\":\"\\u2028\"}");
    await_text("? {\"type\":\"\\u001B[2J\",\"what\":\"<U+2028>\"}");
    say("\033[2Jno json \xff\x9b");
    await_text("^[[2Jno json <FF><9B>");
    say("{\"type\":\"users\",\"room\":null,\"users\":[\"\\u001b[2J\",\"\\u202e\"]}");
    await_text("2 on the server: ^[[2J, <U+202E>");
    say("{\"type\":\"rooms\",\"rooms\":[{\"name\":\"\\u001b[2J\",\"users\":1}]}");
    await_text("* rooms: ^[[2J (1)");
    type("still here\r");
    expect_request("message", "content", "still here");
}
END_TEST

START_TEST(prints_json_that_a_terminal_can_have)
{
    open_listener();
    start_client("C.UTF-8", COLUMNS_MAX, "--json");
    accept_client();
    welcome("alice", "lobby", expect_request("join", "nickname", "alice"));
    broadcast("bob", "\xe2\x80\xae \x7f");
    await_text("\"content\":\"\\u202e \\u007f\"");
}
END_TEST

START_TEST(answers_a_ping)
{
    start_joined(80);
    say("{\"type\":\"ping\"}");
    expect_request("ping", "type", "ping");
}
END_TEST

START_TEST(comes_back)
{
    start_joined(COLUMNS_MAX);
    type("/join dev\r");
    int id = expect_request("join_room", "room", "dev");
    say("{\"type\":\"room_joined\",\"room\":\"dev\",\"users\":[\"alice\"],\"id\":%d}", id);
    await_line("dev>");
    type("not lost");
    await_line("dev> not lost");
    close(stage.cfd);
    await_text("trying again in 1.");
    await_line("(offline) dev> not lost");
    type("\r"); /* is not sent, and stays */
    await_text("not connected: not sent");
    await_line("(offline) dev> not lost");
    accept_client();
    json_t *join = next_request();
    ck_assert_str_eq(json_string_value(json_object_get(join, "nickname")), "alice");
    ck_assert_str_eq(json_string_value(json_object_get(join, "room")), "lobby");
    id = (int)json_integer_value(json_object_get(join, "id"));
    json_decref(join);
    welcome("alice", "lobby", id);
    id = expect_request("join_room", "room", "dev");
    say("{\"type\":\"room_joined\",\"room\":\"dev\",\"users\":[\"alice\"],\"id\":%d}", id);
    await_line("dev> not lost");
    type("\r");
    expect_request("message", "room", "dev");
}
END_TEST

START_TEST(gets_its_nickname_back)
{
    start_joined(80);
    close(stage.cfd);
    accept_client();
    int id = expect_request("join", "nickname", "alice");
    say("{\"type\":\"error\",\"code\":\"nickname_taken\",\"message\":\"Taken.\",\"id\":%d}", id);
    welcome("alice-2", "lobby", expect_request("join", "nickname", "alice-2"));
    await_text("alice is taken");
    say("{\"type\":\"user_left\",\"nickname\":\"alice\",\"room\":\"lobby\",\"reason\":"
        "\"timeout\"}");
    id = expect_request("nick", "nickname", "alice");
    say("{\"type\":\"nick_changed\",\"old\":\"alice-2\",\"nickname\":\"alice\",\"id\":%d}", id);
    await_text("alice-2 is now alice");
}
END_TEST

START_TEST(says_why_it_cannot_join)
{
    static const char *const codes[] = {"bad_nickname", "nickname_taken", "server_full"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        open_listener();
        start_client("C.UTF-8", 80, NULL);
        accept_client();
        expect_request("join", "nickname", "alice");
        say("{\"type\":\"error\",\"code\":\"%s\",\"message\":\"So it is.\"}", codes[i]);
        await_text("cannot join: So it is.");
        await_text(codes[i]);
        expect_exit(1);
        close(stage.cfd);
        close(stage.lfd);
        close(stage.pty);
    }
}
END_TEST

START_TEST(cannot_connect)
{
    open_listener();
    close(stage.lfd);
    start_client("C.UTF-8", 80, NULL);
    await_text("cannot connect to 127.0.0.1 port");
    expect_exit(1);
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
    start_client("C.UTF-8", 80, "--timeout=0.5");
    await_text("Connection timed out");
    ck_assert_int_ge(clock_now() - begin, 500000000);
    expect_exit(1);
    close(filler);
}
END_TEST

START_TEST(joins_within_its_time)
{
    open_listener();
    start_client("C.UTF-8", 80, "--timeout=0.5");
    accept_client();
    await_text("the server does not answer");
    expect_exit(1);
}
END_TEST

START_TEST(has_colours_where_they_are_wanted)
{
    static const char *const values[] = {NULL, "", "1"};
    no_color = values[_i];
    start_joined(80);
    broadcast("bob", "hello");
    await_text("<bob> hello");
    ck_assert(stage.screen.coloured == (no_color == NULL || *no_color == '\0'));
}
END_TEST

START_TEST(ends_at_quit_and_at_ctrl_d)
{
    start_joined(80);
    type(_i == 0 ? "/quit\r" : "\004");
    int id = expect_request("quit", "type", "quit");
    say("{\"type\":\"bye\",\"reason\":\"quit\",\"id\":%d}", id);
    expect_exit(0);
}
END_TEST

START_TEST(ends_at_a_signal)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    start_joined(80);
    type("half a line");
    await_line("lobby> half a line");
    if (signals[_i] == SIGINT)
        type("\003"); /* the terminal sends it */
    else
        kill(stage.pid, signals[_i]);
    int id = expect_request("quit", "type", "quit");
    say("{\"type\":\"bye\",\"reason\":\"quit\",\"id\":%d}", id);
    int status = await_end();
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == signals[_i], "status %#x",
                  (unsigned)status);
    expect_modes_restored();
}
END_TEST

START_TEST(ends_when_the_terminal_goes_away)
{
    start_joined(80);
    close(stage.pty);
    expect_request("quit", "type", "quit");
    close(stage.cfd);
    int status = 0;
    stage.pty = open("/dev/null", O_RDONLY);
    ck_assert_msg(wait_until(has_ended, &status, "the client to end"), "%s", fault_text());
}
END_TEST

static bool is_stopped(void *unused)
{
    (void)unused;
    int status = 0;
    look();
    return waitpid(stage.pid, &status, WNOHANG | WUNTRACED) == stage.pid && WIFSTOPPED(status);
}

/* The client leads a session of its own here, whose group is an orphan: the kernel does not stop it for
 * SIGTSTP.  So it is stopped for good, as by kill -STOP, with the terminal's modes spoilt meanwhile. */
START_TEST(takes_the_terminal_back_when_continued)
{
    start_joined(80);
    type("half");
    await_line("lobby> half");
    kill(stage.pid, SIGTSTP);
    type(" a");
    await_line("lobby> half a"); /* an orphan goes on */
    kill(stage.pid, SIGSTOP);
    ck_assert_msg(wait_until(is_stopped, NULL, "the client to stop"), "%s", fault_text());
    ck_assert_int_eq(tcsetattr(stage.pty, TCSANOW, &stage.modes), 0);
    kill(stage.pid, SIGCONT);
    type(" line");
    await_line("lobby> half a line");
    type("\r");
    expect_request("message", "content", "half a line");
}
END_TEST

START_TEST(draws_again_when_resized)
{
    start_joined(80);
    type("0123456789012345678901234567890123456789");
    await_line("lobby> 0123456789012345678901234567890123456789");
    struct winsize size = {.ws_row = ROWS, .ws_col = 100};
    ck_assert_int_eq(ioctl(stage.pty, TIOCSWINSZ, &size), 0);
    stage.screen.columns = 100;
    type("0123456789012345678901234567890123456789ABCD");
    await_line(
        "lobby> "
        "01234567890123456789012345678901234567890123456789012345678901234567890123456789ABCD");
}
END_TEST

START_TEST(takes_a_paste_literally)
{
    start_joined(80);
    type("\033[200~one\ttab\033[A\rtwo\033[201~");
    expect_request("message", "content", "one tab[A");
    await_line("lobby> two");
}
END_TEST

START_TEST(keeps_a_line_that_is_too_long)
{
    start_joined(80);
    char line[5001];
    memset(line, 'x', 5000);
    line[5000] = '\0';
    type(line);
    type("\r");
    await_text("a line has 4096 bytes at most, and this one 5000");
    type("\025short\r");
    expect_request("message", "content", "short");
}
END_TEST

START_TEST(is_not_blocked_by_a_server_that_does_not_read)
{
    start_joined(80);
    char line[4002];
    memset(line, 'x', 4000);
    memcpy(line + 4000, "\r", 2);
    for (int i = 0; i < 65; i++)
        type(line);
    await_text("the server has not answered the last 64 requests");
    broadcast("bob", "still heard");
    await_text("<bob> still heard");
}
END_TEST

START_TEST(shows_ascii_in_the_c_locale)
{
    open_listener();
    start_client("C", 80, NULL);
    accept_client();
    welcome("alice", "lobby", expect_request("join", "nickname", "alice"));
    broadcast("bob", "caf\xc3\xa9");
    await_text("<bob> caf<U+00E9>");
    type("\xc3\xa9\r");
    expect_request("message", "content", "\xc3\xa9");
}
END_TEST

/* ---- the filter, and the real server ------------------------------------------------------------ */

struct filter {
    FILE *in, *out;
    pid_t pid;
};

static struct filter open_filter(const char *port, const char *name, const char *more)
{
    int in[2];
    int out[2];
    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ne(pid, -1);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        execl(client, client, "--port", port, "--nickname", name, more, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    return (struct filter){fdopen(in[1], "w"), fdopen(out[0], "r"), pid};
}

static void feed(const struct filter *f, const char *line)
{
    fprintf(f->in, "%s\n", line);
    fflush(f->in);
}

static void expect_output(const struct filter *f, const char *text)
{
    char line[LINE_SIZE];
    alarm((unsigned)wait_patience); /* ends this test's process, where nothing comes */
    do
        ck_assert_msg(fgets(line, sizeof line, f->out) != NULL, "ended before '%s'", text);
    while (strstr(line, text) == NULL);
    alarm(0);
}

static void expect_filter_end(struct filter *f, int wanted)
{
    int status = 0;
    fclose(f->in);
    ck_assert_int_eq(waitpid(f->pid, &status, 0), f->pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == wanted, "status %#x",
                  (unsigned)status);
    fclose(f->out);
}

START_TEST(is_a_filter_for_scripts)
{
    open_listener();
    struct filter f = open_filter(stage.port, "alice", NULL);
    stage.pty = open("/dev/null", O_RDONLY);
    feed(&f, "one");
    char line[4098];
    memset(line, 'x', 4097);
    line[4097] = '\0';
    feed(&f, line);
    feed(&f, "/rooms");
    accept_client();
    welcome("alice", "lobby", expect_request("join", "nickname", "alice"));
    int id = expect_request("message", "content", "one");
    say("{\"type\":\"broadcast\",\"from\":\"alice\",\"room\":\"lobby\",\"content\":\"one\",\"id\":%"
        "d}",
        id);
    id = expect_request("list_rooms", "type", "list_rooms");
    fclose(f.in);
    say("{\"type\":\"rooms\",\"rooms\":[],\"id\":%d}", id); /* only now it may quit */
    id = expect_request("quit", "type", "quit");
    say("{\"type\":\"bye\",\"reason\":\"quit\",\"id\":%d}", id);
    expect_output(&f, "a line of more than 4096 bytes");
    f.in = fopen("/dev/null", "w");
    expect_filter_end(&f, 0);
}
END_TEST

START_TEST(passes_json_on_as_it_is)
{
    open_listener();
    struct filter f = open_filter(stage.port, "alice", "--json");
    accept_client();
    stage.pty = open("/dev/null", O_RDONLY);
    welcome("alice", "lobby", expect_request("join", "nickname", "alice"));
    expect_output(&f, "\"type\":\"welcome\"");
    say("{\"type\" : \"new\",\"x\":\"\xe2\x80\xae\"}");
    expect_output(&f, "{\"type\" : \"new\",\"x\":\"\xe2\x80\xae\"}\n");
}
END_TEST

START_TEST(a_script_learns_that_there_is_no_server)
{
    open_listener();
    close(stage.lfd);
    struct filter f = open_filter(stage.port, "alice", NULL);
    expect_output(&f, "cannot connect");
    expect_filter_end(&f, 1);
}
END_TEST

START_TEST(two_clients_talk)
{
    if (access(server, X_OK) == -1)
        suite_skip("the server is not built");
    struct subject s;
    ck_assert_msg(subject_start(&s, server, SUBJECT_ARGS("--port", "0", "--quiet"), 0), "%s",
                  fault_text());
    struct filter alice = open_filter(s.port, "alice", NULL);
    expect_output(&alice, "you are alice, in lobby");
    struct filter bob = open_filter(s.port, "bob", NULL);
    expect_output(&alice, "bob has joined lobby");
    feed(&alice, "hello bob");
    expect_output(&bob, "[lobby] <alice> hello bob");
    feed(&bob, "/msg ALICE psst");
    expect_output(&alice, "bob -> alice: psst");
    feed(&bob, "/join dev");
    feed(&bob, "anybody?");
    expect_output(&bob, "[dev] <bob> anybody?");
    feed(&bob, "/nick robert");
    expect_output(&alice, "bob is now robert");
    expect_filter_end(&bob, 0);
    expect_output(&alice, "robert has left lobby (quit)");
    expect_filter_end(&alice, 0);
    ck_assert_msg(subject_stop(&s), "%s", fault_text());
}
END_TEST

int main(int argc, char **argv)
{
    (void)argc;
    setlocale(LC_ALL, "C.UTF-8");
    /* build/lessons/14-chat/tests/client_test: the programs stand one folder up. */
    char *here = realpath(argv[0], NULL);
    for (int i = 0; i < 2 && here != NULL; i++)
        *strrchr(here, '/') = '\0';
    snprintf(client, sizeof client, "%s/client", here != NULL ? here : "");
    snprintf(server, sizeof server, "%s/server", here != NULL ? here : "");
    free(here);

    Suite *suite = suite_create("client");
    TCase *tests = tcase_create("client");
    tcase_set_timeout(tests, SUITE_TIMEOUT);
    tcase_add_test(tests, messages_appear_above_the_line);
    tcase_add_test(tests, shows_the_time_of_the_reader);
    tcase_add_test(tests, edits_and_remembers);
    tcase_add_test(tests, wraps_a_long_line);
    tcase_add_test(tests, completes);
    tcase_add_test(tests, knows_its_commands);
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
