/* view - what one client knows of the room.  See view.h. */

#include "view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct view *hearing; /* whose turn it is, */
static const json_t *heard;        /* and what it hears */

static void fail(const char *condition, const char *function)
{
    char *line = json_dumps(heard, JSON_COMPACT | JSON_ENCODE_ANY);
    fprintf(stderr, "%s%s%s: %s, not so: %s: %s\n", hearing->label != NULL ? hearing->label : "",
            hearing->label != NULL ? ": " : "", hearing->nickname, function, condition,
            line != NULL ? line : "no message");
    abort();
}

#define REQUIRE(condition) ((condition) ? (void)0 : fail(#condition, __func__))

static bool is_one_of(const char *word, const char *const list[])
{
    while (*list != NULL && strcmp(*list, word) != 0)
        list++;
    return *list != NULL;
}

static const char *text(const json_t *message, const char *field)
{
    const char *value = json_string_value(json_object_get(message, field));
    REQUIRE(value != NULL);
    return value;
}

/* The members of the room that a message is of: the client must be in it. */
static json_t *members(const struct view *v, const json_t *message)
{
    json_t *set = json_object_get(v->rooms, text(message, "room"));
    REQUIRE(set != NULL);
    return set;
}

static bool is_member(const json_t *set, const char *nickname)
{
    return json_object_get(set, nickname) != NULL;
}

static void set_add(json_t *set, const char *nickname)
{
    REQUIRE(!is_member(set, nickname));
    json_object_set_new(set, nickname, json_null());
}

static void set_remove(json_t *set, const char *nickname)
{
    REQUIRE(json_object_del(set, nickname) == 0);
}

/* A list of nicknames, which must be in byte order, as a set. */
static json_t *set_of(const json_t *list)
{
    json_t *set = json_object();
    REQUIRE(json_is_array(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *nickname = json_string_value(json_array_get(list, i));
        REQUIRE(nickname != NULL);
        REQUIRE(i == 0 || strcmp(json_string_value(json_array_get(list, i - 1)), nickname) < 0);
        set_add(set, nickname);
    }
    return set;
}

/* The client itself has entered a room. */
static void entered(struct view *v, const json_t *message)
{
    json_t *set = set_of(json_object_get(message, "users"));
    REQUIRE(is_member(set, v->nickname));
    REQUIRE(json_object_get(v->rooms, text(message, "room")) == NULL);
    json_object_set_new(v->rooms, text(message, "room"), set);
}

static void renamed(struct view *v, const char *old, const char *nickname)
{
    const char *room;
    json_t *set;
    bool known = false;
    json_object_foreach(v->rooms, room, set)
    {
        if (!is_member(set, old))
            continue;
        known = true;
        set_remove(set, old);
        set_add(set, nickname);
    }
    REQUIRE(known || strcmp(v->nickname, old) == 0);
    if (strcmp(v->nickname, old) == 0)
        snprintf(v->nickname, sizeof v->nickname, "%s", nickname);
}

static void check_rooms(const json_t *list)
{
    REQUIRE(json_is_array(list));
    const char *last = "";
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *room = json_array_get(list, i);
        REQUIRE(strcmp(last, text(room, "name")) < 0);
        REQUIRE(json_is_integer(json_object_get(room, "users")));
        last = text(room, "name");
    }
}

static void check_users(const struct view *v, const json_t *message)
{
    json_t *set = set_of(json_object_get(message, "users"));
    const json_t *room = json_object_get(message, "room");
    REQUIRE(room != NULL);
    const json_t *known = json_object_get(v->rooms, json_string_value(room));
    REQUIRE(known == NULL || json_equal(known, set));
    json_decref(set);
}

static void check_number(struct view *v, const json_t *message)
{
    const char *room = text(message, "room");
    json_int_t n = json_integer_value(json_object_get(message, "in_room"));
    json_int_t all = json_integer_value(json_object_get(message, "in_all"));
    const json_t *last = json_object_get(v->heard, room);
    if (n == 0)
        return;
    REQUIRE(last == NULL || n == json_integer_value(last) + 1);
    REQUIRE(all > v->last);
    json_object_set_new(v->heard, room, json_integer(n));
    v->last = all;
}

/* What a client is told of rooms and of others only when it has joined. */
static void check_notice(struct view *v, const char *type, const json_t *message)
{
    REQUIRE(v->nickname[0] != '\0');
    if (strcmp(type, "broadcast") == 0) {
        REQUIRE(is_member(members(v, message), text(message, "from")));
        REQUIRE(text(message, "content")[0] != '\0');
        check_number(v, message);
    } else if (strcmp(type, "private") == 0) {
        REQUIRE(strcmp(text(message, "from"), v->nickname) == 0 ||
                strcmp(text(message, "to"), v->nickname) == 0);
    } else if (strcmp(type, "user_joined") == 0) {
        set_add(members(v, message), text(message, "nickname"));
    } else if (strcmp(type, "user_left") == 0) {
        static const char *const reasons[] = {
            "left", "quit", "connection lost", "timeout", "slow consumer", "server closing", NULL};
        REQUIRE(strcmp(text(message, "nickname"), v->nickname) != 0);
        REQUIRE(is_one_of(text(message, "reason"), reasons));
        set_remove(members(v, message), text(message, "nickname"));
    } else if (strcmp(type, "nick_changed") == 0) {
        renamed(v, text(message, "old"), text(message, "nickname"));
    } else if (strcmp(type, "room_joined") == 0) {
        entered(v, message);
    } else if (strcmp(type, "room_left") == 0) {
        members(v, message);
        json_object_del(v->rooms, text(message, "room"));
        json_object_del(v->heard, text(message, "room"));
    } else {
        fail("there is such a type", __func__);
    }
}

void view_hear(struct view *v, const json_t *message)
{
    static const char *const codes[] = {
        "bad_json",       "bad_request",    "unknown_type",   "too_long", "not_joined",
        "already_joined", "bad_nickname",   "nickname_taken", "bad_room", "not_in_room",
        "no_such_user",   "too_many_rooms", "server_full",    "busy",     NULL};
    hearing = v;
    heard = message;
    if (v->rooms == NULL) {
        v->rooms = json_object();
        v->heard = json_object();
    }
    REQUIRE(json_is_object(message));
    REQUIRE(!v->over);
    const char *type = text(message, "type");
    if (strcmp(type, "error") == 0) {
        REQUIRE(is_one_of(text(message, "code"), codes) ||
                (v->more != NULL && v->more(v, type, message)));
        REQUIRE(text(message, "message")[0] != '\0');
    } else if (strcmp(type, "welcome") == 0) {
        REQUIRE(v->nickname[0] == '\0');
        snprintf(v->nickname, sizeof v->nickname, "%s", text(message, "nickname"));
        entered(v, message);
    } else if (strcmp(type, "users") == 0) {
        check_users(v, message);
    } else if (strcmp(type, "rooms") == 0) {
        check_rooms(json_object_get(message, "rooms"));
    } else if (strcmp(type, "bye") == 0) {
        v->over = true;
    } else if (strcmp(type, "ping") != 0 && strcmp(type, "pong") != 0 &&
               !(v->more != NULL && v->more(v, type, message))) {
        check_notice(v, type, message);
    }
}

void view_free(struct view *v)
{
    json_decref(v->rooms);
    json_decref(v->heard);
    *v = (struct view){0};
}
