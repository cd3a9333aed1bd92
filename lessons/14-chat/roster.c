/* roster - what a client knows of the chat room.  See roster.h. */

#include "roster.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_name(const char *name)
{
    size_t length = name != NULL ? strlen(name) : 0;
    for (size_t i = 0; i < length; i++)
        if (!isascii(name[i]) || (!isalnum((unsigned char)name[i]) && !strchr("_-.", name[i])))
            return false;
    return length > 0 && length < ROSTER_NAME_SIZE;
}

static struct roster_room *find(struct roster *roster, const char *room)
{
    for (size_t i = 0; room != NULL && i < roster->count; i++)
        if (strcmp(roster->rooms[i].name, room) == 0)
            return &roster->rooms[i];
    return NULL;
}

static void add_all(struct words *set, const json_t *names)
{
    size_t i = 0;
    json_t *name = NULL;
    json_array_foreach(names, i, name) if (is_name(json_string_value(name)))
        words_add(set, json_string_value(name));
}

static void add_place(struct roster *roster, const char *room)
{
    roster->places.exact = true;
    words_add(&roster->places, room);
}

/* We are in a room, with these users. */
static void enter(struct roster *roster, const char *name, const json_t *users)
{
    struct roster_room *room = find(roster, name);
    if (room == NULL && is_name(name) && roster->count < ROSTER_ROOMS) {
        room = &roster->rooms[roster->count++];
        *room = (struct roster_room){0};
        snprintf(room->name, sizeof room->name, "%s", name);
        add_place(roster, name);
    }
    if (room == NULL)
        return;
    words_free(&room->members);
    add_all(&room->members, users);
}

static void rename_user(struct roster *roster, const char *old, const char *nickname)
{
    if (old == NULL || !is_name(nickname))
        return;
    if (strcasecmp(old, roster->nickname) == 0)
        snprintf(roster->nickname, sizeof roster->nickname, "%s", nickname);
    for (size_t i = 0; i < roster->count; i++)
        if (words_remove(&roster->rooms[i].members, old))
            words_add(&roster->rooms[i].members, nickname);
    if (words_remove(&roster->people, old))
        words_add(&roster->people, nickname);
}

static void learn_places(struct roster *roster, const json_t *rooms)
{
    size_t i = 0;
    json_t *room = NULL;
    words_free(&roster->places);
    json_array_foreach(rooms, i, room)
    {
        const char *name = json_string_value(json_object_get(room, "name"));
        if (is_name(name))
            add_place(roster, name);
    }
}

void roster_learn(struct roster *roster, const json_t *message)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    const char *room = json_string_value(json_object_get(message, "room"));
    const char *nickname = json_string_value(json_object_get(message, "nickname"));
    const char *from = json_string_value(json_object_get(message, "from"));
    const json_t *users = json_object_get(message, "users");
    struct roster_room *ours = find(roster, room);
    if (type == NULL)
        return;
    bool welcome = strcmp(type, "welcome") == 0;
    if (welcome && is_name(nickname))
        snprintf(roster->nickname, sizeof roster->nickname, "%s", nickname);
    if (welcome || strcmp(type, "room_joined") == 0) {
        enter(roster, room, users);
    } else if (strcmp(type, "room_left") == 0) {
        roster_forget_room(roster, room);
    } else if (strcmp(type, "user_joined") == 0 && ours != NULL && is_name(nickname)) {
        words_add(&ours->members, nickname);
    } else if (strcmp(type, "user_left") == 0 && ours != NULL && nickname != NULL) {
        words_remove(&ours->members, nickname);
    } else if (strcmp(type, "nick_changed") == 0) {
        rename_user(roster, json_string_value(json_object_get(message, "old")), nickname);
    } else if (strcmp(type, "users") == 0) {
        struct words *set = ours != NULL ? &ours->members : &roster->people;
        words_free(set);
        add_all(set, users);
    } else if (strcmp(type, "rooms") == 0) {
        learn_places(roster, json_object_get(message, "rooms"));
    } else if (strcmp(type, "private") == 0 && is_name(from)) {
        words_add(&roster->people, from);
    }
}

const char *roster_current(const struct roster *roster)
{
    return roster->count > 0 ? roster->rooms[roster->count - 1].name : NULL;
}

bool roster_enter(struct roster *roster, const char *room)
{
    struct roster_room *found = find(roster, room);
    if (found == NULL)
        return false;
    struct roster_room entered = *found;
    size_t behind = roster->count - 1 - (size_t)(found - roster->rooms);
    memmove(found, found + 1, behind * sizeof *found);
    roster->rooms[roster->count - 1] = entered;
    return true;
}

void roster_forget_room(struct roster *roster, const char *room)
{
    if (!roster_enter(roster, room))
        return;
    words_free(&roster->rooms[--roster->count].members);
}

void roster_lost(struct roster *roster)
{
    for (size_t i = 0; i < roster->count; i++)
        words_free(&roster->rooms[i].members);
    words_free(&roster->people);
    words_free(&roster->places);
}

void roster_free(struct roster *roster)
{
    roster_lost(roster);
    *roster = (struct roster){0};
}
