/* emoji_typing - TAB completes short codes.  See emoji_typing.h. */

#include "emoji_typing.h"

#include "emoji_table.h"

#include <stdio.h>
#include <string.h>

enum { CODE_SIZE = 64 };

/* The colon of a code that is being typed at the end of a text, or NULL: what stands behind it are
 * bytes of a code, and it closes none itself. */
static const char *open_colon(const char *before)
{
    const char *colon = strrchr(before, ':');
    if (colon == NULL || strchr(colon, ' ') != NULL)
        return NULL;
    const char *code = colon;
    while (code > before && code[-1] != ':' && code[-1] != ' ')
        code--;
    bool closes = code > before && code[-1] == ':' &&
                  emoji_find(code, (size_t)(colon - code)) != NULL;
    return closes ? NULL : colon;
}

static size_t complete(const char *before, struct words *found)
{
    const char *colon = open_colon(before);
    if (colon == NULL || colon[1] == '\0')
        return 0; /* there are two thousand */
    size_t count = 0;
    const struct emoji_code *codes = emoji_complete(colon + 1, strlen(colon + 1), &count);
    for (size_t i = 0; i < count; i++) {
        char word[CODE_SIZE];
        snprintf(word, sizeof word, ":%s:", codes[i].code);
        words_add(found, word);
    }
    return count > 0 ? strlen(colon) : 0;
}

const struct talk_extension emoji_typing = {.complete = complete};
