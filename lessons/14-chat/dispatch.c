/* dispatch - from a line to the function that serves it.  See dispatch.h. */

#include "dispatch.h"

#include "hub.h"
#include "notice.h"
#include "reserve.h"
#include "room_limits.h"
#include "server.h"
#include "session.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH = 16 }; /* of nested objects and arrays */

/* ---- answers -------------------------------------------------------------------------------- */

json_t *call_add_id(const struct call *c, json_t *message)
{
    if (c->id == NULL || json_object_set(message, "id", c->id) == 0)
        return message;
    json_decref(message); /* an answer that nobody knows to be his is none */
    return NULL;
}

void call_reply(struct call *c, json_t *message)
{
    if (hub_encode(c->hub, call_add_id(c, message)) == 0)
        session_put(c->session, c->hub->line, c->hub->line_size);
    else
        session_die(c->session, "connection lost"); /* there is not even memory to say so */
}

void call_error(struct call *c, const char *code, const char *sentence)
{
    const struct session *s = c->session;
    server_report("client %d%s%s%s: refused: %s", s->connection.number,
                  session_joined(s) ? " (" : "", s->name.text, session_joined(s) ? ")" : "", code);
    call_reply(c, json_pack("{ss ss ss ss}", "type", "error", "code", code, "message", sentence,
                            "timestamp", notice_time()));
}

struct call call_keep(const struct call *c)
{
    session_hold(c->session);
    json_incref(c->body); /* the id stands in it */
    return *c;
}

bool call_is_open(const struct call *kept)
{
    return kept->session->state == SESSION_OPEN;
}

void call_end(struct call *kept)
{
    json_decref(kept->body);
    kept->body = kept->id = NULL;
    session_release(kept->session);
}

/* ---- fields --------------------------------------------------------------------------------- */

const char *call_text(struct call *c, const char *field, size_t *size)
{
    const json_t *value = json_object_get(c->body, field);
    if (!json_is_string(value)) {
        char sentence[80];
        snprintf(sentence, sizeof sentence, "This request needs a field '%s' that is a string.",
                 field);
        call_error(c, "bad_request", sentence);
        return NULL;
    }
    if (size != NULL)
        *size = json_string_length(value);
    return json_string_value(value);
}

/* A name is plain ASCII: it can stand in a log, in a list and in JSON as it is. */
static bool is_name(const char *text, size_t most)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t length = strspn(text, allowed);
    return length >= 1 && length <= most && text[length] == '\0';
}

const char *call_name(struct call *c, const char *field, const char *otherwise, size_t most,
                      const char *code)
{
    if (otherwise != NULL && json_object_get(c->body, field) == NULL)
        return otherwise;
    const char *name = call_text(c, field, NULL);
    if (name == NULL || is_name(name, most))
        return name;
    char sentence[96];
    snprintf(sentence, sizeof sentence,
             "A %s is 1 to %zu letters, digits, '_', '-' or '.', in ASCII.", field, most);
    call_error(c, code, sentence);
    return NULL;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* [bounded-depth] The parser recurses; how deep is decided here, before it runs.  Brackets in a
 * string do not count, and a backslash there hides what follows it. */
static bool is_too_deep(const char *text, size_t length)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '"')
            quoted = !quoted;
        else if (quoted)
            i += c == '\\';
        else if ((c == '{' || c == '[') && ++depth > DEPTH)
            return true;
        else if (c == '}' || c == ']')
            depth--;
    }
    return false;
}

/* A line that is not even a request.  Who sends nothing else is sent away. */
static void refuse_line(struct call *c, const char *code, const char *sentence)
{
    call_error(c, code, sentence);
    if (++c->session->bad_lines > limits.max_bad_lines)
        session_finish(c->session, "connection lost", "too many bad lines");
}

static const struct request *find_request(const struct request *table, const char *type)
{
    for (const struct request *r = table; r != NULL && r->type != NULL; r++)
        if (strcmp(r->type, type) == 0)
            return r;
    return NULL;
}

static void serve(struct call *c)
{
    c->id = json_object_get(c->body, "id");
    if (c->id != NULL && !json_is_string(c->id) && !json_is_integer(c->id)) {
        c->id = NULL;
        call_error(c, "bad_request", "The field 'id' must be a string or an integer.");
        return;
    }
    const char *type = call_text(c, "type", NULL);
    if (type == NULL)
        return;
    const struct request *r = NULL;
    for (const struct extension *const *e = c->hub->extensions; *e != NULL && r == NULL; e++)
        r = find_request((*e)->requests, type);
    if (r == NULL)
        r = find_request(requests, type);
    if (r == NULL)
        call_error(c, "unknown_type", "There is no request of this type.");
    else if (!r->before_join && !session_joined(c->session))
        call_error(c, "not_joined", "This needs a nickname: join first.");
    else
        r->serve(c);
}

void dispatch_line(struct session *s, const char *line, size_t length)
{
    struct call c = {.hub = s->hub, .session = s};
    if (length == 0)
        return;
    if (length > limits.max_line) {
        refuse_line(&c, "too_long", "The line is too long; all of it is thrown away.");
        return;
    }
    if (is_too_deep(line, length)) {
        refuse_line(&c, "bad_json", "The line nests objects or arrays too deeply.");
        return;
    }
    reserve_begin();
    json_t *body = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    if (reserve_end()) {
        call_error(&c, "busy", "Memory is short: try again.");
    } else if (!json_is_object(body)) {
        refuse_line(&c, "bad_json", "The line is not one JSON object.");
    } else {
        s->bad_lines = 0;
        c.body = body;
        serve(&c);
    }
    json_decref(body);
}
