/* talk - the chat room's client as a program.  See talk.h. */

#include "talk.h"

#include "ability.h"
#include "die.h"
#include "extended.h"
#include "input.h"
#include "link.h"
#include "pending.h"
#include "printable.h"
#include "roster.h"
#include "terminal.h"
#include "wording.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    SILENCE_MS = 60000,    /* after which we ask whether the server is still there */
    ANSWER_MS = 30000,     /* and how long it may take to say so */
    GOODBYE_MS = 2000,     /* the same for quit, with a user who wants to go */
    LINE_MAX_USUAL = 8192, /* the server's limit, until it has named it */
    NICKNAME_MAX = 24,
    NICKNAMES_TRIED = 9 /* when ours is taken after a loss */
};

static const char *host = "127.0.0.1";
static unsigned long port = 8888;
static const char *nickname = NULL;
static const char *first_room = "lobby";
static double limit = 10;
static bool json = false;

static const struct option_spec own_options[] = {
    {"host", "HOST", OPTION_TEXT, &host, 0, 0, "the server's name or address"},
    {"port", "PORT", OPTION_NUMBER, &port, 1, 65535, "its port"},
    {"nickname", "NAME", OPTION_TEXT, &nickname, 0, 0, "what to be called"},
    {"room", "ROOM", OPTION_TEXT, &first_room, 0, 0, "the room to join"},
    {"timeout", "S", OPTION_DECIMAL, &limit, 0, 3600, "the time to connect and to join in"},
    {"json", NULL, OPTION_FLAG, &json, 0, 0, "print the server's lines as they come"},
    {NULL, NULL, OPTION_FLAG, NULL, 0, 0, NULL},
};

static struct client {
    struct reactor *reactor;
    struct link *link;
    struct terminal *terminal; /* of a user, or NULL: */
    struct input *input;       /* a filter's */
    struct roster roster;
    int colours;

    bool connected, joined;
    bool ever_joined;
    bool leaving;    /* quit has been sent, or there is nobody to send it to */
    bool finished;   /* the loop has nothing more to do */
    int status;      /* to exit with */
    int last_signal; /* that ends us, or 0 */

    struct pending pending;
    json_int_t last_id;
    size_t line_max;

    char *wanted;   /* the nickname that we have, or want back */
    unsigned tried; /* others tried instead */
    char *progress; /* lines above the prompt, or NULL */

    struct reactor_timer silence;
    bool asked; /* whether the server is still there */
    struct reactor_timer goodbye;
} me = {.line_max = LINE_MAX_USUAL};

/* ---- saying things ------------------------------------------------------------------------------ */

static struct wording_style style(void)
{
    return (struct wording_style){.colours = me.colours,
                                  .dated = me.terminal == NULL,
                                  .current = roster_current(&me.roster),
                                  .self = me.roster.nickname};
}

/* Show one safe line: above what is typed, or on a stream. */
static void show(FILE *stream, const char *text)
{
    if (me.terminal != NULL) {
        terminal_print(me.terminal, text);
    } else {
        fprintf(stream, "%s\n", text);
        fflush(stream);
    }
}

/* Say something of our own: to a user among the messages, to a script's owner on standard error. */
void talk_tell(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length == -1)
        return;
    struct wording_style with = style();
    char *notice = me.terminal != NULL ? wording_own(NULL, text, &with) : NULL;
    if (notice != NULL)
        show(stdout, notice);
    else
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
    free(notice);
    free(text);
}

void talk_report(const json_t *message, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length == -1)
        return;
    struct wording_style with = style();
    char *notice = json ? NULL : wording_own(message, text, &with);
    if (notice != NULL)
        show(stdout, notice);
    free(notice);
    free(text);
}

static void show_prompt(void)
{
    const char *room = roster_current(&me.roster);
    char *prompt = NULL;
    if (me.terminal == NULL ||
        asprintf(&prompt, "%s%s%s> ", me.progress != NULL ? me.progress : "",
                 me.joined ? "" : "(offline) ", room != NULL ? room : "") == -1)
        return;
    terminal_prompt(me.terminal, prompt);
    free(prompt);
}

void talk_progress(const char *lines)
{
    if (strcmp(me.progress != NULL ? me.progress : "", lines) == 0)
        return;
    free(me.progress);
    me.progress = strdup(lines);
    show_prompt();
}

/* ---- the end ------------------------------------------------------------------------------------ */

static void finish(int status)
{
    me.finished = true;
    if (status != EXIT_SUCCESS)
        me.status = status;
    link_last(me.link);
    if (me.terminal != NULL)
        terminal_stop(me.terminal);
    reactor_stop(me.reactor); /* nobody runs it after this */
}

static void goodbye_over(struct reactor *r, void *context)
{
    (void)r;
    (void)context;
    finish(me.terminal != NULL ? EXIT_SUCCESS : EXIT_FAILURE);
}

static bool send_request(json_t *request, bool ours);

/* Say quit, and wait for the server's bye; without a connection there is nothing to say. */
static void leave(void)
{
    if (me.leaving)
        return;
    me.leaving = true;
    link_last(me.link);
    if (me.terminal != NULL)
        terminal_stop(me.terminal);
    if (!me.joined || !send_request(json_pack("{ss}", "type", "quit"), true)) {
        finish(me.ever_joined ? EXIT_SUCCESS : EXIT_FAILURE);
        return;
    }
    reactor_timer_start(me.reactor, &me.goodbye,
                        me.terminal != NULL ? GOODBYE_MS : (int64_t)(limit * 1000), goodbye_over,
                        NULL);
}

/* A signal that ends a program: say goodbye first; a second one does not wait for that. */
static void on_last_signal(int number)
{
    bool again = me.last_signal != 0;
    me.last_signal = number;
    if (again || !me.joined)
        finish(EXIT_SUCCESS);
    else
        leave();
}

static void on_interrupt(struct reactor *r, void *context)
{
    (void)r;
    (void)context;
    on_last_signal(SIGINT);
}

static void on_terminate(struct reactor *r, void *context)
{
    (void)r;
    (void)context;
    on_last_signal(SIGTERM);
}

static void on_hangup(struct reactor *r, void *context)
{
    (void)r;
    (void)context;
    on_last_signal(SIGHUP);
}

static void on_quit_key(struct reactor *r, void *context)
{
    (void)r;
    (void)context;
    on_last_signal(SIGQUIT);
}

/* ---- requests ----------------------------------------------------------------------------------- */

static bool is_type(const json_t *object, const char *type)
{
    const char *text = json_string_value(json_object_get(object, "type"));
    return text != NULL && strcmp(text, type) == 0;
}

static bool field_is(const json_t *object, const char *name, const char *value)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL && strcasecmp(text, value) == 0;
}

/* The room that a message typed now is meant for: the one that has been asked for last, even if the
 * server has not answered yet. */
static const char *destination(void)
{
    const char *room = pending_room(&me.pending);
    return room != NULL ? room : roster_current(&me.roster);
}

/* A filter reads its next line when there is room for one more request; and on the way to another
 * room it waits, for what it says next is meant for there. */
static void let_input(void)
{
    if (me.input == NULL)
        return;
    bool ready = me.joined && !me.leaving && !pending_move(&me.pending) &&
                 !pending_full(&me.pending) && link_queued(me.link) < LINK_QUEUE_MAX / 2;
    input_pause(me.input, !ready);
    if (input_ended(me.input) && me.joined && me.pending.count == 0 && !extended_busy())
        leave();
}

/* Send a request, which is taken over.  Returns false, having said why, if it cannot be sent. */
static bool send_request(json_t *request, bool ours)
{
    json_object_set_new(request, "id", json_integer(++me.last_id));
    char *text = json_dumps(request, JSON_COMPACT);
    size_t length = text != NULL ? strlen(text) : 0;
    bool sent = false;
    if (text == NULL) {
        talk_tell("memory is short: not sent");
    } else if (length > me.line_max) {
        talk_tell("too long for this server's lines of %zu bytes: not sent", me.line_max);
    } else if (pending_full(&me.pending) && !me.leaving) {
        talk_tell("the server has not answered the last %d requests: not sent", PENDING_MAX);
    } else {
        text[length] = '\n'; /* in place of the final 0 */
        sent = link_send(me.link, text, length + 1) == 0;
        if (!sent)
            talk_tell("%s: not sent",
                      errno == ENOBUFS ? "the server does not read" : strerror(errno));
    }
    if (text != NULL)
        explicit_bzero(text, length); /* an extension's request may hold a password */
    free(text);
    if (sent)
        pending_add(&me.pending, (struct pending_request){me.last_id, request, ours});
    else
        json_decref(request);
    return sent;
}

json_int_t talk_send(json_t *request)
{
    if (request == NULL)
        talk_tell("memory is short: not sent");
    return request != NULL && send_request(request, false) ? me.last_id : 0;
}

/* ---- for extensions ----------------------------------------------------------------------------- */

bool talk_joined(void)
{
    return me.joined && !me.leaving;
}

const char *talk_room(void)
{
    return destination();
}

void talk_last(void)
{
    link_last(me.link);
}

struct reactor *talk_reactor(void)
{
    return me.reactor;
}

/* ---- joining ------------------------------------------------------------------------------------ */

static void send_join(const char *name)
{
    const char *room = me.roster.count > 0 ? me.roster.rooms[0].name : first_room;
    json_t *request = extended_enter(name, room);
    if (request == NULL)
        request = json_pack("{ss ss ss}", "type", "join", "nickname", name, "room", room);
    if (request == NULL || !send_request(request, true))
        link_lose(me.link, "cannot ask to join");
}

static void want_nickname(const char *name)
{
    char *copy = strdup(name);
    if (copy == NULL)
        return; /* then it is the old one that is asked for after a loss */
    free(me.wanted);
    me.wanted = copy;
}

/* We are in: the first room is joined, the others that we were in before a loss are asked for. */
static void welcomed(const json_t *message)
{
    json_t *max_line = json_object_get(json_object_get(message, "limits"), "max-line");
    if (json_integer_value(max_line) > 0)
        me.line_max = (size_t)json_integer_value(max_line);
    me.joined = me.ever_joined = true;
    link_settled(me.link);
    for (size_t i = 1; i < me.roster.count; i++) {
        json_t *request = json_pack("{ss ss}", "type", "join_room", "room",
                                    me.roster.rooms[i].name);
        if (request != NULL)
            send_request(request, true);
    }
    if (me.tried > 0 && strcasecmp(me.wanted, me.roster.nickname) != 0)
        talk_tell("%s is taken, perhaps by your lost connection: you are %s until it is free",
                  me.wanted, me.roster.nickname);
    else
        want_nickname(me.roster.nickname);
    extended_joined();
}

/* [ghost] After a loss the server may not know yet that the old connection is gone, and our
 * nickname is taken by ourselves.  Another one is tried; the old one is asked for again when its
 * owner, who shares our rooms, leaves. */
static void try_another_nickname(void)
{
    char name[NICKNAME_MAX + 1];
    if (me.tried == NICKNAMES_TRIED) {
        link_lose(me.link, "the nickname is taken");
        return;
    }
    snprintf(name, sizeof name, "%.*s-%u", NICKNAME_MAX - 2, me.wanted, ++me.tried + 1);
    send_join(name);
}

static void ask_for_wanted(const json_t *message)
{
    bool freed = is_type(message, "user_left") && field_is(message, "nickname", me.wanted);
    freed = freed || (is_type(message, "nick_changed") && field_is(message, "old", me.wanted));
    if (!me.joined || me.leaving || !freed || strcasecmp(me.wanted, me.roster.nickname) == 0)
        return;
    json_t *request = json_pack("{ss ss}", "type", "nick", "nickname", me.wanted);
    if (request != NULL)
        send_request(request, true);
}

static void join_refused(const json_t *error)
{
    const char *said = json_string_value(json_object_get(error, "message"));
    const char *code = json_string_value(json_object_get(error, "code"));
    if (me.ever_joined && code != NULL && strcmp(code, "nickname_taken") == 0) {
        try_another_nickname();
        return;
    }
    char *text = printable_copy(said != NULL ? said : "", said != NULL ? strlen(said) : 0);
    char *name = printable_copy(code != NULL ? code : "", code != NULL ? strlen(code) : 0);
    if (me.ever_joined) {
        link_lose(me.link, text != NULL ? text : "refused");
    } else {
        talk_tell("cannot join: %s (%s)", text != NULL ? text : "", name != NULL ? name : "");
        finish(EXIT_FAILURE);
    }
    free(text);
    free(name);
}

/* ---- what the server sends ---------------------------------------------------------------------- */

static void show_json(const char *line, size_t length)
{
    if (me.terminal != NULL || isatty(STDOUT_FILENO)) {
        char *safe = printable_json(line, length);
        if (safe != NULL)
            show(stdout, safe);
        free(safe);
        return;
    }
    fwrite(line, 1, length, stdout);
    fputc('\n', stdout);
    fflush(stdout);
}

void talk_show(const json_t *message)
{
    if (json)
        return;
    struct wording_style with = style();
    char *text = wording_of(message, &with);
    if (text != NULL)
        show(me.terminal == NULL && is_type(message, "error") ? stderr : stdout, text);
    free(text);
}

/* The program's own requests fail in silence: a room that cannot be joined again is only noted, and
 * the user has not asked for a nickname to be tried. */
static void failed(const struct pending_request *request, const json_t *message)
{
    const char *room = json_string_value(json_object_get(request->request, "room"));
    if (request->ours && is_type(request->request, "nick"))
        return;
    if (request->ours && is_type(request->request, "join_room") && room != NULL)
        roster_forget_room(&me.roster, room);
    talk_show(message);
}

static void handle(const json_t *message)
{
    bool is_error = is_type(message, "error");
    struct pending_request reply = pending_take(&me.pending, message);
    bool was_self = field_is(message, "old", me.roster.nickname);
    if (extended_hear(message, reply.request)) {
        json_decref(reply.request);
        return;
    }
    if (is_error && !me.joined) {
        join_refused(message);
    } else if (is_error) {
        failed(&reply, message);
    } else {
        roster_learn(&me.roster, message);
        if (is_type(message, "nick_changed") && was_self)
            want_nickname(me.roster.nickname);
        if (!is_type(message, "bye") || !me.leaving)
            talk_show(message);
        if (is_type(message, "welcome"))
            welcomed(message);
        if (is_type(message, "ping"))
            link_send(me.link, "{\"type\":\"ping\"}\n", 16); /* any line is an answer */
        if (is_type(message, "bye") && me.leaving)
            finish(EXIT_SUCCESS);
        ask_for_wanted(message);
    }
    json_decref(reply.request);
}

static void silence_over(struct reactor *r, void *context);

static void heard(void)
{
    me.asked = false;
    if (me.joined)
        reactor_timer_start(me.reactor, &me.silence, SILENCE_MS, silence_over, NULL);
}

/* Nothing has come for a while.  A server that is there answers; a connection that only looks open,
 * as after the network was changed, does not, and TCP would not tell for many minutes. */
static void silence_over(struct reactor *r, void *context)
{
    (void)r;
    (void)context;
    if (!me.joined) {
        link_lose(me.link, "the server does not answer");
    } else if (me.asked) {
        link_lose(me.link, "the server has fallen silent");
    } else {
        me.asked = true;
        link_send(me.link, "{\"type\":\"ping\"}\n", 16);
        reactor_timer_start(me.reactor, &me.silence, ANSWER_MS, silence_over, NULL);
    }
}

/* ---- events of the link ------------------------------------------------------------------------- */

static void link_opened(void *context)
{
    (void)context;
    me.connected = true;
    me.tried = 0;
    reactor_timer_start(me.reactor, &me.silence, (int64_t)(limit * 1000), silence_over, NULL);
    send_join(me.wanted);
}

static void link_line(void *context, const char *line, size_t length)
{
    (void)context;
    if (me.finished)
        return;
    if (json)
        show_json(line, length);
    json_error_t error;
    json_t *message = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(message)) {
        handle(message);
    } else if (!json) {
        char *safe = printable_copy(line, length < 200 ? length : 200);
        talk_tell("the server sent what is no message: %s", safe != NULL ? safe : "");
        free(safe);
    }
    json_decref(message);
    heard();
    show_prompt();
    let_input();
}

static void link_closed(void *context, const char *why, int64_t pause_ms)
{
    (void)context;
    bool was_connected = me.connected;
    size_t lost = me.pending.count;
    me.connected = me.joined = false;
    reactor_timer_cancel(me.reactor, &me.silence);
    pending_drop_all(&me.pending);
    roster_lost(&me.roster);
    extended_lost();
    if (me.finished)
        return;
    if (me.leaving) {
        finish(lost > 1 ? EXIT_FAILURE : EXIT_SUCCESS); /* the server may close before its bye */
        return;
    }
    if (!me.ever_joined) {
        talk_tell("cannot %s %s port %lu: %s", was_connected ? "join on" : "connect to", host, port,
                  why);
        finish(EXIT_FAILURE);
        return;
    }
    if (me.input != NULL && lost > 0) {
        talk_tell("%zu requests were not answered", lost);
        me.status = EXIT_FAILURE;
    }
    if (pause_ms == -1 || (me.input != NULL && input_ended(me.input))) {
        talk_tell("connection lost: %s", why);
        finish(EXIT_FAILURE);
        return;
    }
    talk_tell("%s: %s; trying again in %.1f s",
              was_connected ? "connection lost" : "cannot connect", why, (double)pause_ms / 1000);
    show_prompt();
    let_input();
}

static const struct link_events link_events = {link_opened, link_line, link_closed};

/* ---- what the user types ------------------------------------------------------------------------ */

static void show_help(void)
{
    for (size_t i = 0; command_help(i) != NULL; i++)
        talk_tell("%s", command_help(i));
    talk_tell("anything else is a message; //TEXT is one that begins with /");
}

/* Returns false for a line that the user may want to keep. */
static bool do_line(const char *line)
{
    struct command c = command_parse(line, &me.roster, destination());
    switch (c.kind) {
    case COMMAND_NOTHING:
        return true;
    case COMMAND_HELP:
        show_help();
        return true;
    case COMMAND_QUIT:
        leave();
        return true;
    case COMMAND_ENTER:
        roster_enter(&me.roster, c.room);
        show_prompt();
        return true;
    case COMMAND_WRONG:
        talk_tell("%s", c.fault);
        return false;
    case COMMAND_REQUEST:
        break;
    }
    if (me.joined)
        return send_request(c.request, false);
    talk_tell("not connected: not sent");
    json_decref(c.request);
    return false;
}

static bool on_typed(void *context, const char *line)
{
    (void)context;
    size_t length = strlen(line);
    if (length <= COMMANDS_LINE_MAX)
        return do_line(line);
    talk_tell("a line has %d bytes at most, and this one %zu", COMMANDS_LINE_MAX, length);
    return false;
}

static size_t on_complete(void *context, const char *before, struct words *found)
{
    (void)context;
    size_t length = extended_complete(before, found);
    return length > 0 ? length : command_complete(before, &me.roster, found);
}

static void on_full(void *context, bool full)
{
    (void)context;
    link_pause_reading(me.link, full);
}

static const struct terminal_events terminal_events = {on_typed, on_complete, on_full};

static void on_input(void *context, const char *line, size_t length)
{
    (void)context;
    if (line == NULL)
        talk_tell("a line of more than %d bytes: not sent", COMMANDS_LINE_MAX);
    else if (strlen(line) != length)
        talk_tell("a line with a zero byte: not sent");
    else
        do_line(line);
    let_input();
}

/* ---- the program -------------------------------------------------------------------------------- */

/* A user at a terminal: the terminal runs the loop until the line is ended, the loop itself then
 * waits for the server's goodbye. */
static void run_terminal(void)
{
    if (reactor_signal(me.reactor, SIGINT, on_interrupt, NULL) == -1 ||
        reactor_signal(me.reactor, SIGTERM, on_terminate, NULL) == -1 ||
        reactor_signal(me.reactor, SIGHUP, on_hangup, NULL) == -1 ||
        reactor_signal(me.reactor, SIGQUIT, on_quit_key, NULL) == -1 ||
        (me.terminal = terminal_new(me.reactor, &terminal_events, NULL)) == NULL)
        die("terminal");
    show_prompt();
    terminal_run(me.terminal);
    leave();
    if (!me.finished && reactor_run(me.reactor) == -1)
        me.status = EXIT_FAILURE;
}

static void turn_ends(struct reactor *r, void *context)
{
    (void)r;
    (void)context;
    let_input();
}

static void run_filter(void)
{
    reactor_each_turn(me.reactor, turn_ends, NULL); /* an extension may have come to its end */
    me.input = input_new(me.reactor, STDIN_FILENO, COMMANDS_LINE_MAX, on_input, NULL);
    if (me.input == NULL || reactor_run(me.reactor) == -1)
        die("cannot wait");
}

/* Die of the signal that ended us, so that whoever started us knows. */
static void die_of(int number)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, number);
    signal(number, SIG_DFL);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

/* What can be told before anything is begun. */
static void parse_options(int argc, char **argv, const char *summary)
{
    options_parse(argc, argv, summary, own_options, extended_options());
    if (nickname == NULL)
        options_fail("--nickname is missing");
    if (limit <= 0)
        options_fail("--timeout: 0 is no time");
}

int talk_run(int argc, char **argv, const char *summary,
             const struct talk_extension *const *extensions)
{
    extended_by(extensions);
    parse_options(argc, argv, summary);
    setlocale(LC_ALL, "");
    if ((me.wanted = strdup(nickname)) == NULL)
        die("cannot start");
    me.colours = ability_colours(STDOUT_FILENO);

    char service[8];
    snprintf(service, sizeof service, "%lu", port);
    me.reactor = reactor_new("poll"); /* [poll] epoll refuses a file as standard input */
    if (me.reactor == NULL)
        die("cannot make a loop");
    extended_start(nickname);
    me.link = link_new(me.reactor, host, service, (int64_t)(limit * 1000), &link_events, NULL);
    if (me.link == NULL)
        die("cannot connect to %s port %lu", host, port);

    if (ability_edit())
        run_terminal();
    else
        run_filter();

    extended_stop();
    if (me.terminal != NULL)
        terminal_free(me.terminal);
    if (me.input != NULL)
        input_free(me.input);
    pending_drop_all(&me.pending);
    roster_free(&me.roster);
    free(me.wanted);
    free(me.progress);
    link_free(me.link);
    reactor_free(me.reactor);
    if (me.last_signal != 0)
        die_of(me.last_signal);
    if (fflush(stdout) != 0 || ferror(stdout))
        die("cannot write");
    return me.status;
}
