/* room_peer - somebody in the chat room, as a test sees one.  See room_peer.h. */

#include "room_peer.h"

#include "testkit/fault.h"
#include "testkit/wait.h"
#include "testkit/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CHUNK = 65536, /* bytes received at once */
    NARROW = 4096, /* SO_RCVBUF of a narrow peer */
    MOST_WAITING = 1 << 30,
    OPENED_MAX = 65536,
    SHOWN = 300, /* bytes of a line that a fault shows */
    OLDEST = 300 /* seconds that a timestamp may lie back */
};

/* ---- the protocol page, as a table ------------------------------------------------------------- */

/* The fields of each type of message, each with what it is: s a string, n a nickname, r a room's
 * name, R the same or null, N an array of nicknames in byte order, M an array of rooms, o an
 * object, a any array, i an integer from 0, b true or false; after a / the field may be missing. */
static const struct shape {
    const char *type, *fields;
    bool dated; /* has a timestamp */
} shapes[] = {
    {"welcome", "n:nickname r:room N:users o:limits", true},
    {"broadcast", "n:from r:room s:content", true},
    {"private", "n:from n:to s:content", true},
    {"user_joined", "n:nickname r:room", true},
    {"user_left", "n:nickname r:room s:reason", true},
    {"nick_changed", "n:old n:nickname", true},
    {"users", "R:room N:users", false},
    {"rooms", "M:rooms", false},
    {"room_joined", "r:room N:users", true},
    {"room_left", "r:room", true},
    {"pong", "", false},
    {"ping", "", false},
    {"bye", "s:reason", true},
    {"error", "s:code s:message", true},
};

/* And those of the extensions. */
static const struct shape extension_shapes[] = {
    {"broadcast", "n:from r:room s:content i/seq", true},
    {"registered", "n:nickname", true},
    {"history", "r:room a:messages b/more", false},
    {"history_state", "b:on s:message", true},
    {"file_ready", "s:file i/offset", false},
    {"file_ack", "s:file i:offset", false},
    {"file_shared", "s:file n:from s:name i:size s:sha256 r/room n/to", true},
    {"file_data", "s:file i:offset i/size s:data", false},
    {"file_cancelled", "s:file", false},
};

bool room_extensions = false;

static const char *const reasons_to_leave[] = {
    "left", "quit", "connection lost", "timeout", "slow consumer", "server closing", NULL};
static const char *const error_codes[] = {
    "bad_json",       "bad_request",  "unknown_type", "too_long",       "not_joined",
    "already_joined", "bad_nickname", "bad_room",     "not_in_room",    "nickname_taken",
    "no_such_user",   "server_full",  "busy",         "too_many_rooms", NULL};

static const char *const extension_codes[] = {"bad_credentials",
                                              "nickname_registered",
                                              "too_large",
                                              "no_such_file",
                                              "bad_checksum",
                                              "quota",
                                              NULL};

static bool is_one_of(const char *word, const char *const words[])
{
    for (size_t i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

static bool is_name(const json_t *value, size_t most)
{
    const char *name = json_string_value(value);
    if (name == NULL)
        return false;
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789_-.");
    return length == json_string_length(value) && length > 0 && length <= most;
}

static bool are_nicknames(const json_t *array)
{
    size_t i;
    const json_t *value;
    const char *before = "";
    json_array_foreach(array, i, value)
    {
        if (!is_name(value, 24) || strcmp(before, json_string_value(value)) >= 0)
            return false;
        before = json_string_value(value);
    }
    return json_is_array(array);
}

/* In byte order; lobby is there; only lobby may be empty. */
static bool are_rooms(const json_t *array)
{
    size_t i;
    const json_t *room;
    const char *before = "";
    bool lobby = false;
    json_array_foreach(array, i, room)
    {
        const char *name = room_text(room, "name");
        const json_t *users = json_object_get(room, "users");
        bool is_lobby = strcmp(name, "lobby") == 0;
        if (!is_name(json_object_get(room, "name"), 32) || strcmp(before, name) >= 0 ||
            !json_is_integer(users) || json_integer_value(users) < (is_lobby ? 0 : 1) ||
            json_object_size(room) != 2)
            return false;
        lobby |= is_lobby;
        before = name;
    }
    return lobby;
}

static bool field_is(char kind, const json_t *value)
{
    switch (kind) {
    case 'n':
        return is_name(value, 24);
    case 'R':
        return json_is_null(value) || is_name(value, 32);
    case 'r':
        return is_name(value, 32);
    case 'N':
        return are_nicknames(value);
    case 'M':
        return are_rooms(value);
    case 'o':
        return json_is_object(value);
    case 'a':
        return json_is_array(value);
    case 'b':
        return json_is_boolean(value);
    case 'i':
        return json_is_integer(value) && json_integer_value(value) >= 0;
    default:
        return json_is_string(value);
    }
}

/* "2024-01-15 10:30:00", in UTC, and now. */
static bool is_now(const char *text)
{
    struct tm date = {0};
    const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &date);
    if (strlen(text) != strlen("2024-01-15 10:30:00") || end == NULL || *end != '\0')
        return false;
    double age = difftime(time(NULL), timegm(&date));
    return age > -2 && age < OLDEST;
}

static const struct shape *shape_of(const json_t *message)
{
    const size_t more = sizeof extension_shapes / sizeof extension_shapes[0];
    for (size_t i = 0; room_extensions && i < more; i++)
        if (strcmp(extension_shapes[i].type, room_text(message, "type")) == 0)
            return &extension_shapes[i];
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (strcmp(shapes[i].type, room_text(message, "type")) == 0)
            return &shapes[i];
    return NULL;
}

/* A field's name that belongs to the shape. */
static bool has_field(const struct shape *shape, const char *name)
{
    size_t length = strlen(name);
    for (const char *c = shape->fields; (c = strpbrk(c, ":/")) != NULL;) {
        c++;
        if (strncmp(c, name, length) == 0 && (c[length] == ' ' || c[length] == '\0'))
            return true;
    }
    return strcmp(name, "type") == 0 || strcmp(name, "id") == 0 ||
           (shape->dated && strcmp(name, "timestamp") == 0);
}

/* Why a message is not as the page says; NULL if it is. */
static const char *misshape(json_t *message)
{
    static char why[128];
    const struct shape *shape = shape_of(message);
    if (shape == NULL)
        return "there is no such type";
    for (const char *c = shape->fields; *c != '\0'; c += strcspn(c, " "), c += *c == ' ') {
        char name[16];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(c + 2, " "), c + 2);
        snprintf(why, sizeof why, "its field %s is missing or wrong", name);
        const json_t *value = json_object_get(message, name);
        if (!(c[1] == '/' && value == NULL) && !field_is(*c, value))
            return why;
    }
    const char *key;
    const json_t *value;
    json_object_foreach(message, key, value)
    {
        snprintf(why, sizeof why, "it has a field %s", key);
        if (!has_field(shape, key))
            return why;
    }
    if (shape->dated && !is_now(room_text(message, "timestamp")))
        return "its timestamp is not the time of now in UTC";
    if (strcmp(shape->type, "user_left") == 0 &&
        !is_one_of(room_text(message, "reason"), reasons_to_leave))
        return "there is no such reason to leave";
    if (strcmp(shape->type, "error") == 0) {
        const char *words = room_text(message, "message");
        if (!is_one_of(room_text(message, "code"), error_codes) &&
            !(room_extensions && is_one_of(room_text(message, "code"), extension_codes)))
            return "there is no such error code";
        if (words[0] == '\0' || strlen(words) > 200)
            return "its message is not one plain sentence";
        for (const char *c = words; *c != '\0'; c++)
            if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
                return "its message is not one plain sentence";
    }
    return NULL;
}

const char *room_text(const json_t *message, const char *field)
{
    const char *text = json_string_value(json_object_get(message, field));
    return text != NULL ? text : "";
}

/* ---- connecting -------------------------------------------------------------------------------- */

/* Which descriptors are open connections of peers. */
static bool opened[OPENED_MAX];

static bool connect_with(struct room_peer *p, const char *name, const struct subject *s, int window)
{
    *p = (struct room_peer){.fd = -1, .in.limit = MOST_WAITING, .out.limit = MOST_WAITING};
    snprintf(p->name, sizeof p->name, "%s", name);
    p->fd = wire_connect(s->host, s->port, window);
    if (p->fd >= OPENED_MAX) {
        close(p->fd);
        p->fd = -1;
        fault("the descriptor's number is too high for this test");
    }
    if (p->fd != -1)
        opened[p->fd] = true;
    return p->fd != -1 || fault("%s: %s", p->name, fault_text());
}

bool room_connect(struct room_peer *p, const char *name, const struct subject *s)
{
    return connect_with(p, name, s, 0);
}

bool room_connect_narrow(struct room_peer *p, const char *name, const struct subject *s)
{
    return connect_with(p, name, s, NARROW);
}

static void forget(struct room_peer *p)
{
    if (p->fd != -1)
        opened[p->fd] = false;
    p->fd = -1;
    p->scanned = 0;
    queue_free(&p->in);
    queue_free(&p->out);
}

void room_close(struct room_peer *p)
{
    if (p->fd != -1)
        close(p->fd);
    forget(p);
}

void room_reset(struct room_peer *p)
{
    if (p->fd != -1)
        wire_reset(p->fd);
    forget(p);
}

void room_close_all(void)
{
    for (int fd = 0; fd < OPENED_MAX; fd++) {
        if (opened[fd])
            close(fd);
        opened[fd] = false;
    }
}

bool room_finish(struct room_peer *p)
{
    return shutdown(p->fd, SHUT_WR) == 0 || fault("%s: shutdown: %s", p->name, strerror(errno));
}

/* ---- sending ----------------------------------------------------------------------------------- */

/* A line from its format, with " for ' and a line feed; NULL with a fault. */
__attribute__((format(printf, 1, 0))) static char *make_line(const char *format, va_list arguments)
{
    char *text = NULL;
    char *line = NULL;
    if (vasprintf(&text, format, arguments) == -1)
        text = NULL;
    if (text == NULL || asprintf(&line, "%s\n", text) == -1) {
        fault("out of memory");
        line = NULL;
    }
    free(text);
    for (size_t i = 0; line != NULL && line[i] != '\0'; i++)
        if (line[i] == '\'')
            line[i] = '"';
    return line;
}

bool room_send(struct room_peer *p, const void *bytes, size_t size)
{
    return wire_send(p->fd, bytes, size) || fault("%s: %s", p->name, fault_text());
}

bool room_say(struct room_peer *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *line = make_line(format, arguments);
    va_end(arguments);
    bool said = line != NULL && room_send(p, line, strlen(line));
    free(line);
    return said;
}

bool room_queue(struct room_peer *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *line = make_line(format, arguments);
    va_end(arguments);
    bool queued = line != NULL && (queue_put(&p->out, line, strlen(line)) == 0 ||
                                   fault("%s: %s", p->name, strerror(errno)));
    free(line);
    return queued;
}

/* ---- receiving --------------------------------------------------------------------------------- */

/* Take what is there.  Sets ended at the end of file; false with a fault at anything worse. */
static bool receive_some(struct room_peer *p)
{
    static char bytes[CHUNK];
    ssize_t n = recv(p->fd, bytes, sizeof bytes, 0);
    if (n == 0)
        p->ended = true;
    if (n > 0 && queue_put(&p->in, bytes, (size_t)n) == -1)
        return fault("%s: %s", p->name, strerror(errno));
    return n >= 0 || errno == EAGAIN || errno == EINTR ||
           fault("%s: cannot receive: %s", p->name, strerror(errno));
}

/* The length of the first whole line with its line feed; 0 if there is none yet. */
static size_t whole_line(struct room_peer *p)
{
    const char *end = NULL;
    if (p->in.length > p->scanned)
        end = memchr(queue_data(&p->in) + p->scanned, '\n', p->in.length - p->scanned);
    p->scanned = p->in.length;
    return end != NULL ? (size_t)(end - queue_data(&p->in)) + 1 : 0;
}

/* Read the first line, of that length, as a message. */
static json_t *take_line(struct room_peer *p, size_t length)
{
    json_error_t error;
    const char *line = queue_data(&p->in);
    int shown = length < SHOWN ? (int)length - 1 : SHOWN;
    json_t *message = json_loadb(line, length - 1, JSON_REJECT_DUPLICATES, &error);
    const char *why = message == NULL ? error.text : misshape(message);
    if (why != NULL) {
        fault("%s: the server sent %.*s: %s", p->name, shown, line, why);
        json_decref(message);
        message = NULL;
    }
    queue_drop(&p->in, length);
    p->scanned = 0;
    return message;
}

json_t *room_next(struct room_peer *p)
{
    int64_t deadline = wait_deadline();
    size_t length;
    while ((length = whole_line(p)) == 0) {
        if (p->ended) {
            fault("%s: the server has closed the connection%s", p->name,
                  p->in.length > 0 ? " in the middle of a line" : "");
            return NULL;
        }
        if (!wait_ready(p->fd, POLLIN, deadline, "a message")) {
            fault("%s: %s", p->name, fault_text());
            return NULL;
        }
        if (!receive_some(p))
            return NULL;
    }
    return take_line(p, length);
}

static char *as_text(const json_t *message)
{
    static char text[2][4096];
    static int turn = 0;
    char *t = text[turn ^= 1];
    size_t length = json_dumpb(message, t, sizeof text[0] - 1, JSON_COMPACT);
    t[length < sizeof text[0] ? length : sizeof text[0] - 1] = '\0';
    return t;
}

json_t *room_next_of(struct room_peer *p, const char *type)
{
    json_t *message = room_next(p);
    if (message == NULL || strcmp(room_text(message, "type"), type) == 0)
        return message;
    fault("%s: expected a message of type %s, got %.*s", p->name, type, SHOWN, as_text(message));
    json_decref(message);
    return NULL;
}

/* ---- expecting --------------------------------------------------------------------------------- */

static bool expect_text(struct room_peer *p, const char *text)
{
    json_error_t error;
    json_t *expected = json_loads(text, 0, &error);
    if (expected == NULL)
        return fault("%s: the test expects no JSON: %s", p->name, text);
    json_t *message = room_next(p);
    bool same = false;
    if (message == NULL) {
        fault("%s, where it should send %.*s", fault_text(), SHOWN, text);
    } else {
        json_object_del(message, "timestamp");
        json_object_del(message, "seq");
        if (strcmp(room_text(message, "type"), "welcome") == 0)
            json_object_del(message, "limits");
        if (strcmp(room_text(message, "type"), "error") == 0)
            json_object_del(message, "message");
        same = json_equal(message, expected) || fault("%s: expected %.*s, got %.*s", p->name, SHOWN,
                                                      as_text(expected), SHOWN, as_text(message));
    }
    json_decref(message);
    json_decref(expected);
    return same;
}

bool room_expect(struct room_peer *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *line = make_line(format, arguments);
    va_end(arguments);
    bool same = line != NULL && expect_text(p, line);
    free(line);
    return same;
}

bool room_expect_error(struct room_peer *p, const char *code, const char *id)
{
    if (id == NULL)
        return room_expect(p, "{'type':'error','code':'%s'}", code);
    return room_expect(p, "{'type':'error','code':'%s','id':%s}", code, id);
}

bool room_expect_silence(struct room_peer *p)
{
    static unsigned probes = 0;
    probes++;
    return room_say(p, "{'type':'ping','id':'probe %u'}", probes) &&
           room_expect(p, "{'type':'pong','id':'probe %u'}", probes);
}

bool room_expect_end(struct room_peer *p)
{
    int64_t deadline = wait_deadline();
    while (!p->ended && p->in.length == 0)
        if (!wait_ready(p->fd, POLLIN, deadline, "the end of the connection") || !receive_some(p))
            return fault("%s: %s", p->name, fault_text());
    if (p->in.length == 0)
        return true;
    int shown = p->in.length < SHOWN ? (int)p->in.length : SHOWN;
    return fault("%s: instead of the end came %.*s", p->name, shown, queue_data(&p->in));
}

/* ---- many at once ------------------------------------------------------------------------------ */

static bool send_some(struct room_peer *p)
{
    size_t size = p->out.length < CHUNK ? p->out.length : CHUNK;
    ssize_t n = send(p->fd, queue_data(&p->out), size, MSG_NOSIGNAL);
    if (n > 0)
        queue_drop(&p->out, (size_t)n);
    return n >= 0 || errno == EAGAIN || errno == EINTR ||
           fault("%s: cannot send: %s", p->name, strerror(errno));
}

/* Hand over the whole lines that have come. */
static bool take_all(struct room_peer *p, room_take *take, void *context)
{
    size_t length;
    bool right = true;
    while (right && (length = whole_line(p)) > 0) {
        json_t *message = take_line(p, length);
        right = message != NULL && take(p, message, context);
        json_decref(message);
    }
    return right;
}

static bool step(struct room_peer *p, short events, room_take *take, void *context)
{
    if (events & POLLOUT && p->out.length > 0 && !send_some(p))
        return false;
    if (events & (POLLIN | POLLERR | POLLHUP) && !receive_some(p))
        return false;
    if (!take_all(p, take, context))
        return false;
    return !p->ended || fault("%s: the server has closed the connection", p->name);
}

/* Ask poll for what each needs.  Returns how many have something to send. */
static size_t watch(struct pollfd *watched, const struct room_peer *peers, size_t count)
{
    size_t senders = 0;
    for (size_t i = 0; i < count; i++) {
        bool sends = peers[i].fd != -1 && peers[i].out.length > 0;
        watched[i] = (struct pollfd){.fd = peers[i].fd,
                                     .events = (short)(sends ? POLLIN | POLLOUT : POLLIN)};
        senders += sends;
    }
    return senders;
}

static bool pump(struct room_peer *peers, struct pollfd *watched, size_t count, room_take *take,
                 void *context, const size_t *left, const char *what)
{
    while (watch(watched, peers, count) > 0 || *left > 0) {
        int n = poll(watched, count, wait_left_ms(wait_deadline()));
        if (n == -1 && errno != EINTR)
            return fault("poll: %s", strerror(errno));
        if (n == 0) {
            wait_timed_out(what);
            return fault("%s, with %zu yet to come", fault_text(), *left);
        }
        for (size_t i = 0; n > 0 && i < count; i++)
            if (watched[i].revents != 0 && !step(&peers[i], watched[i].revents, take, context))
                return false;
    }
    return true;
}

bool room_pump(struct room_peer *peers, size_t count, room_take *take, void *context,
               const size_t *left, const char *what)
{
    for (size_t i = 0; i < count; i++) /* some may have been received with what came before */
        if (peers[i].fd != -1 && !take_all(&peers[i], take, context))
            return false;
    struct pollfd *watched = calloc(count + 1, sizeof *watched);
    if (watched == NULL)
        return fault("out of memory");
    bool done = pump(peers, watched, count, take, context, left, what);
    free(watched);
    return done;
}
