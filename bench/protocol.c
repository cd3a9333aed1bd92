/* protocol - the languages in which a room can be spoken to.  See protocol.h. */

#include "protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_is(struct text t, const char *characters)
{
    return t.bytes != NULL && t.length == strlen(characters) &&
           memcmp(t.bytes, characters, t.length) == 0;
}

static bool begins(const char *at, const char *end, const char *characters)
{
    size_t length = strlen(characters);
    return (size_t)(end - at) >= length && memcmp(at, characters, length) == 0;
}

static size_t put(char *out, const char *before, struct text content, const char *after)
{
    char *at = stpcpy(out, before);
    memcpy(at, content.bytes, content.length);
    return (size_t)(stpcpy(at + content.length, after) - out);
}

/* The line at `bytes`, with its end; length 0 if that has not come yet. */
static size_t line_length(const char *bytes, size_t size)
{
    const char *end = memchr(bytes, '\n', size);
    return end != NULL ? (size_t)(end - bytes) + 1 : 0;
}

/* ---- chat: one JSON object a line --------------------------------------------------------------- */

static size_t chat_join(char *out, const char *nickname, const char *room)
{
    return (size_t)sprintf(out, "{\"type\":\"join\",\"nickname\":\"%s\",\"room\":\"%s\"}\n",
                           nickname, room);
}

static size_t chat_enter(char *out, const char *room)
{
    return (size_t)sprintf(out, "{\"type\":\"join_room\",\"room\":\"%s\"}\n", room);
}

static size_t chat_leave(char *out, const char *room)
{
    return (size_t)sprintf(out, "{\"type\":\"leave_room\",\"room\":\"%s\"}\n", room);
}

static size_t chat_message(char *out, const char *room, struct text content)
{
    char before[PROTOCOL_EXTRA];
    sprintf(before, "{\"type\":\"message\",\"room\":\"%s\",\"content\":\"", room);
    return put(out, before, content, "\"}\n");
}

/* A string that `at` stands on; returns what comes behind it, or NULL. */
static const char *json_string(const char *at, const char *end, struct text *t)
{
    t->bytes = ++at;
    for (; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    if (at >= end)
        return NULL;
    t->length = (size_t)(at - t->bytes);
    return at + 1;
}

/* Any value, as the text that it is; a string without its quotes. */
static const char *json_value(const char *at, const char *end, struct text *t)
{
    if (*at == '"')
        return json_string(at, end, t);
    int depth = 0;
    t->bytes = at;
    while (at < end && (depth > 0 || (*at != ',' && *at != '}'))) {
        struct text inner;
        if (*at == '"') {
            at = json_string(at, end, &inner);
            if (at == NULL)
                return NULL;
            continue;
        }
        if (*at == '[' || *at == '{')
            depth++;
        if (*at == ']' || *at == '}')
            depth--;
        at++;
    }
    t->length = (size_t)(at - t->bytes);
    return at;
}

static const char *blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at;
}

/* The fields of one object that are of use here, in whatever order they stand. */
struct fields {
    struct text type, id, room, content, from, nickname, code, reason;
};

static bool json_fields(const char *at, const char *end, struct fields *f)
{
    const struct {
        const char *name;
        struct text *to;
    } wanted[] = {
        {"type", &f->type},       {"id", &f->id},
        {"room", &f->room},       {"from", &f->from},
        {"content", &f->content}, {"code", &f->code},
        {"code", &f->code},       {"nickname", &f->nickname},
        {"reason", &f->reason},
    };
    at = blanks(at, end);
    if (at == end || *at != '{')
        return false;
    do {
        struct text name, value = {0};
        at = blanks(at + 1, end);
        if (at == end || *at != '"' || (at = json_string(at, end, &name)) == NULL)
            return false;
        at = blanks(at, end);
        if (at == end || *at != ':' || (at = blanks(at + 1, end)) == end ||
            (at = json_value(at, end, &value)) == NULL)
            return false;
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
            if (text_is(name, wanted[i].name))
                *wanted[i].to = value;
        at = blanks(at, end);
    } while (at < end && *at == ',');
    return at < end && *at == '}' && blanks(at + 1, end) == end;
}

static struct arrival chat_read(const char *bytes, size_t size)
{
    struct arrival a = {.length = line_length(bytes, size)};
    if (a.length == 0)
        return a;
    struct fields f = {0};
    a.kind = ARRIVAL_OTHER;
    if (!json_fields(bytes, bytes + a.length, &f)) {
        a.kind = ARRIVAL_FAULT;
        a.content = (struct text){"a line that is no JSON object", 29};
        return a;
    }
    a.room = f.room;
    a.who = f.nickname;
    if (text_is(f.type, "broadcast")) {
        a.kind = ARRIVAL_MESSAGE;
        a.content = f.content;
        a.who = f.from;
    } else if (text_is(f.type, "user_joined")) {
        a.kind = ARRIVAL_COMING;
    } else if (text_is(f.type, "user_left")) {
        a.kind = ARRIVAL_GOING;
    } else if (text_is(f.type, "welcome") || text_is(f.type, "room_joined")) {
        a.kind = ARRIVAL_JOINED;
    } else if (text_is(f.type, "room_left")) {
        a.kind = ARRIVAL_LEFT;
    } else if (text_is(f.type, "ping")) {
        a.kind = ARRIVAL_ASKED;
    } else if (text_is(f.type, "pong") && text_is(f.id, "probe")) {
        a.kind = ARRIVAL_PROBED;
    } else if (text_is(f.type, "error") || text_is(f.type, "bye")) {
        a.kind = ARRIVAL_FAULT;
        a.content = f.code.bytes != NULL ? f.code : f.reason;
    }
    return a;
}

/* ---- redis: RESP3, in which a subscriber may publish --------------------------------------------- */

static size_t redis_join(char *out, const char *nickname, const char *room)
{
    (void)nickname;
    return (size_t)sprintf(out, "HELLO 3\r\nSUBSCRIBE %s\r\n", room);
}

static size_t redis_message(char *out, const char *room, struct text content)
{
    char before[PROTOCOL_EXTRA];
    sprintf(before, "*3\r\n$7\r\nPUBLISH\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(room), room,
            content.length);
    return put(out, before, content, "\r\n");
}

/* The value at `at`; a string's bytes are its text.  Returns what comes behind it, or NULL. */
static const char *resp_value(const char *at, const char *end, struct text *t)
{
    size_t head = line_length(at, (size_t)(end - at));
    if (head < 3)
        return NULL;
    char type = *at;
    long count = strtol(at + 1, NULL, 10);
    *t = (struct text){at + 1, head - 3};
    at += head;
    if (type == '$') {
        *t = (struct text){at, count > 0 ? (size_t)count : 0};
        return count < 0 ? at : end - at >= count + 2 ? at + count + 2 : NULL;
    }
    struct text inner;
    for (long left = type == '%'                   ? 2 * count
                     : strchr("*>~", type) != NULL ? count
                                                   : 0;
         left > 0; left--)
        if ((at = resp_value(at, end, &inner)) == NULL)
            return NULL;
    return at;
}

static struct arrival redis_read(const char *bytes, size_t size)
{
    struct arrival a = {0};
    struct text t;
    const char *end = size > 0 ? resp_value(bytes, bytes + size, &t) : NULL;
    if (end == NULL)
        return a;
    a.length = (size_t)(end - bytes);
    a.kind = ARRIVAL_OTHER;
    if (*bytes == '-') {
        a.kind = ARRIVAL_FAULT;
        a.content = t;
    } else if (text_is(t, "PONG")) {
        a.kind = ARRIVAL_PROBED;
    } else if (*bytes == '>') {
        const char *at = bytes + line_length(bytes, size);
        at = resp_value(at, end, &t);
        at = resp_value(at, end, &a.room);
        resp_value(at, end, &a.content);
        a.kind = text_is(t, "message") ? ARRIVAL_MESSAGE : ARRIVAL_JOINED;
    }
    return a;
}

/* ---- nats ------------------------------------------------------------------------------------ */

static size_t nats_join(char *out, const char *nickname, const char *room)
{
    (void)nickname;
    return (size_t)sprintf(out, "CONNECT {\"verbose\":false}\r\nSUB %s 1\r\nPING\r\n", room);
}

static size_t nats_message(char *out, const char *room, struct text content)
{
    char before[PROTOCOL_EXTRA];
    sprintf(before, "PUB %s %zu\r\n", room, content.length);
    return put(out, before, content, "\r\n");
}

static struct arrival nats_read(const char *bytes, size_t size)
{
    struct arrival a = {.length = line_length(bytes, size)};
    if (a.length == 0)
        return a;
    const char *end = bytes + a.length;
    a.kind = ARRIVAL_OTHER;
    if (begins(bytes, end, "MSG ")) { /* MSG room 1 100 */
        const char *at = bytes + 4;
        a.room = (struct text){at, strcspn(at, " \r")};
        a.content.length = strtoul(at + a.room.length + 3, NULL, 10);
        a.content.bytes = end;
        a.length += a.content.length + 2;
        a.kind = a.length <= size ? ARRIVAL_MESSAGE : ARRIVAL_PART;
    } else if (begins(bytes, end, "PING")) {
        a.kind = ARRIVAL_ASKED;
    } else if (begins(bytes, end, "PONG")) {
        a.kind = ARRIVAL_PROBED; /* and the first says that the subscription stands */
    } else if (begins(bytes, end, "-ERR")) {
        a.kind = ARRIVAL_FAULT;
        a.content = (struct text){bytes, a.length - 1};
    }
    return a;
}

/* ---- irc ------------------------------------------------------------------------------------- */

static size_t irc_join(char *out, const char *nickname, const char *room)
{
    return (size_t)sprintf(out, "NICK %s\r\nUSER m 0 * :m\r\nJOIN #%s\r\n", nickname, room);
}

static size_t irc_message(char *out, const char *room, struct text content)
{
    char before[PROTOCOL_EXTRA];
    sprintf(before, "PRIVMSG #%s :", room);
    return put(out, before, content, "\r\n");
}

/* The next word; returns what comes behind it. */
static const char *word(const char *at, const char *end, struct text *t)
{
    while (at < end && *at == ' ')
        at++;
    t->bytes = at;
    while (at < end && *at != ' ' && *at != '\r' && *at != '\n')
        at++;
    t->length = (size_t)(at - t->bytes);
    return at;
}

/* ":nick!user@host PRIVMSG #room :content", and the numbers of the server's replies. */
static struct arrival irc_read(const char *bytes, size_t size)
{
    struct arrival a = {.length = line_length(bytes, size)};
    if (a.length == 0)
        return a;
    const char *at = bytes;
    const char *end = bytes + a.length;
    struct text command;
    a.kind = ARRIVAL_OTHER;
    if (*at == ':') {
        at = word(at + 1, end, &a.who);
        const char *mark = memchr(a.who.bytes, '!', a.who.length);
        if (mark != NULL)
            a.who.length = (size_t)(mark - a.who.bytes);
    }
    at = word(at, end, &command);
    if (text_is(command, "PRIVMSG")) {
        at = word(at, end, &a.room);
        a.room.bytes++;
        a.room.length--;
        at += 2; /* " :" */
        a.content = (struct text){at, end - at > 2 ? (size_t)(end - at) - 2 : 0};
        a.kind = ARRIVAL_MESSAGE;
    } else if (text_is(command, "JOIN")) {
        a.kind = ARRIVAL_COMING;
    } else if (text_is(command, "PART") || text_is(command, "QUIT")) {
        a.kind = ARRIVAL_GOING;
    } else if (text_is(command, "366")) { /* the end of the names in the room */
        a.kind = ARRIVAL_JOINED;
    } else if (text_is(command, "PING")) {
        a.kind = ARRIVAL_ASKED;
    } else if (text_is(command, "PONG")) {
        a.kind = ARRIVAL_PROBED;
    } else if (text_is(command, "ERROR") || *command.bytes == '4' || *command.bytes == '5') {
        a.kind = text_is(command, "422") ? ARRIVAL_OTHER : ARRIVAL_FAULT; /* 422: no motto */
        a.content = (struct text){bytes, a.length - 1};
    }
    return a;
}

/* ---- bare: one line out for each line in --------------------------------------------------------- */

static size_t bare_join(char *out, const char *nickname, const char *room)
{
    (void)out, (void)nickname, (void)room;
    return 0;
}

static size_t bare_message(char *out, const char *room, struct text content)
{
    (void)room;
    return put(out, "", content, "\n");
}

static struct arrival bare_read(const char *bytes, size_t size)
{
    struct arrival a = {.length = line_length(bytes, size)};
    if (a.length > 0)
        a.kind = begins(bytes, bytes + size, "joined\n") ? ARRIVAL_JOINED : ARRIVAL_MESSAGE;
    return a;
}

/* ---- all of them ------------------------------------------------------------------------------ */

const char protocol_names[] = "chat redis nats irc bare";

static const struct protocol protocols[] = {
    {"chat", true, true, true, chat_join, chat_enter, chat_leave, chat_message,
     "{\"type\":\"ping\",\"id\":0}\n", "{\"type\":\"ping\",\"id\":\"probe\"}\n", chat_read},
    {"redis", true, true, false, redis_join, NULL, NULL, redis_message, "", "PING\r\n", redis_read},
    {"nats", false, true, false, nats_join, NULL, NULL, nats_message, "PONG\r\n", "PING\r\n",
     nats_read},
    {"irc", false, false, true, irc_join, NULL, NULL, irc_message, "PONG :0\r\n", "PING 0\r\n",
     irc_read},
    {"bare", true, true, false, bare_join, NULL, NULL, bare_message, "", NULL, bare_read},
};

const struct protocol *protocol_find(const char *name)
{
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
        if (strcmp(name, protocols[i].name) == 0)
            return &protocols[i];
    return NULL;
}
