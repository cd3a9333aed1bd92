/*
 * requests - what the room does: one function for each type of request, and the table of them.
 */

#include "dispatch.h"
#include "hub.h"
#include "notice.h"
#include "room.h"
#include "room_limits.h"
#include "server.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NICKNAME_MOST = 24, ROOM_MOST = 32, CONTENT_MOST = 4096 };

/* ---- lists of names ------------------------------------------------------------------------- */

/* Encode a message with a list of the members of a room behind its other fields. */
static int encode_with_users(struct call *c, json_t *message, const struct room *r)
{
    hub_encode(c->hub, call_add_id(c, message));
    hub_list_begin(c->hub, "users");
    for (size_t i = 0; r != NULL && i < r->count; i++) {
        char quoted[NAME_SIZE + 2];
        int size = snprintf(quoted, sizeof quoted, "\"%s\"", r->seats[i].session->name.text);
        hub_list_add(c->hub, quoted, (size_t)size);
    }
    return hub_list_end(c->hub);
}

/* Send the requester what has just been encoded. */
static void reply_encoded(struct call *c, int encoded)
{
    if (encoded == 0)
        session_put(c->session, c->hub->line, c->hub->line_size);
    else
        session_die(c->session, "connection lost");
}

static int by_text(const void *a, const void *b)
{
    const struct name *const *left = a;
    const struct name *const *right = b;
    return strcmp((*left)->text, (*right)->text);
}

/* All entries of a table in byte order, an array to be freed; NULL short of memory. */
static struct name **sorted(const struct names *table)
{
    struct name **list = malloc((table->count + 1) * sizeof(struct name *));
    size_t count = 0;
    for (size_t i = 0; list != NULL && i < table->chain_count; i++)
        for (struct name *n = table->chains[i]; n != NULL; n = n->next)
            list[count++] = n;
    if (list != NULL)
        qsort(list, count, sizeof(struct name *), by_text);
    return list;
}

/* ---- coming and going ----------------------------------------------------------------------- */

/* May this session have this nickname?  If not, that is answered. */
static bool nickname_is_free(struct call *c, const char *nickname)
{
    const struct session *owner = hub_find_user(c->hub, nickname);
    if (owner != NULL && owner != c->session) {
        call_error(c, "nickname_taken", "Somebody else has this nickname.");
        return false;
    }
    for (const struct extension *const *e = c->hub->extensions; *e != NULL; e++) {
        const char *code = (*e)->refuse_nickname != NULL
                               ? (*e)->refuse_nickname(c->session, nickname)
                               : NULL;
        if (code != NULL) {
            call_error(c, code, "This nickname cannot be taken.");
            return false;
        }
    }
    return true;
}

/* Take a seat, and let the others see it.  NULL after an error has been answered. */
static struct room *enter(struct call *c, const char *name)
{
    struct session *s = c->session;
    struct room *r = room_open(c->hub, name);
    bool seated = r != NULL && room_enter(r, s) == 0;
    if (!seated || notice_joined(r, s) == -1) {
        if (seated)
            room_leave(r, s);
        call_error(c, "busy", "Memory is short: try again.");
        return NULL;
    }
    server_report("client %d (%s): joined room %s", s->connection.number, s->name.text,
                  r->name.text);
    return r;
}

void call_join(struct call *c, const char *nickname, const char *room)
{
    struct session *s = c->session;
    snprintf(s->name.text, sizeof s->name.text, "%s", nickname);
    names_add(&c->hub->users, &s->name);
    struct room *r = enter(c, room);
    if (r == NULL) {
        names_remove(&c->hub->users, &s->name);
        s->name.text[0] = '\0';
        return;
    }
    reply_encoded(c, encode_with_users(c,
                                       json_pack("{ss ss ss ss so}", "type", "welcome", "nickname",
                                                 nickname, "room", r->name.text, "timestamp",
                                                 notice_time(), "limits", limits_json()),
                                       r));
    for (const struct extension *const *e = c->hub->extensions; *e != NULL; e++)
        if ((*e)->joined != NULL)
            (*e)->joined(s);
}

static void serve_join(struct call *c)
{
    if (session_joined(c->session)) {
        call_error(c, "already_joined", "You have joined already; nick changes the nickname.");
        return;
    }
    const char *nickname = call_name(c, "nickname", NULL, NICKNAME_MOST, "bad_nickname");
    const char *room = nickname != NULL ? call_name(c, "room", "lobby", ROOM_MOST, "bad_room")
                                        : NULL;
    if (room != NULL && nickname_is_free(c, nickname))
        call_join(c, nickname, room);
}

static void serve_quit(struct call *c)
{
    call_reply(
        c, json_pack("{ss ss ss}", "type", "bye", "reason", "quit", "timestamp", notice_time()));
    session_finish(c->session, "quit", NULL);
}

static void serve_join_room(struct call *c)
{
    struct session *s = c->session;
    const char *name = call_name(c, "room", NULL, ROOM_MOST, "bad_room");
    if (name == NULL)
        return;
    const struct room *there = room_find(c->hub, name);
    if (there != NULL && session_in_room(s, there)) {
        call_error(c, "already_joined", "You are in this room already.");
        return;
    }
    if (s->room_count >= limits.max_rooms) {
        call_error(c, "too_many_rooms", "You are in as many rooms as one user may be in.");
        return;
    }
    struct room *r = enter(c, name);
    if (r == NULL)
        return;
    reply_encoded(c, encode_with_users(c,
                                       json_pack("{ss ss ss}", "type", "room_joined", "room",
                                                 r->name.text, "timestamp", notice_time()),
                                       r));
}

/* The room of this name, if the requester is in it; else NULL, and not_in_room is answered. */
static struct room *own_room(struct call *c, const char *name)
{
    struct room *r = room_find(c->hub, name);
    if (r != NULL && session_in_room(c->session, r))
        return r;
    call_error(c, "not_in_room", "You are not in this room.");
    return NULL;
}

static void serve_leave_room(struct call *c)
{
    struct session *s = c->session;
    const char *name = call_name(c, "room", NULL, ROOM_MOST, "bad_room");
    struct room *r = name != NULL ? own_room(c, name) : NULL;
    if (r == NULL)
        return;
    room_leave(r, s);
    server_report("client %d (%s): left room %s", s->connection.number, s->name.text, r->name.text);
    call_reply(c, json_pack("{ss ss ss}", "type", "room_left", "room", r->name.text, "timestamp",
                            notice_time()));
    notice_left(r, s->name.text, "left");
}

/* ---- nicknames ------------------------------------------------------------------------------ */

/* Take the new name everywhere. */
static void rename_session(struct session *s, const char *nickname)
{
    struct seat seats[limits.max_rooms];
    for (uint32_t i = 0; i < s->room_count; i++)
        seats[i] = room_unseat(s->rooms[i], s);
    names_remove(&s->hub->users, &s->name);
    snprintf(s->name.text, sizeof s->name.text, "%s", nickname);
    names_add(&s->hub->users, &s->name);
    for (uint32_t i = 0; i < s->room_count; i++)
        room_reseat(s->rooms[i], seats[i]);
}

/* Tell everybody who shares a room with s, but not s; once, whatever the number of rooms shared. */
static void tell_neighbours(struct session *s, struct chunk *k)
{
    s->round = ++s->hub->round;
    for (uint32_t i = 0; i < s->room_count; i++)
        for (size_t n = 0; n < s->rooms[i]->count; n++) {
            struct session *other = s->rooms[i]->seats[n].session;
            if (other->round == s->round)
                continue;
            other->round = s->round;
            session_refer_all(other, k);
        }
}

/* A chunk of what hub_encode has made; NULL short of memory. */
static struct chunk *chunk_of_line(const struct hub *hub)
{
    struct chunk *k = chunk_new(hub->line_size, true);
    if (k == NULL)
        return NULL;
    memcpy(k->bytes, hub->line, hub->line_size);
    k->used = (uint32_t)hub->line_size;
    return k;
}

static void serve_nick(struct call *c)
{
    struct session *s = c->session;
    const char *nickname = call_name(c, "nickname", NULL, NICKNAME_MOST, "bad_nickname");
    if (nickname == NULL || !nickname_is_free(c, nickname))
        return;
    json_t *message = json_pack("{ss ss ss ss}", "type", "nick_changed", "old", s->name.text,
                                "nickname", nickname, "timestamp", notice_time());
    struct chunk *k = NULL;
    if (hub_encode(c->hub, json_incref(message)) == -1 || (k = chunk_of_line(c->hub)) == NULL) {
        json_decref(message);
        call_error(c, "busy", "Memory is short: try again.");
        return;
    }
    server_report("client %d (%s): is now %s", s->connection.number, s->name.text, nickname);
    rename_session(s, nickname);
    tell_neighbours(s, k);
    chunk_drop(k);
    call_reply(c, message);
}

/* ---- messages ------------------------------------------------------------------------------- */

/* What is to be said: 1 to 4096 bytes, rewritten by the extensions; a new reference, or NULL after an
 * error has been answered. */
static json_t *content(struct call *c)
{
    size_t size;
    if (call_text(c, "content", &size) == NULL)
        return NULL;
    if (size < 1 || size > CONTENT_MOST) {
        call_error(c, "bad_request", "The field 'content' must have 1 to 4096 bytes.");
        return NULL;
    }
    json_t *said = json_incref(json_object_get(c->body, "content"));
    for (const struct extension *const *e = c->hub->extensions; *e != NULL && said != NULL; e++)
        if ((*e)->rewrite != NULL)
            said = (*e)->rewrite(c->session, said);
    return said;
}

/* Let the extensions know where what hub_encode has made stands now, at the end of a chunk; or that
 * it stands nowhere. */
static void tell_extensions(struct hub *hub, struct chunk *k)
{
    for (const struct extension *const *e = hub->extensions; *e != NULL; e++)
        if ((*e)->after_broadcast != NULL)
            (*e)->after_broadcast(hub, k, k != NULL ? k->used - hub->line_size : 0,
                                  k != NULL ? hub->line_size : 0);
}

static void say(struct call *c, struct room *r, json_t *said)
{
    struct session *s = c->session;
    json_t *message = json_pack("{ss ss ss so ss}", "type", "broadcast", "from", s->name.text,
                                "room", r->name.text, "content", said, "timestamp", notice_time());
    for (const struct extension *const *e = c->hub->extensions; *e != NULL && message != NULL; e++)
        if ((*e)->before_broadcast != NULL)
            (*e)->before_broadcast(r, message);
    if (c->id != NULL)
        room_settle_one(r, s);
    if (hub_encode(c->hub, json_incref(message)) == -1 ||
        room_say(r, c->hub->line, c->hub->line_size) == -1) {
        tell_extensions(c->hub, NULL);
        call_error(c, "busy", "Memory is short: try again.");
        json_decref(message);
        return;
    }
    tell_extensions(c->hub, r->tape);
    if (c->id != NULL) {
        /* The sender's own copy has the id of the request; everybody else's bytes are the same. */
        room_skip(r, s);
        call_reply(c, json_incref(message));
        if (s->state == SESSION_OPEN)
            tell_extensions(c->hub, outbox_last(&s->out));
    }
    json_decref(message);
}

static void serve_message(struct call *c)
{
    struct session *s = c->session;
    const char *last = s->room_count > 0 ? s->rooms[s->room_count - 1]->name.text : "";
    const char *name = call_name(c, "room", last, ROOM_MOST, "bad_room");
    struct room *r = name != NULL ? own_room(c, name) : NULL;
    json_t *said = r != NULL ? content(c) : NULL;
    if (said != NULL)
        say(c, r, said);
}

static void serve_private(struct call *c)
{
    const char *name = call_text(c, "to", NULL);
    json_t *said = name != NULL ? content(c) : NULL;
    if (said == NULL)
        return;
    struct session *to = hub_find_user(c->hub, name);
    if (to == NULL) {
        json_decref(said);
        call_error(c, "no_such_user", "Nobody has this nickname now.");
        return;
    }
    json_t *message = json_pack("{ss ss ss so ss}", "type", "private", "from",
                                c->session->name.text, "to", to->name.text, "content", said,
                                "timestamp", notice_time());
    if (message == NULL || hub_encode(c->hub, json_incref(message)) == -1) {
        call_error(c, "busy", "Memory is short: try again.");
    } else {
        if (to != c->session)
            session_put(to, c->hub->line, c->hub->line_size);
        call_reply(c, json_incref(message));
    }
    json_decref(message);
}

/* ---- questions ------------------------------------------------------------------------------ */

static void serve_list_users(struct call *c)
{
    json_t *room = json_object_get(c->body, "room");
    if (room != NULL && !json_is_null(room)) {
        const char *name = call_name(c, "room", NULL, ROOM_MOST, "bad_room");
        if (name != NULL)
            reply_encoded(c,
                          encode_with_users(c, json_pack("{ss ss}", "type", "users", "room", name),
                                            room_find(c->hub, name)));
        return;
    }
    struct name **users = sorted(&c->hub->users);
    hub_encode(c->hub, users != NULL ? call_add_id(c, json_pack("{ss sn}", "type", "users", "room"))
                                     : NULL);
    hub_list_begin(c->hub, "users");
    for (size_t i = 0; users != NULL && i < c->hub->users.count; i++) {
        char quoted[NAME_SIZE + 2];
        int size = snprintf(quoted, sizeof quoted, "\"%s\"", users[i]->text);
        hub_list_add(c->hub, quoted, (size_t)size);
    }
    reply_encoded(c, hub_list_end(c->hub));
    free(users);
}

static void serve_list_rooms(struct call *c)
{
    struct name **rooms = sorted(&c->hub->rooms);
    hub_encode(c->hub, rooms != NULL ? call_add_id(c, json_pack("{ss}", "type", "rooms")) : NULL);
    hub_list_begin(c->hub, "rooms");
    for (size_t i = 0; rooms != NULL && i < c->hub->rooms.count; i++) {
        const struct room *r = (const struct room *)rooms[i];
        char object[NAME_SIZE + 64];
        if (r->count == 0 && r != c->hub->lobby)
            continue; /* everybody has just left: it goes at the end of the turn */
        int size = snprintf(object, sizeof object, "{\"name\":\"%s\",\"users\":%zu}", r->name.text,
                            r->count);
        hub_list_add(c->hub, object, (size_t)size);
    }
    reply_encoded(c, hub_list_end(c->hub));
    free(rooms);
}

static void serve_ping(struct call *c)
{
    call_reply(c, json_pack("{ss}", "type", "pong"));
}

/* [request-table] What the room can be asked. */
const struct request requests[] = {
    {"join", serve_join, true},
    {"nick", serve_nick, false},
    {"message", serve_message, false},
    {"private", serve_private, false},
    {"list_users", serve_list_users, true},
    {"join_room", serve_join_room, false},
    {"leave_room", serve_leave_room, false},
    {"list_rooms", serve_list_rooms, true},
    {"ping", serve_ping, true},
    {"quit", serve_quit, true},
    {NULL, NULL, false},
};
