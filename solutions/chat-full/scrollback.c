/* scrollback - what was said before.  See scrollback.h. */

#include "scrollback.h"

#include "message.h"
#include "printable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 20, PAGE_MAX = 100 };

/* How far back a room has been seen. */
static struct seen {
    char room[ROSTER_NAME_SIZE];
    json_int_t oldest; /* the number of a message */
} seen[ROSTER_ROOMS];
static size_t seen_count = 0;

static json_int_t asked = 0; /* the id of the request that waits, or 0 */

static struct seen *find(const char *room)
{
    for (size_t i = 0; i < seen_count; i++)
        if (strcmp(seen[i].room, room) == 0)
            return &seen[i];
    return NULL;
}

/* A message has been seen: the server numbers them upwards. */
static void note(const char *room, json_int_t number)
{
    struct seen *s = find(room);
    if (number <= 0)
        return; /* it is not kept, and there is no way back to it */
    if (s == NULL && seen_count < ROSTER_ROOMS && strlen(room) < ROSTER_NAME_SIZE) {
        s = &seen[seen_count++];
        snprintf(s->room, sizeof s->room, "%s", room);
        s->oldest = number;
    } else if (s != NULL && number < s->oldest) {
        s->oldest = number;
    }
}

/* We come to a room, or have left it: what was said without us has not been seen. */
static void forget(const char *room)
{
    struct seen *s = find(room);
    if (s != NULL)
        *s = seen[--seen_count];
}

static void do_history(struct command *c, char *rest, const struct roster *roster)
{
    (void)roster;
    const char *room = talk_room();
    const char *word = command_word(&rest);
    char *end = NULL;
    long count = *word != '\0' ? strtol(word, &end, 10) : PAGE;
    if (count < 1 || count > PAGE_MAX || (end != NULL && *end != '\0')) {
        command_wrong(c, "/history [N]: N is 1 to %d", PAGE_MAX);
    } else if (room == NULL) {
        command_wrong(c, "you are in no room");
    } else if (!talk_joined()) {
        command_wrong(c, "not connected: not asked for");
    } else if (asked != 0) {
        command_wrong(c, "the page before is still on its way");
    } else {
        json_t *request = json_pack("{ss ss si}", "type", "history", "room", room, "limit",
                                    (int)count);
        if (find(room) != NULL)
            json_object_set_new(request, "before", json_integer(find(room)->oldest));
        asked = talk_send(request);
    }
}

static const struct command_row commands[] = {
    {"/history", NULL, false, do_history,
     "/history [N]    what was said before: N lines, and N older ones"},
    {0},
};

/* Show one message of a page, as if it had just been said but for its time. */
static void show_old(const char *room, const json_t *message)
{
    json_t *said = json_copy((json_t *)message);
    json_object_set_new(said, "type", json_string("broadcast"));
    json_object_set_new(said, "room", json_string(room));
    if (said != NULL)
        talk_show(said);
    json_decref(said);
}

static void show_page(const json_t *page)
{
    const char *room = message_text(page, "room");
    const json_t *messages = json_object_get(page, "messages");
    char *name = printable_copy(room, strlen(room));
    if (json_array_size(messages) > 0)
        talk_report(page, "%zu of %s from before:", json_array_size(messages),
                    name != NULL ? name : "");
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        note(room, message_number(message, "seq"));
        show_old(room, message);
    }
    if (json_is_true(json_object_get(page, "more")))
        talk_report(page, "there is more: /history");
    else
        talk_report(page, "nothing of %s is older", name != NULL ? name : "");
    free(name);
}

static void show_state(const json_t *state)
{
    const char *said = message_text(state, "message");
    char *text = printable_copy(said, strlen(said));
    talk_report(state, "history is %s: %s",
                json_is_true(json_object_get(state, "on")) ? "on" : "off",
                text != NULL ? text : "");
    free(text);
}

static bool hear(const json_t *message, const json_t *request)
{
    if (message_is(request, "history"))
        asked = 0;
    if (message_is(message, "broadcast"))
        note(message_text(message, "room"), message_number(message, "seq"));
    if (message_is(message, "room_joined") || message_is(message, "room_left"))
        forget(message_text(message, "room"));
    if (message_is(message, "history") && message_is(request, "history"))
        show_page(message);
    else if (message_is(message, "history_state"))
        show_state(message);
    else
        return false;
    return true;
}

/* What was said meanwhile is not known: after a loss, /history begins at the end again. */
static void lost(void)
{
    asked = 0;
    seen_count = 0;
}

const struct talk_extension scrollback = {.commands = commands, .hear = hear, .lost = lost};
