/* notice - what the server says of its own accord.  See notice.h. */

#include "notice.h"

#include "hub.h"
#include "room.h"
#include "server.h"
#include "session.h"

#include <jansson.h>
#include <stddef.h>
#include <time.h>

const char *notice_time(void)
{
    static char text[sizeof "2024-01-15 10:30:00"];
    static time_t written = -1;
    time_t now = time(NULL);
    struct tm utc;
    if (now != written && gmtime_r(&now, &utc) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc) > 0)
        written = now;
    return text;
}

/* Tell all members.  There is nobody to answer to if memory is short: the log is told. */
static void tell_room(struct room *r, json_t *message)
{
    struct hub *hub = r->hub;
    if (r->count == 0)
        json_decref(message);
    else if (hub_encode(hub, message) == -1 || room_say(r, hub->line, hub->line_size) == -1)
        server_refuse("out of memory: a notice to room %s is lost", r->name.text);
}

static void tell_one(struct session *s, json_t *message)
{
    if (hub_encode(s->hub, message) == -1)
        session_die(s, "connection lost");
    else
        session_put(s, s->hub->line, s->hub->line_size);
}

void notice_joined(struct room *r, struct session *s)
{
    tell_room(r, json_pack("{ss ss ss ss}", "type", "user_joined", "nickname", s->name.text, "room",
                           r->name.text, "timestamp", notice_time()));
    room_skip(r, s);
}

void notice_left(struct room *r, const char *nickname, const char *reason)
{
    tell_room(r, json_pack("{ss ss ss ss ss}", "type", "user_left", "nickname", nickname, "room",
                           r->name.text, "reason", reason, "timestamp", notice_time()));
}

void notice_ping(struct session *s)
{
    tell_one(s, json_pack("{ss}", "type", "ping"));
}

void notice_bye(struct session *s, const char *reason)
{
    tell_one(s,
             json_pack("{ss ss ss}", "type", "bye", "reason", reason, "timestamp", notice_time()));
}
