/* audience - those for whom a file is.  See audience.h. */

#include "audience.h"

#include "file_wire.h"
#include "hub.h"
#include "room.h"

struct room *audience_room(const struct session *s, const struct vault_file *f)
{
    struct room *r = f->room[0] != '\0' ? room_find(s->hub, f->room) : NULL;
    return r != NULL && session_in_room(s, r) ? r : NULL;
}

bool audience_tell(struct session *owner, const struct vault_file *f)
{
    struct hub *hub = owner->hub;
    if (hub_encode(hub, file_wire_shared(f)) == -1)
        return false;
    struct room *r = audience_room(owner, f);
    if (r != NULL)
        return room_say(r, hub->line, hub->line_size) == 0;
    struct session *addressee = hub_find_user(hub, f->addressee);
    if (addressee != NULL && addressee != owner)
        session_put(addressee, hub->line, hub->line_size);
    session_put(owner, hub->line, hub->line_size);
    return true;
}
