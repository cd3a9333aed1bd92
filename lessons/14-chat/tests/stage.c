/* stage - a client between its user and its server.  See stage.h. */

#include "stage.h"

#include "clock.h"
#include "net.h"
#include "testkit/fault.h"
#include "testkit/suite.h"
#include "testkit/wait.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

enum { ARGUMENTS = 24 };

char stage_client[4096];
const char *stage_no_color = NULL;
struct stage stage = {.pty = -1, .lfd = -1, .cfd = -1};

void stage_find(const char *program, char *found, size_t size, const char *name)
{
    char *here = realpath(program, NULL);
    for (int i = 0; i < 2 && here != NULL; i++)
        *strrchr(here, '/') = '\0';
    snprintf(found, size, "%s/%s", here != NULL ? here : "", name);
    free(here);
}

void stage_listen(void)
{
    stage.lfd = net_listen("127.0.0.1", "0", 8);
    ck_assert_int_ne(stage.lfd, -1);
    snprintf(stage.port, sizeof stage.port, "%d", net_local_port(stage.lfd));
}

/* Read what the client prints, if there is anything. */
void stage_look(void)
{
    char bytes[4096];
    ssize_t n = read(stage.pty, bytes, sizeof bytes);
    for (ssize_t i = 0; i < n; i++)
        screen_byte(&stage.screen, bytes[i]);
    ck_assert_msg(!stage.screen.obscene, "the terminal got what it must not get; it shows\n%s",
                  screen_text(&stage.screen));
}

/* Become the client.  Does not return. */
static void run_client(const char *port, const char *name, const char *const *more)
{
    const char *arguments[ARGUMENTS] = {stage_client, "--port",    port, "--nickname",
                                        name,         "--timeout", "20"};
    for (size_t i = 7; more != NULL && *more != NULL && i < ARGUMENTS - 1; i++)
        arguments[i] = *more++;
    execv(stage_client, (char **)arguments);
    _exit(127);
}

void stage_start(const char *locale, int columns, const char *const *more)
{
    struct winsize size = {.ws_row = SCREEN_ROWS, .ws_col = (unsigned short)columns};
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
        if (stage_no_color != NULL)
            setenv("NO_COLOR", stage_no_color, 1);
        run_client(stage.port, "alice", more);
    }
    close(slave); /* the pseudo-terminal hangs up when the client ends */
}

void stage_accept(void)
{
    ck_assert_msg(wait_ready(stage.lfd, POLLIN, wait_deadline(), "the client to connect"), "%s",
                  fault_text());
    stage.cfd = accept4(stage.lfd, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ne(stage.cfd, -1);
    stage.in_length = 0;
}

void stage_say(const char *format, ...)
{
    char line[STAGE_LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[n++] = '\n';
    ck_assert_int_eq(net_write_all(stage.cfd, line, (size_t)n), 0);
}

json_t *stage_next(void)
{
    int64_t deadline = wait_deadline();
    char *end = NULL;
    while ((end = memchr(stage.in, '\n', stage.in_length)) == NULL) {
        struct pollfd fds[] = {{.fd = stage.cfd, .events = POLLIN},
                               {.fd = stage.pty, .events = POLLIN}};
        poll(fds, 2, wait_left_ms(deadline));
        if (fds[1].revents != 0)
            stage_look();
        ck_assert_msg(wait_left_ms(deadline) > 0,
                      "timed out after %g s waiting for a request; the screen shows\n%s",
                      wait_patience, screen_text(&stage.screen));
        if (fds[0].revents == 0)
            continue;
        ssize_t n = read(stage.cfd, stage.in + stage.in_length, STAGE_LINE_SIZE - stage.in_length);
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

int stage_expect(const char *type, const char *field, const char *value)
{
    json_t *request = stage_next();
    const char *got = json_string_value(json_object_get(request, "type"));
    const char *text = json_string_value(json_object_get(request, field));
    ck_assert_str_eq(got, type);
    ck_assert_msg(text != NULL && strcmp(text, value) == 0, "%s of the %s is %s, not %s", field,
                  type, text != NULL ? text : "missing", value);
    int id = (int)json_integer_value(json_object_get(request, "id"));
    json_decref(request);
    return id;
}

void stage_welcome(const char *nickname, const char *room, int id)
{
    stage_say(
        "{\"type\":\"welcome\",\"nickname\":\"%s\",\"room\":\"%s\",\"users\":[\"%s\",\"bob\"],"
        "\"limits\":{\"max-line\":8192},\"timestamp\":\"2024-01-15 10:30:00\",\"id\":%d}",
        nickname, room, nickname, id);
}

void stage_broadcast(const char *from, const char *content)
{
    stage_say("{\"type\":\"broadcast\",\"from\":\"%s\",\"room\":\"lobby\",\"content\":\"%s\","
              "\"timestamp\":\"2024-01-15 10:30:00\"}",
              from, content);
}

void stage_type(const char *keys)
{
    size_t size = strlen(keys);
    for (size_t done = 0; done < size;) {
        ssize_t n = write(stage.pty, keys + done, size - done);
        if (n > 0)
            done += (size_t)n;
        else
            stage_look(); /* it is full of our keys, or of what they caused */
    }
}

void stage_await(bool (*condition)(const void *), const void *argument, const char *what)
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
        stage_look();
    }
}

static bool is_shown(const void *text)
{
    return screen_find(&stage.screen, text) != -1;
}

void stage_await_text(const char *text)
{
    stage_await(is_shown, text, text);
}

/* The row of the cursor is exactly this text. */
static bool is_typed(const void *text)
{
    char row[SCREEN_ROW_SIZE];
    screen_row(&stage.screen, stage.screen.row, row, sizeof row);
    return strcmp(row, text) == 0;
}

void stage_await_line(const char *text)
{
    stage_await(is_typed, text, text);
}

void stage_start_joined(int columns)
{
    stage_listen();
    stage_start("C.UTF-8", columns, NULL);
    stage_accept();
    stage_welcome("alice", "lobby", stage_expect("join", "nickname", "alice"));
    stage_await_line("lobby>");
}

bool stage_has_ended(void *status)
{
    stage_look();
    return waitpid(stage.pid, status, WNOHANG) == stage.pid;
}

int stage_await_end(void)
{
    int status = 0;
    ck_assert_msg(wait_until(stage_has_ended, &status, "the client to end"),
                  "%s; the screen shows\n%s", fault_text(), screen_text(&stage.screen));
    for (int i = 0; i < 100; i++)
        stage_look(); /* what it has printed last is still there */
    return status;
}

void stage_expect_modes_restored(void)
{
    struct termios now;
    ck_assert_int_eq(tcgetattr(stage.pty, &now), 0);
    ck_assert_uint_eq(now.c_lflag, stage.modes.c_lflag);
    ck_assert_uint_eq(now.c_iflag, stage.modes.c_iflag);
    ck_assert_uint_eq(now.c_oflag, stage.modes.c_oflag);
    ck_assert(!stage.screen.paste_marks);
}

void stage_expect_exit(int wanted)
{
    int status = stage_await_end();
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == wanted,
                  "status %#x; the screen shows\n%s", (unsigned)status, screen_text(&stage.screen));
    stage_expect_modes_restored();
}

/* ---- the filter --------------------------------------------------------------------------------- */

struct filter filter_open(const char *port, const char *name, const char *const *more)
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
        run_client(port, name, more);
    }
    close(in[0]);
    close(out[1]);
    return (struct filter){fdopen(in[1], "w"), fdopen(out[0], "r"), pid};
}

void filter_feed(const struct filter *f, const char *line)
{
    fprintf(f->in, "%s\n", line);
    fflush(f->in);
}

void filter_expect(const struct filter *f, const char *text)
{
    char line[STAGE_LINE_SIZE];
    alarm((unsigned)wait_patience); /* ends this test's process, where nothing comes */
    do
        ck_assert_msg(fgets(line, sizeof line, f->out) != NULL, "ended before '%s'", text);
    while (strstr(line, text) == NULL);
    alarm(0);
}

void filter_expect_end(struct filter *f, int wanted)
{
    int status = 0;
    fclose(f->in);
    ck_assert_int_eq(waitpid(f->pid, &status, 0), f->pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == wanted, "status %#x",
                  (unsigned)status);
    fclose(f->out);
}
