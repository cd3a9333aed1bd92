/* notice - what the server says of its own accord.  See notice.h. */

#include "notice.h"

#include "hub.h"
#include "room.h"
#include "server.h"
#include "session.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
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

static void tell_one(struct session *s, json_t *message)
{
    if (hub_encode(s->hub, message) == -1)
        session_die(s, "connection lost");
    else
        session_put(s, s->hub->line, s->hub->line_size);
}

int notice_joined(struct room *r, struct session *s)
{
    struct hub *hub = r->hub;
    if (hub_encode(hub, json_pack("{ss ss ss ss}", "type", "user_joined", "nickname", s->name.text,
                                  "room", r->name.text, "timestamp", notice_time())) == -1 ||
        room_say(r, hub->line, hub->line_size) == -1)
        return -1;
    room_skip(r, s);
    return 0;
}

/* [no-refusal] That somebody has gone cannot be refused, so it must not fail: names need no escaping,
 * so no memory is needed for the line, and the hub has kept a tape for it. */
void notice_left(struct room *r, const char *nickname, const char *reason)
{
    char line[256];
    if (r->count == 0)
        return;
    int size = snprintf(line, sizeof line,
                        "{\"type\":\"user_left\",\"nickname\":\"%s\",\"room\":\"%s\","
                        "\"reason\":\"%s\",\"timestamp\":\"%s\"}\n",
                        nickname, r->name.text, reason, notice_time());
    if (room_say(r, line, (size_t)size) == -1)
        server_refuse("out of memory: a notice to room %s is lost", r->name.text);
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
