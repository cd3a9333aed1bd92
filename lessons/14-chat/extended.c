/* extended - a client's extensions, asked one after the other.  See extended.h. */

#include "extended.h"

enum { OPTIONS_MAX = 24 };

static const struct talk_extension *const *all;

void extended_by(const struct talk_extension *const *extensions)
{
    all = extensions;
    for (size_t i = 0; all[i] != NULL; i++)
        if (all[i]->commands != NULL)
            commands_add(all[i]->commands);
}

const struct option_spec *extended_options(void)
{
    static struct option_spec options[OPTIONS_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; all[i] != NULL; i++) {
        const struct option_spec *option = all[i]->options;
        for (; option != NULL && option->name != NULL && count < OPTIONS_MAX; option++)
            options[count++] = *option;
    }
    return options;
}

void extended_start(const char *nickname)
{
    for (size_t i = 0; all[i] != NULL; i++)
        if (all[i]->start != NULL)
            all[i]->start(nickname);
}

void extended_stop(void)
{
    for (size_t i = 0; all[i] != NULL; i++)
        if (all[i]->stop != NULL)
            all[i]->stop();
}

json_t *extended_enter(const char *nickname, const char *room)
{
    json_t *request = NULL;
    for (size_t i = 0; all[i] != NULL && request == NULL; i++)
        if (all[i]->enter != NULL)
            request = all[i]->enter(nickname, room);
    return request;
}

bool extended_hear(const json_t *message, const json_t *request)
{
    for (size_t i = 0; all[i] != NULL; i++)
        if (all[i]->hear != NULL && all[i]->hear(message, request))
            return true;
    return false;
}

void extended_joined(void)
{
    for (size_t i = 0; all[i] != NULL; i++)
        if (all[i]->joined != NULL)
            all[i]->joined();
}

void extended_lost(void)
{
    for (size_t i = 0; all[i] != NULL; i++)
        if (all[i]->lost != NULL)
            all[i]->lost();
}

size_t extended_complete(const char *before, struct words *found)
{
    size_t length = 0;
    for (size_t i = 0; all[i] != NULL && length == 0; i++)
        if (all[i]->complete != NULL)
            length = all[i]->complete(before, found);
    return length;
}

bool extended_busy(void)
{
    for (size_t i = 0; all[i] != NULL; i++)
        if (all[i]->busy != NULL && all[i]->busy())
            return true;
    return false;
}
