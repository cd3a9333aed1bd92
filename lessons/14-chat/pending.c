/* pending - a client's requests that wait for their replies.  See pending.h. */

#include "pending.h"

#include <string.h>

static bool is_type(const json_t *object, const char *type)
{
    const char *text = json_string_value(json_object_get(object, "type"));
    return text != NULL && strcmp(text, type) == 0;
}

bool pending_full(const struct pending *p)
{
    return p->count == PENDING_MAX;
}

void pending_add(struct pending *p, struct pending_request request)
{
    if (pending_full(p))
        json_decref(request.request);
    else
        p->waiting[p->count++] = request;
}

struct pending_request pending_take(struct pending *p, const json_t *message)
{
    const json_t *id = json_object_get(message, "id");
    for (size_t i = 0; i < p->count; i++) {
        struct pending_request taken = p->waiting[i];
        if (id == NULL ? !is_type(message, "error")
                       : !json_is_integer(id) || json_integer_value(id) != taken.id)
            continue;
        memmove(p->waiting + i, p->waiting + i + 1, (--p->count - i) * sizeof p->waiting[0]);
        return taken;
    }
    return (struct pending_request){0};
}

const char *pending_room(const struct pending *p)
{
    for (size_t i = p->count; i > 0; i--)
        if (is_type(p->waiting[i - 1].request, "join_room") && !p->waiting[i - 1].ours)
            return json_string_value(json_object_get(p->waiting[i - 1].request, "room"));
    return NULL;
}

bool pending_move(const struct pending *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (is_type(p->waiting[i].request, "join_room") ||
            is_type(p->waiting[i].request, "leave_room"))
            return true;
    return false;
}

void pending_drop_all(struct pending *p)
{
    while (p->count > 0)
        json_decref(p->waiting[--p->count].request);
}
